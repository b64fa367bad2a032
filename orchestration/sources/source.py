"""The interface of a source: a kind of document, how it is recognised, parsed into records, and optionally fetched.

Parsing is pure: the same bytes give the same records on any machine at any time, without network or clock.
Modules in this folder import nothing heavy, because each document is parsed in a process of its own.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from orchestration.sources.shared.bulk_sql import ID_LENGTH as ID_LENGTH
from orchestration.sources.shared.bulk_sql import BulkForm
from orchestration.sources.shared.column_proposal import ColumnProposal
from orchestration.sources.shared.document import Document
from orchestration.sources.shared.fetch_plan import Feed, FetchCursor, FetchPlan
from orchestration.sources.shared.rows import Tab
from warehouse.names import clean_line

Value: TypeAlias = str | int | float | bool | dt.date | dt.datetime | None


@dataclass(frozen=True)
class Record:
    """One record of a document.

    Args:
        identity: Key by which the same record is recognised in another snapshot (a canonical link, a text's hash).
        values: The content columns of the source's raw table.
        locator: Position in the document, for people: ``row 454``, ``lines 12-16``.
    """

    identity: str
    values: Mapping[str, Value]
    locator: str


@dataclass(frozen=True)
class Reject:
    """A record that could not be read, kept with the reason.

    Args:
        locator: Position in the document.
        reason: What is wrong and what was expected, as one sentence.
        raw_text: The record as it is in the document.
        is_fault: Whether the record is faulty; False for one that is merely out of scope.
        judged: Of a row that a list judges not in scope: its title, abstract and list, and the judgement.
    """

    locator: str
    reason: str
    raw_text: str
    is_fault: bool = True
    judged: Mapping[str, str | None] | None = None


@dataclass
class ParseResult:
    """The records and rejects of one document.

    Args:
        items: Records and rejects, in document order.
        unparsed_fields: Paths of filled fields that the parser does not read, each with its number of records.
        is_empty_valid: Whether a document without any record is valid, as a search response without hits is.
    """

    items: list[Record | Reject] = field(default_factory=list)
    unparsed_fields: Counter[str] = field(default_factory=Counter)
    is_empty_valid: bool = False

    @property
    def records(self) -> list[Record]:
        """The records that could be read."""
        return [item for item in self.items if isinstance(item, Record)]

    @property
    def rejects(self) -> list[Reject]:
        """The records that could not be read."""
        return [item for item in self.items if isinstance(item, Reject)]


class NotThisSource(Exception):
    """The document is not of this source; the message states what was looked for and what was found.

    Args:
        reason: The text.
        is_near_match: Whether the document resembles this source enough for the reason to be shown to the user.
        proposal: The columns that a table probably has, for the user to confirm.
    """

    def __init__(self, reason: str, *, is_near_match: bool = False, proposal: ColumnProposal | None = None) -> None:
        super().__init__(reason)
        self.is_near_match = is_near_match
        self.proposal = proposal


class DamagedDocument(Exception):
    """The document is of this source but cannot be read as a whole; the message states where and why."""


class DocumentRefused(Exception):
    """No source can read the document; the message states what was expected and what was found.

    Args:
        reason: The text.
        proposal: The columns that a table probably has: with them as hint it can be read.
    """

    def __init__(self, reason: str, proposal: ColumnProposal | None = None) -> None:
        super().__init__(reason)
        self.proposal = proposal


@dataclass(frozen=True, eq=False)
class Source:
    """A kind of document: how to recognise, parse and optionally fetch it, and the raw table that its records fill.

    Args:
        name: Short name, as in ``aisle status``.
        title: Name shown to users.
        record_noun: Plural noun for its records; ends the name of the raw table, see `table_name`.
        row: One sentence: what a row of the raw table is.
        columns: Declarations of the content columns of the raw table, with the keys of a TOML table declaration.
        expected: What a document of this source looks like; shown when a document is refused.
        licence: Terms under which the records may be used.
        recognise: Returns for a document of this source; raises `NotThisSource` for any other.
        parse: Records and rejects of a recognised document; raises `DamagedDocument`.
        recency_column: Column that dates a record, if the source has dates.
        volatile_columns: Columns whose change alone makes no new version of a record (positions, scores, counts).
        added_columns: Columns that were added when lakes had records already: where one is missing, the version of a
            record is that which it had without the column.
        files: Further files of the project that decide what a document becomes, by their paths in it.
        fetch: Fetch plan that requests what is new, if the source can be fetched.
        question_settings: Settings of a feed that decide which records are requested (a search, a filter, sets). When
            one changes, or the address, or ``from`` to an earlier day, the watermark no longer holds.
        is_windowed: Whether ``fetch`` can be limited to the days from ``FetchCursor.start`` to ``FetchCursor.end``.
        companions: Names of the sources that read other records of the same documents, such as the comments on the
            page of a post; a document that is added is stored for them too if they recognise it.
        bulk: How its bulk files are recognised and read, which can have any number of records, if it has some.
        has_private_feeds: Whether its feeds belong to single users (such as their own sheet), so that none is bundled
            in ``orchestration/fetch/feeds.toml``.
    """

    name: str
    title: str
    record_noun: str
    row: str
    columns: Mapping[str, Mapping[str, Any]]
    expected: str
    licence: str
    recognise: Callable[[Document], None]
    parse: Callable[[Document], ParseResult]
    recency_column: str | None = None
    volatile_columns: tuple[str, ...] = ()
    added_columns: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    fetch: Callable[[Feed, FetchCursor], FetchPlan] | None = None
    question_settings: tuple[str, ...] = ()
    is_windowed: bool = False
    companions: tuple[str, ...] = ()
    bulk: BulkForm | None = None
    has_private_feeds: bool = False

    @property
    def table_name(self) -> str:
        """Name of the raw table: ``raw.<name>_<record_noun>``, without repeating a noun that already ends the name."""
        return f"raw.{self.name.removesuffix('_' + self.record_noun)}_{self.record_noun}"


def reject_tab(tab: Tab, reason: str) -> Reject:
    """The reject for a tab of a workbook that is not read, so that the account of the document has it.

    Args:
        tab: The tab.
        reason: Why a visible table is not read.
    """
    reasons = {
        "table": f"not read, {len(tab.rows):,} rows: {reason}",
        "hidden": f"not read, {len(tab.rows):,} rows: it is hidden; unhide it to have it read",
        "chart": "not read: it is not a table",
        "not chosen": f"not read, {len(tab.rows):,} rows: other tabs are chosen",
    }
    first_rows = "\n".join(" | ".join(row.cells) for row in tab.rows[:3])
    return Reject(f"tab “{tab.name}”" if tab.name else "the table", reasons[tab.kind], first_rows, is_fault=False)


def hash_parts(*parts: object, length: int = 64) -> str:
    """SHA-256 of the parts in hex, cut to a length; a separator keeps ``"ab", "c"`` distinct from ``"a", "bc"``."""
    text = "\x1f".join("" if part is None else str(part) for part in parts)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:length]


def collapse_spaces(text: str) -> str:
    """The text with each run of white space as one space, none at the ends, and without invisible characters."""
    return clean_line(text)


def list_first(items: Sequence[str], limit: int = 3) -> str:
    """The first items as text for a message, with the number of those left out."""
    shown = ", ".join(items[:limit])
    return shown if len(items) <= limit else f"{shown} and {len(items) - limit} more"
