"""How often and how many at a time a host is asked: one pace for all feeds, threads and processes of a lake.

A turn at a host is a file lock in the lake; beside it stands the moment from which on the next request may go out.
So a fetch by hand and one that Dagster started keep the pace together, and a killed one frees its turn.
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

LONGEST_REST = 24 * 3600.0  # seconds that a host is left alone at most, however many it asks for


class HostRests(Exception):
    """A host asked to be left alone for longer than one waits.

    Args:
        host: Its name.
        until: Moment from which on it may be asked again, in seconds since 1970.
    """

    def __init__(self, host: str, until: float) -> None:
        super().__init__(
            f"{host} asked to be left alone until {dt.datetime.fromtimestamp(until, dt.UTC):%Y-%m-%d %H:%M} UTC"
        )
        self.until = until


def retry_after_seconds(retry_after: str | None) -> float | None:
    """Seconds that a Retry-After header asks for, in either of its forms; none where it asks for nothing."""
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


class Paced(Protocol):
    """A pace: seconds between two requests, and requests at a time."""

    @property
    def interval_seconds(self) -> float:
        """At least so long between the beginnings of two requests."""

    @property
    def concurrency(self) -> int:
        """At most so many requests at a time."""


class PacedHosts(Paced, Protocol):
    """Hosts that share a pace."""

    @property
    def names(self) -> Sequence[str]:
        """Names of the hosts."""


class Pacer:
    """Gives turns at hosts.

    Args:
        folder: Where the locks lie.
        usual: The pace of a host that none of ``hosts`` names.
        hosts: Hosts with a pace of their own; the first that names a host counts.
        sleep: Waits so many seconds.
    """

    def __init__(
        self, folder: Path, usual: Paced, hosts: Sequence[PacedHosts], sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._folder, self._usual, self._hosts, self._sleep = folder, usual, hosts, sleep

    @contextlib.contextmanager
    def turn(self, host: str, at_least: float = 0.0, longest: float = 3600.0) -> Generator[None]:
        """Wait for a turn at a host and hold it.

        Args:
            host: Name of the host.
            at_least: Seconds between two requests that the host itself asks for, if more than configured.
            longest: Seconds that are waited at most.

        Raises:
            HostRests: It is to be left alone for longer.
        """
        name, pace = self._of(host)
        interval = max(pace.interval_seconds, at_least)
        with self._slot(name, pace.concurrency):
            with self._moment(name) as moment:
                now = time.time()
                starts = max(now, _read(moment))
                if starts > now + LONGEST_REST:  # the clock was set back
                    starts = now
                if starts > now + longest:
                    raise HostRests(host, starts)
                _write(moment, starts + interval)
            if starts > now:
                self._sleep(starts - now)
            yield

    def leave_alone(self, host: str, seconds: float) -> None:
        """Let nobody ask a host for so many seconds, since it asked for that."""
        with self._moment(self._of(host)[0]) as moment:
            _write(moment, max(_read(moment), time.time() + min(seconds, LONGEST_REST)))

    def _of(self, host: str) -> tuple[str, Paced]:
        for hosts in self._hosts:
            if host in hosts.names:
                return hosts.names[0], hosts
        return host, self._usual

    def _path(self, name: str, what: str) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / f"{re.sub(r'[^a-z0-9.-]', '_', name.lower())[:120]}.{what}"

    @contextlib.contextmanager
    def _slot(self, name: str, concurrency: int) -> Generator[None]:
        """One of the places at a host: a free one, else the first to come free of one chosen by chance."""
        with contextlib.ExitStack() as stack:
            files = [stack.enter_context(self._path(name, f"{n}.turn").open("ab")) for n in range(concurrency)]
            for file in files:
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
            else:
                fcntl.flock(random.choice(files), fcntl.LOCK_EX)  # noqa: S311
            yield

    @contextlib.contextmanager
    def _moment(self, name: str) -> Generator[BinaryIO]:
        handle = os.open(self._path(name, "next"), os.O_RDWR | os.O_CREAT, 0o644)
        with os.fdopen(handle, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file


def _read(file: BinaryIO) -> float:
    file.seek(0)
    try:
        return float(file.read() or b"0")
    except ValueError:
        return 0.0


def _write(file: BinaryIO, moment: float) -> None:
    file.seek(0)
    file.truncate()
    file.write(repr(moment).encode())
    file.flush()
