"""The captured text page of the lab sheet: from lines of glued cells to the cells of each row.

The page has a line with the row number alone, then the row's text: company, title, date, link, category
and abstract without a separator; line breaks stand only around cells that were wrapped on the screen.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from orchestration.sources.source import Reject, squeeze_spaces
from warehouse.reference import names_of, rows_of

_HEADER = "companytitledateurlsafety_categoryabstract"
MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
# two digits only for 10 to 31, so that the 4 of "GPT-46-Jun-24" stays with the title
_DATE = rf"(?P<day>3[01]|[12]\d|\d)-(?P<month>{MONTHS})-(?P<year>\d\d)(?!\d)"
_DATED_LINK = re.compile(rf"{_DATE}\s*https?://")
_MARK = r"(?P<mark>\[Duplicate\]\s*)?"
# a category nobody knows yet: up to five words, ending where the abstract's first capital is glued to it
_NEW_CATEGORY = r"(?P<category>[A-Z][a-z]+(?:[ -][a-z]+){0,4}?)(?=[A-Z][a-z]*\W|\s*$)"


class CapturedRow(NamedTuple):
    """One row of the page: its number in the sheet and its glued text, with the page's line breaks."""

    number: int
    text: str


def _longest_first(names: set[str]) -> list[str]:
    """The names in an order in which a name never hides a longer one."""
    return sorted(names, key=lambda name: (-len(name), name))


@cache
def known_labs() -> list[str]:
    """Names and aliases of the labs, longest first."""
    return _longest_first({row["lab"] for row in rows_of("labs")} | {row["alias"] for row in rows_of("lab_aliases")})


@cache
def known_categories() -> list[str]:
    """Names of the categories, longest first."""
    return _longest_first(set(names_of("categories")))


def _is_header(text: str) -> bool:
    return "".join(text.split()).lower().startswith(_HEADER)


def captured_rows(lines: list[str]) -> list[CapturedRow]:
    """The rows of a captured page, without its header and blank rows; none if the lines are no such page.

    A line of digits is a row number if it is greater than the one before it and what follows, up to the next
    line of digits, looks like a row or is blank; otherwise (a year alone on a line of an abstract) it belongs
    to the text around it.
    """
    digits = [at for at, line in enumerate(lines) if re.fullmatch(r"[0-9]{1,7}", line.strip())]
    rows: list[CapturedRow] = []
    last, header_seen = 0, False
    for place, at in enumerate(digits):
        following = digits[place + 1] if place + 1 < len(digits) else len(lines)
        number, text = int(lines[at]), "\n".join(lines[at + 1 : following])
        is_blank = not text.strip() and (following == len(lines) or int(lines[following]) > number)
        is_row = text.lstrip().startswith(tuple(known_labs())) or _DATED_LINK.search(text) is not None
        if number > last and (is_blank or is_row or _is_header(text)):
            last = number
            rows.append(CapturedRow(number, text))
        elif rows:
            rows[-1] = CapturedRow(rows[-1].number, f"{rows[-1].text}\n{lines[at]}\n{text}")
    if rows and _is_header(rows[0].text):
        header_seen = True
        rows = rows[1:]
    rows = [row for row in rows if row.text.strip()]
    complete = sum(1 for row in rows if _DATED_LINK.search(row.text))
    return rows if header_seen or complete >= 3 else []


def split_cells(row: CapturedRow) -> dict[str, str] | Reject:
    """The cells of a row as texts: lab, title, date, url, category (with its duplicate mark), abstract, note.

    The date is the one directly before the link, or before the category where a row has no link. A reject
    says which cell could not be found.
    """
    locator, text = f"row {row.number}", row.text.strip()
    if _is_header(text):
        return Reject(locator, "a second header", row.text)
    lab = next((name for name in known_labs() if text.startswith(name)), None)
    if lab is None:
        return Reject(locator, f"begins with no known lab (“{text[:30]}”); add it to labs.csv", row.text)
    rest = text[len(lab) :]
    categories = "|".join(re.escape(name) for name in known_categories())
    date = re.search(rf"{_DATE}\s*(?=https?://|(?:\[Duplicate\]\s*)?(?:{categories}))", rest)
    if date is None:
        return Reject(locator, "no date such as 17-Jun-24 directly before a link or a category", row.text)
    tail = rest[date.end() :]
    known = rf"(?P<category>{categories})"
    note = ""
    found = re.match(rf"(?P<url>https?://(?:(?!\[Duplicate\])\S)+)\s+{_MARK}{known}", tail) or re.match(
        rf"(?P<url>(?:https?://\S+?)?)\s*{_MARK}{known}", tail
    )
    if found is None:
        found = re.match(rf"(?P<url>https?://(?:(?!\[Duplicate\])\S)+)\s+{_MARK}{_NEW_CATEGORY}", tail) or re.match(
            rf"(?P<url>https?://\S*?[a-z0-9/]){_MARK}{_NEW_CATEGORY}", tail
        )
        if found is None:
            return Reject(
                locator, "ends before its category, or has one that cannot be told from the abstract", row.text
            )
        note = f"category “{found['category']}” is not among the known ones"
    title, day = rest[: date.start()], date["day"]
    if len(day) == 2 and day[1] != "0" and (digit := _title_digit(title, day[0], found["url"])):
        title, day = title + digit, day[1]
        note = note or f"“{digit}” read as the end of the title and {day} as the day, as in the link"
    elif len(day) == 2 and day[1] != "0" and title[-1:] in {" ", "-"}:
        note = note or f"day read as {day}; the title may end in {day[0]} instead"
    return {
        "lab": lab,
        "title": title,
        "date": f"{day}-{date['month']}-{date['year']}",
        "url": found["url"],
        "category": (found["mark"] or "") + found["category"],
        "abstract": squeeze_spaces(tail[found.end() :]),
        "note": note,
    }


def _title_digit(title: str, digit: str, url: str) -> str:
    """The digit if the link's last part shows that the title ends with it, else nothing.

    A title that ends in 1, 2 or 3 before a day of one digit reads like a day of two digits.
    """
    words = re.findall(r"[a-z0-9]+", (title + digit).lower())
    slug = re.findall(r"[a-z0-9]+", url.lower().rstrip("/").rpartition("/")[2])
    tail = words[-2:]
    return digit if len(tail) == 2 and any(slug[at : at + 2] == tail for at in range(len(slug))) else ""
