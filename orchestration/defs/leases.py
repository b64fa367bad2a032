"""Leases of runs: a locked file for each run, which shows whether the process that executes it is still there.

The lock ends with the process, however it ends. Where the lake is shared with another machine whose locks may not be
visible here, the file's modification time is a heartbeat, and the lease ends when that stops.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import IO

from warehouse.table import utc_now

HEARTBEAT_SECONDS = 15.0
EXPIRY_SECONDS = 600.0  # of a lease on another machine, whose clock may differ from this one's by some minutes
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class LeaseState(Enum):
    """``held`` by a process, ``ended`` with its process, or ``missing``: never taken, or removed after the run."""

    held = "held"
    ended = "ended"
    missing = "missing"


@dataclass(frozen=True)
class Lease:
    """What is known of the lease of a run.

    Args:
        state: Whether a process holds it.
        holder: The process that took it and when, for messages.
    """

    state: LeaseState
    holder: str = ""


def locate_lease(dagster_home: Path, run_id: str) -> Path:
    """The file of a run's lease."""
    return dagster_home / "leases" / run_id


def identify_machine() -> str:
    """What machines with common file locks have in common: the boot of the kernel, which containers share."""
    with contextlib.suppress(OSError):
        return _BOOT_ID.read_text(encoding="ascii").strip()
    return platform.node()


def read_lease(path: Path) -> Lease:
    """The state of a lease."""
    try:
        file = path.open(encoding="utf-8")
    except FileNotFoundError:
        return Lease(LeaseState.missing)
    with file:
        facts = {}
        with contextlib.suppress(ValueError):  # empty for a moment before it is written
            facts = json.loads(file.read())
        holder = str(facts.get("holder", ""))
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return Lease(LeaseState.held, holder)
        is_fresh = time.time() - os.fstat(file.fileno()).st_mtime < EXPIRY_SECONDS
        is_elsewhere = facts.get("machine") != identify_machine()
        return Lease(LeaseState.held if is_elsewhere and is_fresh else LeaseState.ended, holder)


def has_ended_leases(dagster_home: Path) -> bool:
    """Whether a process ended while it held a lease, or kept one until it ended."""
    return any(read_lease(path).state is LeaseState.ended for path in (dagster_home / "leases").glob("*"))


@contextlib.contextmanager
def hold_lease(dagster_home: Path, run_id: str) -> Generator[None]:
    """Hold the lease of a run that this process executes, until the context is left."""
    with _take_lease(dagster_home, run_id) as file:
        has_ended = threading.Event()
        heartbeat = threading.Thread(target=_send_heartbeats, args=(file, has_ended), daemon=True)
        heartbeat.start()
        try:
            yield
        finally:
            has_ended.set()
            heartbeat.join()
            locate_lease(dagster_home, run_id).unlink(missing_ok=True)


def keep_lease(dagster_home: Path, run_id: str) -> None:
    """Hold the lease of a run for the rest of this process, which ends when it has reported the end of the run."""
    file = _take_lease(dagster_home, run_id)
    _kept_files.append(file)
    threading.Thread(target=_send_heartbeats, args=(file, threading.Event()), daemon=True).start()


_kept_files: list[IO[str]] = []  # a file that is closed is no longer locked


def _take_lease(dagster_home: Path, run_id: str) -> IO[str]:
    path = locate_lease(dagster_home, run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a", encoding="utf-8")
    fcntl.flock(file, fcntl.LOCK_EX)
    file.truncate(0)
    holder = f"process {os.getpid()} on {platform.node()}, since {utc_now():%Y-%m-%d %H:%M:%S} UTC"
    file.write(json.dumps({"holder": holder, "machine": identify_machine()}))
    file.flush()
    return file


def _send_heartbeats(file: IO[str], has_ended: threading.Event) -> None:
    while not has_ended.wait(HEARTBEAT_SECONDS):
        with contextlib.suppress(OSError):
            os.utime(file.fileno())
