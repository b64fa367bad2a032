"""Which files of the inbox can be taken now; a run and the sensor that starts runs decide it alike."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.ingest.files import FileState, find_files, find_writers, get_state

LEFT = ".left"  # in the inbox: when a run last left a file there that a later run is to take
_SETTLE_SECONDS = 2.0


@dataclass(frozen=True)
class WaitingFiles:
    """The entries of the inbox that are data.

    Args:
        ready: Files that have stopped changing, with their states.
        unsettled: Files that are still being written, each with the reason to think so.
        refused: Entries that cannot be read, each with the reason.
        skipped: Entries that are no data, each with the kind.
    """

    ready: dict[Path, FileState] = field(default_factory=dict)
    unsettled: list[tuple[Path, str]] = field(default_factory=list)
    refused: list[tuple[Path, str]] = field(default_factory=list)
    skipped: list[tuple[Path, str]] = field(default_factory=list)


def find_waiting_files(inbox: Path, *, can_wait: bool = False) -> WaitingFiles:
    """The files of the inbox that can be taken now, and the entries that cannot.

    A file has stopped changing if nothing was written to it, and its name was not given to it, for
    ``AISLE_INBOX_SETTLE_SECONDS`` (2 by default), and no other process holds it open for writing.

    Args:
        inbox: The folder.
        can_wait: Whether to wait so long for files that are younger.
    """
    found = find_files(inbox)
    waiting = WaitingFiles(refused=list(found.refused), skipped=found.skipped)
    states = _read_states(found.files)
    settle_seconds = _read_settle_seconds()
    young_seconds = {path: settle_seconds - abs(time.time() - changed_at) for path, (_, changed_at) in states.items()}
    if can_wait and (wait_seconds := max(young_seconds.values(), default=0.0)) > 0:
        time.sleep(wait_seconds)
        young_seconds = dict.fromkeys(states, 0.0)
    now = _read_states(states)
    writers = find_writers(state for state, _ in now.values())
    for path, before in states.items():
        if path not in now:
            continue
        state = now[path][0]
        if state in writers:
            waiting.unsettled.append((path, f"process {writers[state]} still has it open for writing"))
        elif now[path] != before or young_seconds[path] > 0:
            waiting.unsettled.append((path, "it is still being written"))
        else:
            waiting.ready[path] = state
    return waiting


def describe_waiting_files(inbox: Path, waiting: WaitingFiles) -> str:
    """A text that is the same for the same files in the same states, as long as no run has left one of them."""
    left = (inbox / LEFT).read_text(encoding="utf-8") if (inbox / LEFT).exists() else ""
    facts = repr((_read_states(waiting.ready), waiting.refused, left))
    return hashlib.sha256(facts.encode()).hexdigest()


def _read_settle_seconds() -> float:
    text = os.environ.get("AISLE_INBOX_SETTLE_SECONDS") or str(_SETTLE_SECONDS)
    try:
        return float(text)
    except ValueError as error:
        raise OSError(f"AISLE_INBOX_SETTLE_SECONDS is “{text}”; expected a number of seconds") from error


def _read_states(paths: Iterable[Path]) -> dict[Path, tuple[FileState, float]]:
    """The state of each file that still exists, and when it was last changed or named (seconds since 1970)."""
    states = {}
    for path in paths:
        try:
            facts, own_facts = path.stat(), path.lstat()
        except OSError:  # removed since
            continue
        states[path] = get_state(facts), max(facts.st_ctime, own_facts.st_ctime)
    return states
