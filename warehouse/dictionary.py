"""The data dictionary: one row per column of every table, built from the declarations for each release."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from warehouse.table import Column, Table, parse_table

TABLE = parse_table(
    "reference.dictionary",
    {
        "row": "A column of a table in this release.",
        "key": ["table_name", "column_ordinal"],
        "columns": {
            "table_name": {"type": "text", "meaning": "Name of the table.", "required": True},
            "column_ordinal": {
                "type": "integer",
                "meaning": "Position of the column, from 1.",
                "required": True,
            },
            "column_name": {"type": "text", "meaning": "Name of the column.", "required": True},
            "column_type": {"type": "text", "meaning": "Data type of the column.", "required": True},
            "unit": {"type": "text", "meaning": "Unit of the values, if they are numbers."},
            "column_meaning": {"type": "text", "meaning": "What a value means.", "required": True},
            "limits": {
                "type": "text",
                "meaning": "Limits that the values are checked against; a broken critical limit blocks the release.",
            },
            "is_key": {
                "type": "boolean",
                "meaning": "Whether the column is part of the key of the table.",
                "required": True,
            },
            "row_meaning": {"type": "text", "meaning": "What one row of the table is.", "required": True},
        },
    },
)


def describe_limits(column: Column) -> str:
    """The limits of a column as text, such as ``required; at least 0; of reference.labs (warns)``; empty if none."""
    templates = {"required": "required", "minimum": "at least {}", "maximum": "at most {}", "matches": "matches {}"}
    descriptions = []
    for limit in column.limits:
        value = getattr(column, limit)
        text = templates.get(limit, "of {}").format(", ".join(value) if isinstance(value, tuple) else value)
        descriptions.append(text + (" (warns)" if limit in column.warn else ""))
    return "; ".join(descriptions)


def build_dictionary(tables: Iterable[Table]) -> pl.DataFrame:
    """The rows of ``reference.dictionary`` for these tables, one per column."""
    return TABLE.conform(
        TABLE.frame(
            {
                "table_name": table.name,
                "column_ordinal": ordinal,
                "column_name": column.name,
                "column_type": column.type,
                "unit": column.unit,
                "column_meaning": column.meaning,
                "limits": describe_limits(column) or None,
                "is_key": column.name in table.key,
                "row_meaning": table.row,
            }
            for table in tables
            for ordinal, column in enumerate(table.columns, 1)
        )
    )
