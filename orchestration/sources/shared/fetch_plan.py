"""How a source talks to its place: a conversation of requests and answers, without a network of its own.

A source that can be fetched gives a generator. It yields a `Request`, is sent the `Answer`, and goes on until it
has all there is; what it returns is its new watermark. It knows neither sockets nor clocks nor files, so that it
can be replayed: a fetch that was killed is taken up again by sending it the answers that were kept.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:T\S+)?(?= |$)")
_SURE_SHARE = 0.99  # of a list, below which it was cut off rather than changed


@dataclass(frozen=True)
class Request:
    """One request.

    Args:
        url: Absolute http(s) address, with its query.
        name: What is asked for, for people and as the snapshot's ``original_name``.
        method: GET, or POST for queries that do not fit into an address.
        body: JSON of a POST.
        headers: Further headers; secrets only as ``${NAME}`` of an environment variable, filled in when sent.
        is_kept: Whether the answer becomes a snapshot; not so for one that only leads on (an index, a login).
        hints: What the parser must know besides the bytes (a column mapping); goes with the snapshot.
        attempt: How often it was asked before on purpose; without that, the same request twice in a conversation is
            a circle that the place leads in.
    """

    url: str
    name: str
    method: Literal["GET", "POST"] = "GET"
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    is_kept: bool = True
    hints: Mapping[str, str] = field(default_factory=dict)
    attempt: int = 0


class Unanswered(Exception):
    """Thrown into a conversation at the request that got no acceptable answer, after all retries.

    A conversation whose requests do not depend on each other may catch it and go on. Uncaught, it ends the
    conversation, which is taken up at this request the next time: nothing is skipped.

    Args:
        reason: What was found, as a sentence.
        status: The HTTP status, if there was an answer at all.
        is_lasting: Whether asking again will hardly help: the page is gone, or something else came in its place.
    """

    def __init__(self, reason: str, status: int | None = None, *, is_lasting: bool = False) -> None:
        super().__init__(reason)
        self.status, self.is_lasting = status, is_lasting or status in {404, 410}


class WrongSettings(ValueError):
    """The settings of a feed cannot be used; raised by ``fetch``; the text names the key and what is expected."""


@dataclass(frozen=True)
class Answer:
    """The answer to a request that was accepted: the bytes, the address they came from at last, the headers."""

    content: bytes
    url: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Feed:
    """One place that is followed: a row of the configuration.

    Args:
        name: Short name, unique among all feeds: ``lesswrong_posts``.
        source: Name of the kind of source that reads it.
        url: Its address, or the base address of its service.
        settings: What else the kind needs (a tag, a filter, a column mapping); checked by the kind.
    """

    name: str
    source: str
    url: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Since:
    """From where on to ask.

    Args:
        watermark: What the last complete conversation returned; none for the first. One that begins with a time later
            than ``now`` was written while the clock was wrong, and counts as ``now``.
        now: The moment at which this conversation began (kept when it is taken up again).
        start: First day to ask for where a backfill names one.
        end: Last day to ask for where a backfill names one.
    """

    watermark: str | None
    now: dt.datetime
    start: dt.date | None = None
    end: dt.date | None = None

    def __post_init__(self) -> None:
        """Let no time to come be the beginning."""
        found = _TIME.match(self.watermark or "")
        if found and self.watermark and _moment(found[0]) > self.now:
            object.__setattr__(self, "watermark", self.now.isoformat() + self.watermark[found.end() :])


def _moment(text: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return dt.datetime.min.replace(tzinfo=dt.UTC)
    return moment.replace(tzinfo=moment.tzinfo or dt.UTC)


def told_of(received: int, total: object, things: str) -> None:
    """Compare what came of a list with what its place says that there is.

    Args:
        received: Things that came, on all pages.
        total: How many the place says there are; a long list may change a little while it is read.
        things: What they are, a plural noun.

    Raises:
        Unanswered: There are more.
    """
    if isinstance(total, int) and received < total * _SURE_SHARE:
        raise Unanswered(f"the list ends after {received:,} of {total:,} {things}")


Conversation: TypeAlias = Generator[Request, Answer, str | None]
