"""Adding the files that wait for a run: the bundled facts and the inbox folder.

A file of the inbox is taken when it has stopped changing, and removed only when its bytes are proved to be in the lake,
as a snapshot or among the refused files. Before it is removed it is moved aside, so that a file that somebody puts
under the same name in the same moment is never removed in its place. What cannot be read is refused once and stays.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from orchestration.ingest.bulk_files import add_bulk_content, find_bulk_source_of
from orchestration.ingest.files import (
    HIDDEN,
    INCOMPLETE,
    UTF8_REASON,
    FileChanged,
    FileState,
    find_writers,
    get_state,
    is_utf8,
    read_file,
)
from orchestration.ingest.inbox_files import LEFT, WaitingFiles, find_waiting_files
from orchestration.ingest.refused import locate_refused, move_to_refused, record_unreadable, store_refused
from orchestration.ingest.snapshots import add_bundled, add_content, get_content_path
from orchestration.ingest.stored_folders import hash_file, remove_drafts
from orchestration.sources.shared.document import MAX_BYTES
from orchestration.sources.source import DocumentRefused
from warehouse.lake import Lake, replace_file
from warehouse.table import utc_now
from warehouse.terminal_text import escape_name

_ASIDE = ".taking-"
_MAX_NAME_BYTES = 240  # a file system allows 255


@dataclass(frozen=True)
class _StoredFile:
    """A file of the inbox, the state in which it was read, and where its bytes are stored with which hash."""

    path: Path
    state: FileState
    stored: Path
    sha256: str


def add_waiting_files(lake: Lake, log: Callable[[str], None]) -> None:
    """Add the bundled facts (unless ``AISLE_BUNDLED=no``) and the files of the inbox; the caller holds the lake's lock.

    Raises:
        OSError: The lake cannot be written; what was not kept is still in the inbox.
    """
    if drafts := remove_drafts(lake):
        log(f"removed {drafts} drafts that killed processes had left")
    if os.environ.get("AISLE_BUNDLED", "yes").lower() not in {"no", "0", "false"}:
        for line in add_bundled(lake):
            log(line)
    lake.inbox.mkdir(parents=True, exist_ok=True)
    _put_back_interrupted(lake, log)
    waiting = find_waiting_files(lake.inbox, can_wait=True)
    _log_left(lake, waiting, log)
    left, stored = [path for path, _ in waiting.unsettled], list[_StoredFile]()

    def log_left(path: Path, reason: object) -> None:
        left.append(path)
        log(f"left {_show(lake, path)} in the inbox: {reason}; a later run takes it")

    for path, state in waiting.ready.items():
        try:
            stored += _store_file(lake, path, state, log)
        except FileChanged as change:
            log_left(path, change)
    writers = find_writers(file.state for file in stored)
    for file in stored:
        try:
            _remove(lake, file, log, is_open=file.state in writers)
        except FileChanged as change:
            log_left(file.path, change)
    if left:
        replace_file(lake.inbox / LEFT, utc_now().isoformat().encode())
    else:
        (lake.inbox / LEFT).unlink(missing_ok=True)


def _show(lake: Lake, path: Path) -> str:
    return escape_name(path.relative_to(lake.inbox))


def _log_left(lake: Lake, waiting: WaitingFiles, log: Callable[[str], None]) -> None:
    """Log what stays in the inbox, and record what cannot be read."""
    for path, reason in waiting.unsettled:
        log(f"left {_show(lake, path)} in the inbox: {reason}; a later run takes it")
    for path, reason in waiting.refused:
        _refuse_unreadable(lake, path, f"found {reason}", log)
    if incomplete := [_show(lake, path) for path, kind in waiting.skipped if kind == INCOMPLETE]:
        log(f"left {', '.join(incomplete)} in the inbox: {INCOMPLETE}, by its name")
    if other := [_show(lake, path) for path, kind in waiting.skipped if kind not in {INCOMPLETE, HIDDEN}]:
        log(f"skipped {', '.join(other)} in the inbox: no data")


def _refuse_unreadable(lake: Lake, path: Path, reason: str, log: Callable[[str], None]) -> None:
    record_unreadable(lake, _show(lake, path), reason)
    log(f"refused {_show(lake, path)}: {reason}; it was left in the inbox")


def _store_file(lake: Lake, path: Path, state: FileState, log: Callable[[str], None]) -> list[_StoredFile]:
    """Store one file in the lake; returns it if it is to be removed from the inbox, else nothing.

    Raises:
        FileChanged: It changed after it was found, and is still there.
        OSError: The lake cannot be written; the file is still there.
    """
    name = _show(lake, path)
    if state.size_bytes > MAX_BYTES:
        reason = f"found {state.size_bytes:,} bytes; the limit is {MAX_BYTES:,}"
        if find_bulk_source_of(path):
            reason += ", except for bulk files that `aisle add` reads where they are: move it out of the lake first"
        sha256, is_moved = move_to_refused(lake, path, reason)
        log(f"refused {name}: {reason}; it is kept as {locate_refused(lake, sha256)}")
        return [] if is_moved else [_StoredFile(path, state, locate_refused(lake, sha256), sha256)]
    try:
        content, read_state = read_file(path)
    except FileChanged:
        raise
    except OSError as error:
        _refuse_unreadable(lake, path, f"cannot be read: {error.strerror}", log)
        return []
    except DocumentRefused as refusal:
        _refuse_unreadable(lake, path, str(refusal), log)
        return []
    if read_state != state:
        raise FileChanged("it was changed before it was read")
    return [_StoredFile(path, state, _store(lake, path, content, log), hashlib.sha256(content).hexdigest())]


def _store(lake: Lake, path: Path, content: bytes, log: Callable[[str], None]) -> Path:
    """Store the bytes of a file as a snapshot or among the refused files; returns where they are."""
    name = _show(lake, path)
    if not is_utf8(path.name):
        sha256 = store_refused(lake, path.name, content, f"{UTF8_REASON}: rename it and add it again")
        log(f"refused {name}: {UTF8_REASON}; it is kept as {locate_refused(lake, sha256)}: rename it and add it again")
        return locate_refused(lake, sha256)
    try:
        if source := find_bulk_source_of(path):
            added = add_bulk_content(lake, path.name, content, source)
        else:
            added = add_content(lake, path.name, content, origin="inbox")
    except DocumentRefused as refusal:
        stored = locate_refused(lake, hashlib.sha256(content).hexdigest())
        log(f"refused {name}: {refusal}; it is kept as {stored}")
        return stored
    snapshot, remark = added.snapshot, "".join(f"; {text}" for text in (added.counted, added.remark) if text)
    when = "" if added.is_new else f", already stored since {snapshot.fetched_at:%Y-%m-%d %H:%M} UTC"
    what = "a bulk file" if added.records is None else f"{added.records} records"
    log(f"added {name}: {what} of {snapshot.source}{when}{remark}")
    return get_content_path(lake, snapshot)


def _remove(lake: Lake, file: _StoredFile, log: Callable[[str], None], *, is_open: bool) -> None:
    """Remove a file from the inbox if it still is the one that was stored; of a link only the link.

    Raises:
        FileChanged: It was changed or replaced, or a process has it open for writing; the file is still there.
        OSError: The stored bytes are not those of the file.
    """
    path = file.path
    if hash_file(file.stored) != file.sha256:
        raise OSError(f"{file.stored} does not have the bytes of {_show(lake, path)}, which was left in the inbox")
    aside: Path | None = None
    try:
        own_state, is_link = get_state(path.lstat()), path.is_symlink()
        if is_open or get_state(path.stat()) != file.state:
            raise FileChanged("it was changed after it was read")
        aside = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=path.parent))
        moved = path.rename(aside / path.name)
        if get_state(moved.lstat()) != own_state or not (is_link or hash_file(moved) == file.sha256):
            raise FileChanged("another file was put in its place")
        moved.unlink()
    except FileChanged:
        raise
    except OSError as error:
        log(f"{_show(lake, path)} is kept, but cannot be removed from the inbox: {error.strerror}")
    finally:
        if aside is not None:
            _put_back(aside)


def _put_back_interrupted(lake: Lake, log: Callable[[str], None]) -> None:
    """Put files back that a killed run had moved aside."""
    for aside in lake.inbox.rglob(f"{_ASIDE}*"):
        try:
            _put_back(aside)
        except OSError as error:
            log(f"{_show(lake, aside)} is left from a run that was killed and cannot be put back: {error.strerror}")


def _put_back(aside: Path) -> None:
    """Move what is in a folder aside back beside it, under another name if its own is taken, and remove the folder."""
    for moved in list(aside.iterdir()):
        target, number = aside.parent / moved.name, 1
        while os.path.lexists(target):
            number += 1
            tail = os.fsdecode(os.fsencode(moved.name)[-_MAX_NAME_BYTES:])
            target = aside.parent / f"{number} {tail}"
        moved.rename(target)
    with suppress(FileNotFoundError):
        aside.rmdir()
