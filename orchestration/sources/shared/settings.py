"""The settings of a feed, read by name and type; each error names the feed, the setting and what is expected."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from orchestration.sources.shared.fetch_plan import Feed, InvalidSettings

_MISSING = object()
_MAX_INTEGER = 1_000_000


class Settings:
    """The settings of one feed. Read each known setting, then call `reject_unknown`.

    Every method that reads a setting raises `InvalidSettings` if the value is of another type or out of range.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed.name
        self._values = feed.settings
        self._known_names: list[str] = []

    def text(self, name: str, default: str | None = None) -> str | None:
        """A text."""
        return self._read_value(name, str, "a text", default)

    def choice(self, name: str, options: tuple[str, ...]) -> str:
        """One of several texts; the first is the default."""
        value = self._read_value(name, str, f"one of {', '.join(options)}", options[0])
        if value not in options:
            raise self.build_error(name, f"one of {', '.join(options)}")
        return value

    def integer(self, name: str, default: int, minimum: int = 1, maximum: int = _MAX_INTEGER) -> int:
        """A whole number from minimum to maximum, both included."""
        expected = f"a whole number from {minimum} to {maximum}"
        value = self._read_value(name, int, expected, default)
        if isinstance(value, bool) or not minimum <= value <= maximum:
            raise self.build_error(name, expected)
        return value

    def days(self, name: str, default: int, minimum: int = 0) -> dt.timedelta:
        """A number of days, at most a hundred years."""
        return dt.timedelta(days=self.integer(name, default, minimum, 36_525))

    def texts(self, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A list of texts, none of them empty."""
        value = self._read_value(name, list, "a list of texts", list(default))
        if not all(isinstance(entry, str) and entry for entry in value):
            raise self.build_error(name, "a list of texts")
        return tuple(value)

    def mapping(self, name: str) -> dict[str, str]:
        """A table whose values are texts."""
        value = self._read_value(name, Mapping, "a table of texts", {})
        if not all(isinstance(entry, str) for entry in value.values()):
            raise self.build_error(name, "a table of texts")
        return dict(value)

    def day(self, name: str, default: dt.date) -> dt.date:
        """A day from 1900 to 2100, as a TOML date or an ISO 8601 text."""
        expected = "a day such as 2024-06-17"
        value = self._read_value(name, (dt.date, str), expected, default)
        try:
            day = dt.date.fromisoformat(value) if isinstance(value, str) else value
        except ValueError as error:
            raise self.build_error(name, expected) from error
        if isinstance(day, dt.datetime) or not 1900 <= day.year <= 2100:
            raise self.build_error(name, expected)
        return day

    def build_error(self, name: str, expected: str) -> InvalidSettings:
        """The error for a setting whose value is not what is expected."""
        return InvalidSettings(f"feed {self._feed}: settings.{name} is {self._values.get(name)!r}; expected {expected}")

    def reject_unknown(self) -> None:
        """Check that there are no settings besides those that were read.

        Raises:
            InvalidSettings: There are unknown settings; the text also lists the known ones.
        """
        if unknown := sorted(set(self._values) - set(self._known_names)):
            known = ", ".join(sorted(self._known_names)) or "none"
            raise InvalidSettings(f"feed {self._feed}: unknown settings {', '.join(unknown)}; known are {known}")

    def _read_value(self, name: str, types: type | tuple[type, ...], expected: str, default: Any) -> Any:
        self._known_names.append(name)
        value = self._values.get(name, _MISSING)
        if value is _MISSING:
            return default
        if not isinstance(value, types):
            raise self.build_error(name, expected)
        return value
