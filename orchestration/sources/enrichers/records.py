"""Shared parts of the sources that enrich known papers: common columns, parsing of records, batches of ids."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from orchestration.sources.shared.document import UnreadableDocument
from orchestration.sources.shared.fields import Fields, count_unread_fields
from orchestration.sources.shared.records import RecordReader, read_record
from orchestration.sources.source import ParseResult, Reject

COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "doi": {"type": "text", "meaning": "DOI of the published version, in lower case."},
    "arxiv_id": {"type": "text", "meaning": "Id of the paper in arXiv, without version."},
    "title": {"type": "text", "meaning": "Title of the paper."},
    "abstract": {"type": "text", "meaning": "Abstract, with white space normalised."},
    "authors": {"type": "text", "meaning": "Names of the authors, separated by semicolons."},
    "affiliations": {"type": "text", "meaning": "JSON list of author and affiliation, as printed in the paper."},
    "venue": {"type": "text", "meaning": "Journal, conference or repository."},
    "url": {"type": "text", "meaning": "Link to the paper."},
    "published_on": {
        "type": "date",
        "meaning": "Day of publication, or first day of its month or year.",
    },
    "date_precision": {
        "type": "text",
        "one_of": ["day", "month", "year"],
        "meaning": "Whether the day, the month or only the year is known.",
    },
    "citations": {
        "type": "integer",
        "unit": "works",
        "minimum": 0,
        "meaning": "Number of citing works when last seen.",
    },
}


def build_columns(*names: str, **own: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The columns of a source: its own, then the common ones of these names."""
    return {**own, **{name: COLUMNS[name] for name in names}}


def parse_records(
    located_values: Iterable[tuple[str, Any]], read: RecordReader, *, is_empty_valid: bool
) -> ParseResult:
    """Records and rejects of the values of a document.

    Args:
        located_values: Locator and value of each record; a value that is not an object becomes a reject.
        read: Identity and column values of one record; raises `ValueError` if nothing identifies it.
        is_empty_valid: Whether a document without any record is valid.
    """
    result = ParseResult(is_empty_valid=is_empty_valid)
    for locator, value in located_values:
        if not isinstance(value, Mapping):
            is_unreadable = isinstance(value, UnreadableDocument)
            reason, raw_text = (str(value), "") if is_unreadable else ("no JSON object", str(value)[:1000])
            result.items.append(Reject(locator, reason, raw_text))
            continue
        fields = Fields(value)
        result.items.append(read_record(fields, read, locator))
        count_unread_fields(result.unparsed_fields, [fields])
    return result


def split_batches(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """The ids in batches of a size; the last may be smaller."""
    return (ids[index : index + size] for index in range(0, len(ids), size))


def parse_partial_date(parts: Any) -> tuple[dt.date | None, str | None]:
    """First day and precision of a date given as year, year and month, or year, month and day; else None and None."""
    entries = [part for part in parts if part is not None][:3] if isinstance(parts, list) else []
    try:
        numbers = [int(part) for part in entries if not isinstance(part, bool)]
        complete = [*numbers, 1, 1][:3]
        return (dt.date(*complete), ("year", "month", "day")[len(numbers) - 1]) if numbers else (None, None)
    except (TypeError, ValueError, OverflowError):
        return None, None
