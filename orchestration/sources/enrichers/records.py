"""What the sources that add facts to known papers share: columns with one meaning, and asking by ids in batches."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from orchestration.sources.shared.document import Unreadable
from orchestration.sources.shared.fields import Fields, tally
from orchestration.sources.source import Parsed, Record, Reject, Value

COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "doi": {"type": "text", "meaning": "DOI of the published form, in lower case."},
    "arxiv_id": {"type": "text", "meaning": "arXiv's id of the paper, without version."},
    "title": {"type": "text", "meaning": "Title of the paper."},
    "abstract": {"type": "text", "meaning": "Abstract, with white space normalised."},
    "authors": {"type": "text", "meaning": "Names of the authors, between semicolons."},
    "affiliations": {"type": "text", "meaning": "JSON list of author and affiliation, as the paper prints them."},
    "venue": {"type": "text", "meaning": "Journal, conference or repository."},
    "url": {"type": "text", "meaning": "Link to the paper."},
    "published_on": {"type": "date", "meaning": "Day of publication; the first of the period where less is told."},
    "date_precision": {
        "type": "text",
        "one_of": ["day", "month", "year"],
        "meaning": "Whether the day, the month or the year is told.",
    },
    "citations": {"type": "integer", "unit": "works", "minimum": 0, "meaning": "Works that cite it, when last seen."},
}

Read = Callable[[Fields], tuple[str, dict[str, Value]]]


def columns(*names: str, **own: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """A source's own columns, and then those of these names."""
    return {**own, **{name: COLUMNS[name] for name in names}}


def read_all(told: Iterable[tuple[str, Any]], read: Read, *, is_answer: bool) -> Parsed:
    """Records and rejects of values, given with their places, each read by itself.

    Args:
        told: Place and value; a value that is no object becomes a reject.
        read: Gives identity and columns of one; raises `ValueError` with the reason of a reject.
        is_answer: Whether the document may rightly hold nothing.
    """
    parsed = Parsed(is_answer=is_answer)
    for locator, value in told:
        if not isinstance(value, Mapping):
            reason = str(value) if isinstance(value, Unreadable) else "no JSON object"
            parsed.items.append(Reject(locator, reason, "" if isinstance(value, Unreadable) else str(value)[:1000]))
            continue
        fields = Fields(value)
        try:
            parsed.items.append(Record(*read(fields), locator))
        except ValueError as error:
            parsed.items.append(Reject(locator, str(error), json.dumps(value, ensure_ascii=False)[:20_000]))
        tally(parsed.unparsed, [fields])
    return parsed


def in_batches(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """The ids, so many at a time."""
    return (ids[at : at + size] for at in range(0, len(ids), size))


def period(parts: Any) -> tuple[dt.date | None, str | None]:
    """Day and precision of a year, a year and month, or a whole day given as numbers.

    Raises:
        ValueError: There is no such day.
    """
    if not isinstance(parts, list):
        raise ValueError(f"{str(parts)[:40]} is no list of year, month and day")
    try:
        numbers = [int(part) for part in parts if part is not None][:3]
        whole = [*numbers, 1, 1][:3]
        return (dt.date(*whole), ("year", "month", "day")[len(numbers) - 1]) if numbers else (None, None)
    except (TypeError, OverflowError) as error:
        raise ValueError(f"{str(parts)[:40]} are no year, month and day ({error})") from error
