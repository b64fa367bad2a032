"""The captured text page of the lab sheet: from lines of glued cells to the cells of each row.

The page has a line with the row number alone, then the row's text: company, title, date, link, category
and abstract without a separator; line breaks stand only around cells that were wrapped on the screen.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import cache
from typing import NamedTuple

from orchestration.sources.source import Reject, squeeze_spaces
from warehouse.reference import names_of, rows_of

_HEADER = "companytitledateurlsafety_categoryabstract"
MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
# two digits only for 10 to 31, so that the 4 of "GPT-46-Jun-24" stays with the title
_DATE = rf"(?P<day>3[01]|[12]\d|\d)-(?P<month>{MONTHS})-(?P<year>\d\d)(?!\d)"
_DATED_LINK = re.compile(rf"{_DATE}\s*https?://")
_GLUED = re.compile(r"(?=[A-Z0-9“\"])")  # what follows a lab in a row, but hardly in a sentence
_CELL = re.compile(rf"{_GLUED.pattern}|\s*\n")
_MARK = r"(?P<mark>\[Duplicate\]\s*)?"
# a category nobody knows yet: up to five words, ending where the abstract's first capital is glued to it
_NEW_CATEGORY = r"(?P<category>[A-Z][a-z]+(?:[ -][a-z]+){0,4}?)(?=[A-Z][a-z]*\W|\s*$)"


class CapturedRow(NamedTuple):
    """One row of the page.

    Args:
        number: Its number in the sheet; that of the row before it where its own cannot be read.
        text: Its glued text, with the page's line breaks.
        fault: Why it cannot be told apart from the rows around it, if so.
        is_numbered: Whether the number is its own.
    """

    number: int
    text: str
    fault: str = ""
    is_numbered: bool = True


class _Numbered(NamedTuple):
    """A line of digits that may be a row number: its place among the lines, and whether only blank lines follow."""

    at: int
    number: int
    is_blank: bool


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


def _any_of(names: list[str]) -> str:
    return "|".join(re.escape(name) for name in names)


@cache
def _dated() -> re.Pattern[str]:
    """The date of a row: the one directly before its link, or before its category where it has no link."""
    return re.compile(rf"{_DATE}\s*(?=https?://|(?:\[Duplicate\]\s*)?(?:{_any_of(known_categories())}))")


@cache
def _beginning() -> re.Pattern[str]:
    """A line that begins with a lab, perhaps with what is left of a row number glued before it."""
    return re.compile(rf"^[ \t]*(?P<got>[^A-Za-z\n]{{0,8}}?)(?P<lab>{_any_of(known_labs())})", re.MULTILINE)


def _is_header(text: str) -> bool:
    return "".join(text.split()).lower().startswith(_HEADER)


def captured_rows(lines: list[str]) -> list[CapturedRow]:
    """The rows of a captured page, without its header and blank rows; none if the lines are no such page.

    A line of digits is a row number if what follows, up to the next line of digits, looks like a row or is blank, and
    if it is in order with the other row numbers; otherwise (a year alone on a line of an abstract) it belongs to the
    text around it. A row that stands within another one's text, since its number is damaged or missing, is a row with
    a fault.
    """
    numbers = _in_order(_numbered(lines))
    if not numbers:
        return []
    # what stands before the first number is no row, but one whose number is damaged may stand there
    starts = [(0, -1), *((one.number, one.at) for one in numbers)]
    ends = [*(one.at for one in numbers), len(lines)]
    rows: list[CapturedRow] = []
    header_seen = False
    for place, ((number, at), end) in enumerate(zip(starts, ends, strict=True)):
        following = starts[place + 1][0] if place + 1 < len(starts) else None
        own, *faulty = _taken_apart(number, "\n".join(lines[at + 1 : end]), following)
        is_first_header = not header_seen and all(row.fault for row in rows) and _is_header(own.text)
        header_seen = header_seen or is_first_header
        rows += [own] if own.text.strip() and at >= 0 and not is_first_header else []
        rows += faulty
    complete = sum(1 for row in rows if not row.fault and _DATED_LINK.search(row.text))
    return rows if header_seen or complete >= 3 else []


def _numbered(lines: list[str]) -> list[_Numbered]:
    """The lines of digits that may be row numbers, by what follows them."""
    digits = [at for at, line in enumerate(lines) if re.fullmatch(r"[0-9]{1,7}", line.strip())]
    found: list[_Numbered] = []
    for at, following in zip(digits, [*digits[1:], len(lines)][: len(digits)], strict=True):
        number, text = int(lines[at]), "\n".join(lines[at + 1 : following])
        is_blank = not text.strip() and (following == len(lines) or int(lines[following]) > number)
        is_row = text.lstrip().startswith(tuple(known_labs())) or _DATED_LINK.search(text) is not None
        if number and (is_blank or is_row or _is_header(text)):
            found.append(_Numbered(at, number, is_blank))
    return found


def _in_order(numbered: list[_Numbered]) -> list[_Numbered]:
    """Those in which the numbers rise: as many rows as possible, so that one wrong number costs no other row.

    Blank rows come second, where they fit: they are no evidence of order, since lists of numbers look like them.
    """
    full = [one for one in numbered if not one.is_blank]
    tails: list[int] = []  # for each length, the place of the smallest number with which so many can end
    before: dict[int, int | None] = {}
    for place, one in enumerate(full):
        length = bisect_left(tails, one.number, key=lambda tail: full[tail].number)
        if length < len(tails) and full[tails[length]].number == one.number:
            continue
        before[place] = tails[length - 1] if length else None
        tails[length : length + 1] = [place]
    rising: list[int] = []
    last: int | None = tails[-1] if tails else None
    while last is not None:
        rising.append(last)
        last = before[last]
    chosen = {full[place].at for place in _fitting(full, rising[::-1])}
    limit = 10**9
    limits: dict[int, int] = {}  # for each blank one, the number of the next row, which it must stay below
    for one in reversed(numbered):
        if one.at in chosen:
            limit = one.number
        limits[one.at] = limit
    kept: list[_Numbered] = []
    for one in numbered:
        fits = one.is_blank and (not kept or one.number > kept[-1].number) and one.number < limits[one.at]
        if one.at in chosen or fits:
            kept.append(one)
    return kept


class _Start(NamedTuple):
    """Where a row without a readable number begins: its number, then its text; and what stands for the number."""

    cut: int
    at: int
    got: str


def _fitting(full: list[_Numbered], rising: list[int]) -> list[int]:
    """Of two rows with one number, the one beside which no number is missing: the other's is the damaged one."""
    numbers = [full[place].number for place in rising]
    fitting = list(rising)
    for place, one in enumerate(rising[:-1]):
        second = next((other for other in range(one + 1, rising[place + 1]) if full[other].number == numbers[place]), 0)
        has_room_before = numbers[place] > (numbers[place - 1] if place else 0) + 1
        if second and has_room_before and numbers[place + 1] == numbers[place] + 1:
            fitting[place] = second
    return fitting


def _taken_apart(number: int, text: str, following: int | None) -> list[CapturedRow]:
    """A row's own part of the text below its number, and the rows that run on in it without a number of their own.

    Args:
        number: The row's number; 0 for what stands before the first one.
        text: What stands below it, up to the next number.
        following: The next number, if there is one.
    """
    has_own = number > 0 and not _is_header(text)
    own = len(text) - len(text.lstrip()) if has_own else -1
    labs = [found for found in _beginning().finditer(text) if _CELL.match(text, found.end("lab"))]
    labs = [found for found in labs if found.start("lab") > own]
    glued = [found for found in labs if _GLUED.match(text, found.end("lab"))]
    # a link that an abstract quotes with its date has a space between them
    dates = [found.start() for found in _dated().finditer(text) if text[found.end("year")] not in " \t"]
    # one whose date cannot be read either is told by what stands for its number
    starts = {start.at: start for found in glued if (start := _start(text, found)).got}
    for place, date in enumerate(dates):
        since = dates[place - 1] if place else 0
        is_own = has_own and place == 0
        lab = _last_between(glued if is_own else labs, since, date)
        start = _start(text, lab) if lab else None if is_own else _below_a_number(text, since, date)
        if start:
            starts[start.at] = start
        elif not is_own and _runs_on(text, since, date):
            return [CapturedRow(number, text, "another row runs into it, and where that begins cannot be told")]
    found = sorted(starts.values())
    ends = [*(start.cut for start in found), len(text)]
    expected = _expected(number, following)
    return [
        CapturedRow(number, text[: ends[0]]),
        *(
            CapturedRow(number, text[start.at : end], f"{expected}, got {start.got or 'no number'}", is_numbered=False)
            for start, end in zip(found, ends[1:], strict=True)
        ),
    ]


def _last_between(labs: list[re.Match[str]], since: int, until: int) -> re.Match[str] | None:
    place = bisect_left(labs, until, key=lambda found: found.start()) - 1
    return labs[place] if place >= 0 and labs[place].start() >= since else None


def _start(text: str, lab: re.Match[str]) -> _Start:
    if got := lab["got"].strip():
        return _Start(lab.start(), lab.start("lab"), f"“{got}”")
    since = max(0, lab.start() - 100)
    above = text[since : lab.start()].rstrip()
    line = above.rpartition("\n")[2]
    if _is_like_a_number(line):
        return _Start(since + len(above) - len(line), lab.start("lab"), f"“{line.strip()}”")
    return _Start(lab.start(), lab.start("lab"), "")


def _is_like_a_number(line: str) -> bool:
    """Whether a line may be what is left of a row number, such as ``1x4``, ``l4``, ``??``, and is no word."""
    line = line.strip()
    letters = len(re.findall(r"[^\W\d_]", line))
    return len(line) <= 8 and letters <= 2 and re.fullmatch(r"\W+|\S*\d\S*|[\d\W]+|[lIOo]+", line) is not None


def _below_a_number(text: str, since: int, date: int) -> _Start | None:
    """The start of a row of a lab that is not known, below what is left of its number."""
    lines = list(re.finditer(r"[^\n]+", text[since:date]))
    for line in reversed(lines[1:]):  # the first one is that of the date before
        if _is_like_a_number(line[0]) and re.search(r"\d|\ufffd", line[0]):
            return _Start(since + line.start(), since + line.end() + 1, f"“{line[0].strip()}”")
    return None


def _runs_on(text: str, since: int, date: int) -> bool:
    """Whether a further date belongs to a further row, rather than to an abstract that quotes a dated link."""
    is_glued = re.compile(rf"(?<=\S){_DATE}https?://").match(text, date) is not None
    return is_glued or re.search(rf"(?:{_any_of(known_labs())}){_GLUED.pattern}", text[since:date]) is not None


def _expected(number: int, following: int | None) -> str:
    """Which row numbers fit between that of the row before and that of the row after."""
    if following is None or following <= number + 1:
        return f"a row after row {number} expected"
    return f"row {number + 1} expected" if following == number + 2 else f"row {number + 1} to {following - 1} expected"


def split_cells(row: CapturedRow) -> dict[str, str] | Reject:
    """The cells of a row as texts: lab, title, date, url, category (with its duplicate mark), abstract, note.

    The date is the one directly before the link, or before the category where a row has no link. A reject
    says which cell could not be found.
    """
    locator, text = f"row {row.number}", row.text.strip()
    if row.fault:
        return Reject(locator if row.is_numbered else f"after {locator}", row.fault, row.text)
    if _is_header(text):
        return Reject(locator, "a second header", row.text)
    lab = next((name for name in known_labs() if text.startswith(name)), None)
    if lab is None:
        return Reject(locator, f"begins with no known lab (“{text[:30]}”); add it to labs.csv", row.text)
    rest = text[len(lab) :]
    date = _dated().search(rest)
    if date is None:
        return Reject(locator, "no date such as 17-Jun-24 directly before a link or a category", row.text)
    tail = rest[date.end() :]
    known = rf"(?P<category>{_any_of(known_categories())})"
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
