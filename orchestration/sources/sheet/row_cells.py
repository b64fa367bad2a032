"""The cells of one row of a lab sheet as texts, and the values that they become in the raw table.

A cell that cannot be used costs its value, with a note, not the row: only a row without title and link is useless.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from orchestration.sources.sheet.cell_links import parse_links
from orchestration.sources.sheet.dates import DayOrder, ParsedDate, parse_date
from orchestration.sources.sheet.glued_text import get_known_categories, get_known_labs
from orchestration.sources.source import collapse_spaces, hash_parts
from warehouse.names import normalize_name

RowValues: TypeAlias = dict[str, str | int | bool | dt.date | None]

_RESERVED_LAB = re.compile(r"all|\d{4}|\(.*\)", re.IGNORECASE)  # stands for all labs, a year or "(unattributed)"
_NO_ABSTRACT = re.compile(r"^abstract not found\.?$", re.IGNORECASE)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DUPLICATE_MARK = re.compile(r"^\[duplicate\]\s*", re.IGNORECASE)
_TRUE, _FALSE = frozenset({"1", "true", "yes", "y", "x"}), frozenset({"", "0", "false", "no", "n", "-"})
# answers to the question whether a row is in scope, where a category is expected
_NOT_IN_SCOPE = frozenset(
    {"no", "n", "none", "n/a", "na", "not in scope", "out of scope", "not safety", "not relevant", "irrelevant"}
    | {"excluded", "exclude", "not applicable", "-", "--"}
)
_IN_SCOPE = frozenset({"yes", "y", "in scope", "included", "include", "?", "tbd", "unknown", "to do", "todo"})
# a remainder is in scope and no category
_NO_CATEGORY = frozenset(
    {"other", "others", "misc", "misc.", "miscellaneous", "various", "uncategorised", "uncategorized"}
)
_NOTHING = frozenset({"-", "--", "none", "nil"})  # in a list, no statement on the scope of a row
_BETWEEN_CATEGORIES = re.compile(r"[;|\n\r]+")
_MAYBE_BETWEEN_CATEGORIES = re.compile(r"\s*[,/&+]\s*|\s+and\s+")
_NO_PUBLICATIONS = frozenset({"attachment", "note", "annotation"})  # types of items in Zotero
_FEWEST_LISTS = 3  # of cells with commas, before they are taken as lists
NO_CATEGORY = "no safety category: the row is not part of the mapping"


@dataclass(frozen=True)
class RowCells:
    """The cells of one row as texts, from a table or from a captured page.

    Args:
        link_behind: The address behind the cell of the link or of the title, if one has a hyperlink.
        abstract_sha256: The hash of the abstract, for a table without abstracts.
        needs_category: Whether a row without a category is out of scope, as in the sheet of the published mapping.
        separator: What separates the parts of a cell, if it is declared.
        item_type: What the row is, in an export of Zotero.
        table: Which table of the document it is in, since the order of day and month is decided for each.
    """

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
    abstract_sha256: str = ""
    link_behind: str = ""
    needs_category: bool = True
    separator: str = ""
    item_type: str = ""
    table: int = 0


class NotInScope(Exception):
    """The sheet itself does not count the row among the publications of its mapping; the message states why."""


class JudgedNotInScope(NotInScope):
    """Somebody has judged the publication of a row, in the sheet.

    Args:
        judgement: What stands in place of a category.
    """

    def __init__(self, judgement: str) -> None:
        super().__init__(f"“{judgement}” in place of a safety category: judged not in scope")
        self.judgement = judgement


def are_lists_with_commas(cells: Iterable[str]) -> bool:
    """Whether commas separate several names in the cells of a column.

    They do if, of at least three cells with commas, most have a part that stands alone in another cell. It is decided
    for the column: a name such as “Foo, Inc.” is no list where few others are.
    """
    texts = [normalize_name(cell).casefold() for cell in cells]
    alone = {text for text in texts if text and "," not in text}
    lists = [text for text in texts if "," in text]
    found = sum(any(part.strip() in alone for part in text.split(",")) for text in lists)
    return len(lists) >= _FEWEST_LISTS and 2 * found > len(lists)


def parse_cells(cells: RowCells, order: DayOrder | None = None, *, has_comma_lists: bool = False) -> RowValues:
    """The values of a row, by column of the raw table.

    Args:
        cells: The row.
        order: The order of day and month in the sheet's dates, if they show one.
        has_comma_lists: Whether commas separate several labs in the sheet.

    Raises:
        ValueError: The row has neither a title nor a link.
        NotInScope: The row is no publication, or has no category, or a judgement in its place.
    """
    if cells.item_type.strip().casefold() in _NO_PUBLICATIONS:
        raise NotInScope(f"item of the type “{cells.item_type.strip()}”: no publication")
    notes = [cells.note] if cells.note else []
    links = parse_links(cells.url, cells.link_behind)
    title = collapse_spaces(cells.title)
    if not title and not links.addresses:
        raise ValueError("no title and no link")
    categories, is_marked = _parse_categories(cells, notes)
    if links.note:
        notes.append(links.note)
    if not title:
        title = links.addresses[0]
        notes.append("no title: the link stands in its place")
    elif _is_date(title):
        notes.append(f"the title “{title}” is a date: a spreadsheet has probably changed it")
    date = _parse_date(cells.date, order, notes)
    authors, author_labs = _split_authors(cells), _split_list(cells.author_labs, cells.separator)
    lab = _parse_lab(cells, notes, has_comma_lists=has_comma_lists)
    if authors and author_labs and len(authors) != len(author_labs):
        notes.append(f"{len(authors)} authors but {len(author_labs)} labs of authors: the labs are not used")
        author_labs = []
    abstract = parse_abstract(cells)
    return {
        "sheet_row": _parse_row_number(cells.sheet_row, notes),
        "lab": lab,
        "title": title,
        "published_on": date.day,
        "date_precision": date.precision,
        "url": links.addresses[0] if links.addresses else None,
        "other_links": " ".join(links.addresses[1:]) or None,
        "category": categories[0] if categories else None,
        "categories": "; ".join(categories) or None,
        "is_duplicate": _parse_duplicate_mark(cells.is_duplicate, notes) or is_marked,
        "abstract": abstract or None,
        "abstract_sha256": hash_parts(abstract) if abstract else _parse_hash(cells.abstract_sha256, notes),
        "reading_note": "; ".join(notes) or None,
        "authors": "; ".join(authors) or None,
        "author_labs": "; ".join(author_labs) or None,
    }


def parse_abstract(cells: RowCells) -> str:
    """The abstract of a row; empty without one."""
    abstract = collapse_spaces(cells.abstract)
    return "" if _NO_ABSTRACT.match(abstract) else abstract


def _parse_hash(cell: str, notes: list[str]) -> str | None:
    """The hash of an abstract that the table does not have itself."""
    text = cell.strip().lower()
    if text and not _SHA256.fullmatch(text):
        notes.append(f"the hash of the abstract is no SHA-256: {text[:80]}")
        return None
    return text or None


def _parse_categories(cells: RowCells, notes: list[str]) -> tuple[list[str], bool]:
    """The categories of a row without repetitions, and whether the row is marked as a duplicate.

    Raises:
        NotInScope: There is no category, or a judgement in its place.
    """
    cell, marks = _DUPLICATE_MARK.subn("", cells.category.strip())
    pieces = cell.split(cells.separator) if cells.separator else _BETWEEN_CATEGORIES.split(cell)
    parts = [name for part in pieces if (name := normalize_name(part))]
    if not cells.needs_category:
        parts = [part for part in parts if part.casefold() not in _NOTHING]
    known = {name.casefold() for name in get_known_categories()}
    if len(parts) == 1 and not cells.separator and parts[0].casefold() not in known:
        smaller = [part for part in _MAYBE_BETWEEN_CATEGORIES.split(parts[0]) if part]
        parts = smaller if all(part.casefold() in known for part in smaller) else parts
    judgements = [part for part in parts if part.casefold() in _NOT_IN_SCOPE]
    categories = [part for part in parts if part.casefold() not in _NOT_IN_SCOPE | _IN_SCOPE | _NO_CATEGORY]
    if judgements and not categories:
        raise JudgedNotInScope(judgements[0])
    if not parts and cells.needs_category:
        raise NotInScope(NO_CATEGORY)
    if parts and not categories:
        notes.append(f"“{parts[0]}” is no safety category")
    categories = list({category.casefold(): category for category in reversed(categories)}.values())[::-1]
    if len(categories) > 1:
        notes.append(f"{len(categories)} categories: {'; '.join(categories)}")
    return categories, marks > 0


def _parse_date(cell: str, order: DayOrder | None, notes: list[str]) -> ParsedDate:
    try:
        date = parse_date(cell, order)
    except ValueError as error:
        notes.append(f"{error}: undated")
        return ParsedDate(None)
    if date.note:
        notes.append(date.note)
    return date


def _is_date(title: str) -> bool:
    """Whether a title is nothing but a day or a month; a year alone can be a title."""
    try:
        return parse_date(title).precision in {"day", "month"}
    except ValueError:
        return False


def _parse_lab(cells: RowCells, notes: list[str], *, has_comma_lists: bool) -> str | None:
    """The first lab of a cell; several are separated as declared, by semicolons, lines, or commas.

    Commas separate where the whole column shows it, or beside a known lab.
    """
    pieces = cells.lab.split(cells.separator) if cells.separator else re.split(r"[;\n\r]+", cells.lab)
    labs = [name for piece in pieces if (name := normalize_name(piece))]
    if len(labs) == 1 and not cells.separator:
        known = {name.casefold() for name in get_known_labs()}
        smaller = [part for piece in labs[0].split(",") if (part := piece.strip())]
        if len(smaller) > 1 and (has_comma_lists or any(part.casefold() in known for part in smaller)):
            labs = smaller
    lab = labs[0] if labs else ""
    if len(labs) > 1:
        notes.append(f"{len(labs)} labs: {'; '.join(labs)}; the first is used")
    if lab and _RESERVED_LAB.fullmatch(lab):
        notes.append(f"company “{lab}” is a reserved word of the tables")
        return None
    return lab or None


def _parse_row_number(cell: str, notes: list[str]) -> int | None:
    number = normalize_name(cell)
    if number and not (number.isdecimal() and len(number) < 10 and int(number)):
        notes.append(f"row number “{number[:20]}” is not a number")
        return None
    return int(number) if number else None


def _parse_duplicate_mark(cell: str, notes: list[str]) -> bool:
    mark = normalize_name(cell).casefold()
    if mark not in _TRUE | _FALSE:
        notes.append(f"duplicate mark “{mark[:20]}” is none of true, false, yes, no, 1, 0")
    return mark in _TRUE


def _split_list(cell: str, separator: str = "") -> list[str]:
    """The parts of a cell between semicolons; an empty part, such as the lab of an author without one, is ``-``."""
    separator = separator or ";"
    cell = cell.strip().removesuffix(separator)
    return [normalize_name(part) or "-" for part in cell.split(separator)] if cell.strip() else []


def _split_authors(cells: RowCells) -> list[str]:
    """The authors of a cell: between separators, else between commas or “and” where all parts are full names."""
    authors = _split_list(cells.authors, cells.separator)
    if len(authors) != 1 or cells.separator or cells.author_labs.strip():
        return authors
    lines = [name for line in cells.authors.splitlines() if (name := normalize_name(line))]
    if len(lines) > 1:
        return lines
    names = [name.strip() for name in re.split(r",\s*(?:and\s+)?|\s+and\s+|\s*&\s*", authors[0]) if name.strip()]
    is_full = all(" " in name.replace(".", ". ").strip() for name in names)
    # of two parts, the first can be a last name
    return names if is_full and (len(names) > 2 or (len(names) > 1 and "," not in authors[0])) else authors
