"""Headers of lab sheets: which column has which name, known, guessed or given by the user."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from functools import cache

from orchestration.sources.shared.document import Document
from orchestration.sources.shared.rows import Row
from orchestration.sources.source import DamagedDocument
from warehouse.names import build_title_key
from warehouse.reference import read_rows


@cache
def read_header_names(*, is_usual: bool) -> Mapping[str, frozenset[str]]:
    """The headers of each column, normalised: those that are taken for sure, or those that probably name it."""
    names: dict[str, set[str]] = {}
    for row in read_rows("column_headers"):
        if (row["is_usual"] == "true") is is_usual:
            names.setdefault(row["column_name"], set()).add(normalize_header(row["header"]))
    return {name: frozenset(headers) for name, headers in names.items()}


@cache
def read_column_names() -> frozenset[str]:
    """The columns that a list can have."""
    return frozenset(row["column_name"] for row in read_rows("column_headers"))


_SURE = frozenset({"lab", "title", "category"})
INDISPENSABLE = ("title", "url")


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
    columns = match_columns(row, given)
    is_sure = match_columns(row, given, only_usual=True).keys() >= _SURE
    if named := {name for name, header in given.items() if header}:
        is_sure = is_sure or (named <= columns.keys() and any(name in columns for name in INDISPENSABLE))
    return columns if is_sure else {}


def describe_missing(document: Document, row: Row, guess: Mapping[str, str]) -> str:
    """What a table lacks to be taken for a lab sheet, and how to take it nevertheless."""
    given = {name: header for name, header in read_given_columns(document).items() if header}
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


def match_columns(row: Row, given: Mapping[str, str], *, only_usual: bool = False) -> dict[str, int]:
    """Index of the cell of each column: by its given header, else a usual one, else a likely one that is free."""
    normalized = [normalize_header(cell) for cell in row.cells]
    columns: dict[str, int] = {}
    for name, usual in read_header_names(is_usual=True).items():
        spellings = frozenset({normalize_header(given[name])} - {""}) if name in given else usual
        indexes = [index for index, cell in enumerate(normalized) if cell in spellings]
        if len(indexes) > 1 and name == "url" and name not in given:  # all of them are read
            indexes = indexes[:1]
        if len(indexes) > 1:
            cells = ", ".join(row.cells[index] for index in indexes)
            raise DamagedDocument(
                f"row {row.number}: two columns for {name} ({cells}); choose one: aisle add --map {name}=HEADER"
            )
        if indexes:
            columns[name] = indexes[0]
    for name, likely in ({} if only_usual else read_header_names(is_usual=False)).items():
        free = (index for index, cell in enumerate(normalized) if cell in likely and index not in columns.values())
        if name not in columns and name not in given and (index := next(free, None)) is not None:
            columns[name] = index
    return columns


def find_more_links(row: Row, columns: Mapping[str, int]) -> list[int]:
    """Indexes of the cells of a header row that name further links, such as that of the DOI."""
    names = read_header_names(is_usual=True)["url"] | read_header_names(is_usual=False)["url"]
    if "url" not in columns:
        return []
    return [
        index
        for index, cell in enumerate(row.cells)
        if index not in columns.values() and normalize_header(cell) in names
    ]


def normalize_header(cell: str) -> str:
    """A header without case, blanks and punctuation; empty for a blank one."""
    return build_title_key(cell) if cell.strip() else ""
