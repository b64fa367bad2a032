"""The protocol between a source and the fetch session: a generator of requests that is sent the responses.

A source that can be fetched returns a `FetchPlan`. The plan yields a `Request`, is sent its `Response`, and continues
until it has everything; its return value is the new watermark. It opens no connection, reads no clock and no file, so
an interrupted fetch can be resumed: the session sends it the stored responses first.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:T\S+)?(?= |$)")
_COMPLETE_SHARE = 0.99  # records can be removed while a list is read; below this share the list was cut off


@dataclass(frozen=True)
class Request:
    """One HTTP request of a fetch plan.

    Args:
        url: Absolute http(s) address, with its query.
        name: Short description for messages; also the ``original_name`` of the snapshot.
        method: GET, or POST for queries with a body.
        body: JSON of a POST.
        headers: Further headers; secrets only as ``${NAME}`` of an environment variable, which the session fills in.
        is_kept: Whether the response becomes a snapshot; not so for an index or a look-up.
        hints: What the parser must know besides the bytes (a column mapping); stored with the snapshot.
        attempt: Number of earlier requests that are repeated on purpose. An unmarked repetition counts as a loop.
    """

    url: str
    name: str
    method: Literal["GET", "POST"] = "GET"
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    is_kept: bool = True
    hints: Mapping[str, str] = field(default_factory=dict)
    attempt: int = 0


class RequestFailed(Exception):
    """A request got no acceptable response, after all retries; thrown into the plan at that request.

    A plan whose requests are independent may catch it and continue. If it is not caught, the session ends, and the
    next one resumes at the failed request, so that nothing is skipped.

    Args:
        reason: What was found, as a sentence.
        status: The HTTP status, if there was a response.
        is_permanent: Whether a repetition is unlikely to help: the page is gone or was replaced by another.
    """

    def __init__(self, reason: str, status: int | None = None, *, is_permanent: bool = False) -> None:
        super().__init__(reason)
        self.status, self.is_permanent = status, is_permanent or status in {404, 410}


class InvalidSettings(ValueError):
    """A setting of a feed cannot be used; raised by ``fetch``; the text names the key and what is expected."""


@dataclass(frozen=True)
class Response:
    """An accepted response: the bytes, the final address after redirects, and the headers."""

    content: bytes
    url: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Feed:
    """The part of a feed's configuration that its source needs.

    Args:
        name: Short name, unique among all feeds: ``lesswrong_posts``.
        source: Name of the source that reads it.
        url: Its address, or the base address of its service.
        settings: Further settings (a tag, a filter, a column mapping); checked by the source.
    """

    name: str
    source: str
    url: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FetchCursor:
    """Where a fetch plan starts.

    Args:
        watermark: What the last complete plan returned; None at the first fetch. A watermark that begins with a time
            after ``now`` was written by a wrong clock and is replaced by ``now``.
        now: When the session began; unchanged when it is resumed.
        start: First day of a backfill.
        end: Last day of a backfill.
    """

    watermark: str | None
    now: dt.datetime
    start: dt.date | None = None
    end: dt.date | None = None

    def __post_init__(self) -> None:
        """Replace a time in the future by now."""
        time = _TIME.match(self.watermark or "")
        if time and self.watermark and _parse_time(time[0]) > self.now:
            object.__setattr__(self, "watermark", self.now.isoformat() + self.watermark[time.end() :])

    def advance(self, moment: dt.datetime | None) -> str | None:
        """The watermark at the end of a plan: the moment; as it was after a backfill, or without a moment.

        A plan that saw no record passes None: the service may have been blank for a while, and a later watermark would
        lose what it did not give.
        """
        return self.watermark if self.start or self.end or moment is None else moment.isoformat()


def _parse_time(text: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return dt.datetime.min.replace(tzinfo=dt.UTC)
    return moment.replace(tzinfo=moment.tzinfo or dt.UTC)


def find_larger_total(total: int, reported: object) -> int:
    """The larger of two totals of a list, of which the service reports one; anything but a whole number counts as 0."""
    return max(total, reported) if isinstance(reported, int) and not isinstance(reported, bool) else total


def require_complete(received: int, total: int, noun: str) -> None:
    """Check that a paged list came completely, by the total that the service reports.

    Args:
        received: Number of records on all pages.
        total: The largest total that the service reported; it may change a little while the list is read, so 1 % may
            be missing.
        noun: What the records are, in the plural.

    Raises:
        RequestFailed: Records are missing.
    """
    if received < total * _COMPLETE_SHARE:
        raise RequestFailed(f"the list ends after {received:,} of {total:,} {noun}")


FetchPlan: TypeAlias = Generator[Request, Response, str | None]
