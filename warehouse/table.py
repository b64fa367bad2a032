"""The declaration of a table: name, meaning of a row, key, and columns with type, meaning, unit and limits.

It is written once, beside the code that makes the table: in the head of a ``.sql`` file or in the module of a source.
Parsing, Parquet and SQL types, the Great Expectations suite, Dagster's key, description and column schema, and the
data dictionary are generated from it.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import polars as pl

Limit = Literal["required", "minimum", "maximum", "one_of", "matches"]
LAYERS = ("reference", "raw", "clean", "mart")

_POLARS_TYPES: dict[str, pl.DataType] = {
    "text": pl.String(),
    "integer": pl.Int64(),
    "real": pl.Float64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
    "timestamp": pl.Datetime("us", "UTC"),
}
SQL_TYPES = {
    "text": "varchar",
    "integer": "bigint",
    "real": "double",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp with time zone",
}


class DeclarationError(ValueError):
    """A declaration is invalid; the message names the table and the column."""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Args:
        name: Name in the standard form of the project (``published_on``, ``share_low``).
        type: One of ``text``, ``integer``, ``real``, ``boolean``, ``date``, ``timestamp`` (UTC).
        meaning: What a value means, in one sentence.
        unit: Unit of a number (``publications``, ``share in 0 to 1``); none for other types.
        required: Whether a missing value is an error.
        minimum: Smallest allowed value, inclusive.
        maximum: Largest allowed value, inclusive.
        one_of: The allowed values, or the name of the reference table that lists them.
        matches: Regular expression that a text must match at its start.
        warn: Limits of this column that only warn; the others are critical.
    """

    name: str
    type: str
    meaning: str
    unit: str | None = None
    required: bool = False
    minimum: Any = None
    maximum: Any = None
    one_of: tuple[str, ...] | str | None = None
    matches: str | None = None
    warn: frozenset[str] = frozenset()

    @property
    def limits(self) -> tuple[Limit, ...]:
        """The limits declared for this column."""
        required: list[Limit] = ["required"] if self.required else []
        others: tuple[Limit, ...] = ("minimum", "maximum", "one_of", "matches")
        return (*required, *(name for name in others if getattr(self, name) is not None))


@dataclass(frozen=True)
class Table:
    """The declaration of one table.

    Args:
        name: ``layer.plural_nouns``; also its SQL name, Dagster key and folder in the lake.
        row: What one row is, as a sentence.
        key: Names of the columns that identify a row and by which the table is sorted.
        columns: The columns, in order.
    """

    name: str
    row: str
    key: tuple[str, ...]
    columns: tuple[Column, ...] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        layer, _, short_name = self.name.partition(".")
        if layer not in LAYERS or not short_name.isidentifier():
            raise DeclarationError(
                f"{self.name!r} is not a table name: expected layer.plural_nouns, with a layer of {LAYERS}"
            )
        names = [column.name for column in self.columns]
        for name in names:
            if names.count(name) > 1:
                raise DeclarationError(f"{self.name}.{name} is declared twice")
        for name in self.key:
            if name not in names:
                raise DeclarationError(f"{self.name}: key column {name} is not among its columns {names}")
        for column in self.columns:
            if column.type not in SQL_TYPES:
                raise DeclarationError(
                    f"{self.name}.{column.name}: type {column.type!r} is none of {sorted(SQL_TYPES)}"
                )
            if unknown := column.warn - set(column.limits):
                raise DeclarationError(
                    f"{self.name}.{column.name}: warns on {sorted(unknown)}, but declares no such limit"
                )

    @property
    def layer(self) -> str:
        """``reference``, ``raw``, ``clean`` or ``mart``."""
        return self.name.partition(".")[0]

    @property
    def short_name(self) -> str:
        """The name without its layer."""
        return self.name.partition(".")[2]

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Polars type of each column, in order."""
        return {column.name: _POLARS_TYPES[column.type] for column in self.columns}

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises:
            KeyError: The table has no such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name}; it has {', '.join(c.name for c in self.columns)}")

    def frame(self, rows: Iterable[Mapping[str, Any]] = ()) -> pl.DataFrame:
        """A frame of these rows with the declared columns and types.

        Raises:
            DeclarationError: A row lacks a declared column or has another one, or a value has the wrong type.
        """
        data = list(rows)
        for number, row in enumerate(data, 1):
            if set(row) != set(self.schema):
                missing, extra = sorted(set(self.schema) - set(row)), sorted(set(row) - set(self.schema))
                raise DeclarationError(
                    f"{self.name}, row {number}: missing columns {missing}, undeclared columns {extra}"
                )
        try:
            return pl.DataFrame(data, schema=self.schema, orient="row", strict=True)
        except (pl.exceptions.PolarsError, TypeError) as error:
            raise DeclarationError(f"{self.name}: {error}") from error

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame cast to the declared types and sorted by key.

        Raises:
            DeclarationError: The columns differ from the declared ones, or a value does not fit its type.
        """
        if list(frame.columns) != list(self.schema):
            missing = [name for name in self.schema if name not in frame.columns]
            extra = [name for name in frame.columns if name not in self.schema]
            raise DeclarationError(
                f"{self.name}: columns are {frame.columns}, declared are {list(self.schema)}"
                f" (missing {missing}, undeclared {extra}, or another order)"
            )
        try:
            return frame.cast(dict(self.schema), strict=True).sort(self.key, nulls_last=True)
        except pl.exceptions.PolarsError as error:
            raise DeclarationError(f"{self.name}: {error}") from error


def parse_column(table: str, name: str, declared: Mapping[str, Any], upstream: Column | None) -> Column:
    """A column from its entry in the TOML of a declaration.

    An entry without a type inherits type, meaning and unit from ``upstream``, the column of the same name in a source
    table, so that each name is described once. Of the limits it inherits only a critical ``required``; the others
    were checked in the source table.

    Raises:
        DeclarationError: The entry has an unknown setting, or neither a type nor an upstream column.
    """
    known = {f.name for f in fields(Column)} - {"name"}
    if unknown := sorted(set(declared) - known):
        raise DeclarationError(f"{table}.{name}: unknown settings {unknown}; known are {sorted(known)}")
    settings = dict(declared)
    if isinstance(settings.get("one_of"), list):
        settings["one_of"] = tuple(settings["one_of"])
    if "warn" in settings:
        settings["warn"] = frozenset(settings["warn"])
    if "type" in settings:
        if not settings.get("meaning"):
            raise DeclarationError(f"{table}.{name} has no meaning")
        return Column(name=name, **settings)
    if upstream is None:
        raise DeclarationError(f"{table}.{name} has no type, and no source table has a column of that name")
    required = upstream.required and "required" not in upstream.warn
    inherited: dict[str, Any] = {
        "type": upstream.type,
        "meaning": upstream.meaning,
        "unit": upstream.unit,
        "required": required,
    }
    return Column(name=name, **{**inherited, **settings})


def parse_table(name: str, declared: Mapping[str, Any], source_tables: Iterable[Table] = ()) -> Table:
    """A table from its declaration with ``row``, ``key`` and ``columns``.

    Args:
        name: Name of the table.
        declared: The parsed TOML.
        source_tables: Declarations of the tables that it reads, from which columns inherit.

    Raises:
        DeclarationError: A setting is unknown or missing, or a column is invalid.
    """
    if unknown := sorted(set(declared) - {"row", "key", "columns"}):
        raise DeclarationError(f"{name}: unknown settings {unknown}")
    for needed in ("row", "key", "columns"):
        if needed not in declared:
            raise DeclarationError(f"{name}: the declaration has no {needed}")
    upstream_columns: dict[str, Column] = {}
    for source in source_tables:
        for column in source.columns:
            upstream_columns.setdefault(column.name, column)
    columns = (parse_column(name, key, value, upstream_columns.get(key)) for key, value in declared["columns"].items())
    return Table(name, declared["row"], tuple(declared["key"]), tuple(columns))


def describe_table(table: Table) -> str:
    """The declaration as text, the same in every process, to notice when it changes."""
    columns = [{**vars(column), "warn": sorted(column.warn)} for column in table.columns]
    return json.dumps([table.name, table.row, table.key, columns], default=str)


def utc_now() -> dt.datetime:
    """The current time in UTC, to the second."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0)
