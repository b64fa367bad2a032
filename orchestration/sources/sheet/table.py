"""Rows of lab sheets that are tables with a header: all tables of all tabs; a tab that is not read is a reject."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from orchestration.sources.shared.document import Document
from orchestration.sources.shared.rows import Row, Tab
from orchestration.sources.sheet.google_sheet import read_gviz_rows
from orchestration.sources.sheet.headers import describe_missing, find_columns, guess_columns, read_given_columns
from orchestration.sources.sheet.row_cells import RowCells
from orchestration.sources.source import DamagedDocument, NotThisSource, Reject, reject_tab

_HEADER_WITHIN_ROWS = 10
_MAX_HEADER_CHARACTERS = 60  # of one cell of a header within a table


class _Header(NamedTuple):
    """A header row and the index of the cell of each known column."""

    row: Row
    columns: Mapping[str, int]


def require_table(document: Document) -> None:
    """Return if a visible tab of the document has a table of publications.

    Raises:
        NotThisSource: No header row with the required columns; the text gives the nearest one, and how to take it.
        DamagedDocument: A header names one column twice.
    """
    given = read_given_columns(document)
    tabs = _read_tabs(document)
    if any(tab.kind == "table" and _find_header(tab, given) for tab in tabs):
        return
    hidden = [tab.name for tab in tabs if tab.kind == "hidden" and _find_header(tab, given)]
    if hidden:
        raise NotThisSource(f"the tab “{hidden[0]}” is hidden; unhide it to have it read", is_near_match=True)
    rows = [row for tab in tabs if tab.kind == "table" for row in tab.rows[:_HEADER_WITHIN_ROWS]]
    guesses = [(guess, row) for row in rows if (guess := guess_columns(row))]
    guess, row = max(guesses, key=lambda found: len(found[0])) if guesses else ({}, rows[0] if rows else Row(1, []))
    is_near_match = bool(guess or given) or document.is_workbook or (not document.is_markup and len(row.cells) > 2)
    raise NotThisSource(
        describe_missing(document, row, guess), is_near_match=is_near_match, columns=None if given else guess or None
    )


def read_tables(document: Document) -> Iterator[RowCells | Reject]:
    """The cells of each row of all tables, or a reject for a row that does not fit its header and a tab without one."""
    given = read_given_columns(document)
    tabs = _read_tabs(document)
    has_several = sum(1 for tab in tabs if tab.rows) > 1
    for tab in tabs:
        header = _find_header(tab, given) if tab.kind == "table" else None
        prefix = f"tab “{tab.name}”, " if has_several else ""
        if header:
            yield from _read_rows(tab, header, given, prefix, is_workbook=document.is_workbook)
        elif tab.rows or tab.kind == "chart":
            yield reject_tab(tab, "none of its first rows is a header with company, title and category")


def _read_tabs(document: Document) -> list[Tab]:
    gviz_rows = read_gviz_rows(document)
    return document.tabs if gviz_rows is None else [Tab("", gviz_rows)]


def _find_header(tab: Tab, given: Mapping[str, str]) -> _Header | None:
    """The first header row near the top of a tab.

    Raises:
        DamagedDocument: It names one column twice.
    """
    for row in tab.rows[:_HEADER_WITHIN_ROWS]:
        if columns := find_columns(row, given):
            return _Header(row, columns)
    return None


def _read_rows(
    tab: Tab, header: _Header, given: Mapping[str, str], prefix: str, *, is_workbook: bool
) -> Iterator[RowCells | Reject]:
    first = header.row
    for row in tab.rows:
        locator, raw_text = f"{prefix}row {row.number}", " | ".join(row.cells)
        width = len(header.row.cells)
        if is_workbook:  # whose rows are all of the same length
            width = max(index for index, cell in enumerate(header.row.cells, 1) if cell.strip())
        beyond = [cell.strip() for cell in row.cells[width:] if cell.strip()]
        if row.number == first.number:
            continue
        if row.fault:
            yield Reject(locator, row.fault, raw_text)
        elif row.number < first.number:
            yield Reject(locator, "above the header row", raw_text)
        elif [cell.strip() for cell in row.cells[:width]] == [cell.strip() for cell in header.row.cells]:
            yield Reject(locator, f"a second header; the first is row {header.row.number}", raw_text)
        elif columns := _find_columns_below(row, given):  # a second table below the first
            header = _Header(row, columns)
            yield Reject(locator, "another header: the rows below it are read by it", raw_text, is_fault=False)
        elif beyond and not is_workbook:  # in a text, a delimiter within a cell has moved all cells behind it
            yield Reject(locator, f"{len(row.cells)} cells where the header has {width}", raw_text)
        else:
            yield _build_cells(row, header, locator, raw_text, beyond)


def _find_columns_below(row: Row, given: Mapping[str, str]) -> Mapping[str, int]:
    """The columns of a header row within a table; none for a row of values."""
    if any(len(cell) > _MAX_HEADER_CHARACTERS for cell in row.cells):
        return {}
    try:
        return find_columns(row, given)
    except DamagedDocument:
        return {}


def _build_cells(row: Row, header: _Header, locator: str, raw_text: str, beyond: list[str]) -> RowCells:
    columns, links = header.columns, row.links or {}
    cells = {name: row.cells[index].strip() if index < len(row.cells) else "" for name, index in columns.items()}
    # a link belongs to the cell of the link; where there is none, people put it on the title
    behind = next((links[columns[name]] for name in ("url", "title") if links.get(columns.get(name, -1))), "")
    note = f"no column for “{beyond[0][:60]}”" if beyond else ""
    empty = {"lab": "", "title": "", "date": "", "url": "", "category": "", "abstract": ""}
    has_category = "category" in columns
    return RowCells(
        locator, raw_text, **{**empty, **cells}, link_behind=behind, note=note, has_category_column=has_category
    )
