"""What a lake needs of the place where its files come from, if that is not this machine.

A command names the files that it needs from the beginning; what else it reads is brought down when it is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from warehouse.lake import Lake

# whether a file is needed, given its path relative to the lake
Needs = Callable[[str], bool]
_RELEASE = re.compile(r"(releases/aisle\.v\d+)\.(duckdb|json|search)(/|$)")
_CONTENT = re.compile(r"(snapshots|refused)/.*/content")


@dataclass(frozen=True)
class UnneededObjects:
    """Objects that no version of a lake needs that somebody may still read: how many, and their size."""

    objects: int
    size_bytes: int


class OriginError(OSError):
    """A lake that is not on this machine cannot be read or written; the message has the reason and what to do."""


class DamagedObject(OriginError):
    """A file is missing where the lake is, or has other bytes there than were written; the message names it."""


class LakeOrigin(Protocol):
    """Where the files of a lake come from that is not on this machine, see `warehouse.object_store`."""

    address: str

    def get_size(self, path: Path) -> int | None:
        """Size of a file of the lake, which need not be here; none if the lake has no such file."""

    def bring(self, path: Path) -> None:
        """Bring down a file of the lake, or all files of a folder, unless they are here."""

    def renew(self, path: Path) -> bool:
        """Bring down a file again whose bytes on this machine are not those of the lake; whether the lake has it."""

    def hold(self, needed: Needs, log: Callable[[str], object]) -> AbstractContextManager[None]:
        """Hold the lake for one writer, with the files that it needs, and commit what has changed in the end."""

    def open_for_reading(self, needed: Needs, *, is_tolerant: bool = False) -> Lake:
        """The lake as its newest version is, with the files that are needed, in a folder for readers."""

    def sweep(self, log: Callable[[str], object], *, is_confirmed: bool) -> UnneededObjects:
        """Find the objects that the lake does not need, and remove them on request."""


def need_releases(name: str) -> bool:
    """The manifests of all releases, and what the pages show of the last run."""
    return name in {"last_run.json", "checks.json", "kept_releases.json"} or _is_manifest(name)


def need_state(name: str) -> bool:
    """What is known of snapshots, refused files, feeds, runs and releases; not their bytes, and no table."""
    match = _RELEASE.match(name)
    if match is not None:
        return match[2] == "json"
    return not name.startswith("tables/") and _CONTENT.fullmatch(name) is None


def need_tables(name: str) -> bool:
    """What a run needs: the same and the tables; the newest release is brought with them."""
    return need_state(name) or name.startswith("tables/")


def _is_manifest(name: str) -> bool:
    match = _RELEASE.match(name)
    return match is not None and match[2] == "json"


def read_release_number(name: str) -> int | None:
    """The number of the release to which a file belongs; none if it belongs to no release."""
    match = _RELEASE.match(name)
    return None if match is None else int(match[1].rpartition("v")[2])


def is_left_over(name: str, files: Collection[str]) -> bool:
    """Whether a file is of a release, or has the bytes of a document, whose manifest or metadata are gone."""
    if match := _RELEASE.match(name):
        return f"{match[1]}.json" not in files
    if _CONTENT.fullmatch(name):
        folder = name.rpartition("/")[0]
        return f"{folder}/snapshot.json" not in files and f"{folder}/refusal.json" not in files
    return False
