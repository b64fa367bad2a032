"""Cells of a captured row: splits its glued text at the lab, the date, the link and the category."""

from __future__ import annotations

import re

from orchestration.sources.sheet.captured_page import CapturedRow
from orchestration.sources.sheet.glued_text import (
    DUPLICATE_MARK,
    UNKNOWN_CATEGORY,
    compile_row_date,
    get_known_categories,
    get_known_labs,
    is_header,
    match_any,
)
from orchestration.sources.sheet.row_cells import RowCells
from orchestration.sources.source import Reject, collapse_spaces

_LINK_BEFORE_SPACE = r"(?P<url>https?://(?:(?!\[Duplicate\])\S)+)\s+"


def split_cells(row: CapturedRow) -> RowCells | Reject:
    """The cells of a captured row, or a reject that names the cell that was not found.

    The date is the one directly before the link, or before the category where the row has no link.
    """
    locator, text = f"row {row.number}", row.text.strip()
    if row.fault:
        return Reject(locator if row.is_numbered else f"after {locator}", row.fault, row.text)
    if is_header(text):
        return Reject(locator, "a second header", row.text)
    lab = next((name for name in get_known_labs() if text.startswith(name)), None)
    if lab is None:
        reason = f"does not begin with a known lab (“{text[:30]}”); add the lab to labs.csv"
        return Reject(locator, reason, row.text)
    after_lab = text[len(lab) :]
    date = compile_row_date().search(after_lab)
    if date is None:
        return Reject(locator, "no date such as 17-Jun-24 directly before a link or a category", row.text)
    after_date = after_lab[date.end() :]
    link = _match_link_and_category(after_date)
    if link is None:
        reason = "ends before its category, or has a category that cannot be separated from the abstract"
        return Reject(locator, reason, row.text)
    title, day, date_note = _separate_title_and_day(after_lab[: date.start()], date["day"], link["url"])
    is_known = link["category"] in get_known_categories()
    category_note = "" if is_known else f"category “{link['category']}” is not among the known ones"
    return RowCells(
        locator,
        row.text,
        sheet_row=str(row.number),
        lab=lab,
        title=title,
        date=f"{day}-{date['month']}-{date['year']}",
        url=link["url"],
        category=(link["mark"] or "") + link["category"],
        abstract=collapse_spaces(after_date[link.end() :]),
        note=category_note or date_note,
    )


def _match_link_and_category(text: str) -> re.Match[str] | None:
    """The link, duplicate mark and category after the date; a known category is preferred to an unknown one."""
    known_category = rf"(?P<category>{match_any(get_known_categories())})"
    patterns = (
        rf"{_LINK_BEFORE_SPACE}{DUPLICATE_MARK}{known_category}",
        rf"(?P<url>(?:https?://\S+?)?)\s*{DUPLICATE_MARK}{known_category}",
        rf"{_LINK_BEFORE_SPACE}{DUPLICATE_MARK}{UNKNOWN_CATEGORY}",
        rf"(?P<url>https?://\S*?[a-z0-9/]){DUPLICATE_MARK}{UNKNOWN_CATEGORY}",
    )
    return next((match for pattern in patterns if (match := re.match(pattern, text))), None)


def _separate_title_and_day(title: str, day: str, url: str) -> tuple[str, str, str]:
    """Title, day and a note on what is uncertain, for a title glued to a day.

    A title that ends in 1, 2 or 3 before a day of one digit looks like a day of two digits: the link decides.
    """
    if len(day) == 1 or day[1] == "0":
        return title, day, ""
    digit = day[0]
    if _is_in_slug(title + digit, url):
        return title + digit, day[1], f"“{digit}” read as the end of the title and {day[1]} as the day, as in the link"
    if title[-1:] in {" ", "-"}:
        return title, day, f"day read as {day}; the title may end in {digit} instead"
    return title, day, ""


def _is_in_slug(title: str, url: str) -> bool:
    """Whether the last two words of a title follow each other in the last part of a link."""
    words = re.findall(r"[a-z0-9]+", title.lower())[-2:]
    slug = re.findall(r"[a-z0-9]+", url.lower().rstrip("/").rpartition("/")[2])
    return len(words) == 2 and any(slug[index : index + 2] == words for index in range(len(slug)))
