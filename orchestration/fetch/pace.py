"""Pacing of requests: one pace per host for all feeds, threads and processes of a lake.

A turn at a host is a file lock in the lake; a file beside it has the earliest time of the next request. So a manual
fetch and one started by Dagster share the pace, and a killed process frees its turn.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import email.utils
import fcntl
import os
import random
import re
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

MAX_PAUSE_SECONDS = 24 * 3600.0  # longer pauses that hosts request are cut to this


class HostPaused(Exception):
    """A host requested a longer pause than the longest wait.

    Args:
        host: Its name.
        until: End of the pause, in seconds since 1970.
    """

    def __init__(self, host: str, until: float) -> None:
        super().__init__(
            f"{host} requested a pause until {dt.datetime.fromtimestamp(until, dt.UTC):%Y-%m-%d %H:%M} UTC"
        )
        self.until = until


def parse_retry_after(retry_after: str | None) -> float | None:
    """Seconds of a Retry-After header (RFC 9110, 10.2.3), a number or a date; none if missing or invalid."""
    if retry_after is None:
        return None
    if re.fullmatch(r"\s*\d{1,9}\s*", retry_after):
        return float(retry_after)
    try:
        moment = email.utils.parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return max(0.0, moment.timestamp() - time.time())


class Pace(Protocol):
    """A pace: seconds between two requests, and concurrent requests."""

    @property
    def interval_seconds(self) -> float:
        """Minimum between the starts of two requests."""

    @property
    def concurrency(self) -> int:
        """Maximum of concurrent requests."""


class SharedPace(Pace, Protocol):
    """Hosts that share a pace."""

    @property
    def names(self) -> Sequence[str]:
        """Names of the hosts."""


def find_pace(host: str, default: Pace, hosts: Sequence[SharedPace]) -> tuple[str, Pace]:
    """The pace of a host and the name under which it is shared: that of the first entry that names the host."""
    for entry in hosts:
        if host in entry.names:
            return entry.names[0], entry
    return host, default


class Pacer:
    """Hands out turns at hosts.

    Args:
        folder: Folder of the locks.
        default: The pace of a host that none of ``hosts`` names.
        hosts: Hosts with their own pace; the first entry that names a host is used.
        sleep: Waits the given number of seconds.
    """

    def __init__(
        self, folder: Path, default: Pace, hosts: Sequence[SharedPace], sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._folder, self._default, self._hosts, self._sleep = folder, default, hosts, sleep

    @contextlib.contextmanager
    def wait_turn(
        self, host: str, min_interval_seconds: float = 0.0, max_wait_seconds: float = 3600.0
    ) -> Generator[None]:
        """Wait for a turn at a host and hold it.

        Args:
            host: Name of the host.
            min_interval_seconds: Interval that the host itself requests, used if longer than the configured one.
            max_wait_seconds: Longest wait.

        Raises:
            HostPaused: The wait would be longer.
        """
        name, pace = self._find_pace(host)
        interval_seconds = max(pace.interval_seconds, min_interval_seconds)
        with self._hold_slot(name, pace.concurrency):
            with self._open_next_start(name) as file:
                now = time.time()
                starts_at = max(now, _read_moment(file))
                if starts_at > now + MAX_PAUSE_SECONDS:  # the clock was set back
                    starts_at = now
                if starts_at > now + max_wait_seconds:
                    raise HostPaused(host, starts_at)
                _write_moment(file, starts_at + interval_seconds)
            if starts_at > now:
                self._sleep(starts_at - now)
            yield

    def pause_host(self, host: str, seconds: float) -> None:
        """Start no request to a host for the next seconds, because it requested that."""
        with self._open_next_start(self._find_pace(host)[0]) as file:
            _write_moment(file, max(_read_moment(file), time.time() + min(seconds, MAX_PAUSE_SECONDS)))

    def _find_pace(self, host: str) -> tuple[str, Pace]:
        return find_pace(host, self._default, self._hosts)

    def _locate_file(self, name: str, suffix: str) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / f"{re.sub(r'[^a-z0-9.-]', '_', name.lower())[:120]}.{suffix}"

    @contextlib.contextmanager
    def _hold_slot(self, name: str, concurrency: int) -> Generator[None]:
        """Lock one of the slots of a host: a free one, or else wait for one chosen at random."""
        with contextlib.ExitStack() as stack:
            files = [stack.enter_context(self._locate_file(name, f"{n}.turn").open("ab")) for n in range(concurrency)]
            for file in files:
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
            else:
                fcntl.flock(random.choice(files), fcntl.LOCK_EX)  # noqa: S311
            yield

    @contextlib.contextmanager
    def _open_next_start(self, name: str) -> Generator[BinaryIO]:
        """The locked file with the earliest start of the next request, in seconds since 1970."""
        handle = os.open(self._locate_file(name, "next"), os.O_RDWR | os.O_CREAT, 0o644)
        with os.fdopen(handle, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file


def _read_moment(file: BinaryIO) -> float:
    file.seek(0)
    try:
        return float(file.read() or b"0")
    except ValueError:
        return 0.0


def _write_moment(file: BinaryIO, moment: float) -> None:
    file.seek(0)
    file.truncate()
    file.write(repr(moment).encode())
    file.flush()
