"""The sheet of lab publications: one row per publication, with its lab and one safety category.

It comes as a table (CSV, TSV or XLSX with a header) or as a captured text page of the sheet, in which the cells of a
row are glued together. Both forms give the same records. A record is identified by its link, never by its row number,
because people sort sheets.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator

from orchestration.sources.shared.document import Document
from orchestration.sources.shared.fetch_plan import Feed, FetchCursor, FetchPlan
from orchestration.sources.shared.links import link_key
from orchestration.sources.sheet.captured_cells import split_cells
from orchestration.sources.sheet.captured_page import CapturedRow, split_rows
from orchestration.sources.sheet.google_sheet import fetch_tab, read_gviz_rows
from orchestration.sources.sheet.row_cells import RowCells, RowValues, parse_cells
from orchestration.sources.sheet.table import COLUMN_NAMES, find_table, read_table_cells, require_table
from orchestration.sources.source import (
    DamagedDocument,
    NotThisSource,
    ParseResult,
    Record,
    Reject,
    Source,
    collapse_spaces,
)


def _recognise(document: Document) -> None:
    """Return for a lab sheet in any of its forms.

    Raises:
        NotThisSource: Neither a table with the required columns nor rows of a captured page.
    """
    if _read_captured_rows(document):
        return
    if document.is_markup:
        raise NotThisSource("no table: " + document.description)
    require_table(document)


def _parse(document: Document) -> ParseResult:
    """The publications of the sheet, in its order.

    Raises:
        DamagedDocument: The header is missing or ambiguous.
    """
    parsed_rows = [row if isinstance(row, Reject) else _parse_row(row) for row in _read_cells(document)]
    shared_links = _find_shared_links([values for row in parsed_rows if isinstance(row, tuple) for values in row[1:]])
    result = ParseResult()
    for row in parsed_rows:
        if isinstance(row, Reject):
            result.items.append(row)
        else:
            locator, values = row
            result.items.append(Record(_make_identity(values, shared_links), values, locator))
    return result


def _read_captured_rows(document: Document) -> list[CapturedRow]:
    """The rows of a captured page; none for a document of another form."""
    if document.is_workbook or document.is_markup or read_gviz_rows(document) is not None:
        return []
    return split_rows(document.lines)


def _read_cells(document: Document) -> Iterator[RowCells | Reject]:
    """The rows of the sheet in either form, as cells or rejects."""
    if captured_rows := _read_captured_rows(document):
        yield from map(split_cells, captured_rows)
        return
    table = find_table(document)
    if table is None:
        raise DamagedDocument("the header row is missing")
    yield from read_table_cells(table)


def _parse_row(cells: RowCells) -> tuple[str, RowValues] | Reject:
    """Locator and values of a row, or a reject for a row without a category or with a value that is not allowed."""
    if not collapse_spaces(cells.category):
        reason = "no safety category: the row is not part of the mapping"
        return Reject(cells.locator, reason, cells.raw_text, is_fault=False)
    try:
        return cells.locator, parse_cells(cells)
    except ValueError as error:
        return Reject(cells.locator, str(error), cells.raw_text)


def _find_shared_links(rows: list[RowValues]) -> set[str]:
    """Keys of the links that publications of different labs or titles share."""
    publications = {
        (link_key(str(values["url"])), str(values["title"]), str(values["lab"])) for values in rows if values["url"]
    }
    counts = Counter(key for key, _, _ in publications)
    return {key for key, count in counts.items() if count > 1}


def _make_identity(values: RowValues, shared_links: set[str]) -> str:
    """The key of the link; where there is none, or several publications share it, with lab and title."""
    key = link_key(str(values["url"])) if values["url"] else ""
    if key and key not in shared_links:
        return key
    title = re.sub(r"[^a-z0-9+*]", "", str(values["title"]).lower())
    return f"{key} {values['lab']} {title}"


def _fetch(feed: Feed, cursor: FetchCursor) -> FetchPlan:
    return fetch_tab(COLUMN_NAMES, feed, cursor)


SOURCE = Source(
    name="lab_sheet",
    title="Lab publications",
    record_noun="publications",
    row="One version of a row of the sheet of lab publications.",
    columns={
        "sheet_row": {
            "type": "integer",
            "meaning": "Row number in the sheet, if the document gives it.",
            "minimum": 1,
        },
        "lab": {"type": "text", "meaning": "Lab, as named in the sheet.", "required": True},
        "title": {"type": "text", "meaning": "Title of the publication, as given in the sheet.", "required": True},
        "published_on": {
            "type": "date",
            "meaning": "Day of publication.",
            "required": True,
            "minimum": dt.date(1950, 1, 1),
            "maximum": dt.date(2100, 1, 1),
            "warn": frozenset({"required"}),
        },
        "url": {
            "type": "text",
            "meaning": "Link to the publication.",
            "required": True,
            "matches": r"https?://\S+$",
            "warn": frozenset({"required"}),
        },
        "category": {"type": "text", "meaning": "Safety category, as named in the sheet.", "required": True},
        "is_duplicate": {
            "type": "boolean",
            "meaning": "Whether the sheet marks the row as a duplicate of another row.",
            "required": True,
        },
        "abstract": {"type": "text", "meaning": "Abstract, with white space normalised."},
        "abstract_sha256": {"type": "text", "meaning": "SHA-256 of the abstract.", "matches": r"[0-9a-f]{64}$"},
        "reading_note": {"type": "text", "meaning": "What was uncertain when the row was read."},
        "authors": {"type": "text", "meaning": "Authors in order, separated by semicolons, if the sheet has them."},
        "author_labs": {
            "type": "text",
            "meaning": "Labs of the authors in the same order; - for an author without one.",
        },
    },
    expected="a lab sheet (table with columns Company, Title, Date, URL, Safety_category, or its captured page)",
    licence="bibliographic facts; abstracts belong to their authors",
    recognise=_recognise,
    parse=_parse,
    recency_column="published_on",
    volatile_columns=("sheet_row",),
    fetch=_fetch,
    has_private_feeds=True,
)
