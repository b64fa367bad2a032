"""The sheet of lab publications: one row per publication, with its lab and one safety category.

It comes as a table (CSV, TSV or XLSX with a header) or as a captured text page of the sheet, in which the
cells of a row are glued together without a separator. Both forms give the same records, and a record is
the same in both if it has the same link. Row numbers are kept but never identify a row: people sort sheets.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestration.sources.shared.document import Document, Row
from orchestration.sources.shared.fetch_plan import Conversation, Feed, Since
from orchestration.sources.shared.links import link_key
from orchestration.sources.sheet.captured_page import MONTHS, CapturedRow, captured_rows, split_cells
from orchestration.sources.sheet.google_sheet import fetch, gviz_rows
from orchestration.sources.source import Damaged, NotThisSource, Parsed, Record, Reject, Source, digest, squeeze_spaces

# what the header cells are called in the sheets seen so far, in lower case with only letters and digits
_HEADERS = {
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
_NEEDED = ("lab", "title", "date", "category")
_RESERVED = re.compile(r"all|\d{4}|\(.*\)", re.IGNORECASE)  # all labs together, a year, what cannot be attributed
_NO_ABSTRACT = re.compile(r"^abstract not found\.?$", re.IGNORECASE)
_DUPLICATE = re.compile(r"^\[duplicate\]\s*", re.IGNORECASE)
_MONTHS: list[str] = [name.lower() for name in MONTHS.split("|")]


@dataclass(frozen=True)
class _Cells:
    """The cells of one record as texts, wherever they came from."""

    locator: str
    raw_text: str
    lab: str
    title: str
    date: str
    url: str
    category: str
    abstract: str
    sheet_row: str = ""
    is_duplicate: str = ""
    note: str = ""
    authors: str = ""
    author_labs: str = ""


def published_on(text: str) -> dt.date | None:
    """The day a date cell names: ``17-Jun-24``, ``17 June 2024`` or ``2024-06-17``; none for an empty cell.

    Two-digit years are of this century.

    Raises:
        ValueError: No date of these forms, or a day that does not exist; the text says which.
    """
    text = squeeze_spaces(text)
    if not text:
        return None
    if iso := re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)(?:[T ].*)?", text):
        year, month, day = (int(part) for part in iso.groups())
    elif named := re.fullmatch(r"(\d{1,2})[- ]([A-Za-z]{3})[a-z]*\.?[- ](\d{4}|\d\d)", text):
        day, year = int(named[1]), int(named[3])
        month = _MONTHS.index(named[2].lower()) + 1 if named[2].lower() in _MONTHS else 0
        year += 2000 if year < 100 else 0
    else:
        raise ValueError(f"date “{text[:40]}” is not of the form 17-Jun-24 or 2024-06-17")
    try:
        return dt.date(year, month, day)
    except ValueError as error:
        raise ValueError(f"date “{text}” does not exist ({error})") from error


def _plain(cell: str) -> str:
    return re.sub(r"[^a-z0-9]", "", cell.lower())


def _names(document: Document) -> Mapping[str, set[str]]:
    """What the header calls the columns: as sheets usually do, or as whoever follows this one says (``columns``)."""
    told = json.loads(document.hints.get("columns", "{}"))
    return {**_HEADERS, **{name: {_plain(header)} for name, header in told.items()}}


def _header(row: Row, names: Mapping[str, set[str]]) -> dict[str, int]:
    """Positions of the known columns in a header row; a name that stands twice raises `Damaged`."""
    plain = [_plain(cell) for cell in row.cells]
    found: dict[str, int] = {}
    for name, spellings in names.items():
        places = [place for place, cell in enumerate(plain) if cell in spellings]
        if len(places) > 1:
            raise Damaged(f"row {row.number}: two columns for {name} ({', '.join(row.cells[p] for p in places)})")
        if places:
            found[name] = places[0]
    return found


def _table(document: Document) -> tuple[int, dict[str, int], list[Row]] | None:
    """Position of the header row, its columns and all rows, of the first sheet that has such a header."""
    names = _names(document)
    for rows in _sheets(document):
        for place, row in enumerate(rows[:10]):
            header = _header(row, names)
            if all(name in header for name in _NEEDED):
                return place, header, rows
    return None


def _sheets(document: Document) -> list[list[Row]]:
    answered = gviz_rows(document)
    return document.sheets if answered is None else [answered]


def _table_cells(place: int, header: dict[str, int], rows: list[Row]) -> Iterator[_Cells | Reject]:
    width, names = len(rows[place].cells), rows[place].cells
    for position, row in enumerate(rows):
        locator, raw_text = f"row {row.number}", " | ".join(row.cells)
        if position == place:
            continue
        if position < place:
            yield Reject(locator, "stands above the header row", raw_text)
        elif [cell.strip() for cell in row.cells[:width]] == [cell.strip() for cell in names]:
            yield Reject(locator, f"a second header; the first is row {rows[place].number}", raw_text)
        elif any(cell.strip() for cell in row.cells[width:]):
            yield Reject(locator, f"{len(row.cells)} cells where the header has {width}", raw_text)
        else:
            cells = {name: row.cells[at].strip() if at < len(row.cells) else "" for name, at in header.items()}
            yield _Cells(locator, raw_text, **{"url": "", "abstract": "", **cells})


def _page_cells(rows: list[CapturedRow]) -> Iterator[_Cells | Reject]:
    for row in rows:
        cells = split_cells(row)
        if isinstance(cells, Reject):
            yield cells
        else:
            yield _Cells(f"row {row.number}", row.text, sheet_row=str(row.number), **cells)


def _values(cells: _Cells) -> dict[str, str | int | bool | dt.date | None]:
    """The columns of the raw table.

    Raises:
        ValueError: A cell holds what its column cannot; the text says which and what was expected.
    """
    lab, title = squeeze_spaces(cells.lab), squeeze_spaces(cells.title)
    category, marks = _DUPLICATE.subn("", squeeze_spaces(cells.category))
    if not lab or not title:
        raise ValueError(f"no {'company' if not lab else 'title'}")
    if _RESERVED.fullmatch(lab):
        raise ValueError(f"company “{lab}” is a word that the tables use for something else")
    url = squeeze_spaces(cells.url)
    if url and not re.fullmatch(r"https?://[^\s<>\"]+\.[^\s<>\"]+", url):
        raise ValueError(f"link “{url[:80]}” is not an http(s) address")
    if cells.sheet_row and not cells.sheet_row.isdecimal():
        raise ValueError(f"row number “{cells.sheet_row[:20]}” is not a number")
    flag = cells.is_duplicate.strip().lower()
    if flag not in {"", "0", "1", "true", "false", "yes", "no"}:
        raise ValueError(f"duplicate mark “{flag[:20]}” is none of true, false, yes, no, 1, 0")
    authors, author_labs = _listed(cells.authors), _listed(cells.author_labs)
    if authors and author_labs and len(authors) != len(author_labs):
        raise ValueError(f"{len(authors)} authors but {len(author_labs)} labs of authors")
    abstract = squeeze_spaces(cells.abstract)
    if _NO_ABSTRACT.match(abstract):
        abstract = ""
    return {
        "sheet_row": int(cells.sheet_row) if cells.sheet_row else None,
        "lab": lab,
        "title": title,
        "published_on": published_on(cells.date),
        "url": url or None,
        "category": category,
        "is_duplicate": marks > 0 or flag in {"1", "true", "yes"},
        "abstract": abstract or None,
        "abstract_sha256": digest(abstract) if abstract else None,
        "reading_note": cells.note or None,
        "authors": "; ".join(authors) or None,
        "author_labs": "; ".join(author_labs) or None,
    }


def _listed(cell: str) -> list[str]:
    """The parts of a cell that lists things separated by semicolons; an author without a lab is written as ``-``."""
    cell = cell.strip().removesuffix(";")
    return [squeeze_spaces(part) or "-" for part in cell.split(";")] if cell.strip() else []


def _identity(values: dict[str, str | int | bool | dt.date | None], *, link_is_shared: bool) -> str:
    """A record is its link; without one, or where several records of a document share it, also lab and title."""
    title = re.sub(r"[^a-z0-9+*]", "", str(values["title"]).lower())
    if values["url"] and not link_is_shared:
        return link_key(str(values["url"]))
    return f"{link_key(str(values['url'])) if values['url'] else ''} {values['lab']} {title}"


def _captured(document: Document) -> list[CapturedRow]:
    is_other = document.is_workbook or document.is_markup or gviz_rows(document) is not None
    return [] if is_other else captured_rows(document.lines)


def recognise(document: Document) -> None:
    """Return for a lab sheet in any of its forms.

    Raises:
        NotThisSource: Neither a table with the columns needed nor rows of a captured page were found.
    """
    if _captured(document):
        return
    if document.is_markup:
        raise NotThisSource("no table: " + document.kind)
    if _table(document) is None:
        names = _names(document)
        first_row = next((rows[0] for rows in _sheets(document) if rows), Row(1, []))
        is_close = len(_header(first_row, names)) >= 2 or "columns" in document.hints
        wanted = [name if names[name] is _HEADERS[name] else f"{name} ({next(iter(names[name]))})" for name in _NEEDED]
        raise NotThisSource(
            f"no header row with {', '.join(wanted)}; row 1 is “{' | '.join(first_row.cells)[:80]}”", is_close=is_close
        )


def parse(document: Document) -> Parsed:
    """The publications of the sheet, in its order.

    Raises:
        Damaged: The header is ambiguous, or most rows of the document cannot be read.
    """
    if rows := _captured(document):
        read = list(_page_cells(rows))
    else:
        table = _table(document)
        if table is None:
            raise Damaged("the header row is gone")
        read = list(_table_cells(*table))
    items: list[tuple[_Cells, dict[str, str | int | bool | dt.date | None]] | Reject] = []
    for cells in read:
        if isinstance(cells, Reject):
            items.append(cells)
            continue
        if not squeeze_spaces(cells.category):
            reason = "no safety category: the row is not part of the mapping"
            items.append(Reject(cells.locator, reason, cells.raw_text, is_fault=False))
            continue
        try:
            items.append((cells, _values(cells)))
        except ValueError as error:
            items.append(Reject(cells.locator, str(error), cells.raw_text))
    titles = {
        (link_key(str(v["url"])), str(v["title"]), str(v["lab"]))
        for i in items
        if isinstance(i, tuple)
        for v in i[1:]
        if v["url"]
    }
    sharing = Counter(key for key, _, _ in titles)
    parsed = Parsed()
    for item in items:
        if isinstance(item, Reject):
            parsed.items.append(item)
        else:
            cells, values = item
            shared = bool(values["url"]) and sharing[link_key(str(values["url"]))] > 1
            parsed.items.append(Record(_identity(values, link_is_shared=shared), values, cells.locator))
    return parsed


def _fetch(feed: Feed, since: Since) -> Conversation:
    return fetch(frozenset(_HEADERS), feed, since)


SOURCE = Source(
    name="lab_sheet",
    title="Lab publications",
    things="publications",
    row="One version of a row of the sheet of lab publications.",
    columns={
        "sheet_row": {
            "type": "integer",
            "meaning": "Number of the row in the sheet, where the document says it.",
            "minimum": 1,
        },
        "lab": {"type": "text", "meaning": "The lab, as the sheet names it.", "required": True},
        "title": {"type": "text", "meaning": "Title of the publication, as the sheet has it.", "required": True},
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
        "category": {"type": "text", "meaning": "The safety category, as the sheet names it.", "required": True},
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
            "meaning": "Labs of the authors in the same order, - for none, if the sheet has them.",
        },
    },
    expected="a lab sheet (table with columns Company, Title, Date, URL, Safety_category, or its captured page)",
    licence="bibliographic facts; abstracts belong to their authors",
    recognise=recognise,
    parse=parse,
    newest="published_on",
    positional=("sheet_row",),
    fetch=_fetch,
)
