"""Folders that hold the bytes of one document and its metadata: written in one step, and never changed.

A writer holds the lock of the lake's stored documents while it has drafts, so all drafts that are found under the
lock are those of writers that were killed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from warehouse.lake import Lake, sync_folder

CONTENT = "content"
_DRAFT = ".draft-"


@contextmanager
def lock_stored_documents(lake: Lake) -> Generator[None]:
    """Lock the snapshots and refused files of a lake for one writer; the lock of a killed writer is free."""
    lake.snapshots.mkdir(parents=True, exist_ok=True)
    with (lake.snapshots / ".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write_folder(folder: Path, content: bytes | None, facts: dict[str, object], facts_name: str) -> None:
    """Make a folder with content, if there is any, and facts appear in one step; the caller holds the lock."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=folder.parent))
    try:
        for name, data in ((CONTENT, content), (facts_name, encode_json(facts))):
            if data is not None:
                with (draft / name).open("wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                (draft / name).chmod(0o444)
        sync_folder(draft)
        draft.chmod(0o755)
        draft.rename(folder)
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def encode_json(facts: dict[str, object]) -> bytes:
    """Metadata as it is written to disk."""
    return json.dumps(facts, indent=1, ensure_ascii=False).encode()


def hash_file(path: Path) -> str | None:
    """SHA-256 of the bytes of a file, without holding them in memory; none if it is missing or cannot be read."""
    with suppress(OSError), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
    return None


def remove_drafts(lake: Lake) -> int:
    """Remove the drafts of killed writers; returns how many there were. The caller holds the lake's lock."""
    with lock_stored_documents(lake):
        drafts = [*lake.snapshots.glob(f"*/{_DRAFT}*"), *lake.refused.glob(f"{_DRAFT}*")]
        for draft in drafts:
            shutil.rmtree(draft)
    # records of runs, which are written under the lake's lock; `replace_file` adds the number of its process
    records = [*lake.root.glob(".checks.json.[0-9]*"), *lake.root.glob(".last_run.json.[0-9]*")]
    for record in records:
        record.unlink()
    return len(drafts) + len(records)
