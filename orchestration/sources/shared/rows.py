"""Rows and tabs of tables, as CSV, TSV and XLSX documents have them."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One row of a table.

    Args:
        number: Its number in the file or sheet; the first is 1.
        cells: The texts of its cells.
        links: The address behind a cell, by the index of the cell: that of its hyperlink or its formula.
        fault: Why its cells cannot be separated, if so; its only cell is then its text.
        is_fault: Whether such a row is faulty; False for one that is merely no entry.
        note: What was uncertain when it was read.
    """

    number: int
    cells: list[str]
    links: dict[int, str] | None = None
    fault: str = ""
    is_fault: bool = True
    note: str = ""


class Tab(NamedTuple):
    """One tab of a workbook, or the only table of a text.

    Args:
        name: Its name; empty for the only table of a text.
        rows: Its rows.
        kind: ``table``; ``hidden`` for a table that a person does not see; ``chart`` for anything but a table;
            ``not chosen`` for one that is left out by hand.
    """

    name: str
    rows: list[Row]
    kind: str = "table"
