"""Bulk files: added as snapshots, kept in the lake if they are small, else read where they are.

A bulk file is not parsed when it is added: a run reads it, as one unit of work.
"""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

from orchestration.ingest.files import FileChanged, get_state, read_file
from orchestration.ingest.snapshots import AddedFile, FileReference, Snapshot, list_snapshots, store_bulk_file
from orchestration.ingest.stored_folders import hash_file
from orchestration.sources.shared.document import MAX_BYTES
from orchestration.sources.source import Source
from warehouse.lake import Lake

_MARKS = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1", b"{")  # gzip, Zstandard, Parquet, JSON
_LONGEST_MARK = 16
GATE, OPEN = "gate", "open"  # the hint of a file of which the gate leaves out nothing


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


def index_places(lake: Lake) -> dict[str, Snapshot]:
    """The snapshots that are read in place, by source and path."""
    return {f"{one.source} {one.path}": one for one in list_snapshots(lake) if one.path is not None}


def add_bulk_file(
    lake: Lake, path: Path, source: Source, places: dict[str, Snapshot], *, is_in_place: bool, is_gated: bool
) -> AddedFile:
    """Add a bulk file; one that is read in place replaces the snapshot of an earlier file at its path.

    Args:
        lake: The lake.
        path: The file.
        source: Its source.
        places: The `index_places` of the lake; the snapshot is added.
        is_in_place: Whether it is read where it is; a file above the limit for documents always is.
        is_gated: Whether records that the gate leaves out are only counted.

    Raises:
        FileChanged: It was changed while it was read.
        OSError: The file cannot be read, or the lake cannot be written.
    """
    facts = {"origin": "file", "original_name": path.name, "fetched_at": dt.datetime.now(dt.UTC)}
    facts["hints"] = {} if is_gated else {GATE: OPEN}
    remarks = []
    if is_in_place or path.stat().st_size > MAX_BYTES:
        key = f"{source.name} {path.resolve()}"
        known = places.get(key)
        snapshot, is_new, remark = store_bulk_file(lake, _refer_to(path, known), source.name, **facts)
        remarks.append("read in place: leave it there")
        if known is not None and known.snapshot_id != snapshot.snapshot_id:
            shutil.rmtree(lake.snapshots / source.name / known.snapshot_id)
            remarks.append(f"replaces {known.snapshot_id}")
        places[key] = snapshot
    else:
        snapshot, is_new, remark = store_bulk_file(lake, read_file(path)[0], source.name, **facts)
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
