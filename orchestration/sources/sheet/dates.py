"""Dates as the cells of a lab sheet write them."""

from __future__ import annotations

import datetime as dt
import re

from orchestration.sources.source import collapse_spaces

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ISO_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ].*)?")
_NAMED_MONTH_DATE = re.compile(r"(\d{1,2})[- ]([A-Za-z]{3})[a-z]*\.?[- ](\d{4}|\d\d)")


def parse_date(text: str) -> dt.date | None:
    """The day of a date cell such as ``17-Jun-24``, ``17 June 2024`` or ``2024-06-17``; None for an empty cell.

    Two-digit years are of this century.

    Raises:
        ValueError: The text has none of these forms, or the day does not exist; the message states which.
    """
    text = collapse_spaces(text)
    if not text:
        return None
    if iso := _ISO_DATE.fullmatch(text):
        year, month, day = (int(part) for part in iso.groups())
    elif named := _NAMED_MONTH_DATE.fullmatch(text):
        day, year = int(named[1]), int(named[3])
        month_name = named[2].capitalize()
        month = MONTHS.index(month_name) + 1 if month_name in MONTHS else 0
        year += 2000 if year < 100 else 0
    else:
        raise ValueError(f"date “{text[:40]}” is not of the form 17-Jun-24 or 2024-06-17")
    try:
        return dt.date(year, month, day)
    except ValueError as error:
        raise ValueError(f"date “{text}” does not exist ({error})") from error
