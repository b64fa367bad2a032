"""Typed access to the fields of a record, with notes on odd values and a count of the fields that were not read.

Records of outside services have more fields than the parsers read, gain new ones, and have odd values. `Fields` returns
values by name; a value of the wrong type is left out with a note, so that it costs that field and not the record. The
filled fields that were not read, odd ones among them, are counted in ``raw.unparsed_fields``, so that a renamed, new or
changed field is noticed.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from warehouse.names import clean_line

_MAX_INTEGER = 2**63 - 1
_MAX_NOTES = 5
_EMPTY_OBJECT: Mapping[str, Any] = {}


class Fields:
    """The fields of a JSON object, or of an XML element as an object.

    Every method that reads a field returns None, or leaves the entry of a list out, where the value is of another type
    or cannot be held by a table, and adds a note.

    Args:
        data: The object.
        path: Its path in the record, for messages: ``contents`` or ``authorships[].author``.
        notes: The notes of the record, shared by its inner objects.
    """

    __slots__ = ("_children", "_path", "_read_names", "data", "notes")

    def __init__(self, data: Mapping[str, Any], path: str = "", notes: list[str] | None = None) -> None:
        self.data = data
        self.notes: list[str] = [] if notes is None else notes
        self._path = path
        self._read_names: set[str] = set()
        self._children: list[Fields] = []

    def build_path(self, name: str) -> str:
        """The path of a field, from the top of the record."""
        return f"{self._path}.{name}" if self._path else name

    def value(self, name: str) -> Any:
        """The value as it is, including all its inner fields."""
        self._read_names.add(name)
        return self.data.get(name)

    def text(self, name: str) -> str | None:
        """The text; None if missing or empty."""
        return self._read_typed(name, (str,), "a text") or None

    def line(self, name: str) -> str | None:
        """The text with single spaces and without invisible characters; None if missing or empty."""
        text = self.text(name)
        return clean_line(text) or None if text else None

    def integer(self, name: str) -> int | None:
        """The whole number of at most 64 bits; None if missing."""
        value = self._read_typed(name, (int, float), "a whole number")
        if isinstance(value, float):
            value = int(value) if value.is_integer() else self._leave_out(name, "a whole number")
        if value is not None and abs(value) > _MAX_INTEGER:
            return self._leave_out(name, "a whole number that a table can hold")
        return value

    def number(self, name: str) -> float | None:
        """The finite number; None if missing."""
        value = self._read_typed(name, (int, float), "a number")
        try:
            number = None if value is None else float(value)
        except OverflowError:
            number = math.inf
        return number if number is None or math.isfinite(number) else self._leave_out(name, "a finite number")

    def flag(self, name: str) -> bool | None:
        """The boolean; None if missing."""
        return self._read_typed(name, (bool,), "true or false")

    def moment(self, name: str) -> dt.datetime | None:
        """The moment of an ISO 8601 text, in UTC; a text without offset counts as UTC. None if missing."""
        value = self.text(name)
        try:
            return parse_utc_time(value) if value else None
        except ValueError:
            return self._leave_out(name, "a time such as 2024-06-17T08:00:00Z")

    def day(self, name: str) -> dt.date | None:
        """The day at the start of an ISO 8601 text; None if missing."""
        value = self.text(name)
        try:
            return dt.date.fromisoformat(value[:10]) if value else None
        except ValueError:
            return self._leave_out(name, "a day such as 2024-06-17")

    def child(self, name: str) -> Fields:
        """The fields of an inner object; without any field if it is missing."""
        value = self._read_typed(name, (Mapping,), "an object")
        child = Fields(_EMPTY_OBJECT if value is None else value, self.build_path(name), self.notes)
        self._children.append(child)
        return child

    def children(self, name: str) -> list[Fields]:
        """The fields of each object of a list, without entries that are null."""
        entries = self._read_entries(name, Mapping, "an object")
        children = [Fields(entry, f"{self.build_path(name)}[]", self.notes) for entry in entries]
        self._children += children
        return children

    def texts(self, name: str) -> list[str]:
        """The non-empty texts of a list, each as `line` returns it."""
        lines = [clean_line(entry) for entry in self._read_entries(name, str, "a text")]
        return [line for line in lines if line]

    def ignore(self, *names: str) -> None:
        """Mark fields as read that are known and not needed: duplicates of others, or internal to the service."""
        self._read_names.update(names)

    def iterate_unread_paths(self) -> Iterator[str]:
        """The paths of the filled fields that were not read, also within inner objects."""
        for name, value in self.data.items():
            if name not in self._read_names and value not in (None, "", [], {}):
                yield self.build_path(name)
        for child in self._children:
            yield from child.iterate_unread_paths()

    def note_odd(self, name: str, problem: str) -> None:
        """Add a note on a value that is not used, and count its field as not read."""
        self._read_names.discard(name)
        self.notes.append(f"{self.build_path(name)} {problem}")

    def _leave_out(self, name: str, expected: str) -> None:
        self.note_odd(name, f"is {describe_value(self.data.get(name))}, not {expected}")

    def _read_typed(self, name: str, types: tuple[type, ...], expected: str) -> Any:
        self._read_names.add(name)
        value = self.data.get(name)
        if value is None or (isinstance(value, types) and (bool in types or not isinstance(value, bool))):
            return value
        return self._leave_out(name, expected)

    def _read_entries(self, name: str, entry_type: type, expected: str) -> list[Any]:
        """The entries of a list, without null and without those of another type."""
        entries = [entry for entry in self._read_typed(name, (list,), "a list") or [] if entry is not None]
        if odd := [entry for entry in entries if not isinstance(entry, entry_type)]:
            self.note_odd(name, f"holds {describe_value(odd[0])}, not {expected}")
        return [entry for entry in entries if isinstance(entry, entry_type)]


def join_notes(notes: Iterable[str | None]) -> str | None:
    """The distinct notes of a record as one text, the first few of many; None if there are none."""
    distinct = list(dict.fromkeys(note for note in notes if note))
    more = len(distinct) - _MAX_NOTES
    return "; ".join([*distinct[:_MAX_NOTES], *([f"and {more:,} more"] if more > 0 else [])]) or None


def parse_utc_time(text: str, name: str = "the time") -> dt.datetime:
    """The moment of an ISO 8601 text, in UTC; a text without offset counts as UTC.

    Args:
        text: The text.
        name: Name of the field, for the message.

    Raises:
        ValueError: It is not such a text.
    """
    try:
        moment = dt.datetime.fromisoformat(text.strip())
        moment = moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{name} is “{text[:40]}”, not a time such as 2024-06-17T08:00:00Z") from error
    return moment


def count_unread_fields(counts: Counter[str], records: Iterable[Fields]) -> None:
    """Add the unread fields of the records to the counts; each path counts once per record."""
    for record in records:
        counts.update(set(record.iterate_unread_paths()))


def describe_value(value: object) -> str:
    """A value for a message, cut to a short length."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and abs(value) >= 10**40:  # a number of over 4,300 digits has no text in Python
        return "a number of over 40 digits"
    return f"“{value[:40]}”" if isinstance(value, str) else str(value)[:40]
