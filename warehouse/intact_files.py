"""Whether the Parquet files of tables still have the bytes that were written: each name ends in a hash of them.

A file is read for this when it is used for the first time, and again once it has another inode, size or time of change.
What was found intact is kept in the lake, so that a run reads only files that are new to it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from functools import cache
from pathlib import Path

_DIGITS = 16
_FILE = "intact_files.json"


def hash_bytes(path: Path) -> str:
    """The hash of a file's bytes that is in its name: the first digits of its SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:_DIGITS]


def read_named_hash(path: Path) -> str | None:
    """The hash in the name of a file; none for a file that an earlier version of the project wrote."""
    last = path.stem.rpartition("-")[2]
    return last if len(last) == _DIGITS else None


class IntactFiles:
    """The files of a lake's tables that were found intact, and those that were found damaged.

    Args:
        root: Folder of the lake.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._intact: dict[str, list[int]] = {}
        self._damaged: dict[str, list[int]] = {}
        self._unreported: list[Path] = []
        self._is_saved = True
        with contextlib.suppress(OSError, ValueError, AttributeError, TypeError):
            stored = json.loads((root / _FILE).read_bytes())
            self._intact = {str(name): [int(number) for number in state] for name, state in stored.items()}

    def is_intact(self, path: Path, size_bytes: int | None = None) -> bool:
        """Whether a file is there, has the size that it should have, if it is given, and the bytes of its name."""
        try:
            state = _get_state(path.stat())
            name, expected = self._get_name(path), read_named_hash(path)
            if size_bytes is not None and state[1] != size_bytes:
                return self._note_damage(name, path, state)
            if expected is None or self._intact.get(name) == state:
                return True
            if self._damaged.get(name) == state or hash_bytes(path) != expected:
                return self._note_damage(name, path, state)
        except OSError:
            return self._note_damage(self._get_name(path), path, [])
        self._note_intact(name, state)
        return True

    def note_written(self, path: Path) -> None:
        """Note a file that was just written and named by its bytes."""
        self._note_intact(self._get_name(path), _get_state(path.stat()))

    def take_damaged(self) -> list[Path]:
        """The files that were found damaged or missing since the last call."""
        taken, self._unreported = self._unreported, []
        return taken

    def forget(self) -> None:
        """Forget what was found intact, so that every file is read again when it is used."""
        self._intact.clear()
        self._is_saved = False

    def save(self) -> None:
        """Keep in the lake what was found intact."""
        if self._is_saved:
            return
        there = {name: state for name, state in self._intact.items() if (self._root / name).exists()}
        draft = self._root / f".{_FILE}.{os.getpid()}"
        draft.write_text(json.dumps(there), encoding="utf-8")
        draft.replace(self._root / _FILE)  # not synchronised: what is lost is found again
        self._is_saved = True

    def _get_name(self, path: Path) -> str:
        return str(path.relative_to(self._root))

    def _note_intact(self, name: str, state: list[int]) -> None:
        self._intact[name] = state
        self._damaged.pop(name, None)
        self._is_saved = False

    def _note_damage(self, name: str, path: Path, state: list[int]) -> bool:
        if self._damaged.get(name) != state:
            self._damaged[name] = state
            self._unreported.append(path)
        if self._intact.pop(name, None) is not None:
            self._is_saved = False
        return False


def _get_state(facts: os.stat_result) -> list[int]:
    return [facts.st_ino, facts.st_size, facts.st_mtime_ns]


@cache
def open_intact_files(root: Path) -> IntactFiles:
    """What this process knows of the files of a lake."""
    return IntactFiles(root)
