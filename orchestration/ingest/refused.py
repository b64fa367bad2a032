"""Refused files: what no source could use is stored under ``refused/`` with the reason, the same bytes once."""

from __future__ import annotations

import datetime as dt
import errno
import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from orchestration.ingest.files import FileChanged, get_state, open_file
from orchestration.ingest.stored_folders import CONTENT, hash_file, lock_stored_documents, write_folder
from warehouse.lake import Lake, sync_folder
from warehouse.table import utc_now
from warehouse.terminal_text import escape_name

_FACTS = "refusal.json"


@dataclass(frozen=True)
class RefusedFile:
    """A file that no source could use: hash, name, size, the reason, and when it was refused.

    The hash is that of the bytes, or, where they could not be read, of the name and the reason.
    """

    sha256: str
    original_name: str
    size_bytes: int
    reason: str
    refused_at: dt.datetime


def list_refused_files(lake: Lake) -> list[RefusedFile]:
    """All files that were refused, oldest first.

    Raises:
        OSError: The facts of one are damaged.
    """
    refused = []
    for path in lake.refused.glob(f"[!.]*/{_FACTS}"):
        try:
            metadata = json.loads(path.read_text(encoding="utf-8"))
            refused.append(RefusedFile(**metadata | {"refused_at": dt.datetime.fromisoformat(metadata["refused_at"])}))
        except (ValueError, TypeError, KeyError) as error:
            raise OSError(f"{path} is damaged ({error}); restore it, or remove its folder") from error
    return sorted(refused, key=lambda file: (file.refused_at, file.sha256))


def locate_refused(lake: Lake, sha256: str) -> Path:
    """Path of the bytes of a refused file."""
    return lake.bring(lake.refused / sha256[:16] / CONTENT)


def store_refused(lake: Lake, name: str, content: bytes, reason: str) -> str:
    """Store bytes that no source can read with the reason, the same bytes once; returns their hash."""
    sha256 = hashlib.sha256(content).hexdigest()
    with lock_stored_documents(lake):
        if not (folder := lake.refused / sha256[:16]).exists():
            write_folder(folder, content, _describe(sha256, name, len(content), reason), _FACTS)
    return sha256


def record_unreadable(lake: Lake, name: str, reason: str) -> None:
    """Record once that a file could not be read; there are no bytes of it."""
    sha256 = hashlib.sha256(f"{escape_name(name)}\n{reason}".encode()).hexdigest()
    with lock_stored_documents(lake):
        if not (folder := lake.refused / sha256[:16]).exists():
            write_folder(folder, None, _describe(sha256, name, 0, reason), _FACTS)


def move_to_refused(lake: Lake, path: Path, reason: str) -> tuple[str, bool]:
    """Move a file that is too large to be read into memory to ``refused/``, with the reason.

    A link, or a file on another file system, stays where it is, and its bytes are copied. The move is the last step:
    a killed run leaves the file either where it was or kept.

    Returns:
        Hash of its bytes, and whether the file was moved.

    Raises:
        FileChanged: It was changed while it was read.
        OSError: It cannot be read, or the lake cannot be written.
    """
    with os.fdopen(open_file(path), "rb") as file, lock_stored_documents(lake):
        state = get_state(os.fstat(file.fileno()))
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        if get_state(path.stat()) != state:
            raise FileChanged("it was changed while it was read")
        content = locate_refused(lake, sha256)
        if not content.parent.exists():
            write_folder(content.parent, None, _describe(sha256, path.name, state.size_bytes, reason), _FACTS)
        if is_refused_kept(lake, sha256):
            return sha256, False
        if not path.is_symlink() and _rename(path, content):
            return sha256, True
        draft = content.with_name(f".{CONTENT}")
        file.seek(0)
        with draft.open("wb") as copy:
            shutil.copyfileobj(file, copy)
            copy.flush()
            os.fsync(copy.fileno())
        draft.replace(content)
        sync_folder(content.parent)
    return sha256, False


def forget_refused(lake: Lake, sha256: str) -> None:
    """Remove a refused file that could be added after all, such as a table whose columns were named."""
    with lock_stored_documents(lake):
        shutil.rmtree(lake.refused / sha256[:16], ignore_errors=True)


def is_refused_kept(lake: Lake, sha256: str) -> bool:
    """Whether the bytes of a refused file are in the lake, proved by reading them."""
    return hash_file(locate_refused(lake, sha256)) == sha256


def _rename(path: Path, target: Path) -> bool:
    """Rename a file; whether that was possible, which it is not to another file system."""
    try:
        path.rename(target)
    except OSError as error:
        if error.errno in {errno.EXDEV, errno.EACCES, errno.EPERM}:
            return False
        raise
    return True


def _describe(sha256: str, name: str, size_bytes: int, reason: str) -> dict[str, object]:
    facts = asdict(RefusedFile(sha256, escape_name(name), size_bytes, reason, utc_now()))
    return facts | {"refused_at": facts["refused_at"].isoformat()}
