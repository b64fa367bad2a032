"""The settings of a feed, read by name and kind, with a sentence for whatever cannot be used."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from orchestration.sources.shared.fetch_plan import Feed, WrongSettings

_NONE = object()
_MOST = 1_000_000


class Settings:
    """The settings of one feed. Ask for each, then call `finish`, which tells of settings that nobody asked for."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed.name
        self._values = feed.settings
        self._asked: list[str] = []

    def text(self, name: str, default: str | None = None) -> str | None:
        """A text."""
        return self._value(name, str, "a text", default)

    def choice(self, name: str, options: tuple[str, ...]) -> str:
        """One of several texts; the first where none is given."""
        value = self._value(name, str, f"one of {', '.join(options)}", options[0])
        if value not in options:
            raise self.wrong(name, f"one of {', '.join(options)}")
        return value

    def integer(self, name: str, default: int, minimum: int = 1, maximum: int = _MOST) -> int:
        """A whole number within limits, both included."""
        told = f"a whole number from {minimum} to {maximum}"
        value = self._value(name, int, told, default)
        if isinstance(value, bool) or not minimum <= value <= maximum:
            raise self.wrong(name, told)
        return value

    def days(self, name: str, default: int, minimum: int = 0) -> dt.timedelta:
        """A whole number of days, at most a hundred years."""
        return dt.timedelta(days=self.integer(name, default, minimum, 36_525))

    def texts(self, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A list of texts."""
        value = self._value(name, list, "a list of texts", list(default))
        if not all(isinstance(entry, str) and entry for entry in value):
            raise self.wrong(name, "a list of texts")
        return tuple(value)

    def mapping(self, name: str) -> dict[str, str]:
        """A table of texts."""
        value = self._value(name, Mapping, "a table of texts", {})
        if not all(isinstance(entry, str) for entry in value.values()):
            raise self.wrong(name, "a table of texts")
        return dict(value)

    def day(self, name: str, default: dt.date) -> dt.date:
        """A day of these centuries, as a TOML date or as the text of one."""
        told = "a day such as 2024-06-17"
        value = self._value(name, (dt.date, str), told, default)
        try:
            day = dt.date.fromisoformat(value) if isinstance(value, str) else value
        except ValueError as error:
            raise self.wrong(name, told) from error
        if isinstance(day, dt.datetime) or not 1900 <= day.year <= 2100:
            raise self.wrong(name, told)
        return day

    def wrong(self, name: str, told: str) -> WrongSettings:
        """The error for a setting that is not what is expected."""
        return WrongSettings(f"feed {self._feed}: settings.{name} is {self._values.get(name)!r}; expected {told}")

    def finish(self) -> None:
        """Tell of settings that nobody asked for.

        Raises:
            WrongSettings: There are some; the text lists those that are known.
        """
        if unknown := sorted(set(self._values) - set(self._asked)):
            known = ", ".join(sorted(self._asked)) or "none"
            raise WrongSettings(f"feed {self._feed}: unknown settings {', '.join(unknown)}; known are {known}")

    def _value(self, name: str, kind: type | tuple[type, ...], told: str, default: Any) -> Any:
        self._asked.append(name)
        value = self._values.get(name, _NONE)
        if value is _NONE:
            return default
        if not isinstance(value, kind):
            raise self.wrong(name, told)
        return value
