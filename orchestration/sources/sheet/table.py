"""Rows of a lab sheet that is a table with a header: finds the header row and reads the cells below it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from orchestration.sources.shared.document import Document, Row
from orchestration.sources.sheet.google_sheet import read_gviz_rows
from orchestration.sources.sheet.row_cells import RowCells
from orchestration.sources.source import DamagedDocument, NotThisSource, Reject

# the headers of each column in the sheets seen so far, in lower case with only letters and digits
_USUAL_HEADERS = {
    "sheet_row": {"row", "sheetrow", "rownumber"},
    "lab": {"company", "lab", "organization", "organisation"},
    "title": {"title", "papertitle"},
    "date": {"date", "publishedon", "published", "publicationdate"},
    "url": {"url", "link"},
    "category": {"safetycategory", "category"},
    "is_duplicate": {"isduplicate", "duplicate"},
    "abstract": {"abstract", "summary"},
    "authors": {"authors", "author"},
    "author_labs": {"authorlabs", "authoraffiliations", "affiliations"},
}
COLUMN_NAMES = frozenset(_USUAL_HEADERS)
_REQUIRED = ("lab", "title", "date", "category")
_HEADER_WITHIN_ROWS = 10


class SheetTable(NamedTuple):
    """A table with its header.

    Args:
        rows: All rows, those above the header too.
        header_index: Index of the header row.
        columns: Index of the cell of each known column.
    """

    rows: list[Row]
    header_index: int
    columns: dict[str, int]


def find_table(document: Document) -> SheetTable | None:
    """The first sheet with a header row near its top that has all required columns.

    Raises:
        DamagedDocument: A header names one column twice.
    """
    headers = _get_headers(document)
    for rows in _read_sheets(document):
        for index, row in enumerate(rows[:_HEADER_WITHIN_ROWS]):
            columns = _find_columns(row, headers)
            if all(name in columns for name in _REQUIRED):
                return SheetTable(rows, index, columns)
    return None


def require_table(document: Document) -> None:
    """Return if the document has a table of publications.

    Raises:
        NotThisSource: No header row with the required columns; the text gives the first row.
        DamagedDocument: A header names one column twice.
    """
    if find_table(document) is not None:
        return
    headers = _get_headers(document)
    first_row = next((rows[0] for rows in _read_sheets(document) if rows), Row(1, []))
    required = [
        name if headers[name] is _USUAL_HEADERS[name] else f"{name} ({next(iter(headers[name]))})" for name in _REQUIRED
    ]
    raise NotThisSource(
        f"no header row with {', '.join(required)}; row 1 is “{' | '.join(first_row.cells)[:80]}”",
        is_near_match=len(_find_columns(first_row, headers)) >= 2 or "columns" in document.hints,
    )


def read_table_cells(table: SheetTable) -> Iterator[RowCells | Reject]:
    """The cells of each row besides the header, or a reject for a row that does not fit the header."""
    header = table.rows[table.header_index]
    width = len(header.cells)
    for index, row in enumerate(table.rows):
        if index == table.header_index:
            continue
        locator, raw_text = f"row {row.number}", " | ".join(row.cells)
        if index < table.header_index:
            yield Reject(locator, "above the header row", raw_text)
        elif [cell.strip() for cell in row.cells[:width]] == [cell.strip() for cell in header.cells]:
            yield Reject(locator, f"a second header; the first is row {header.number}", raw_text)
        elif any(cell.strip() for cell in row.cells[width:]):
            yield Reject(locator, f"{len(row.cells)} cells where the header has {width}", raw_text)
        else:
            cells = {
                name: row.cells[column].strip() if column < len(row.cells) else ""
                for name, column in table.columns.items()
            }
            yield RowCells(locator, raw_text, **{"url": "", "abstract": "", **cells})


def _read_sheets(document: Document) -> list[list[Row]]:
    gviz_rows = read_gviz_rows(document)
    return document.sheets if gviz_rows is None else [gviz_rows]


def _get_headers(document: Document) -> Mapping[str, set[str]]:
    """The headers that name each column: those of the feed's setting ``columns``, else the usual ones."""
    configured = json.loads(document.hints.get("columns", "{}"))
    return {**_USUAL_HEADERS, **{name: {_normalize_header(header)} for name, header in configured.items()}}


def _find_columns(row: Row, headers: Mapping[str, set[str]]) -> dict[str, int]:
    """Index of the cell of each known column in a header row.

    Raises:
        DamagedDocument: Two cells name the same column.
    """
    normalized = [_normalize_header(cell) for cell in row.cells]
    columns: dict[str, int] = {}
    for name, spellings in headers.items():
        indexes = [index for index, cell in enumerate(normalized) if cell in spellings]
        if len(indexes) > 1:
            cells = ", ".join(row.cells[index] for index in indexes)
            raise DamagedDocument(f"row {row.number}: two columns for {name} ({cells})")
        if indexes:
            columns[name] = indexes[0]
    return columns


def _normalize_header(cell: str) -> str:
    return re.sub(r"[^a-z0-9]", "", cell.lower())
