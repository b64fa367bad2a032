"""Dates in the text of a page."""

from __future__ import annotations

import datetime as dt
import re
from typing import NamedTuple

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_NAME = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_DATE = re.compile(
    rf"(?<!\d)(?:(?P<iso>\d{{4}}[-/]\d\d[-/]\d\d)"
    rf"|(?:(?P<day_before>\d{{1,2}})(?:[a-z]{{2}})?\s+)?\b(?P<month>{_MONTH_NAME})\b\.?"
    rf"(?:\s+(?P<day_after>\d{{1,2}})(?:[a-z]{{2}})?,)?\s+(?P<year>20\d\d))(?!\d)",
    re.IGNORECASE,
)


class PreciseDate(NamedTuple):
    """A day with its precision, ``day`` or ``month``; a month is given by its first day."""

    day: dt.date
    precision: str


def find_date(text: str) -> PreciseDate | None:
    """The first valid day or month in a text; None if there is none."""
    for match in _DATE.finditer(text):
        try:
            if match["iso"]:
                return PreciseDate(dt.date.fromisoformat(match["iso"].replace("/", "-")), "day")
            month, day = _MONTHS.index(match["month"][:3].lower()) + 1, match["day_before"] or match["day_after"]
            return PreciseDate(dt.date(int(match["year"]), month, int(day or 1)), "day" if day else "month")
        except ValueError:
            continue
    return None
