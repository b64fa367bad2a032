"""The cells of one row of a lab sheet as texts, and the values that they become in the raw table."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import TypeAlias

from orchestration.sources.sheet.dates import parse_date
from orchestration.sources.source import collapse_spaces, hash_parts

RowValues: TypeAlias = dict[str, str | int | bool | dt.date | None]

_RESERVED_LAB = re.compile(r"all|\d{4}|\(.*\)", re.IGNORECASE)  # stands for all labs, a year or "(unattributed)"
_NO_ABSTRACT = re.compile(r"^abstract not found\.?$", re.IGNORECASE)
_DUPLICATE_MARK = re.compile(r"^\[duplicate\]\s*", re.IGNORECASE)
_LINK = re.compile(r"https?://[^\s<>\"]+\.[^\s<>\"]+")
_TRUE, _FALSE = frozenset({"1", "true", "yes"}), frozenset({"", "0", "false", "no"})


@dataclass(frozen=True)
class RowCells:
    """The cells of one row as texts, from a table or from a captured page."""

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


def parse_cells(cells: RowCells) -> RowValues:
    """The values of a row, by column of the raw table.

    Raises:
        ValueError: A cell has a value that its column does not allow; the message gives the value and what is expected.
    """
    lab, title = collapse_spaces(cells.lab), collapse_spaces(cells.title)
    category, duplicate_marks = _DUPLICATE_MARK.subn("", collapse_spaces(cells.category))
    if not lab or not title:
        raise ValueError(f"no {'company' if not lab else 'title'}")
    if _RESERVED_LAB.fullmatch(lab):
        raise ValueError(f"company “{lab}” is a reserved word of the tables")
    url = collapse_spaces(cells.url)
    if url and not _LINK.fullmatch(url):
        raise ValueError(f"link “{url[:80]}” is not an http(s) address")
    if cells.sheet_row and not cells.sheet_row.isdecimal():
        raise ValueError(f"row number “{cells.sheet_row[:20]}” is not a number")
    duplicate_flag = cells.is_duplicate.strip().lower()
    if duplicate_flag not in _TRUE | _FALSE:
        raise ValueError(f"duplicate mark “{duplicate_flag[:20]}” is none of true, false, yes, no, 1, 0")
    authors, author_labs = _split_list(cells.authors), _split_list(cells.author_labs)
    if authors and author_labs and len(authors) != len(author_labs):
        raise ValueError(f"{len(authors)} authors but {len(author_labs)} labs of authors")
    abstract = collapse_spaces(cells.abstract)
    if _NO_ABSTRACT.match(abstract):
        abstract = ""
    return {
        "sheet_row": int(cells.sheet_row) if cells.sheet_row else None,
        "lab": lab,
        "title": title,
        "published_on": parse_date(cells.date),
        "url": url or None,
        "category": category,
        "is_duplicate": duplicate_marks > 0 or duplicate_flag in _TRUE,
        "abstract": abstract or None,
        "abstract_sha256": hash_parts(abstract) if abstract else None,
        "reading_note": cells.note or None,
        "authors": "; ".join(authors) or None,
        "author_labs": "; ".join(author_labs) or None,
    }


def _split_list(cell: str) -> list[str]:
    """The parts of a cell between semicolons; an empty part, such as the lab of an author without one, is ``-``."""
    cell = cell.strip().removesuffix(";")
    return [collapse_spaces(part) or "-" for part in cell.split(";")] if cell.strip() else []
