"""Reading what a record has, and noting what was left unread.

A record from outside has more fields than anyone reads, and gains some every year. `Fields` gives its values by
name, refuses a value of another kind than asked for, and can say afterwards which filled fields nobody asked for:
they are counted in ``raw.unparsed_fields``, so that a renamed or new field is seen and not lost silently.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_LARGEST = 2**63 - 1
_MISSING: Mapping[str, Any] = {}


class Fields:
    """The fields of one JSON object (or of anything given as one).

    Args:
        data: The object.
        at: Its path in the record, for messages: ``contents`` or ``authorships[].author``.
    """

    __slots__ = ("_asked", "_at", "_inner", "data")

    def __init__(self, data: Mapping[str, Any], at: str = "") -> None:
        self.data = data
        self._at = at
        self._asked: set[str] = set()
        self._inner: list[Fields] = []

    def path(self, name: str) -> str:
        """The path of a field from the record's top."""
        return f"{self._at}.{name}" if self._at else name

    def whole(self, name: str) -> Any:
        """The value as it is, all of it taken as read."""
        self._asked.add(name)
        return self.data.get(name)

    def text(self, name: str) -> str | None:
        """The text; none where it is empty.

        Raises:
            ValueError: The value is neither a text nor missing.
        """
        return self._of_kind(name, (str,), "a text") or None

    def line(self, name: str) -> str | None:
        """The text with every run of white space as one space.

        Raises:
            ValueError: The value is neither a text nor missing.
        """
        text = self.text(name)
        return " ".join(text.split()) or None if text else None

    def integer(self, name: str) -> int | None:
        """The whole number.

        Raises:
            ValueError: The value is no whole number.
        """
        value = self._of_kind(name, (int, float), "a whole number")
        if value is not None and (not float(value).is_integer() or abs(value) > _LARGEST):
            raise ValueError(f"{self.path(name)} is {str(value)[:40]}, not a whole number that a table can hold")
        return int(value) if value is not None else None

    def real(self, name: str) -> float | None:
        """The number.

        Raises:
            ValueError: The value is no number.
        """
        value = self._of_kind(name, (int, float), "a number")
        return float(value) if value is not None else None

    def flag(self, name: str) -> bool | None:
        """The truth value.

        Raises:
            ValueError: The value is neither true nor false nor missing.
        """
        return self._of_kind(name, (bool,), "true or false")

    def moment(self, name: str) -> dt.datetime | None:
        """The moment in UTC that an ISO 8601 text names; one without an offset is taken for UTC.

        Raises:
            ValueError: No such text.
        """
        value = self.text(name)
        return utc_moment(value, self.path(name)) if value else None

    def day(self, name: str) -> dt.date | None:
        """The day that an ISO 8601 text begins with.

        Raises:
            ValueError: No such text.
        """
        value = self.text(name)
        if not value:
            return None
        try:
            return dt.date.fromisoformat(value[:10])
        except ValueError as error:
            raise ValueError(f"{self.path(name)} is “{value[:40]}”, not a day such as 2024-06-17") from error

    def within(self, name: str) -> Fields:
        """The fields of an inner object; none at all where it is missing.

        Raises:
            ValueError: The value is no object.
        """
        value = self._of_kind(name, (Mapping,), "an object")
        inner = Fields(_MISSING if value is None else value, self.path(name))
        self._inner.append(inner)
        return inner

    def each(self, name: str) -> list[Fields]:
        """The fields of each object of a list; entries that are null are passed over.

        Raises:
            ValueError: The value is no list of objects.
        """
        entries = [entry for entry in self._of_kind(name, (list,), "a list") or [] if entry is not None]
        for entry in entries:
            if not isinstance(entry, Mapping):
                raise ValueError(f"{self.path(name)} holds {_shown(entry)}, not an object")
        inner = [Fields(entry, f"{self.path(name)}[]") for entry in entries]
        self._inner += inner
        return inner

    def texts(self, name: str) -> list[str]:
        """The texts of a list, each with every run of white space as one space, without empty ones.

        Raises:
            ValueError: The value is no list of texts.
        """
        entries = self._of_kind(name, (list,), "a list") or []
        for entry in entries:
            if not isinstance(entry, str | None):
                raise ValueError(f"{self.path(name)} holds {_shown(entry)}, not a text")
        lines = [" ".join((entry or "").split()) for entry in entries]
        return [line for line in lines if line]

    def pass_over(self, *names: str) -> None:
        """Take fields as read whose content stands elsewhere in the record or says nothing of the thing itself."""
        self._asked.update(names)

    def unread(self) -> Iterator[str]:
        """The paths of the fields that hold something and were not asked for, also within inner objects."""
        for name, value in self.data.items():
            if name not in self._asked and value not in (None, "", [], {}):
                yield self.path(name)
        for inner in self._inner:
            yield from inner.unread()

    def _of_kind(self, name: str, kinds: tuple[type, ...], told: str) -> Any:
        self._asked.add(name)
        value = self.data.get(name)
        if value is None or (isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))):
            return value
        raise ValueError(f"{self.path(name)} is {_shown(value)}, not {told}")


def utc_moment(text: str, name: str = "the time") -> dt.datetime:
    """The moment in UTC that an ISO 8601 text names; one without an offset is taken for UTC.

    Raises:
        ValueError: No such text; it says which name the value stands under.
    """
    try:
        moment = dt.datetime.fromisoformat(text.strip())
        moment = moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{name} is “{text[:40]}”, not a time such as 2024-06-17T08:00:00Z") from error
    return moment


def tally(unparsed: Counter[str], records: Iterable[Fields]) -> None:
    """Count each unread field once for each record that has it."""
    for record in records:
        unparsed.update(set(record.unread()))


def _shown(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: f"“{str(value)[:40]}”", bool: str(value).lower()}
    return kinds.get(type(value), str(value)[:40])
