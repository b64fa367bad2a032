"""Dates as the cells of a lab sheet write them, with their precision: a day, a month, or only a year.

A date is read only if the whole text is understood. In ``3/4/2024`` the order of day and month is decided by the other
dates of the sheet; if they do not decide it, only the year is kept.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from warehouse.names import normalize_name

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_NAMES = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september", "october"),
    *("november", "december"),
)
_FIRST_YEAR, _LAST_YEAR = 1950, 2099
DayOrder = Literal["day first", "month first"]
Precision = Literal["day", "month", "year"]

_DAY, _MONTH, _YEAR = r"(?P<d>\d{1,2})(?:st|nd|rd|th)?", r"(?P<name>[A-Za-z]{3,9})\.?", r"(?P<y>\d{4})"
_TIME = r"(?:[T ]\d{1,2}:\d\d.*)?"
_WEEKDAY = re.compile(r"^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,? +", re.IGNORECASE)
_NUMERIC = re.compile(rf"(?P<a>\d{{1,2}})(?P<mark>[/.-])(?P<b>\d{{1,2}})(?P=mark)(?P<y>\d{{4}}|\d\d){_TIME}")
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"{_YEAR}[-/.](?P<m>\d{{1,2}})[-/.](?P<d>\d{{1,2}}){_TIME}",
        rf"{_YEAR}[-/.](?P<m>\d{{1,2}})",
        rf"(?P<m>\d{{1,2}})[-/.]{_YEAR}",
        _YEAR,
        rf"{_DAY}[- .]+(?:of )?{_MONTH},?[- ]+(?P<y>\d{{4}}|\d\d)",
        rf"{_MONTH}[- ]+{_DAY},?[- ]+{_YEAR}{_TIME}",
        rf"{_MONTH},?[- /]*{_YEAR}",
        rf"{_MONTH}[- ]*(?:-|')(?P<y>\d\d)",
        rf"{_YEAR}[- ]+{_MONTH}(?:[- ]+{_DAY})?",
        rf"{_YEAR} ?年(?: ?(?P<m>\d{{1,2}}) ?月(?: ?(?P<d>\d{{1,2}}) ?[日号])?)?",
        rf"(?:Q[1-4][- /]*{_YEAR})|(?:(?P<year_first>\d{{4}})[- /]*Q[1-4])",
    )
)


class ParsedDate(NamedTuple):
    """A date with its precision and a note on what is uncertain; the first day of a month or a year stands for it."""

    day: dt.date | None
    precision: Precision | None = None
    note: str = ""


def find_day_order(texts: Iterable[str]) -> DayOrder | None:
    """The order of day and month in the dates of a sheet, if they show one and only one."""
    orders: set[DayOrder] = set()
    for text in texts:
        if numeric := _NUMERIC.fullmatch(normalize_name(text)):
            first, second = int(numeric["a"]), int(numeric["b"])
            if first > 12 >= second:
                orders.add("day first")
            if second > 12 >= first:
                orders.add("month first")
    return orders.pop() if len(orders) == 1 else None


def parse_date(text: str, order: DayOrder | None = None) -> ParsedDate:
    """The date of a cell such as ``17-Jun-24``, ``March 5, 2024``, ``2024/03/17``, ``Jun 2025`` or ``2025``.

    Two-digit years are of this century. An empty cell has no date.

    Args:
        text: The cell.
        order: The order of day and month in ``3/4/2024``, if the sheet shows one.

    Raises:
        ValueError: The text has none of these forms, or the day does not exist; the message states which.
    """
    cell = normalize_name(text)
    text = _WEEKDAY.sub("", cell)
    if not text:
        return ParsedDate(None)
    if numeric := _NUMERIC.fullmatch(text):
        return _parse_numeric(numeric, cell, order)
    for form in _FORMS:
        if match := form.fullmatch(text):
            return _parse_match(match, cell)
    raise ValueError(f"date “{cell[:40]}” is not of the form 17-Jun-24, 2024-06-17, March 5, 2024, Jun 2025 or 2025")


def _parse_match(match: re.Match[str], cell: str) -> ParsedDate:
    parts = match.groupdict()
    year = parts.get("y") or parts.get("year_first") or ""
    month = _find_month(parts["name"], cell) if parts.get("name") else int(parts.get("m") or 0)
    day = int(parts.get("d") or 0)
    date = _build_date(_complete_year(year), month or 1, day or 1, cell)
    if day:
        return ParsedDate(date, "day")
    if month:
        return ParsedDate(date, "month", f"“{year}” in the date “{cell}” read as the year" if len(year) == 2 else "")
    return ParsedDate(date, "year", "" if cell.isdigit() else f"only the year of the date “{cell}” is kept")


def _parse_numeric(match: re.Match[str], cell: str, order: DayOrder | None) -> ParsedDate:
    first, second, year = int(match["a"]), int(match["b"]), _complete_year(match["y"])
    by_order: dict[DayOrder, Callable[[], dt.date]] = {
        "day first": lambda: _build_date(year, second, first, cell),
        "month first": lambda: _build_date(year, first, second, cell),
    }
    if match["mark"] == "." and second <= 12:  # only written so where the day comes first
        return ParsedDate(by_order["day first"](), "day")
    if first == second:
        return ParsedDate(by_order["day first"](), "day")
    own_order = find_day_order([match[0]])
    if own_order or order:
        note = f"date “{cell}” read with the {own_order or order}"
        note += "" if own_order else ", as other dates of the sheet show"
        return ParsedDate(by_order[own_order or order or "day first"](), "day", note)
    if max(first, second) > 12:
        by_order["day first"]()
    note = f"the order of day and month in the date “{cell}” is unknown: only the year is kept"
    return ParsedDate(_build_date(year, 1, 1, cell), "year", note)


def _complete_year(year: str) -> int:
    return int(year) + (2000 if len(year) == 2 else 0)


def _find_month(name: str, cell: str) -> int:
    name = name.lower()
    for number, month in enumerate(_MONTH_NAMES, 1):
        if month.startswith(name) or name == "sept" == month[:4]:
            return number
    raise ValueError(f"date “{cell[:40]}” has no month of the name {name}")


def _build_date(year: int, month: int, day: int, cell: str) -> dt.date:
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise ValueError(f"date “{cell[:40]}” is not between {_FIRST_YEAR} and {_LAST_YEAR}")
    try:
        return dt.date(year, month, day)
    except ValueError as error:
        raise ValueError(f"date “{cell[:40]}” does not exist ({error})") from error
