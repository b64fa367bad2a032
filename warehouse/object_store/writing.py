"""The writer's side of a lake on an object store: work in a folder of this machine, then one commit.

A writer holds the lease, brings down what it needs, works on the folder as on a lake on disk, uploads what has changed,
and commits a version by one conditional write. What was not committed stays in the folder: the next run on this
machine continues from it, unless another writer has committed since; then only added snapshots and refused files are
kept of it, and what was changed by hand.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from warehouse.object_store.client import ObjectChanged, ObjectStore, StoredObject, run_parallel
from warehouse.object_store.lake_files import FileState, get_file_state, read_pointer, write_pointer
from warehouse.object_store.lease import WriterLease
from warehouse.object_store.local_copy import LocalCopy, describe_process, identify_place, locate_copy, name_cache
from warehouse.object_store.versions import (
    LakeVersion,
    StoredFile,
    build_key,
    commit_version,
    publish_logs,
    read_version,
)
from warehouse.origin import Needs, OriginError, UnneededObjects, is_left_over
from warehouse.table import utc_now

if TYPE_CHECKING:
    from warehouse.lake import Lake

_LARGE_BYTES = 2**20  # from this size on it is worth a request to see whether an interrupted commit has uploaded it
_DOCUMENTS = ("snapshots/", "refused/")
_KEPT_FROM_CLEANERS = (*_DOCUMENTS, "releases/", "kept_releases.json")
_MERGED = (*_DOCUMENTS, "feeds.toml", "mappings.toml")  # what is kept of an uncommitted state beside another commit


class LakeChanged(OriginError):
    """Another writer has committed since this one began; nothing of this one was committed."""


class WritableCopy(LocalCopy):
    """The folder in which this machine's writers of a stored lake work."""

    def __init__(self, address: str, root: Path, store: ObjectStore | None = None) -> None:
        super().__init__(address, root, store)
        self._state: StoredObject | None = None
        self._holders = 0

    def _keeps(self, name: str) -> bool:
        return super()._keeps(name) or (self.root / name).exists()

    def _note_brought(self) -> None:
        """Nothing: the commit records it, or else the next writer finds it here."""

    @contextmanager
    def hold(self, needed: Needs, log: Callable[[str], object]) -> Generator[None]:
        """Hold the lake for one writer, with the files that it needs, and commit what has changed in the end.

        It is committed also after an error, as a lake on disk keeps what was stored until then.

        Args:
            needed: Which files it needs.
            log: Called if another writer must be waited for.

        Raises:
            LakeChanged: Another writer has taken the lake from this one; nothing was committed.
            LeaseLost: The same.
            StoreUnavailable: The store cannot be used.
        """
        if self._holders:  # a step of a run that holds it already
            with self.lock_record():
                self.bring_files(name for name in self.version.files if needed(name))
            yield
            return
        place = identify_place(self.root)
        lease = WriterLease(self.store, place, f"{describe_process()}, since {utc_now():%Y-%m-%d %H:%M:%S} UTC")
        with _lock_folder(self.root, log), lease.hold(log):
            self._begin(needed)
            self._holders += 1
            try:
                yield
            finally:
                self._holders -= 1
                self._commit(lease, log)

    def _begin(self, needed: Needs) -> None:
        """Bring the folder to the newest version as far as it is needed."""
        self.version, self._state = read_version(self.store)
        with self.lock_record():
            if self.brought.version_key != self.version.key:
                self._take_over()
                self.brought.version_key = self.version.key
                self.write_record()
            self._forget_lost()
            self.bring_files(name for name in self.version.files if needed(name))

    def _forget_lost(self) -> None:
        """Bring documents and releases again that were removed here, as a cache may be, rather than from the lake.

        A document is removed from the lake by removing its whole folder, as on disk.
        """
        for name in [name for name in self.brought.files if name.startswith(_KEPT_FROM_CLEANERS)]:
            path = self.root / name
            is_withdrawn = name.startswith(_DOCUMENTS) and not path.parent.exists() and path.parents[1].exists()
            if not path.exists() and not is_withdrawn:
                del self.brought.files[name]

    def _take_over(self) -> None:
        """Remove what is not of the newest version, except what is kept beside it."""
        removed = []
        for name, (file, _) in self.find_present_files().items():
            newest, brought = self.version.files.get(name), self.brought.files.get(name)
            if newest == file:
                self.brought.files[name] = file, get_file_state((self.root / name).stat())
                continue
            is_unchanged_there = newest == (brought[0] if brought else None)
            if not (is_unchanged_there and name.startswith(_MERGED)):
                removed.append(name)
        self.remove_files(removed)
        for name in [name for name in self.brought.files if not (self.root / name).exists()]:
            del self.brought.files[name]
        write_pointer(self.root, self.version.pointer)

    def _commit(self, lease: WriterLease, log: Callable[[str], object]) -> None:
        """Upload what has changed and commit it, if anything has."""
        with self.lock_record():
            present, pointer = self.find_present_files(), read_pointer(self.root)
            files = self._list_next_files(present)
            new = {name: file for name, file in files.items() if self.version.files.get(name) != file}
            has_changed = files != self.version.files or pointer != self.version.pointer
            if has_changed:
                run_parallel(lambda entry: upload_file(self.store, self.root / entry[0], *entry), new.items())
                lease.require()
                following = LakeVersion(self.version.number + 1, files, pointer)
                self.version, self._state = commit(self.store, following, self._state)
            self._note(present)
        publish_logs(self.store, self.version)  # also those of a writer that was killed after its commit
        if has_changed:
            log(f"stored in {self.address} as version {self.version.number}: {len(new):,} new or changed files")

    def _list_next_files(self, present: dict[str, tuple[StoredFile, FileState]]) -> dict[str, StoredFile]:
        """The files of the next version: those that are here, and those that were never brought here.

        Where the metadata of a document or the manifest of a release were removed, its files were meant too.
        """
        absent = {name: file for name, file in self.version.files.items() if name not in self.brought.files}
        files = absent | {name: file for name, (file, _) in present.items()}
        gone = {name for name in absent.keys() - present.keys() if is_left_over(name, files)}
        return {name: file for name, file in files.items() if name not in gone}

    def _note(self, present: dict[str, tuple[StoredFile, FileState]]) -> None:
        self.brought.files = {name: entry for name, entry in present.items() if name in self.version.files}
        self.brought.version_key = self.version.key
        self.write_record()

    def sweep(self, log: Callable[[str], object], *, is_confirmed: bool) -> UnneededObjects:
        """Find the objects that the lake does not need, and remove them on request."""
        from warehouse.object_store.sweeping import sweep_objects

        with self.hold(lambda _: False, log):
            return sweep_objects(self.store, self.version, is_confirmed=is_confirmed)

    def open_for_reading(self, needed: Needs, *, is_tolerant: bool = False) -> Lake:
        """The lake as the newest version has it, in a folder of its own for readers."""
        from warehouse.object_store.reading import open_readable_copy

        readable = open_readable_copy(self.address, locate_copy(self.address, "read"))
        return readable.open_for_reading(needed, is_tolerant=is_tolerant)


def upload_file(store: ObjectStore, path: Path, name: str, file: StoredFile) -> None:
    """Upload a file, unless an interrupted commit has done so.

    Raises:
        OSError: It was changed in the meantime.
    """
    key = build_key(name, file.sha256)
    if file.size_bytes >= _LARGE_BYTES:  # large files are never changed
        if not store.has(key, file.size_bytes):
            store.upload(key, path)
        return
    content = path.read_bytes()
    if sha256(content).hexdigest() != file.sha256:
        raise OSError(f"{path} was changed while it was stored; run it again")
    store.put(key, content)


def commit(store: ObjectStore, version: LakeVersion, state: StoredObject | None) -> tuple[LakeVersion, StoredObject]:
    """Commit a version whose files are uploaded.

    Raises:
        LakeChanged: Another version was committed since the given state; nothing was changed.
    """
    facts = {"committed_at": utc_now().isoformat(), "writer": describe_process(), "token": uuid4().hex}
    try:
        return commit_version(store, version, state, facts)
    except ObjectChanged as error:
        raise LakeChanged(
            f"{store.address}: another writer has committed since this one began, so nothing of this was stored or"
            " published; repeat the command: it starts from what is stored, with the documents that were added here"
        ) from error


@contextmanager
def _lock_folder(root: Path, log: Callable[[str], object]) -> Generator[None]:
    """Lock the folder of this machine's writers; the lock of a killed one is free."""
    with name_cache(root):
        root.mkdir(parents=True, exist_ok=True)
        file = (root / ".writer.lock").open("a+", encoding="utf-8")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            log(f"another writer on this machine uses the lake ({file.read().strip() or 'starting'}); waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()} since {utc_now():%Y-%m-%d %H:%M:%S} UTC")
        file.flush()
        yield


@cache
def open_writable_copy(address: str, root: Path) -> WritableCopy:
    """The folder in which this process writes a lake."""
    return WritableCopy(address, root)


def open_stored_lake(address: str) -> Lake:
    """The lake at an address, for writers; readers use `Lake.open_for_reading`.

    Raises:
        UnusableLake: The address has another form, or a package is missing.
    """
    from warehouse.lake import Lake

    copy = open_writable_copy(address.rstrip("/"), locate_copy(address.rstrip("/"), "work"))
    return Lake(copy.root, copy)
