"""What a table is: the one declaration that everything else is generated from.

A declaration names a table, says what one of its rows is, and gives each column its type, meaning,
unit and limits. It stands beside the code that makes the table: in the head of a ``.sql`` file, or in
the module of a source. Parsing, Parquet and SQL types, the Great Expectations suite, Dagster's key,
description and column schema, and the data dictionary are all made from it.
"""

from __future__ import annotations

import datetime as dt
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
    """A table is declared in a way that cannot be right; the text names the table and the column."""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Args:
        name: Name in the standard form of the project (``published_on``, ``share_low``).
        type: One of ``text``, ``integer``, ``real``, ``boolean``, ``date``, ``timestamp`` (UTC).
        meaning: What a value says, in one sentence.
        unit: Unit of a number (``publications``, ``share in 0 to 1``); none for other types.
        required: Whether a missing value is a fault.
        minimum: Smallest value that can be right, inclusive.
        maximum: Largest value that can be right, inclusive.
        one_of: The values that can be right, or ``"table.column"`` of the reference table holding them.
        matches: Regular expression that a text must match from its start.
        warn: The limits of this column that only warn; all others are critical.
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
        """The limits that are declared for this column."""
        given: list[Limit] = ["required"] if self.required else []
        others: tuple[Limit, ...] = ("minimum", "maximum", "one_of", "matches")
        return (*given, *(name for name in others if getattr(self, name) is not None))


@dataclass(frozen=True)
class Table:
    """The declaration of one table.

    Args:
        name: ``layer.plural_things``; also its SQL path, Dagster key and folder in the lake.
        row: What one row is, as a sentence.
        key: Names of the columns that together identify a row; they sort it too.
        columns: The columns in order.
    """

    name: str
    row: str
    key: tuple[str, ...]
    columns: tuple[Column, ...] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        layer, _, things = self.name.partition(".")
        if layer not in LAYERS or not things.isidentifier():
            raise DeclarationError(
                f"{self.name!r} is not a table name: write layer.plural_things, layer one of {LAYERS}"
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
                    f"{self.name}.{column.name}: warns on {sorted(unknown)}, which it does not limit"
                )

    @property
    def layer(self) -> str:
        """``reference``, ``raw``, ``clean`` or ``mart``."""
        return self.name.partition(".")[0]

    @property
    def things(self) -> str:
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
        """A frame of these rows with exactly the declared columns and types.

        Raises:
            DeclarationError: A row has other columns than declared, or a value of another type.
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
        """The frame with the declared types, sorted by key; its columns must be the declared ones.

        Raises:
            DeclarationError: Columns differ from the declaration, or a value does not fit its type.
        """
        if list(frame.columns) != list(self.schema):
            missing = [name for name in self.schema if name not in frame.columns]
            extra = [name for name in frame.columns if name not in self.schema]
            raise DeclarationError(
                f"{self.name}: made columns {frame.columns} but declares {list(self.schema)}"
                f" (missing {missing}, undeclared {extra}, or in another order)"
            )
        try:
            return frame.cast(dict(self.schema), strict=True).sort(self.key, nulls_last=True)
        except pl.exceptions.PolarsError as error:
            raise DeclarationError(f"{self.name}: {error}") from error


def column_from_toml(table: str, name: str, declared: Mapping[str, Any], like: Column | None) -> Column:
    """A column from its entry in a declaration's TOML.

    An entry without a type takes type, meaning and unit from ``like``, the column of the same name in a table
    it is made from, so that a name means the same thing everywhere and is described once. Of the limits it
    takes only a critical ``required``: the others were checked where the column came from.

    Raises:
        DeclarationError: The entry has an unknown setting, or neither a type nor a column to be like.
    """
    known = {f.name for f in fields(Column)} - {"name"}
    if unknown := sorted(set(declared) - known):
        raise DeclarationError(f"{table}.{name}: unknown settings {unknown}; known are {sorted(known)}")
    given = dict(declared)
    if isinstance(given.get("one_of"), list):
        given["one_of"] = tuple(given["one_of"])
    if "warn" in given:
        given["warn"] = frozenset(given["warn"])
    if "type" in given:
        if not given.get("meaning"):
            raise DeclarationError(f"{table}.{name} has no meaning")
        return Column(name=name, **given)
    if like is None:
        raise DeclarationError(f"{table}.{name} has no type, and no table it is made from has a column of that name")
    required = like.required and "required" not in like.warn
    inherited: dict[str, Any] = {"type": like.type, "meaning": like.meaning, "unit": like.unit, "required": required}
    return Column(name=name, **{**inherited, **given})


def table_from_toml(name: str, declared: Mapping[str, Any], made_from: Iterable[Table] = ()) -> Table:
    """A table from its declaration: ``row``, ``key`` and ``columns``.

    Args:
        name: Name of the table.
        declared: The TOML.
        made_from: Declarations of the tables it is made from, for columns described there.

    Raises:
        DeclarationError: A setting is unknown or missing, or a column cannot be right.
    """
    if unknown := sorted(set(declared) - {"row", "key", "columns"}):
        raise DeclarationError(f"{name}: unknown settings {unknown}")
    for needed in ("row", "key", "columns"):
        if needed not in declared:
            raise DeclarationError(f"{name}: the declaration has no {needed}")
    upstream: dict[str, Column] = {}
    for source in made_from:
        for column in source.columns:
            upstream.setdefault(column.name, column)
    columns = (column_from_toml(name, key, value, upstream.get(key)) for key, value in declared["columns"].items())
    return Table(name, declared["row"], tuple(declared["key"]), tuple(columns))


def utc_now() -> dt.datetime:
    """The present moment, in UTC, to the second: finer is noise in a lake that changes by the day."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0)
