"""The answer of any SQL query as a table that Arrow and Polars can hold: what they cannot hold costs only its field."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa
from duckdb.sqltypes import DuckDBPyType

MAX_NESTING = 60  # levels of lists, structs and maps; Arrow passes on no more than 64, of which a map takes two

# types that Arrow and Polars hold exactly; every other one becomes text, such as intervals, which Polars lacks, and
# BIGNUM and UHUGEINT, of which Arrow's form is unreadable or wrong
_HELD = frozenset(
    [
        "boolean",
        "tinyint",
        "smallint",
        "integer",
        "bigint",
        "utinyint",
        "usmallint",
        "uinteger",
        "ubigint",
        "hugeint",
        "float",
        "double",
        "decimal",
        "varchar",
        "date",
        "time",
        "time_ns",
        "timestamp",
        "timestamp_s",
        "timestamp_ms",
        "timestamp_ns",
        "uuid",
        "enum",
        "null",
        "timestamp with time zone",
    ]
)
_SOMETIMES_HELD = {"hugeint", "time", "time_ns"}
_DAY_UNITS = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31, as days from 1970


@dataclass(frozen=True)
class Rows:
    """Rows of a query.

    Args:
        schema: Their columns.
        batches: The rows.
        is_truncated: Whether there are more.
    """

    schema: pa.Schema
    batches: list[pa.RecordBatch]
    is_truncated: bool


class UnfitAnswer(ValueError):
    """The answer has a column that cannot be passed on; the message names it."""


def read_portably(relation: duckdb.DuckDBPyRelation, read: Callable[[duckdb.DuckDBPyRelation], Rows]) -> Rows:
    """What ``read`` returns of the rows of a query, in types that Arrow and Polars can hold.

    Args:
        relation: The query.
        read: Runs it; called once more where a value is found that its type in Arrow cannot hold.

    Raises:
        UnfitAnswer: A column is nested too deeply, which DuckDB itself survives only by chance.
    """
    rows = read(_make_portable(relation, _HELD))
    try:
        for part in rows.batches:
            part.validate(full=True)
    except pa.ArrowInvalid:  # whole numbers of 39 digits, the time 24:00
        rows = read(_make_portable(relation, _HELD - _SOMETIMES_HELD))
    return rows


def read_table(relation: duckdb.DuckDBPyRelation) -> pa.Table:
    """All rows of a query; see `read_portably`."""

    def read(portable: duckdb.DuckDBPyRelation) -> Rows:
        table = portable.to_arrow_table()
        return Rows(table.schema, table.to_batches(), is_truncated=False)

    rows = read_portably(relation, read)
    return pa.Table.from_batches(rows.batches, rows.schema)


def _make_portable(relation: duckdb.DuckDBPyRelation, held_types: Collection[str]) -> duckdb.DuckDBPyRelation:
    """The rows of a query, with columns of other types than these cast to text.

    Raises:
        UnfitAnswer: A column is nested too deeply, which DuckDB itself survives only by chance.
    """
    columns, is_changed = [], False
    for place, (name, kind) in enumerate(zip(relation.columns, relation.types, strict=True), 1):
        if _is_nested_deeply(kind):
            raise UnfitAnswer(f"the column {name[:60]} is nested more than {MAX_NESTING} levels deep")
        target = "BLOB" if str(kind) == "BLOB" else _find_held_type(kind, held_types)
        is_changed |= target != str(kind)
        value = f"#{place}" if target == str(kind) else f"cast(#{place} as {target})"
        columns.append(f"{value} as {_quote_name(name)}")
    return relation.project(", ".join(columns)) if is_changed else relation


def number_names(names: Sequence[str]) -> list[str]:
    """Names of columns, where repeated ones get a number appended."""
    numbered: list[str] = []
    for name in names:
        others = (f"{name}_{number}" for number in itertools.count(1))
        numbered.append(name if name not in numbered else next(other for other in others if other not in numbered))
    return numbered


def write_out_moments(table: pa.Table) -> pa.Table:
    """The table with columns as text in which a date, time or moment is outside the years 1 to 9999 or infinite."""
    for place, name in enumerate(table.column_names):
        column = table.column(place)
        if any(_is_out_of_range(chunk) for chunk in column.chunks):
            table = table.set_column(place, name, convert_to_text(column))
    return table


def convert_to_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of any type as text, as DuckDB writes it."""
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        relation = connection.from_arrow(pa.table({"value": column}))
        return relation.project("cast(value as varchar) as value").to_arrow_table().column(0)


def _is_nested_deeply(kind: DuckDBPyType) -> bool:
    level, depth = [kind], 0
    while depth <= MAX_NESTING:
        depth += 2 if any(parent.id == "map" for parent in level) else 1
        inner = [child for parent in level for child in _get_children(parent).values()]
        if not inner:
            return False
        level = list({str(child): child for child in inner}.values())  # there may be many, and most are alike
    return True


def _get_children(kind: DuckDBPyType) -> dict[str, DuckDBPyType]:
    """The types within a nested type, by the name of the field; none within another one."""
    if kind.id not in {"list", "array", "struct", "tuple", "map", "union"}:
        return {}
    pairs = [(f"{place}" if kind.id == "tuple" else name, child) for place, (name, child) in enumerate(kind.children)]
    return {name: child for name, child in pairs if isinstance(child, DuckDBPyType)}


def _find_held_type(kind: DuckDBPyType, held_types: Collection[str]) -> str:
    """The type nearest to a type that Arrow and Polars can hold, in SQL; the same one if they can."""
    children = _get_children(kind)
    held = {name: _find_held_type(child, held_types) for name, child in children.items()}
    if kind.id == "map" and _get_children(children["key"]):
        held["key"] = "VARCHAR"  # Python has no such keys
    is_held = all(held[name] == str(child) for name, child in children.items())
    if kind.id in held_types or (kind.id in {"list", "array", "struct", "tuple", "map"} and is_held):
        return str(kind)
    match kind.id:
        case "list":
            return f"{held['child']}[]"
        case "array":
            return f"{held['child']}[{dict(kind.children)['size']}]"
        case "struct":
            return f"STRUCT({', '.join(f'{_quote_name(name)} {inner}' for name, inner in held.items())})"
        case "map":
            return f"MAP({held['key']}, {held['value']})"
        case _:
            return "VARCHAR"


def _quote_name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _is_out_of_range(array: pa.Array) -> bool:
    kind = array.type
    if pa.types.is_map(kind):
        return _is_out_of_range(array.keys) or _is_out_of_range(array.items)
    if pa.types.is_struct(kind):
        return any(_is_out_of_range(child) for child in array.flatten())
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _is_out_of_range(array.flatten())
    if pa.types.is_date32(kind):
        first, last, width = _FIRST_DAY, _LAST_DAY, pa.int32()
    elif pa.types.is_timestamp(kind):
        day = _DAY_UNITS[kind.unit]
        first, last, width = _FIRST_DAY * day, (_LAST_DAY + 1) * day - 1, pa.int64()
    elif pa.types.is_time64(kind):
        first, last, width = 0, _DAY_UNITS[kind.unit] - 1, pa.int64()
    else:
        return False
    import pyarrow.compute as pc  # not loaded in the sandbox process, which does not call this

    ends = pc.call_function("min_max", [array.view(width)]).as_py()
    return ends["min"] is not None and (ends["min"] < first or ends["max"] > last)
