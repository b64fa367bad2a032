"""How a source talks to its place: a conversation of requests and answers, without a network of its own.

A source that can be fetched gives a generator. It yields a `Request`, is sent the `Answer`, and goes on until it
has all there is; what it returns is its new watermark. It knows neither sockets nor clocks nor files, so that it
can be replayed: a fetch that was killed is taken up again by sending it the answers that were kept.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias


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
    """

    url: str
    name: str
    method: Literal["GET", "POST"] = "GET"
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    is_kept: bool = True
    hints: Mapping[str, str] = field(default_factory=dict)


class Unanswered(Exception):
    """Thrown into a conversation at the request that got no acceptable answer, after all retries.

    A conversation whose requests do not depend on each other may catch it and go on. Uncaught, it ends the
    conversation, which is taken up at this request the next time: nothing is skipped.

    Args:
        reason: What was found, as a sentence.
        status: The HTTP status, if there was an answer at all.
    """

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


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
        watermark: What the last complete conversation returned; none for the first.
        now: The moment at which this conversation began (kept when it is taken up again).
        start: First day to ask for where a backfill names one.
        end: Last day to ask for where a backfill names one.
    """

    watermark: str | None
    now: dt.datetime
    start: dt.date | None = None
    end: dt.date | None = None


Conversation: TypeAlias = Generator[Request, Answer, str | None]
