"""Copies of whole lakes, between folders and object stores: the backup and the restore.

Every file is compared with its hash where it has arrived. Files that are there with the right bytes are not copied
again, so that an interrupted copy goes on, and the next backup copies what is new. What makes the copy a lake comes
last: in a folder, the mark that it is complete; in a store, the state of the version.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from warehouse.copy_mark import MARK, build_mark, describe_unfinished_copy, read_mark
from warehouse.lake import Lake, replace_file, sync_folder
from warehouse.object_store.client import DamagedObject, ObjectStore, open_store, run_parallel
from warehouse.object_store.lake_files import hash_file, list_lake_files, read_pointer, write_pointer
from warehouse.object_store.lease import WriterLease
from warehouse.object_store.local_copy import describe_process, identify_place, locate_copy
from warehouse.object_store.versions import LakeVersion, StoredFile, build_key, publish_logs, read_version
from warehouse.object_store.writing import commit
from warehouse.origin import read_release_number

Log = Callable[[str], object]


class UnfitTarget(ValueError):
    """A lake must not be copied to a place; the message gives the reason and what to do."""


@dataclass(frozen=True)
class CopyResult:
    """What was copied: the files of the lake, and how many of them, of which size, were not there yet."""

    files: int
    copied_files: int
    copied_bytes: int


class _FolderSource:
    """A lake on disk; the caller holds its lock."""

    def __init__(self, root: Path) -> None:
        self.root, self.pointer = root, read_pointer(root)
        self.files: dict[str, StoredFile] = {
            name: StoredFile(hash_file(root / name), state[0]) for name, state in list_lake_files(root)
        }

    @contextmanager
    def open(self, name: str, file: StoredFile) -> Generator[Path]:  # noqa: ARG002 - as of a store
        yield self.root / name

    def write(self, name: str, file: StoredFile, draft: Path) -> None:
        """Write a file of the lake to a path."""
        shutil.copyfile(self.root / name, draft)
        if hash_file(draft) != file.sha256:
            raise DamagedObject(f"{name} was changed while it was copied, or was not written whole; copy again")


class _StoreSource:
    """A lake on an object store, as its newest version is."""

    def __init__(self, store: ObjectStore) -> None:
        version, state = read_version(store)
        if state is None:
            raise UnfitTarget(f"there is no lake at {store.address}")
        self._store, self.files, self.pointer = store, version.files, version.pointer

    @contextmanager
    def open(self, name: str, file: StoredFile) -> Generator[Path]:
        scratch = locate_copy(self._store.address, "copy")
        scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            self.write(name, file, Path(folder) / "file")
            yield Path(folder) / "file"

    def write(self, name: str, file: StoredFile, draft: Path) -> None:
        """Write a file of the lake to a path."""
        self._store.download(build_key(name, file.sha256), draft, file.sha256)


def copy_lake(source: str, target: str, log: Log) -> CopyResult:
    """Copy a lake to another place, each a folder or an address such as ``s3://bucket/prefix``.

    Raises:
        UnfitTarget: There is no lake at the source, or something at the target that would be lost.
        UnusableLake: One of the two cannot hold a lake.
        OSError: A file cannot be read or written, or has other bytes than it should have; it can be repeated.
    """
    if "://" in source:
        opened = _StoreSource(open_store(source))
        return _write(opened, source.rstrip("/"), target, log)
    lake = Lake.at(source)
    if reason := describe_unfinished_copy(lake.root):
        raise UnfitTarget(reason)
    if not lake.snapshots.is_dir() and read_pointer(lake.root) is None:
        raise UnfitTarget(f"there is no lake in {lake.root}")
    with lake.lock_patiently(log):
        return _write(_FolderSource(lake.root), str(lake.root), target, log)


def _write(source: _FolderSource | _StoreSource, origin: str, target: str, log: Log) -> CopyResult:
    if "://" in target:
        return _write_to_store(source, origin, open_store(target), log)
    lake = Lake.at(target)
    if isinstance(source, _FolderSource) and (lake.root == source.root or source.root in lake.root.parents):
        raise UnfitTarget(f"{lake.root} is in the lake that is to be copied: name a folder outside of it")
    _find_known_files(source, origin, lake.root)  # before anything is written there, be it a lock
    with lake.lock_patiently(log):
        return _write_to_folder(source, origin, lake.root)


def _write_to_folder(source: _FolderSource | _StoreSource, origin: str, root: Path) -> CopyResult:
    known, present = _find_known_files(source, origin, root)
    replace_file(root / MARK, build_mark(origin, known, is_complete=False))  # no lake until it is complete
    copied: list[StoredFile] = []

    def copy(name: str) -> None:
        file, path = source.files[name], root / name
        if name in present and path.stat().st_size == file.size_bytes and hash_file(path) == file.sha256:
            return
        _write_file(source, name, file, path)
        copied.append(file)

    run_parallel(copy, source.files)
    write_pointer(root, source.pointer)
    sync_folder(root)
    for name in known - source.files.keys():
        (root / name).unlink(missing_ok=True)
    replace_file(root / MARK, build_mark(origin, source.files, is_complete=True))
    return _count(source, copied)


def _write_file(source: _FolderSource | _StoreSource, name: str, file: StoredFile, path: Path) -> None:
    """Write a file of the lake, durably; it appears when it was compared with its hash.

    Raises:
        DamagedObject: It does not have the bytes that it should have.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name[:200]}.part")
    try:
        source.write(name, file, draft)
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        if name.startswith(("snapshots/", "refused/")):  # as in every lake
            draft.chmod(0o444)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _find_known_files(source: _FolderSource | _StoreSource, origin: str, root: Path) -> tuple[set[str], set[str]]:
    """The files that an earlier or this copy has written to a folder or will, and those that are there.

    Raises:
        UnfitTarget: Others are there, which would be lost.
    """
    mark = read_mark(root)
    present = {name for name, _ in list_lake_files(root)}
    known = {*mark.get("files", ()), *source.files}
    if present and mark.get("source") != origin:
        made = f"a copy of {mark['source']}" if mark else "no copy of a lake"
        raise UnfitTarget(f"{root} is not empty and {made}: name an empty folder")
    if own := sorted(present - known):
        releases = [number for name in own if (number := read_release_number(name)) is not None]
        what = f"release v{max(releases)}" if releases else own[0]
        raise UnfitTarget(f"{root} was used since it was copied, and has {what}: name another place for the copy")
    return known, present


def _write_to_store(source: _FolderSource | _StoreSource, origin: str, store: ObjectStore, log: Log) -> CopyResult:
    place = locate_copy(store.address, "copy")
    lease = WriterLease(store, identify_place(place), describe_process())
    with lease.hold(log):
        version, state = read_version(store)
        if state is not None and version.copied_from != origin:
            made = f"a copy of {version.copied_from}" if version.copied_from else "no copy, or was used since"
            raise UnfitTarget(f"there is a lake at {store.address} already, which is {made}: name another prefix")
        copied: list[StoredFile] = []

        def copy(name: str) -> None:
            file = source.files[name]
            key = build_key(name, file.sha256)
            if version.files.get(name) == file:
                return
            if store.has(key, file.size_bytes) and store.hash(key) == file.sha256:  # of an interrupted copy
                return
            with source.open(name, file) as path:
                store.upload(key, path)
            if store.hash(key) != file.sha256:
                store.delete([key])
                raise DamagedObject(f"{name} was changed while it was copied, or was not stored whole; copy again")
            copied.append(file)

        run_parallel(copy, source.files)
        if version.files != source.files or version.pointer != source.pointer:
            lease.require()
            following = LakeVersion(version.number + 1, dict(source.files), source.pointer, origin)
            version, _ = commit(store, following, state)
        publish_logs(store, version)
    return _count(source, copied)


def _count(source: _FolderSource | _StoreSource, copied: list[StoredFile]) -> CopyResult:
    return CopyResult(len(source.files), len(copied), sum(file.size_bytes for file in copied))
