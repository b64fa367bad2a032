"""Typed access to the fields of a record, with a count of the fields that were not read.

Records of outside services have more fields than the parsers read, and gain new ones. `Fields` returns values by
name, rejects values of the wrong type, and lists the filled fields that were not read. These are counted in
``raw.unparsed_fields``, so that a renamed or new field is noticed.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_MAX_INTEGER = 2**63 - 1
_EMPTY_OBJECT: Mapping[str, Any] = {}


class Fields:
    """The fields of a JSON object, or of an XML element as an object.

    Args:
        data: The object.
        path: Its path in the record, for messages: ``contents`` or ``authorships[].author``.
    """

    __slots__ = ("_children", "_path", "_read_names", "data")

    def __init__(self, data: Mapping[str, Any], path: str = "") -> None:
        self.data = data
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
        """The text; None if missing or empty.

        Raises:
            ValueError: The value is neither a text nor missing.
        """
        return self._read_typed(name, (str,), "a text") or None

    def line(self, name: str) -> str | None:
        """The text with each run of white space as one space; None if missing or empty.

        Raises:
            ValueError: The value is neither a text nor missing.
        """
        text = self.text(name)
        return " ".join(text.split()) or None if text else None

    def integer(self, name: str) -> int | None:
        """The whole number; None if missing.

        Raises:
            ValueError: The value is not a whole number of 64 bits.
        """
        value = self._read_typed(name, (int, float), "a whole number")
        if value is not None and (not float(value).is_integer() or abs(value) > _MAX_INTEGER):
            raise ValueError(f"{self.build_path(name)} is {str(value)[:40]}, not a whole number that a table can hold")
        return int(value) if value is not None else None

    def number(self, name: str) -> float | None:
        """The number; None if missing.

        Raises:
            ValueError: The value is not a number.
        """
        value = self._read_typed(name, (int, float), "a number")
        return float(value) if value is not None else None

    def flag(self, name: str) -> bool | None:
        """The boolean; None if missing.

        Raises:
            ValueError: The value is neither true nor false nor missing.
        """
        return self._read_typed(name, (bool,), "true or false")

    def moment(self, name: str) -> dt.datetime | None:
        """The moment of an ISO 8601 text, in UTC; a text without offset counts as UTC. None if missing.

        Raises:
            ValueError: The value is not such a text.
        """
        value = self.text(name)
        return parse_utc_time(value, self.build_path(name)) if value else None

    def day(self, name: str) -> dt.date | None:
        """The day at the start of an ISO 8601 text; None if missing.

        Raises:
            ValueError: The value is not such a text.
        """
        value = self.text(name)
        if not value:
            return None
        try:
            return dt.date.fromisoformat(value[:10])
        except ValueError as error:
            raise ValueError(f"{self.build_path(name)} is “{value[:40]}”, not a day such as 2024-06-17") from error

    def child(self, name: str) -> Fields:
        """The fields of an inner object; without any field if it is missing.

        Raises:
            ValueError: The value is not an object.
        """
        value = self._read_typed(name, (Mapping,), "an object")
        child = Fields(_EMPTY_OBJECT if value is None else value, self.build_path(name))
        self._children.append(child)
        return child

    def children(self, name: str) -> list[Fields]:
        """The fields of each object of a list, without entries that are null.

        Raises:
            ValueError: The value is not a list of objects.
        """
        entries = [entry for entry in self._read_typed(name, (list,), "a list") or [] if entry is not None]
        for entry in entries:
            if not isinstance(entry, Mapping):
                raise ValueError(f"{self.build_path(name)} holds {_describe_value(entry)}, not an object")
        children = [Fields(entry, f"{self.build_path(name)}[]") for entry in entries]
        self._children += children
        return children

    def texts(self, name: str) -> list[str]:
        """The non-empty texts of a list, each with every run of white space as one space.

        Raises:
            ValueError: The value is not a list of texts.
        """
        entries = self._read_typed(name, (list,), "a list") or []
        for entry in entries:
            if not isinstance(entry, str | None):
                raise ValueError(f"{self.build_path(name)} holds {_describe_value(entry)}, not a text")
        lines = [" ".join((entry or "").split()) for entry in entries]
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

    def _read_typed(self, name: str, types: tuple[type, ...], expected: str) -> Any:
        self._read_names.add(name)
        value = self.data.get(name)
        if value is None or (isinstance(value, types) and (bool in types or not isinstance(value, bool))):
            return value
        raise ValueError(f"{self.build_path(name)} is {_describe_value(value)}, not {expected}")


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


def _describe_value(value: object) -> str:
    descriptions = {dict: "an object", list: "a list", str: f"“{str(value)[:40]}”", bool: str(value).lower()}
    return descriptions.get(type(value), str(value)[:40])
