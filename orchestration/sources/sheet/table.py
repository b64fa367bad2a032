"""Rows of lab sheets that are tables with a header: all tables of all tabs; a tab that is not read is a reject."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from orchestration.sources.shared.column_proposal import ColumnProposal
from orchestration.sources.shared.document import Document
from orchestration.sources.shared.rows import Row, Tab
from orchestration.sources.sheet.column_guess import is_likely_header, list_headers, propose_columns
from orchestration.sources.sheet.google_sheet import read_gviz_rows
from orchestration.sources.sheet.headers import (
    INDISPENSABLE,
    describe_missing,
    find_columns,
    find_more_links,
    match_columns,
    normalize_header,
    read_given_columns,
)
from orchestration.sources.sheet.reference_files import (
    REFERENCE_COLUMNS,
    is_reference_file,
    read_json_table,
    read_references,
)
from orchestration.sources.sheet.row_cells import RowCells
from orchestration.sources.source import DamagedDocument, NotThisSource, Reject, reject_tab
from warehouse.names import normalize_name

_HEADER_WITHIN_ROWS = 20
_OF_MAPPING = "safetycategory"
_ITEM_TYPE = normalize_header("Item Type")  # of Zotero, whose exports have files and notes beside publications
_MAX_HEADER_CHARACTERS = 60  # of one cell of a header within a table


class _Header(NamedTuple):
    """A header row, the index of the cell of each known column, and those of the cells with further links."""

    row: Row
    columns: Mapping[str, int]
    more_links: list[int]


def require_table(document: Document) -> None:
    """Return if a visible tab of the document has a table of publications.

    Raises:
        NotThisSource: No header row with the required columns; the text gives the nearest one, and how to take it.
        DamagedDocument: A header names one column twice.
    """
    given = _read_given(document)
    tabs = _read_tabs(document)
    if any(tab.kind == "table" and _find_header(tab, given) for tab in tabs):
        return
    hidden = [tab.name for tab in tabs if tab.kind == "hidden" and _find_header(tab, given)]
    if hidden:
        raise NotThisSource(f"the tab “{hidden[0]}” is hidden; unhide it to have it read", is_near_match=True)
    is_given = any(given.values())
    if not is_given and (single := _find_single_column(tabs)):
        row, columns = single
        raise NotThisSource(describe_missing(document, row, columns), is_near_match=True)
    row, proposal = _propose(tabs, [name for name, header in given.items() if not header])
    if proposal and document.is_markup:  # JSON can be of any kind, also with such names
        proposal = replace(proposal, is_confident=False)
    is_near_match = bool(proposal and proposal.columns) or is_given or document.is_workbook
    raise NotThisSource(
        describe_missing(document, row, proposal.columns if proposal else {}),
        is_near_match=is_near_match or (not document.is_markup and len(row.cells) > 2),
        proposal=None if is_given else proposal,
    )


def _find_single_column(tabs: list[Tab]) -> tuple[Row, dict[str, str]] | None:
    """The header of a table of one column that is a title or a link by its name, with the column; None for others."""
    for tab in tabs:
        if tab.kind == "table" and len(tab.rows) > 1 and all(len(row.cells) == 1 for row in tab.rows):
            header = tab.rows[0]
            for name in match_columns(header, {}).keys() & set(INDISPENSABLE):
                return header, {name: header.cells[0].strip()}
    return None


def _propose(tabs: list[Tab], left_out: list[str]) -> tuple[Row, ColumnProposal | None]:
    """The row near the top of a tab that is most likely a header, and the columns that it probably has."""
    found: list[tuple[int, Row, ColumnProposal]] = []
    tables = [tab for tab in tabs if tab.kind == "table" and tab.rows]
    for tab in tables:
        for index, row in enumerate(tab.rows[:_HEADER_WITHIN_ROWS]):
            if proposal := propose_columns(tab.rows, index, left_out):
                named = sum(why == "name" for why in proposal.basis.values())
                found.append((named * 100 + len(proposal.columns), row, proposal))
    if not found:
        rows = [row for tab in tables for row in tab.rows[:_HEADER_WITHIN_ROWS]]
        header = next(filter(is_likely_header, rows), None)
        if header is None:
            return rows[0] if rows else Row(1, []), None
        return header, ColumnProposal({}, {}, list_headers(header), {})
    _, row, proposal = max(found, key=lambda one: one[0])
    return row, proposal


def read_tables(document: Document) -> Iterator[RowCells | Reject]:
    """The cells of each row of all tables, or a reject for a row that does not fit its header and a tab without one."""
    given = _read_given(document)
    tabs = _read_tabs(document)
    are_references = is_reference_file(document)
    has_several = sum(1 for tab in tabs if tab.rows) > 1
    for number, tab in enumerate(tabs):
        header = _find_header(tab, given) if tab.kind == "table" else None
        prefix = f"tab “{tab.name}”, " if has_several else ""
        if header:
            for row in _read_rows(tab, header, given, prefix, is_workbook=document.is_workbook):
                yield (
                    row if isinstance(row, Reject) else _complete(row, document, number, are_references=are_references)
                )
        elif tab.rows or tab.kind == "chart":
            yield reject_tab(tab, "none of its first rows is a header with company, title and category")


def _complete(cells: RowCells, document: Document, table: int, *, are_references: bool) -> RowCells:
    """The cells with what is known of the document: the lab of all rows, the separator of lists in cells."""
    lab = cells.lab or document.hints.get("lab", "")
    # the parts of the fields of references are separated already
    separator = "" if are_references else document.hints.get("separator", "")
    return replace(cells, lab=lab, separator=separator, table=table)


def _read_given(document: Document) -> dict[str, str]:
    """The headers that are given; those of a file of a reference manager are known."""
    given = read_given_columns(document)
    return {**REFERENCE_COLUMNS, **given} if is_reference_file(document) else given


def _list_single(tab: Tab | None) -> list[Tab]:
    return [tab] if tab else []


def _read_tabs(document: Document) -> list[Tab]:
    gviz_rows = read_gviz_rows(document)
    tabs = [Tab("", gviz_rows)] if gviz_rows is not None else None
    tabs = tabs or _list_single(read_references(document) or read_json_table(document)) or document.tabs
    chosen: list[str] = json.loads(document.hints.get("tabs", "[]"))
    if not chosen or len(tabs) == 1:
        return tabs
    names = {normalize_name(name).casefold() for name in chosen}
    if not names & {normalize_name(tab.name).casefold() for tab in tabs}:
        raise DamagedDocument(
            f"it has no tab {' or '.join(chosen)}; its tabs are {', '.join(tab.name for tab in tabs)}"
        )
    # a hidden tab that is chosen is read
    return [
        tab._replace(kind="table" if tab.kind == "hidden" else tab.kind)
        if normalize_name(tab.name).casefold() in names
        else tab._replace(kind="not chosen")
        for tab in tabs
    ]


def _find_header(tab: Tab, given: Mapping[str, str]) -> _Header | None:
    """The first header row near the top of a tab.

    Raises:
        DamagedDocument: It names one column twice.
    """
    for row in tab.rows[:_HEADER_WITHIN_ROWS]:
        if columns := find_columns(row, given):
            return _Header(row, columns, find_more_links(row, columns))
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
            yield Reject(locator, row.fault, raw_text, is_fault=row.is_fault)
        elif row.number < first.number:
            yield Reject(locator, "above the header row", raw_text)
        elif [cell.strip() for cell in row.cells[:width]] == [cell.strip() for cell in header.row.cells]:
            yield Reject(locator, f"a second header; the first is row {header.row.number}", raw_text)
        elif columns := _find_columns_below(row, given):  # a second table below the first
            header = _Header(row, columns, find_more_links(row, columns))
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
    more = [row.cells[index].strip() for index in header.more_links if index < len(row.cells)]
    cells = {name: row.cells[index].strip() if index < len(row.cells) else "" for name, index in columns.items()}
    if any(more):
        cells["url"] = " ".join(filter(None, [cells["url"], *more]))
    # a link belongs to the cell of the link; where there is none, people put it on the title
    behind = next((links[columns[name]] for name in ("url", "title") if links.get(columns.get(name, -1))), "")
    note = "; ".join(filter(None, [row.note, f"no column for “{beyond[0][:60]}”" if beyond else ""]))
    empty = dict.fromkeys(("lab", "title", "date", "url", "category", "abstract"), "")
    # the sheet of the published mapping has the rows without a category that are not part of it
    needs_category = "category" in columns and normalize_header(header.row.cells[columns["category"]]) == _OF_MAPPING
    known: dict[str, Any] = {**empty, **cells, "link_behind": behind, "note": note}
    known["item_type"] = next(
        (cell for name, cell in zip(header.row.cells, row.cells, strict=False) if normalize_header(name) == _ITEM_TYPE),
        "",
    )
    return RowCells(locator, raw_text, **known, needs_category=needs_category)
