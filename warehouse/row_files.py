"""Rows of any query as the content of CSV, JSON and Parquet files."""

from __future__ import annotations

import io
import json
import math
from decimal import Decimal
from typing import Any

import polars as pl

from warehouse.sql_box.answer import number_names

# a spreadsheet runs text that begins with one of these as a formula, some also behind blanks, quotes and characters
# that do not show; it takes the full-width and small forms for the same signs
_FORMULA = r"""^(?:[\s\p{Z}\p{C}'"`´‘’“”„«»]*[=+\-@＝＋－＠﹦﹢﹣﹫]|[\t\r])"""
_HUGE = r"^-(?:\d{39,}|infinity)$"  # numbers and dates that come as text, since no other type holds them


def encode_csv(frame: pl.DataFrame, *, leave_formulas: bool = False) -> bytes:
    """Rows as CSV: bytes as hexadecimal text, lists and structs as JSON text.

    Args:
        frame: The rows.
        leave_formulas: Whether text that a spreadsheet would run as a formula stays as it is, for another program;
            otherwise an apostrophe is put before it, also before names of columns. Numbers stay in any case.
    """
    frame = flatten_types(frame)
    if not leave_formulas:
        names = number_names(_disarm(pl.Series(frame.columns, dtype=pl.String)).to_list())
        frame = frame.rename(dict(zip(frame.columns, names, strict=True)))
        frame = frame.with_columns(_disarm(column) for column in frame.iter_columns() if column.dtype == pl.String)
    return frame.write_csv().encode()


def encode_json(frame: pl.DataFrame) -> str:
    """Rows as a JSON list of objects; numbers that JSON does not know, such as NaN, are null."""
    whole = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Decimal) and not kind.scale]
    exact = frame.with_columns(pl.col(whole).cast(pl.String))  # Python's decimals are rounded
    rows = ({name: _to_json(value) for name, value in row.items()} for row in exact.iter_rows(named=True))
    rows = ({name: value and int(value) if name in whole else value for name, value in row.items()} for row in rows)
    return "[" + ",".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows) + "]\n"


def encode_parquet(frame: pl.DataFrame) -> bytes:
    """Rows as Parquet, with their types."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def flatten_types(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows with types that have one text each: bytes as hexadecimal text, lists and structs as JSON text."""
    return frame.with_columns(_flatten_column(column) for column in frame.iter_columns())


def encode_nested(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows with lists and structs as JSON text."""
    return frame.with_columns(_encode_json(column) for column in frame.iter_columns() if column.dtype.is_nested())


def _encode_json(column: pl.Series) -> pl.Series:
    texts = [None if value is None else json.dumps(_to_json(value), ensure_ascii=False) for value in column.to_list()]
    return pl.Series(column.name, texts, pl.String)


def _disarm(column: pl.Series) -> pl.Series:
    is_formula = column.str.contains(_FORMULA) & ~column.str.contains(_HUGE)
    return pl.select(pl.when(is_formula).then("'" + column).otherwise(column).alias(column.name)).to_series()


def _flatten_column(column: pl.Series) -> pl.Series:
    """A column with a type that CSV can hold."""
    kind = column.dtype
    if kind == pl.Binary:
        return column.bin.encode("hex")
    if kind.is_nested():
        return _encode_json(column)
    if kind == pl.Null or isinstance(kind, pl.Categorical | pl.Enum):
        return column.cast(pl.String)
    return column


def _to_json(value: Any) -> Any:
    """A value with types that JSON has: moments as text, bytes as hexadecimal text."""
    if isinstance(value, dict):
        return {
            name if isinstance(name, str) else str(_to_json(name)): _to_json(inner) for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_to_json(inner) for inner in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):  # a number where that is exact
        whole = int(value) if value == value.to_integral_value() else float(value)
        return whole if Decimal(str(whole)) == value else str(value)
    return value if value is None or isinstance(value, str | int) else str(value)
