"""Declared limits as SQL: which rows break them, and what is observed for each.

A condition here decides as Great Expectations does, which judges the same rows in `expectations.judge`: missing values
break ``required`` only, NaN breaks a minimum and a maximum, 0 and -0 are one value, and so are two missing values in a
key of several columns; a key of one column is unique among the values that are there.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from warehouse.sql import quote_literal
from warehouse.table import SQL_TYPES, Column, DeclarationError, Table

UNIQUE, COLUMNS = "unique", "columns"
_ORDERED_TYPES = ("integer", "real", "date", "timestamp")
# Python has no later and no earlier moments; DuckDB has, and calls the outermost infinity
_EDGES = {
    "date": ("date '0001-01-01'", "date '9999-12-31'"),
    "timestamp": ("timestamptz '0001-01-01 00:00:00+00'", "timestamptz '9999-12-31 23:59:59.999999+00'"),
}


@dataclass(frozen=True)
class Condition:
    """One declared limit as SQL.

    Args:
        column: Name of the column; the columns of a key joined by commas.
        limit: Name of the limit.
        broken: Expression that is true for rows that break it and never null; none for ``unique``.
        observed: Aggregate of what the column holds.
        value: Expression of the value as an example for people.
    """

    column: str
    limit: str
    broken: str
    observed: str
    value: str


def quote_name(name: str) -> str:
    """A name as SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def list_conditions(
    table: Table,
    allowed: Callable[[str], Sequence[str]],
    match: Callable[[str, str], str],
    *,
    is_exact: bool = True,
) -> list[Condition]:
    """The declared limits of the columns of a table, in the order of their declaration.

    Args:
        table: The declaration.
        allowed: Returns the values of the reference table that ``one_of = "reference.x"`` names.
        match: Returns the expression for whether a text matches a pattern.
        is_exact: Whether the different values of a text with a pattern are counted, rather than estimated.
    """
    return [
        Condition(
            column.name,
            limit,
            f"coalesce({_build_broken(table, column, limit, allowed, match)}, false)",
            _build_observed(column, limit, is_exact=is_exact),
            build_value(column),
        )
        for column in table.columns
        for limit in column.limits
    ]


def build_value(column: Column) -> str:
    """Expression of a column's value as Python can hold it, with 0 for -0."""
    name = quote_name(column.name)
    if column.type == "real":
        return f"case when {name} = 0 then 0::double else {name} end"
    if column.type in _EDGES:
        first, last = _EDGES[column.type]
        return f"case when {name} < {first} then {first} when {name} > {last} then {last} else {name} end"
    return name


def build_key(table: Table) -> str:
    """The columns of the key as a list for ``select`` and ``group by``."""
    return ", ".join(map(quote_name, table.key))


def build_key_values(table: Table) -> str:
    """The columns of the key as Python can hold them, under their names."""
    return ", ".join(f"{build_value(table.column(name))} as {quote_name(name)}" for name in table.key)


def build_has_key(table: Table) -> str:
    """Whether the key of a row counts for ``unique``."""
    return f"{quote_name(table.key[0])} is not null" if len(table.key) == 1 else "true"


def build_measurement(table: Table, relation: str, conditions: Sequence[Condition]) -> str:
    """The statement that evaluates every limit of a table.

    Returns:
        A query of one row: number of rows, rows whose key an earlier row has, rows that break ``unique``, and for each
        condition the number of rows that break it and what is observed.
    """
    measures = "".join(
        f",\n    count(*) filter (where {condition.broken}) as broken_{place}, {condition.observed} as observed_{place}"
        for place, condition in enumerate(conditions)
    )
    return f"""\
with repeated_keys as materialized (
    select {build_key(table)}, count(*) as key_rows from {relation} group by all having count(*) > 1
)
select
    count(*) as all_rows,
    (select coalesce(sum(key_rows - 1), 0)::bigint from repeated_keys) as repeated_rows,
    (select coalesce(sum(key_rows), 0)::bigint from repeated_keys where {build_has_key(table)}) as not_unique{measures}
from {relation}"""


def build_repeated_keys(table: Table, relation: str) -> str:
    """The keys that several rows have, once for each of these rows."""
    return f"""\
select {build_key_values(table)}
from (
    select {build_key(table)}, unnest(range(key_rows)) as place_of_row
    from (
        select {build_key(table)}, count(*) as key_rows
        from {relation} where {build_has_key(table)} group by {build_key(table)} having count(*) > 1
    ) as repeated_keys
) as rows_of_keys"""


def build_sample(relation: str, values: str, rows: int) -> str:
    """Rows of a relation that chance picks.

    Args:
        relation: Name of the relation.
        values: What to select.
        rows: How many rows.
    """
    return f"select {values} from {relation} order by random() limit {rows}"


def build_repeated_rows(table: Table, relation: str, values: str, rows: int) -> str:
    """Two rows of each of some keys that several rows have.

    Args:
        table: The declaration.
        relation: Name of the relation.
        values: What to select.
        rows: How many rows.
    """
    same_key = " and ".join(
        f"checked.{quote_name(name)} is not distinct from repeated_keys.{quote_name(name)}" for name in table.key
    )
    return f"""\
with repeated_keys as materialized (
    select {build_key(table)} from {relation} where {build_has_key(table)}
    group by all having count(*) > 1 limit {rows // 2}
)
select {values}
from {relation} as checked semi join repeated_keys on {same_key}
qualify row_number() over (partition by {build_key(table)} order by {build_key(table)}) <= 2"""


def quote_value(value: Any) -> str:
    """A value of a declaration as SQL literal of the type that columns of its kind have."""
    if isinstance(value, str):  # no statement can hold the character 0
        return " || chr(0) || ".join(map(quote_literal, value.split("\0"))) if "\0" in value else quote_literal(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else f"{quote_literal(repr(value))}::double"
    if isinstance(value, dt.datetime):
        if value.tzinfo is None:
            raise DeclarationError(f"{value} has no time zone")
        return f"timestamptz '{value.astimezone(dt.UTC).isoformat(sep=' ')}'"
    if isinstance(value, dt.date):
        return f"date '{value.isoformat()}'"
    raise DeclarationError(f"{value!r} is no value of a column")


def _build_broken(
    table: Table,
    column: Column,
    limit: str,
    allowed: Callable[[str], Sequence[str]],
    match: Callable[[str, str], str],
) -> str:
    name, value = quote_name(column.name), getattr(column, limit)
    types = {"minimum": _ORDERED_TYPES, "maximum": _ORDERED_TYPES, "matches": ("text",)}.get(limit, tuple(SQL_TYPES))
    if column.type not in types:
        raise DeclarationError(
            f"{table.name}.{column.name}: {limit} is for columns of type {' or '.join(types)}, not {column.type}"
        )
    try:
        if limit == "required":
            return f"{name} is null"
        if limit == "matches":
            return f"{name} is not null and not {match(name, value)}"
        if limit == "one_of":
            values = allowed(value) if isinstance(value, str) else value
            return f"{name} not in ({', '.join(map(quote_value, values))})" if values else f"{name} is not null"
        broken = f"{name} {'<' if limit == 'minimum' else '>'} {quote_value(value)}"
        return f"({broken} or isnan({name}))" if column.type == "real" else broken
    except DeclarationError as error:
        raise DeclarationError(f"{table.name}.{column.name}: {limit}: {error}") from error


def _build_observed(column: Column, limit: str, *, is_exact: bool) -> str:
    name = quote_name(column.name)
    if limit == "required":
        return f"count(*) - count({name})"
    if limit in ("minimum", "maximum"):
        numbers = f" filter (where not isnan({name}))" if column.type == "real" else ""
        return f"{limit[:3]}({build_value(column)}){numbers}"
    if limit == "matches" and not is_exact:  # such columns, addresses or hashes, differ in nearly every row
        return f"least(approx_count_distinct({name}), count({name}))"
    return f"count(distinct {name})"
