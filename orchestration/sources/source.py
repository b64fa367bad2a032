"""What a source is: one kind of place that data comes from, and how its bytes become records.

A source recognises a document by its content and parses it into records and rejects. Parsing is pure:
the same bytes give the same records on any machine and at any time; it knows no network and no clock.
Modules in this folder import nothing heavy, because each outside file is parsed in a process of its own.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from orchestration.sources.shared.document import Document
from orchestration.sources.shared.fetch_plan import Conversation, Feed, Since

Value: TypeAlias = str | int | float | bool | dt.date | dt.datetime | None


@dataclass(frozen=True)
class Record:
    """One record as its document gives it.

    Args:
        identity: What makes it the same record in another snapshot (a canonical link, a text's hash).
        values: The content columns of the source's raw table.
        locator: Where it stands in the document, for a person: ``row 454``, ``lines 12-16``.
    """

    identity: str
    values: Mapping[str, Value]
    locator: str


@dataclass(frozen=True)
class Reject:
    """One record that could not be read, kept with its reason.

    Args:
        locator: Where it stands in the document.
        reason: What is wrong and what was expected, as one sentence.
        raw_text: The record as it stands in the document.
        is_fault: Whether something is wrong with it; not so for a record that merely does not belong.
    """

    locator: str
    reason: str
    raw_text: str
    is_fault: bool = True


@dataclass
class Parsed:
    """What a document holds: ``items`` in the document's own order.

    Args:
        items: Its records and rejects.
        unparsed: For each path of a field that is filled and not read, in how many records it stands.
        is_answer: Whether the document is an answer of its place, which rightly may hold no record at all.
    """

    items: list[Record | Reject] = field(default_factory=list)
    unparsed: Counter[str] = field(default_factory=Counter)
    is_answer: bool = False

    @property
    def records(self) -> list[Record]:
        """The records that could be read."""
        return [item for item in self.items if isinstance(item, Record)]

    @property
    def rejects(self) -> list[Reject]:
        """The records that could not be read."""
        return [item for item in self.items if isinstance(item, Reject)]


class NotThisSource(Exception):
    """The document is not of this source; the text says what was looked for and what was found.

    Args:
        reason: The text.
        is_close: Whether it looks so much like one of this source that a person should be told the reason.
    """

    def __init__(self, reason: str, *, is_close: bool = False) -> None:
        super().__init__(reason)
        self.is_close = is_close


class Damaged(Exception):
    """The document is of this source but cannot be read as a whole; the text says where and why."""


@dataclass(frozen=True, eq=False)
class Source:
    """One kind of place that data comes from.

    Args:
        name: Short name, as in ``aisle status``.
        title: The name for a person.
        things: What its records are, a plural noun, by which the name can end; see `table_name`.
        row: What one record is, as a sentence.
        columns: TOML-like declarations of the content columns of its raw table.
        expected: What a document of this source looks like, to be told with a refusal.
        licence: Under which terms the records may be used.
        recognise: Returns for a document of this source; raises `NotThisSource` for any other.
        parse: Records and rejects of a recognised document; raises `Damaged`.
        newest: Name of the column that says how recent a record is, if the source has dates.
        positional: Columns that say where the record stands in its document; a change in them alone is no new version.
        fetch: The conversation that asks its place for what is new, if it can be fetched.
        by_window: Whether ``fetch`` can be asked for the days of a window (``Since.start`` and ``Since.end``).
    """

    name: str
    title: str
    things: str
    row: str
    columns: Mapping[str, Mapping[str, Any]]
    expected: str
    licence: str
    recognise: Callable[[Document], None]
    parse: Callable[[Document], Parsed]
    newest: str | None = None
    positional: tuple[str, ...] = ()
    fetch: Callable[[Feed, Since], Conversation] | None = None
    by_window: bool = False

    @property
    def table_name(self) -> str:
        """Name of the raw table: ``raw.<name>_<things>``, the things once where the name ends with them."""
        return f"raw.{self.name.removesuffix('_' + self.things)}_{self.things}"


def digest(*parts: object, length: int = 64) -> str:
    """SHA-256 over the parts, in hex, cut to a length; parts cannot run into each other."""
    text = "\x1f".join("" if part is None else str(part) for part in parts)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:length]


def squeeze_spaces(text: str) -> str:
    """The text with every run of white space as one space and none at its ends."""
    return " ".join(text.split())


def first(items: Sequence[str], limit: int = 3) -> str:
    """The first few items for a message, with how many more there are."""
    shown = ", ".join(items[:limit])
    return shown if len(items) <= limit else f"{shown} and {len(items) - limit} more"
