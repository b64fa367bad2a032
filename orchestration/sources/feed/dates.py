"""Dates of feed entries: read only where the whole text is understood, and alike on every day.

Feeds give RFC 822 times (``Sat, 29 Jun 2024 00:30:00 CEST``), ISO 8601 times and days (``2024-06-29T10:00:00Z``,
``2024-06``), and what programs print (``Sat Jun 29 10:00:00 UTC 2024``, ``June 29, 2024``). A text of any other form
has no date: days and months in numbers of unknown order, seconds since 1970, and names of zones that mean several.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import NamedTuple

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_WEEKDAY = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?\.?"
_TIME = r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d{1,9})?)?(?:\s?(?P<half>[ap])\.?m\.?)?"
_ZONE = r"(?:(?P<offset>[+-]\d\d(?::?\d\d)?)(?:\s*\(?(?P<offset_name>[a-z]{1,5})\)?)?|(?P<zone>[a-z]{1,5}))"
_DAY, _YEAR = r"(?P<day>\d{1,2})", r"(?P<year>\d{4})"
_FORMS = [
    re.compile(pattern, re.IGNORECASE | re.ASCII)
    for pattern in (
        rf"(?:{_WEEKDAY},?\s*)?{_DAY}(?:st|[nr]d|th)?[\s-]{_MONTH},?[\s-](?P<year>\d{{4}}|\d\d)(?:,?\s{_TIME}(?:\s?{_ZONE})?)?",
        rf"(?:{_WEEKDAY},?\s)?{_MONTH}\s{_DAY}(?:st|[nr]d|th)?,?\s{_YEAR}(?:,?\s(?:at\s)?{_TIME}(?:\s?{_ZONE})?)?",
        rf"{_WEEKDAY}\s{_MONTH}\s{_DAY}\s{_TIME}(?:\s{_ZONE})?\s{_YEAR}",
        rf"{_YEAR}(?P<mark>[-/.])(?P<number>\d{{1,2}})(?P=mark){_DAY}(?:(?:t|,?\s){_TIME}(?:\s?{_ZONE})?)?",
        rf"{_YEAR}(?P<number>\d\d)(?P<day>\d\d)(?:t(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)?{_ZONE}?)?",
        rf"{_YEAR}-(?P<number>\d\d)",
        rf"{_MONTH},?\s{_YEAR}",
        _YEAR,
    )
]
# offsets of zone names in minutes; a name with several offsets is understood only beside a number that is one of them
_ZONE_OFFSETS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("utc", "ut", "gmt", "z", "wet"), (0,)),
    "est": (-300,),
    "edt": (-240,),
    "cdt": (-300,),
    "mst": (-420,),
    "mdt": (-360,),
    "pst": (-480,),
    "pdt": (-420,),
    "akst": (-540,),
    "akdt": (-480,),
    "hst": (-600,),
    "west": (60,),
    "cet": (60,),
    "cest": (120,),
    "met": (60,),
    "mest": (120,),
    "mez": (60,),
    "mesz": (120,),
    "eet": (120,),
    "eest": (180,),
    "msk": (180,),
    "jst": (540,),
    "kst": (540,),
    "hkt": (480,),
    "sgt": (480,),
    "aest": (600,),
    "aedt": (660,),
    "acst": (570,),
    "awst": (480,),
    "nzst": (720,),
    "nzdt": (780,),
    "cst": (-360, 480),
    "bst": (60, 360),
    "ist": (330, 60, 120),
    "ast": (-240, 180),
}
# as RFC 822 defines it, which is how feeds mean it
_RFC_822_OFFSETS = {"cst": -360, "bst": 60}
_FIRST_YEAR, _LAST_YEAR = 1900, 2200


class EntryDate(NamedTuple):
    """A moment in UTC, with a note if only its month or year is known."""

    moment: dt.datetime
    note: str | None = None


def read_date(text: str) -> EntryDate | None:
    """The moment of a text that is understood as a whole; None for any other, and for one outside of 1900 to 2200.

    A time without zone counts as UTC, a day as its midnight, a month or year as its first day.
    """
    text = " ".join(text.split())
    for form in _FORMS if len(text) < 80 else ():
        if match := form.fullmatch(text):
            try:
                return _build_date(text, match.groupdict())
            except (ValueError, OverflowError):
                return None
    return None


def _build_date(text: str, parts: dict[str, str | None]) -> EntryDate | None:
    """The date of the parts of a text.

    Raises:
        ValueError: There is no such day, time or zone.
    """
    year_text = parts["year"] or ""
    year = int(year_text)
    if len(year_text) == 2:  # as in RFC 2822, 4.3
        year += 2000 if year < 50 else 1900
    month_name = parts.get("month")
    month = _MONTHS.index(month_name[:3].lower()) + 1 if month_name else int(parts.get("number") or 1)
    day, hour = int(parts.get("day") or 1), int(parts.get("hour") or 0)
    if half := parts.get("half"):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half in "pP" else 0)
    second = int(parts.get("second") or 0)
    # a leap second is the first one of the next minute
    local = dt.datetime(year, month, day, hour, int(parts.get("minute") or 0), min(second, 59), tzinfo=dt.UTC)
    local += dt.timedelta(seconds=1 if second == 60 else 0)
    offset = _find_offset(parts)
    if offset is None or second > 60 or not _FIRST_YEAR <= year <= _LAST_YEAR:
        return None
    is_day_known = parts.get("day") is not None
    note = None if is_day_known else f"date “{text}” has no day: read as {local.date()}"
    return EntryDate(local - dt.timedelta(minutes=offset), note)


def _find_offset(parts: dict[str, str | None]) -> int | None:
    """The offset from UTC in minutes; None if it is not understood."""
    if offset := parts.get("offset"):
        digits = offset[1:].replace(":", "").ljust(4, "0")
        hours, rest = int(digits[:2]), int(digits[2:])
        minutes = (60 * hours + rest) * (-1 if offset[0] == "-" else 1)
        name = (parts.get("offset_name") or "").lower()
        is_agreed = not name or minutes in _ZONE_OFFSETS.get(name, ())
        return minutes if is_agreed and hours <= 14 and rest < 60 else None
    name = (parts.get("zone") or "utc").lower()
    offsets = _ZONE_OFFSETS.get(name, ())
    return _RFC_822_OFFSETS.get(name, offsets[0] if len(offsets) == 1 else None)
