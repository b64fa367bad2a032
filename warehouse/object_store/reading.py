"""The reader's side of a lake on an object store: the newest version, of which files are brought down as they are read.

A published file never changes, so it is brought down once. Readers have a folder of their own, apart from that of the
machine's writers, whose work is not committed yet.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import cache
from pathlib import Path

from warehouse.lake import Lake, UnusableLake
from warehouse.object_store.client import ObjectStore, StoredObject, StoreUnavailable
from warehouse.object_store.lake_files import FileState, get_file_state, write_pointer
from warehouse.object_store.local_copy import LocalCopy
from warehouse.object_store.versions import STATE, LakeVersion, read_version_of
from warehouse.origin import LakeOrigin, Needs, UnneededObjects

_FRESH_SECONDS = 1.0  # a page looks for a new release at each rerun, of which there can be many at once


class ReadableCopy(LocalCopy):
    """The folder of this machine with what its readers have read of a stored lake."""

    def __init__(self, address: str, root: Path, store: ObjectStore | None = None) -> None:
        super().__init__(address, root, store)
        self._state: StoredObject | None = None
        self._checked_at = -1e9
        self._checked_for: Needs | None = None
        self._refreshing = threading.Lock()

    def open_for_reading(self, needed: Needs, *, is_tolerant: bool = False) -> Lake:
        """The lake as its newest version is, with the files that are needed.

        Args:
            needed: Which files are needed.
            is_tolerant: Whether to use the version that was read before if the store cannot be reached.

        Raises:
            StoreUnavailable: The store cannot be read.
        """
        with self._refreshing:
            try:
                is_fresh = time.monotonic() - self._checked_at < _FRESH_SECONDS and needed is self._checked_for
                if not (is_tolerant and is_fresh):
                    self._refresh(needed)
                    self._checked_at, self._checked_for = time.monotonic(), needed
            except StoreUnavailable:
                if not is_tolerant or self._state is None:
                    raise
                self._checked_at = time.monotonic()
        return Lake(self.root, self)

    def _refresh(self, needed: Needs) -> None:
        state = self.store.read(STATE, self._state)
        with self.lock_record():
            if state is None:
                self.version = LakeVersion()
            elif state is not self._state:
                self.version = read_version_of(self.store, state)
            stale = [n for n, (file, _) in self.brought.files.items() if self.version.files.get(n) != file]
            self.remove_files(stale)
            self._forget_changed()
            is_other, self.brought.version_key = self.brought.version_key != self.version.key, self.version.key
            if not self.bring_files(n for n in self.version.files if needed(n)) and (stale or is_other):
                self.write_record()
            write_pointer(self.root, self.version.pointer)
        self._state = state

    def bring(self, path: Path) -> None:
        """Bring down a file of the lake, or all files of a folder, unless they are here as they were brought.

        Raises:
            OSError: They cannot be read or written.
        """
        name = self._get_name(path)
        recorded = self.brought.files.get(name)
        if recorded is not None and not self._is_as_brought(name, recorded[1]):
            self.renew(path)
        else:
            super().bring(path)

    def _forget_changed(self) -> None:
        """Remove what somebody has removed or changed here, so that it is brought again when it is read."""
        self.remove_files([n for n, (_, state) in self.brought.files.items() if not self._is_as_brought(n, state)])

    def _is_as_brought(self, name: str, state: FileState) -> bool:
        with suppress(OSError):
            return get_file_state((self.root / name).stat()) == state
        return False

    def hold(self, needed: Needs, log: Callable[[str], object]) -> AbstractContextManager[None]:
        """Hold the lake for one writer, which works in a folder of its own."""
        return self._open_for_writing().hold(needed, log)

    def sweep(self, log: Callable[[str], object], *, is_confirmed: bool) -> UnneededObjects:
        """Find the objects that the lake does not need, and remove them on request."""
        return self._open_for_writing().sweep(log, is_confirmed=is_confirmed)

    def _open_for_writing(self) -> LakeOrigin:
        origin = Lake.at(self.address).origin
        if origin is None:
            raise UnusableLake(f"{self.address} is not on an object store")
        return origin


@cache
def open_readable_copy(address: str, root: Path) -> ReadableCopy:
    """The folder in which this process reads a lake."""
    return ReadableCopy(address, root)
