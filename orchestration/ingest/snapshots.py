"""Snapshots: the bytes of one file or fetch, stored under a hash of their content and never changed.

``snapshots/<source>/<snapshot_id>/`` holds the bytes (``content``) and their metadata (``snapshot.json``), which is
updated when the same bytes are added with other hints. The folder appears in one step. Bytes that differ from what
was stored are noticed before they are parsed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import tomllib
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from orchestration.ingest.files import UTF8_REASON, FileReference, FileRefused, is_utf8, read_file
from orchestration.ingest.hints import merge_hints
from orchestration.ingest.parsed import keep_parsed
from orchestration.ingest.parser_process import parse_bytes
from orchestration.ingest.refused import forget_refused, store_refused
from orchestration.ingest.stored_folders import CONTENT, encode_json, hash_file, lock_stored_documents, write_folder
from orchestration.ingest.table_columns import ConfirmColumns, ParsedTable, parse_with_columns
from orchestration.sources.registry import get_source
from orchestration.sources.shared.encoding import build_charset_hint
from orchestration.sources.sheet.list_names import describe_list
from orchestration.sources.source import DocumentRefused, ParseResult
from warehouse.lake import Lake, replace_file
from warehouse.terminal_text import escape_name

BUNDLED = Path(__file__).parents[2] / "warehouse" / "bundled"
_FACTS = "snapshot.json"
Origin = Literal["bundled", "file", "inbox", "fetch"]


class DamagedSnapshot(OSError):
    """Bytes or metadata of a snapshot are not what was stored; the message names the folder and what to do."""

    @classmethod
    def of(cls, folder: Path, reason: str) -> DamagedSnapshot:
        """The error for one folder, with the two ways out."""
        return cls(
            f"the snapshot {folder} is damaged ({reason}); restore it, or remove the folder and add the file again"
        )


@dataclass(frozen=True)
class Snapshot:
    """The metadata of one snapshot.

    Args:
        snapshot_id: First 16 hex digits of the content's SHA-256; where another source holds the same content, of the
            SHA-256 of the source's name and the content.
        source: Name of its source.
        origin: How it was added: ``bundled``, by ``aisle add`` (``file``), by the ``inbox`` or by a ``fetch``.
        original_name: Name of the file, or of the request.
        url: Where it was fetched from, if it was.
        sha256: Hash of the content.
        size_bytes: Length of the content.
        fetched_at: When the content was added (for bundled facts: when they were compiled).
        licence: Terms under which the records may be used.
        hints: What is known of it from outside: from a person (``owner``), or a feed (``feed``, a mapping of columns).
        http_status: Status of the response, if it was fetched.
        headers: Some headers of that response, in lower case.
        path: Where its bytes are, if they are read in place and not kept in the lake.
        modified_at_ns: Time of the last change of the file at that path.
        other_paths: Where the same bytes were added from too.
        is_bulk: Whether it is a bulk file, which is read by a statement of the engine.
    """

    snapshot_id: str
    source: str
    origin: Origin
    original_name: str
    sha256: str
    size_bytes: int
    fetched_at: dt.datetime
    licence: str
    url: str | None = None
    hints: dict[str, str] = field(default_factory=dict)
    http_status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    path: str | None = None
    modified_at_ns: int | None = None
    other_paths: list[str] = field(default_factory=list)
    is_bulk: bool = False

    @property
    def feed(self) -> str | None:
        """Name of the feed that fetched it, if one did."""
        return self.hints.get("feed") if self.origin == "fetch" else None


@dataclass(frozen=True)
class AddedFile:
    """The result of adding a file: its snapshot, whether that is new, the number of records and rejects, and a remark.

    The number of records of a bulk file is not known before a run reads it.

    The remark reports hints that changed or were not used, and another source that has the same bytes. Of a list, it is
    stated in which corpus it counts.
    """

    snapshot: Snapshot
    is_new: bool
    records: int | None
    rejects: int
    remark: str = ""
    counted: str = ""


def get_content_path(lake: Lake, snapshot: Snapshot) -> Path:
    """Path of the bytes of a snapshot."""
    if snapshot.path is not None:
        return Path(snapshot.path)
    return lake.bring(lake.snapshots / snapshot.source / snapshot.snapshot_id / CONTENT)


def list_snapshots(lake: Lake) -> list[Snapshot]:
    """All snapshots of a lake, oldest first.

    Raises:
        DamagedSnapshot: The metadata of one, or its bytes, are missing or cannot be right.
    """
    snapshots, damages = [], []
    for folder in lake.snapshots.glob("[!.]*/[!.]*"):
        try:
            snapshots.append(_read_metadata(lake, folder))
        except NotADirectoryError:  # a file that somebody put there
            continue
        except DamagedSnapshot as damage:
            damages.append(str(damage))
    if damages:
        raise DamagedSnapshot("; ".join(sorted(damages)))
    return sorted(snapshots, key=lambda snapshot: (snapshot.fetched_at, snapshot.snapshot_id))


def add_file(
    lake: Lake,
    path: Path,
    *,
    origin: Origin = "file",
    hints: dict[str, str] | None = None,
    confirm_columns: ConfirmColumns | None = None,
) -> AddedFile:
    """Add a file as a snapshot of the source that recognises it.

    Args:
        lake: The lake.
        path: The file.
        origin: How it is added.
        hints: What is known of it from outside.
        confirm_columns: Confirms the columns that a table probably has; without it only sure ones are taken.

    Raises:
        FileRefused: It is too large, or not a regular file with a name in UTF-8; it is left where it is.
        DocumentRefused: No source can read it; it is stored under ``refused/`` with the reason.
        FileChanged: It was changed while it was read.
        OSError: The file cannot be read, or the lake cannot be written.
    """
    if not is_utf8(path.name):
        raise FileRefused(f"{UTF8_REASON}: rename it and add it again")
    content = read_file(path)[0]
    return add_content(lake, path.name, content, origin=origin, hints=hints, confirm_columns=confirm_columns)


def add_content(
    lake: Lake,
    name: str,
    content: bytes,
    *,
    origin: Origin,
    hints: dict[str, str] | None = None,
    confirm_columns: ConfirmColumns | None = None,
) -> AddedFile:
    """Add the bytes of a file as a snapshot of the source that recognises them.

    Raises:
        DocumentRefused: No source can read them; they are stored under ``refused/`` with the reason.
        OSError: The lake cannot be written.
    """
    name = escape_name(name)
    hints = hints or {}
    try:
        table = parse_with_columns(lake, lambda known: parse_bytes(content, name, known), hints, confirm_columns)
    except DocumentRefused as refusal:
        store_refused(lake, name, content, str(refusal))
        raise
    facts = {"origin": origin, "original_name": name, "fetched_at": dt.datetime.now(dt.UTC)}
    return _store_added(lake, content, table, facts)


def add_response(
    lake: Lake,
    content: bytes,
    name: str,
    url: str,
    *,
    source: str | None = None,
    confirm_columns: ConfirmColumns | None = None,
    **facts: Any,
) -> AddedFile:
    """Add the response of an address that a person gave, as a snapshot of the named source or of any.

    Raises:
        DocumentRefused: No source can read it; it is stored under ``refused/`` with the reason.
        OSError: The lake cannot be written.
    """
    hints = {**build_charset_hint(facts.get("headers", {})), **facts.pop("hints", {}), "url": url}
    try:
        table = parse_with_columns(
            lake, lambda known: parse_bytes(content, name, known, source), hints, confirm_columns
        )
        if not table.result.items:
            raise DocumentRefused(f"found a document of {table.source} without a single record")
    except DocumentRefused as refusal:
        store_refused(lake, name, content, str(refusal))
        raise
    moment = dt.datetime.now(dt.UTC)
    facts |= {"origin": "fetch", "original_name": name, "url": url, "fetched_at": moment}
    return _store_added(lake, content, table, facts)


def _store_added(lake: Lake, content: bytes, table: ParsedTable, facts: dict[str, Any]) -> AddedFile:
    """Store a document that a person added, also for the companions of its source that recognise it."""
    source, result = table.source, table.result
    facts = {**facts, "hints": table.hints}
    snapshot, is_new, remark = _store_snapshot(lake, content, source, is_by_hand=True, **facts)
    forget_refused(lake, snapshot.sha256)
    keep_parsed(lake, source, snapshot.snapshot_id, snapshot.hints, result)
    remarks = [table.remark, remark]
    for companion in get_source(source).companions:
        try:
            _, other = parse_bytes(content, facts["original_name"], facts["hints"], companion)
        except DocumentRefused:
            continue
        other_snapshot, is_other_new, _ = _store_snapshot(lake, content, companion, is_by_hand=True, **facts)
        keep_parsed(lake, companion, other_snapshot.snapshot_id, other_snapshot.hints, other)
        is_new = is_new or is_other_new
        counts = f"also {len(other.records)} records of {companion}"
        remarks.append(counts + (f", {len(other.rejects)} not read" if other.rejects else ""))
    counted = describe_list([record.values for record in result.records], snapshot.hints)
    remark = "; ".join(filter(None, remarks))
    return AddedFile(snapshot, is_new, len(result.records), len(result.rejects), remark, counted)


def store_fetched(lake: Lake, content: bytes, source: str, result: ParseResult, **facts: Any) -> tuple[Snapshot, bool]:
    """Store a response that its feed's source could parse, with the result, as a snapshot.

    Returns:
        The snapshot, and whether it is new.

    Raises:
        OSError: The lake cannot be written, or a snapshot in it is damaged.
    """
    snapshot, is_new, _ = _store_snapshot(lake, content, source, origin="fetch", **facts)
    if is_new:
        keep_parsed(lake, source, snapshot.snapshot_id, snapshot.hints, result)
    return snapshot, is_new


def store_bulk_file(
    lake: Lake, content: bytes | FileReference, source: str, **facts: Any
) -> tuple[Snapshot, bool, str]:
    """Store a bulk file, or where it is, as a snapshot; the snapshot, whether it is new, and a remark.

    Raises:
        OSError: The lake cannot be written, or a snapshot in it is damaged.
    """
    return _store_snapshot(lake, content, source, is_by_hand=True, is_bulk=True, **facts)


def set_paths(lake: Lake, snapshot: Snapshot, paths: list[str]) -> None:
    """Store where the bytes of a snapshot are that is read in place; the first path is the one that is read.

    Raises:
        OSError: The lake cannot be written, or a file is gone.
    """
    folder = lake.snapshots / snapshot.source / snapshot.snapshot_id
    stored = _read_metadata(lake, folder)
    modified_at_ns = Path(paths[0]).stat().st_mtime_ns
    changed = replace(stored, path=paths[0], modified_at_ns=modified_at_ns, other_paths=paths[1:])
    if changed != stored:
        _replace_file(folder / _FACTS, encode_json(_build_metadata(changed)))


def read_snapshot(lake: Lake, source: str, snapshot_id: str) -> tuple[Snapshot, bytes] | None:
    """A snapshot and its bytes, or none if it is missing or damaged."""
    try:
        snapshot = _read_metadata(lake, lake.snapshots / source / snapshot_id)
        content = get_content_path(lake, snapshot).read_bytes()
    except OSError:
        return None
    return (snapshot, content) if hashlib.sha256(content).hexdigest() == snapshot.sha256 else None


def add_bundled(lake: Lake) -> list[str]:
    """Add the facts bundled with the project, dated when they were compiled; a line for each change."""
    bundled = tomllib.loads((BUNDLED / "bundled.toml").read_text(encoding="utf-8"))
    lines = []
    for name, facts in bundled.items():
        compiled = dt.datetime.combine(facts["compiled_on"], dt.time(), dt.UTC)
        content = (BUNDLED / name).read_bytes()
        _, is_new, remark = _store_snapshot(
            lake, content, facts["source"], origin="bundled", original_name=name, fetched_at=compiled
        )
        if is_new or remark:
            lines.append(f"added the bundled {name}" if is_new else f"the bundled {name}: {remark}")
    return lines


def _read_metadata(lake: Lake, folder: Path) -> Snapshot:
    """The metadata of a snapshot, which fit its bytes as far as can be seen without reading them."""
    try:
        metadata = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        metadata["fetched_at"] = dt.datetime.fromisoformat(metadata["fetched_at"])
        snapshot = Snapshot(**metadata)
        if snapshot.path is not None:  # looked at only when it is read: until then it may be on a disk that is away
            return snapshot
        size_bytes = lake.measure_file(folder / CONTENT)
    except FileNotFoundError as error:
        raise DamagedSnapshot.of(folder, f"{Path(error.filename).name} is missing") from error
    except (ValueError, TypeError, KeyError) as error:
        raise DamagedSnapshot.of(folder, f"{_FACTS} is damaged: {error}") from error
    if size_bytes != snapshot.size_bytes:
        raise DamagedSnapshot.of(folder, f"{CONTENT} has {size_bytes:,} bytes instead of {snapshot.size_bytes:,}")
    return snapshot


def _store_snapshot(
    lake: Lake, content: bytes | FileReference, source: str, *, is_by_hand: bool = False, **facts: Any
) -> tuple[Snapshot, bool, str]:
    """Store bytes, the same bytes of a source once; the snapshot, whether it is new, and a remark."""
    if isinstance(content, FileReference):
        sha256, size_bytes, kept = content.sha256, content.size_bytes, None
        salted = hashlib.sha256(f"{source}\n{sha256}".encode()).hexdigest()
        facts |= {"path": content.path, "modified_at_ns": content.modified_at_ns}
    else:
        sha256, size_bytes, kept = hashlib.sha256(content).hexdigest(), len(content), content
        salted = hashlib.sha256(f"{source}\n".encode() + content).hexdigest()
    # without the lock two sources with the same content could both take the unsalted identity
    with lock_stored_documents(lake):
        for identity in (sha256[:16], salted[:16]):
            if (folder := lake.bring(lake.snapshots / source / identity)).exists():
                is_repaired = kept is not None and _repair_content(folder, kept, sha256)
                stored = _read_metadata(lake, folder)
                snapshot, remark = merge_hints(stored, facts, is_by_hand)
                if stored.path is not None:  # the file may have been moved since, or is kept in the lake now
                    places = {name: facts.get(name) for name in ("path", "modified_at_ns")}
                    snapshot = replace(snapshot, **places)
                if snapshot != stored:
                    _replace_file(folder / _FACTS, encode_json(_build_metadata(snapshot)))
                repair = "its stored bytes were damaged and are whole again"
                if stored.path is not None:
                    repair = "it is kept in the lake now"
                return snapshot, False, "; ".join(filter(None, [remark, repair if is_repaired else ""]))
        others = sorted(path.parts[-3] for path in lake.snapshots.glob(f"[!.]*/{sha256[:16]}/{_FACTS}"))
        facts.setdefault("licence", get_source(source).licence)
        identity = (salted if others else sha256)[:16]
        snapshot = Snapshot(snapshot_id=identity, source=source, sha256=sha256, size_bytes=size_bytes, **facts)
        write_folder(lake.snapshots / source / identity, kept, _build_metadata(snapshot), _FACTS)
    return snapshot, True, f"the same bytes are stored as {others[0]} too" if others else ""


def _repair_content(folder: Path, content: bytes, sha256: str) -> bool:
    """Write the bytes of a snapshot again if they are not what they were; whether that was needed."""
    if hash_file(folder / CONTENT) == sha256:
        return False
    _replace_file(folder / CONTENT, content)
    return True


def _replace_file(path: Path, content: bytes) -> None:
    replace_file(path, content)
    path.chmod(0o444)


def _build_metadata(snapshot: Snapshot) -> dict[str, object]:
    return {**asdict(snapshot), "fetched_at": snapshot.fetched_at.isoformat()}
