"""The sheet of lab publications: one row per publication, with its lab and one safety category.

It comes as a table (CSV, TSV or XLSX with a header) or as a captured text page of the sheet, in which the cells of a
row are glued together. Both forms give the same records. A record is identified by its link, never by its row number,
because people sort sheets.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from orchestration.sources.shared.document import Document
from orchestration.sources.shared.fetch_plan import Feed, FetchCursor, FetchPlan
from orchestration.sources.shared.links import link_key
from orchestration.sources.sheet.captured_cells import split_cells
from orchestration.sources.sheet.captured_page import CapturedRow, split_rows
from orchestration.sources.sheet.dates import DayOrder, find_day_order
from orchestration.sources.sheet.google_sheet import fetch_tab, read_gviz_rows
from orchestration.sources.sheet.headers import read_column_names
from orchestration.sources.sheet.list_names import MAPPING_FILE, find_list
from orchestration.sources.sheet.reference_files import is_reference_file, read_json_table
from orchestration.sources.sheet.row_cells import (
    JudgedNotInScope,
    NotInScope,
    RowCells,
    RowValues,
    are_lists_with_commas,
    parse_abstract,
    parse_cells,
)
from orchestration.sources.sheet.table import read_tables, require_table
from orchestration.sources.source import NotThisSource, ParseResult, Record, Reject, Source, collapse_spaces
from warehouse.names import build_title_key


def _recognise(document: Document) -> None:
    """Return for a lab sheet in any of its forms.

    Raises:
        NotThisSource: Neither a table with the required columns nor rows of a captured page.
    """
    if _read_captured_rows(document):
        return
    if document.is_markup and not is_reference_file(document) and read_json_table(document) is None:
        raise NotThisSource("no table: " + document.description)
    require_table(document)


def _parse(document: Document) -> ParseResult:
    """The publications of the sheet, in its order, each with the list that it belongs to.

    Raises:
        DamagedDocument: The header is missing or ambiguous.
    """
    rows = list(_read_cells(document))
    orders, listing = _find_day_orders(rows), _find_tables_with_lists_of_labs(rows)
    parsed_rows = [
        row if isinstance(row, Reject) else _parse_row(row, orders[row.table], row.table in listing) for row in rows
    ]
    read = [row[1] for row in parsed_rows if isinstance(row, tuple)]
    shared_links = _find_shared_links(read)
    listed = find_list(document, read)
    of_list = {"list": listed.name if listed else None, "list_title": listed.title if listed else None}
    result = ParseResult()
    for row in parsed_rows:
        if isinstance(row, Reject):
            result.items.append(replace(row, judged={**row.judged, "list": of_list["list"]}) if row.judged else row)
        else:
            locator, values = row
            result.items.append(Record(_make_identity(values, shared_links), {**values, **of_list}, locator))
    # a header without rows is an empty list
    return ParseResult(_join_categories(result), is_empty_valid=not rows)


def _find_day_orders(rows: list[RowCells | Reject]) -> dict[int, DayOrder | None]:
    """The order of day and month in the dates of each table, if they show one."""
    dates: dict[int, list[str]] = {}
    for row in rows:
        if isinstance(row, RowCells):
            dates.setdefault(row.table, []).append(row.date)
    return {table: find_day_order(texts) for table, texts in dates.items()}


def _find_tables_with_lists_of_labs(rows: list[RowCells | Reject]) -> set[int]:
    """The tables in whose column of labs commas separate several."""
    labs: dict[int, list[str]] = {}
    for row in rows:
        if isinstance(row, RowCells):
            labs.setdefault(row.table, []).append(row.lab)
    return {table for table, texts in labs.items() if are_lists_with_commas(texts)}


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
    yield from read_tables(document)


def _parse_row(cells: RowCells, order: DayOrder | None, has_comma_lists: bool) -> tuple[str, RowValues] | Reject:
    """Locator and values of a row, or a reject for a row that is out of scope or has neither title nor link."""
    try:
        return cells.locator, parse_cells(cells, order, has_comma_lists=has_comma_lists)
    except NotInScope as reason:
        judged = None
        title = collapse_spaces(cells.title)
        if isinstance(reason, JudgedNotInScope) and title:
            judged = {"title": title, "abstract": parse_abstract(cells) or None, "judgement": reason.judgement}
        return Reject(cells.locator, str(reason), cells.raw_text, is_fault=False, judged=judged)
    except ValueError as error:
        return Reject(cells.locator, str(error), cells.raw_text)


def _join_categories(result: ParseResult) -> list[Record | Reject]:
    """The records and rejects; a publication that has several rows with different categories has them all in each."""
    by_identity: dict[str, dict[str, str]] = {}
    for record in result.records:
        categories = by_identity.setdefault(record.identity, {})
        for category in str(record.values["categories"] or "").split("; "):
            categories.setdefault(category.casefold(), category)
    return [
        _set_categories(item, "; ".join(filter(None, by_identity[item.identity].values())))
        if isinstance(item, Record)
        else item
        for item in result.items
    ]


def _set_categories(record: Record, categories: str) -> Record:
    """The record with all categories of its publication, and a note if its own row has fewer."""
    if categories == (record.values["categories"] or ""):
        return record
    notes = filter(None, [record.values["reading_note"], f"its rows have several categories: {categories}"])
    note = "; ".join(map(str, notes))
    return replace(record, values={**record.values, "categories": categories, "reading_note": note})


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
    return f"{key} {values['lab'] or ''} {build_title_key(str(values['title']))}"


def _fetch(feed: Feed, cursor: FetchCursor) -> FetchPlan:
    return fetch_tab(read_column_names(), feed, cursor)


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
        "lab": {
            "type": "text",
            "meaning": "Lab, as named in the sheet.",
            "required": True,
            "warn": frozenset({"required"}),
        },
        "title": {"type": "text", "meaning": "Title of the publication, as given in the sheet.", "required": True},
        "published_on": {
            "type": "date",
            "meaning": "Day of publication, or the first day of the month or year if only that is given.",
            "required": True,
            "minimum": dt.date(1950, 1, 1),
            "maximum": dt.date(2100, 1, 1),
            "warn": frozenset({"required"}),
        },
        "date_precision": {
            "type": "text",
            "meaning": "Whether the day, only the month, or only the year of publication is given.",
            "one_of": ["day", "month", "year"],
        },
        "url": {
            "type": "text",
            "meaning": "Link to the publication: the first one of the row.",
            "required": True,
            "matches": r"https?://\S+$",
            "warn": frozenset({"required"}),
        },
        "other_links": {"type": "text", "meaning": "Further links of the row, separated by spaces."},
        "category": {
            "type": "text",
            "meaning": "Safety category, as named in the sheet: the first one of the row.",
            "required": True,
            "warn": frozenset({"required"}),
        },
        "categories": {
            "type": "text",
            "meaning": "All categories of the publication in the document, in its order, separated by semicolons.",
        },
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
        "list": {
            "type": "text",
            "meaning": "The list that the row belongs to: its corpus; missing for the published mapping.",
            "matches": "[a-z][a-z0-9_]*$",
        },
        "list_title": {"type": "text", "meaning": "Title of that list; missing for the published mapping."},
    },
    expected="a lab sheet (table with columns Company, Title, Date, URL, Safety_category, or its captured page)",
    licence="bibliographic facts; abstracts belong to their authors",
    recognise=_recognise,
    parse=_parse,
    recency_column="published_on",
    volatile_columns=("sheet_row",),
    added_columns=("list", "list_title"),
    files=(MAPPING_FILE.as_posix(),),
    fetch=_fetch,
    has_private_feeds=True,
)
