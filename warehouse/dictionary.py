"""The data dictionary: every column of every table, made from the declarations and put into each release."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from warehouse.table import Column, Table, table_from_toml

TABLE = table_from_toml(
    "reference.dictionary",
    {
        "row": "A column of a table of this release.",
        "key": ["table_name", "column_ordinal"],
        "columns": {
            "table_name": {"type": "text", "meaning": "Name of the table.", "required": True},
            "column_ordinal": {"type": "integer", "meaning": "Place of the column, from 1.", "required": True},
            "column_name": {"type": "text", "meaning": "Name of the column.", "required": True},
            "column_type": {"type": "text", "meaning": "Type of its values.", "required": True},
            "unit": {"type": "text", "meaning": "Unit of its values, if they are numbers."},
            "column_meaning": {"type": "text", "meaning": "What a value says.", "required": True},
            "limits": {
                "type": "text",
                "meaning": "What its values are checked for; the critical limits forbid a release.",
            },
            "is_key": {
                "type": "boolean",
                "meaning": "Whether the column is part of what identifies a row.",
                "required": True,
            },
            "row_meaning": {"type": "text", "meaning": "What a row of the table is.", "required": True},
        },
    },
)


def limits_in_words(column: Column) -> str:
    """The limits of a column, such as ``required; at least 0; of reference.labs (warns)``; empty without any."""
    words = {"required": "required", "minimum": "at least {}", "maximum": "at most {}", "matches": "matches {}"}
    told = []
    for limit in column.limits:
        value = getattr(column, limit)
        text = words.get(limit, "of {}").format(", ".join(value) if isinstance(value, tuple) else value)
        told.append(text + (" (warns)" if limit in column.warn else ""))
    return "; ".join(told)


def dictionary(tables: Iterable[Table]) -> pl.DataFrame:
    """One row per column of these tables, in the order of ``reference.dictionary``."""
    return TABLE.conform(
        TABLE.frame(
            {
                "table_name": table.name,
                "column_ordinal": ordinal,
                "column_name": column.name,
                "column_type": column.type,
                "unit": column.unit,
                "column_meaning": column.meaning,
                "limits": limits_in_words(column) or None,
                "is_key": column.name in table.key,
                "row_meaning": table.row,
            }
            for table in tables
            for ordinal, column in enumerate(table.columns, 1)
        )
    )
