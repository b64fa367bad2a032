"""The files of a lake on disk that belong to the lake: what an object store or a copy of the lake has of it.

The rest belongs to the machine: the inbox, Dagster's history, locks, drafts of writers, and caches.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator
from pathlib import Path

from warehouse.object_store.versions import POINTER

_OF_THE_MACHINE = {"inbox", "dagster", "parsed", "spark", "intact_files.json", "run.lock", "command.lock"}
_OF_FETCHING = {"pace", "robots"}  # in the folder `fetch`
_SPILL, _LOCK, _TEMPORARY = "spill-", "lock", ".tmp"
FileState = tuple[int, int, int]


class ForeignEntry(OSError):
    """Something in a lake is neither a file nor a folder of it; the message names it."""


def list_lake_files(root: Path) -> Generator[tuple[str, FileState]]:
    """Path, relative to the lake, and state of each file that belongs to it; not the link to the newest release.

    Raises:
        ForeignEntry: A folder in it is a link, which would be left out.
        OSError: A folder cannot be read.
    """
    if root.is_dir():
        yield from _list_folder(root, "")


def _list_folder(folder: Path, prefix: str) -> Generator[tuple[str, FileState]]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            path = prefix + entry.name
            if entry.name.startswith(".") or not _is_of_the_lake(path):
                continue
            if entry.is_dir():
                if entry.is_symlink() and prefix:
                    raise ForeignEntry(f"{folder / entry.name} is a link to a folder: put the folder itself there")
                yield from _list_folder(folder / entry.name, f"{path}/")
            elif entry.is_file():
                yield path, get_file_state(entry.stat())


def _is_of_the_lake(path: str) -> bool:
    parts = path.split("/")
    if parts[0] in _OF_THE_MACHINE or parts[0].startswith(_SPILL) or path == POINTER:
        return False
    if parts[0] == "fetch" and ((len(parts) == 2 and parts[1] in _OF_FETCHING) or parts[-1] == _LOCK):
        return False
    return not path.endswith(_TEMPORARY)


def get_file_state(facts: os.stat_result) -> FileState:
    """Size, time of change and inode of a file: if they are the same, it was not changed."""
    return facts.st_size, facts.st_mtime_ns, facts.st_ino


def hash_file(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_pointer(root: Path) -> str | None:
    """The path of the newest release, relative to the lake; none if there is no link to one."""
    try:
        return str((root / POINTER).readlink())
    except OSError:
        return None


def write_pointer(root: Path, target: str | None) -> None:
    """Let the link to the newest release lead to a path relative to the lake, in one step."""
    if read_pointer(root) == target:
        return
    if target is None:
        (root / POINTER).unlink()
        return
    link = root / f".{POINTER}.{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    link.replace(root / POINTER)
