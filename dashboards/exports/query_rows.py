"""Rows of any SQL query as columns that a page can show."""

from __future__ import annotations

import polars as pl


def simplify_types(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows with types that a page can show.

    Bytes become hexadecimal text, whole decimals integers if they fit, other decimals floats, and columns of only
    missing values text.
    """
    return frame.with_columns(_simplify_type(frame[name]) for name in frame.columns)


def list_numeric_columns(frame: pl.DataFrame) -> list[str]:
    """Names of the columns of numbers."""
    return [name for name, kind in frame.schema.items() if kind.is_numeric()]


def _simplify_type(column: pl.Series) -> pl.Series:
    kind = column.dtype
    if kind == pl.Binary:
        return column.bin.encode("hex")
    if kind == pl.Null:
        return column.cast(pl.String)
    if isinstance(kind, pl.Decimal):
        whole = column.cast(pl.Int64, strict=False)
        is_exact = not kind.scale and whole.null_count() == column.null_count()
        return whole if is_exact else column.cast(pl.Float64)
    return column
