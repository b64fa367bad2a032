"""Headers of lab sheets: which column has which name, known, guessed or given by the user."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping

from orchestration.sources.shared.document import Document
from orchestration.sources.shared.rows import Row
from orchestration.sources.source import DamagedDocument
from warehouse.names import build_title_key

# the headers of each column in the sheets seen so far, in lower case with only letters and digits
_USUAL_HEADERS: Mapping[str, frozenset[str]] = {
    "sheet_row": frozenset({"row", "sheetrow", "rownumber"}),
    "lab": frozenset({"company", "lab", "organization", "organisation"}),
    "title": frozenset({"title", "papertitle"}),
    "date": frozenset({"date", "publishedon", "published", "publicationdate", "datepublished", "dateofpublication"}),
    "url": frozenset({"url", "link"}),
    "category": frozenset({"safetycategory", "category"}),
    "is_duplicate": frozenset({"isduplicate", "duplicate"}),
    "abstract": frozenset({"abstract", "summary"}),
    "abstract_sha256": frozenset({"abstractsha256"}),
    "authors": frozenset({"authors", "author"}),
    "author_labs": frozenset({"authorlabs", "authoraffiliations", "affiliations"}),
}
# headers that probably name the column, where no usual one does
_LIKELY_HEADERS: Mapping[str, frozenset[str]] = {
    "lab": frozenset(
        {"companies", "labs", "laboratory", "companyname", "labname", "org", "organizations", "organisations"}
        | {"institution", "institute", "affiliation", "developer", "group", "team"}
    ),
    "title": frozenset(
        {"paper", "papername", "nameofpaper", "titleofpaper", "publication", "publicationtitle", "name"}
        | {"work", "article", "articletitle", "titles", "papers"}
    ),
    "date": frozenset(
        {"year", "month", "released", "releasedate", "publishdate", "pubdate", "posted", "postedon", "submitted"}
        | {"publicationyear", "yearpublished", "dateadded"}
    ),
    "url": frozenset(
        {"urls", "links", "linktopaper", "paperlink", "paperurl", "linkurl", "address", "website", "webpage"}
        | {"arxiv", "arxivlink", "arxivurl", "doi", "pdf"}
    ),
    "category": frozenset(
        {"categories", "safetycategories", "area", "researcharea", "agenda", "agendas", "researchagenda", "topic"}
        | {"topics", "theme", "subject", "tags", "tag"}
    ),
    "abstract": frozenset({"description", "tldr"}),
    "authors": frozenset({"authornames", "authorlist", "writers"}),
}
COLUMN_NAMES = frozenset(_USUAL_HEADERS)
_SURE = frozenset({"lab", "title", "category"})
_INDISPENSABLE = ("title", "url")


def read_given_columns(document: Document) -> dict[str, str]:
    """The header of each column as a feed's settings or the user give them; an empty one for a column to leave out."""
    return json.loads(document.hints.get("columns", "{}"))


def find_columns(row: Row, given: Mapping[str, str]) -> dict[str, int]:
    """Index of the cell of each column in a header row; empty if the row is surely no header.

    A row is a header if it names lab, title and category by their usual headers, or has all headers that are given,
    with a title or a link among them.

    Raises:
        DamagedDocument: Two cells name the same column.
    """
    columns = _match_columns(row, given)
    is_sure = _match_columns(row, given, only_usual=True).keys() >= _SURE
    if given:
        named = {name for name, header in given.items() if header}
        is_sure = is_sure or (named <= columns.keys() and any(name in columns for name in _INDISPENSABLE))
    return columns if is_sure else {}


def guess_columns(row: Row) -> dict[str, str]:
    """The header of each column that a row probably has, at least two with a title or a link; else nothing."""
    try:
        columns = _match_columns(row, {})
    except DamagedDocument:
        return {}
    if len(columns) < 2 or not any(name in columns for name in _INDISPENSABLE):
        return {}
    return {name: " ".join(row.cells[index].split()) for name, index in columns.items()}


def describe_missing(document: Document, row: Row, guess: Mapping[str, str]) -> str:
    """What a table lacks to be taken for a lab sheet, and how to take it nevertheless."""
    given = read_given_columns(document)
    headers = " | ".join(cell for cell in row.cells if cell.strip())[:120]
    if given:
        wanted = ", ".join(f"“{header}” for {name}" for name, header in given.items() if header)
        return f"no row has the headers {wanted}; row {row.number} is “{headers}”"
    missing = [name for name in ("title", "lab", "category") if name not in guess]
    usual = {"title": "Title", "lab": "Company or Lab", "category": "Category"}
    text = f"no header row with {', '.join(usual[name] for name in missing) or 'the usual headers'}"
    text += f"; row {row.number} is “{headers}”"
    if not guess:
        return f"{text}. Name at least the column of the title or of the link: {_build_command(document, {})}"
    columns = ", ".join(f"{name} from “{header}”" for name, header in guess.items())
    if "feed" in document.hints:
        settings = ", ".join(f"{name} = {json.dumps(header, ensure_ascii=False)}" for name, header in guess.items())
        return f"{text}. Probably {columns}: if so, set columns = {{ {settings} }} in the settings of the feed"
    return f"{text}. Probably {columns}: if so, {_build_command(document, guess)}"


def _build_command(document: Document, guess: Mapping[str, str]) -> str:
    options = [f"--map {shlex.quote(f'{name}={header}')}" for name, header in guess.items()]
    return f"aisle add {' '.join(options or ['--map title=HEADER'])} {shlex.quote(document.name)}"


def _match_columns(row: Row, given: Mapping[str, str], *, only_usual: bool = False) -> dict[str, int]:
    """Index of the cell of each column: by its given header, else a usual one, else a likely one that is free."""
    normalized = [normalize_header(cell) for cell in row.cells]
    columns: dict[str, int] = {}
    for name, usual in _USUAL_HEADERS.items():
        spellings = frozenset({normalize_header(given[name])} - {""}) if name in given else usual
        indexes = [index for index, cell in enumerate(normalized) if cell in spellings]
        if len(indexes) > 1:
            cells = ", ".join(row.cells[index] for index in indexes)
            raise DamagedDocument(
                f"row {row.number}: two columns for {name} ({cells}); choose one: aisle add --map {name}=HEADER"
            )
        if indexes:
            columns[name] = indexes[0]
    for name, likely in ({} if only_usual else _LIKELY_HEADERS).items():
        free = (index for index, cell in enumerate(normalized) if cell in likely and index not in columns.values())
        if name not in columns and name not in given and (index := next(free, None)) is not None:
            columns[name] = index
    return columns


def normalize_header(cell: str) -> str:
    """A header without case, blanks and punctuation; empty for a blank one."""
    return build_title_key(cell) if cell.strip() else ""
