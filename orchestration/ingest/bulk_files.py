"""Bulk files: added as snapshots, kept in the lake if they are small, else read where they are.

A bulk file is not parsed when it is added: a run reads it, as one unit of work.
"""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

from orchestration.ingest.files import FileChanged, FileReference, FileRefused, get_state, read_file
from orchestration.ingest.snapshots import (
    AddedFile,
    Snapshot,
    list_snapshots,
    set_paths,
    store_bulk_file,
)
from orchestration.ingest.stored_folders import hash_file
from orchestration.sources.shared.document import MAX_BYTES
from orchestration.sources.source import Source
from warehouse.lake import Lake

_MARKS = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1", b"{")  # gzip, Zstandard, Parquet, JSON
_LONGEST_MARK = 16
GATE, ON, OFF = "gate", "on", "off"  # the hint by which a person decides whether the gate leaves out anything
RECORDS = "manifest_records"  # the hint of how many records a part should have


def find_bulk_source_of(path: Path) -> Source | None:
    """The source whose bulk file this is; none for a document, an entry that is no file, or one that cannot be read."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            head = file.read(_LONGEST_MARK)
    except OSError:
        return None
    if not head.lstrip(b"\xef\xbb\xbf \r\n").startswith(_MARKS):
        return None
    from orchestration.ingest.bulk import find_bulk_source  # takes a tenth of a second to load

    return find_bulk_source(path)


class Places:
    """Which snapshots are read in place, by the paths at which their bytes were added."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._known = {
            (one.source, path): one for one in list_snapshots(lake) if one.path for path in (one.path, *one.other_paths)
        }
        self._changed: dict[str, Snapshot] = {}

    def find(self, source: str, path: str) -> Snapshot | None:
        """The snapshot of the bytes that were last added from a path."""
        return self._known.get((source, path))

    def note(self, snapshot: Snapshot, path: str) -> None:
        """Note that a path has the bytes of a snapshot."""
        for one in (self._known.get((snapshot.source, path)), snapshot):
            if one is not None:
                self._changed[one.snapshot_id] = one
        self._known[snapshot.source, path] = snapshot

    def save(self) -> list[str]:
        """Store the new paths, and remove the snapshots that have none any more; returns a line for each of those.

        It is called when all files are added, since files can have changed their names among each other.
        """
        lines = []
        for identity, snapshot in self._changed.items():
            paths = [
                path
                for (source, path), one in self._known.items()
                if (source, one.snapshot_id) == (snapshot.source, identity) and _has_size(path, snapshot)
            ]
            if paths:
                set_paths(self._lake, snapshot, paths)
            else:
                shutil.rmtree(self._lake.snapshots / snapshot.source / identity)
                lines.append(f"removed the snapshot {identity}: {snapshot.path} has other bytes now")
        return lines


def _has_size(path: str, snapshot: Snapshot) -> bool:
    try:
        return Path(path).stat().st_size == snapshot.size_bytes
    except OSError:
        return False


def add_bulk_file(
    lake: Lake,
    path: Path,
    source: Source,
    places: Places,
    *,
    is_in_place: bool,
    is_gated: bool | None,
    records: int | None = None,
) -> AddedFile:
    """Add a bulk file; call `Places.save` when the last one is added.

    Args:
        lake: The lake.
        path: The file.
        source: Its source.
        places: The snapshots that are read in place.
        is_in_place: Whether it is read where it is; a file above the limit for documents always is.
        is_gated: Whether records that the gate leaves out are only counted; if it is not given, a file that was added
            before stays as it is, and another one is gated.
        records: How many records it should have, by its manifest.

    Raises:
        FileRefused: None of its first records can be read.
        FileChanged: It was changed while it was read.
        OSError: The file cannot be read, or the lake cannot be written.
    """
    from orchestration.ingest.bulk import find_garbage

    if garbage := find_garbage(path, source):
        raise FileRefused(garbage)
    facts = {"origin": "file", "original_name": path.name, "fetched_at": dt.datetime.now(dt.UTC)}
    hints = {} if is_gated is None else {GATE: ON if is_gated else OFF}
    facts["hints"] = hints if records is None else {**hints, RECORDS: str(records)}
    remarks = []
    if is_in_place or path.stat().st_size > MAX_BYTES:
        place = str(path.resolve())
        reference = _refer_to(path, places.find(source.name, place))
        snapshot, is_new, remark = store_bulk_file(lake, reference, source.name, **facts)
        if snapshot.path is None:
            remarks.append("not read in place: the lake keeps a copy of it")
        else:
            remarks.append("read in place: leave it there")
            places.note(snapshot, place)
    else:
        snapshot, is_new, remark = store_bulk_file(lake, read_file(path)[0], source.name, **facts)
    if is_gated is None and snapshot.hints.get(GATE) == OFF:
        remarks.append("without the gate, as before: --gated uses it again")
    return AddedFile(snapshot, is_new, None, 0, "; ".join(filter(None, [*remarks, remark])))


def add_bulk_content(lake: Lake, name: str, content: bytes, source: Source) -> AddedFile:
    """Add the bytes of a bulk file from the inbox, with the gate."""
    facts = {"origin": "inbox", "original_name": name, "fetched_at": dt.datetime.now(dt.UTC), "hints": {}}
    snapshot, is_new, remark = store_bulk_file(lake, content, source.name, **facts)
    return AddedFile(snapshot, is_new, None, 0, remark)


def _refer_to(path: Path, known: Snapshot | None) -> FileReference:
    place, before = str(path.resolve()), get_state(path.stat())
    if known is not None and (known.size_bytes, known.modified_at_ns) == (before.size_bytes, before.modified_at_ns):
        return FileReference(place, known.sha256, before.size_bytes, before.modified_at_ns)  # not hashed again
    sha256 = hash_file(path)
    if sha256 is None:
        path.open("rb").close()  # raises the reason
    if sha256 is None or get_state(path.stat()) != before:
        raise FileChanged("it was changed while it was read")
    return FileReference(place, sha256, before.size_bytes, before.modified_at_ns)


def is_unchanged(path: Path, snapshot: Snapshot) -> bool:
    """Whether the file of a snapshot has the bytes that were added; hashed only if its size or time has changed."""
    try:
        state = get_state(path.stat())
    except OSError:
        return False
    if snapshot.path is not None and (state.size_bytes, state.modified_at_ns) == (
        snapshot.size_bytes,
        snapshot.modified_at_ns,
    ):
        return True
    return hash_file(path) == snapshot.sha256
