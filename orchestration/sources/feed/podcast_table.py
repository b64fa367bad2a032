"""The table form of a podcast page: finds its header and reads the entry of each row."""

from __future__ import annotations

import re
from typing import NamedTuple

from orchestration.sources.shared.document import Document
from orchestration.sources.shared.records import add_notes
from orchestration.sources.shared.rows import Row, Tab
from orchestration.sources.source import DamagedDocument, Record, Reject, collapse_spaces, hash_parts, reject_tab

COLUMN_NAMES = ("entry", "linked_url", "authors", "narrator", "publisher", "summary_sha256", "summary")
LINK = re.compile(r"https?://\S+")
_HASH = re.compile(r"[0-9a-f]{64}")


class EpisodeTable(NamedTuple):
    """A table of entries: the name of its tab, its rows, header first, and the index of the cell of each column."""

    name: str
    rows: list[Row]
    columns: dict[str, int]


def has_table_header(document: Document) -> bool:
    """Whether the first filled line of a text has the required columns of the table."""
    cells = re.split(r"[,;\t]", _get_first_filled_line(document))
    return {"entry", "summarysha256"} <= {_normalize_header(cell.strip('"')) for cell in cells}


def find_episode_tables(document: Document) -> list[EpisodeTable | Tab]:
    """The tabs of the document, each as table if it is visible and has the header; none if no tab has it.

    Raises:
        DamagedDocument: Two cells of the header name the same column.
        UnreadableDocument: The cells of the table cannot be separated.
    """
    # a captured page is not read as a table
    if not document.is_workbook and "summarysha256" not in _normalize_header(_get_first_filled_line(document)):
        return []
    tabs = [tab for tab in document.tabs if tab.rows or tab.kind == "chart"]
    tables = [EpisodeTable(tab.name, tab.rows, _find_columns(tab.rows[0]) if tab.rows else {}) for tab in tabs]
    found = [table if table.columns and tab.kind == "table" else tab for tab, table in zip(tabs, tables, strict=True)]
    return found if any(isinstance(table, EpisodeTable) for table in found) else []


def read_table_records(tables: list[EpisodeTable | Tab]) -> list[Record | Reject]:
    """The record of each row below the headers, or a reject; a reject for each tab without the header."""
    items: list[Record | Reject] = []
    for table in tables:
        if isinstance(table, EpisodeTable):
            header, *rows = table.rows
            prefix = f"tab “{table.name}”, " if len(tables) > 1 else ""
            items += [
                _read_row(row, table.columns, len(header.cells), ordinal, prefix) for ordinal, row in enumerate(rows, 1)
            ]
        else:
            items.append(reject_tab(table, "its first row is not the header of a table of episodes"))
    return items


def _get_first_filled_line(document: Document) -> str:
    return next((line for line in document.lines if line.strip()), "")


def _find_columns(row: Row) -> dict[str, int]:
    """Index of the cell of each known column; empty for a row that is not a header of this table.

    Raises:
        DamagedDocument: Two cells name the same column.
    """
    cells = [_normalize_header(cell) for cell in row.cells]
    columns = {name: cells.index(_normalize_header(name)) for name in COLUMN_NAMES if _normalize_header(name) in cells}
    if not {"entry", "summary_sha256"} <= columns.keys():
        return {}
    if repeated := [name for name in columns if cells.count(_normalize_header(name)) > 1]:
        raise DamagedDocument(f"row {row.number}: two columns named {repeated[0]}")
    return columns


def _read_row(row: Row, columns: dict[str, int], width: int, ordinal: int, prefix: str) -> Record | Reject:
    locator = f"{prefix}row {row.number}"
    if row.fault:
        return Reject(locator, row.fault, row.cells[0])
    try:
        values, notes = _parse_values(row.cells, columns, width, ordinal)
    except ValueError as error:
        return Reject(locator, str(error), ",".join(row.cells))
    return add_notes(Record(str(values["summary_sha256"]), values, locator), notes)


def _parse_values(
    row_cells: list[str], columns: dict[str, int], width: int, ordinal: int
) -> tuple[dict[str, str | int | None], list[str]]:
    """The values of a row, by column of the raw table, and notes on its odd cells.

    An entry without a number gets the ordinal of its row.

    Raises:
        ValueError: The row has more cells than the header, or no hash that identifies it.
    """
    if extra_cells := [cell.strip() for cell in row_cells[width:] if cell.strip()]:
        raise ValueError(f"{len(row_cells)} cells where the header has {width}: no column for “{extra_cells[0][:60]}”")
    padded = [*row_cells, *[""] * (width - len(row_cells))]
    cells = dict.fromkeys(COLUMN_NAMES, "") | {name: collapse_spaces(padded[index]) for name, index in columns.items()}
    entry, link, summary_hash, summary = (cells[name] for name in ("entry", "linked_url", "summary_sha256", "summary"))
    notes: list[str] = []
    if not re.fullmatch(r"[1-9][0-9]{0,8}", entry):
        notes.append(f"entry “{entry[:60]}” is not a whole number from 1")
        entry = str(ordinal)
    if link and not LINK.fullmatch(link):
        notes.append(f"linked_url “{link[:60]}” is not a link (https://…)")
        link = ""
    if not _HASH.fullmatch(summary_hash):
        raise ValueError(f"summary_sha256 “{summary_hash[:80]}” is not a SHA-256 of 64 hex digits in lower case")
    if summary and hash_parts(summary) != summary_hash:
        raise ValueError(f"summary_sha256 “{summary_hash}” is not the hash of the row's summary")
    values: dict[str, str | int | None] = {
        "entry": int(entry),
        "linked_url": link or None,
        "authors": cells["authors"] or None,
        "narrator": cells["narrator"] or None,
        "publisher": cells["publisher"] or None,
        "summary": summary or None,
        "summary_sha256": summary_hash,
    }
    return values, notes


def _normalize_header(cell: str) -> str:
    return re.sub(r"[\s_-]+", "", cell).casefold()
