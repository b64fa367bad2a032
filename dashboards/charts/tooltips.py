"""Tooltips of marks and texts for screen readers, computed from the rows of a chart."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from dashboards.queries.release import ColumnMeaning


def build_descriptions(values: Mapping[str, pl.Expr]) -> list[pl.Expr]:
    """The columns ``tooltip`` (a struct) and ``description`` (a text for screen readers)."""
    parts = [pl.format("{}: {}", pl.lit(name), value) for name, value in values.items()]
    tooltip = pl.struct(value.alias(name) for name, value in values.items())
    return [tooltip.alias("tooltip"), pl.concat_str(parts, separator="; ").alias("description")]


def format_percent(column: str) -> pl.Expr:
    """A share as percent with one decimal."""
    return pl.format("{} %", (pl.col(column) * 100).round(1))


def format_column_title(column: str, meanings: Mapping[str, ColumnMeaning]) -> str:
    """The label of a column: its unit if it has one, else its name."""
    unit = meanings[column].unit if column in meanings else None
    return (unit or column.replace("_", " ")).capitalize()
