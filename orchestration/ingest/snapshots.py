"""Snapshots: the bytes of one file or fetch, stored under a hash of their content and never changed.

``snapshots/<source>/<snapshot_id>/`` holds the bytes (``content``) and their metadata (``snapshot.json``), which is
updated when the same bytes are added with other hints. The folder appears in one step. Files that no source
recognises are stored under ``refused/`` with the reason.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import tomllib
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from orchestration.ingest.parser_process import parse_bytes, parse_file
from orchestration.sources.registry import get_source
from orchestration.sources.shared.document import MAX_BYTES
from orchestration.sources.source import DocumentRefused, ParseResult
from warehouse.lake import Lake, replace_file, sync_folder
from warehouse.table import utc_now

BUNDLED = Path(__file__).parents[2] / "warehouse" / "bundled"
_ADDRESSES = frozenset({"url", "feed_url", "page_url"})
Origin = Literal["bundled", "file", "inbox", "fetch"]


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

    @property
    def feed(self) -> str | None:
        """Name of the feed that fetched it, if one did."""
        return self.hints.get("feed") if self.origin == "fetch" else None


@dataclass(frozen=True)
class RefusedFile:
    """A file that no source could use: hash, name, size, the reason, and when it was refused."""

    sha256: str
    original_name: str
    size_bytes: int
    reason: str
    refused_at: dt.datetime


@dataclass(frozen=True)
class AddedFile:
    """The result of adding a file: its snapshot, whether that is new, the number of records and rejects, and a remark.

    The remark reports hints that changed or were not used, and another source that has the same bytes.
    """

    snapshot: Snapshot
    is_new: bool
    records: int
    rejects: int
    remark: str = ""


def get_content_path(lake: Lake, snapshot: Snapshot) -> Path:
    """Path of the bytes of a snapshot."""
    return lake.snapshots / snapshot.source / snapshot.snapshot_id / "content"


def list_snapshots(lake: Lake) -> list[Snapshot]:
    """All snapshots of a lake, oldest first."""
    snapshots = [_read_metadata(path) for path in lake.snapshots.glob("[!.]*/[!.]*/snapshot.json")]
    return sorted(snapshots, key=lambda snapshot: (snapshot.fetched_at, snapshot.snapshot_id))


def list_refused_files(lake: Lake) -> list[RefusedFile]:
    """All files that were refused, oldest first."""
    refused = []
    for path in lake.refused.glob("[!.]*/refusal.json"):
        metadata = json.loads(path.read_text(encoding="utf-8"))
        metadata["refused_at"] = dt.datetime.fromisoformat(metadata["refused_at"])
        refused.append(RefusedFile(**metadata))
    return sorted(refused, key=lambda file: (file.refused_at, file.sha256))


def list_visible_files(folder: Path) -> list[Path]:
    """All files below a folder, sorted, without hidden ones (such as ``.DS_Store``)."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def add_file(lake: Lake, path: Path, *, origin: Origin = "file", hints: dict[str, str] | None = None) -> AddedFile:
    """Add a file as a snapshot of the source that recognises it.

    Raises:
        DocumentRefused: No source can read it; it is stored under ``refused/`` with the reason.
        OSError: The file cannot be read, or the lake cannot be written.
    """
    size = path.stat().st_size
    if not path.is_file():
        raise DocumentRefused("found something that is not a regular file (a device or a pipe)")
    if size > MAX_BYTES:
        raise DocumentRefused(f"found {size:,} bytes; the limit is {MAX_BYTES:,} (the file was left where it is)")
    content = path.read_bytes()
    try:
        source, result = parse_file(path.resolve(), path.name, hints or {})
    except DocumentRefused as refusal:
        store_refused(lake, path.name, content, str(refusal))
        raise
    facts = {"origin": origin, "original_name": path.name, "fetched_at": utc_now(), "hints": hints or {}}
    return _store_added(lake, content, source, result, facts)


def add_response(
    lake: Lake, content: bytes, name: str, url: str, *, source: str | None = None, **facts: Any
) -> AddedFile:
    """Add the response of an address that a person gave, as a snapshot of the named source or of any.

    Raises:
        DocumentRefused: No source can read it; it is stored under ``refused/`` with the reason.
        OSError: The lake cannot be written.
    """
    hints = {**facts.pop("hints", {}), "url": url}
    try:
        source, result = parse_bytes(content, name, hints, source)
        if not result.items:
            raise DocumentRefused(f"found a document of {source} without a single record")
    except DocumentRefused as refusal:
        store_refused(lake, name, content, str(refusal))
        raise
    moment = dt.datetime.now(dt.UTC)
    facts |= {"origin": "fetch", "original_name": name, "url": url, "fetched_at": moment, "hints": hints}
    return _store_added(lake, content, source, result, facts)


def _store_added(lake: Lake, content: bytes, source: str, result: ParseResult, facts: dict[str, Any]) -> AddedFile:
    """Store a document that a person added, also for the companions of its source that recognise it."""
    snapshot, is_new, remark = _store_snapshot(lake, content, source, is_by_hand=True, **facts)
    remarks = [remark]
    for companion in get_source(source).companions:
        try:
            _, other = parse_bytes(content, facts["original_name"], facts["hints"], companion)
        except DocumentRefused:
            continue
        is_new = _store_snapshot(lake, content, companion, is_by_hand=True, **facts)[1] or is_new
        counts = f"also {len(other.records)} records of {companion}"
        remarks.append(counts + (f", {len(other.rejects)} not read" if other.rejects else ""))
    return AddedFile(snapshot, is_new, len(result.records), len(result.rejects), "; ".join(filter(None, remarks)))


def store_fetched(lake: Lake, content: bytes, source: str, **facts: Any) -> tuple[Snapshot, bool]:
    """Store a response that its feed's source could parse as a snapshot.

    Returns:
        The snapshot, and whether it is new.

    Raises:
        OSError: The lake cannot be written, or a snapshot in it is damaged.
    """
    snapshot, is_new, _ = _store_snapshot(lake, content, source, origin="fetch", **facts)
    return snapshot, is_new


def read_snapshot(lake: Lake, source: str, snapshot_id: str) -> tuple[Snapshot, bytes] | None:
    """A snapshot and its bytes, or none if it is missing or damaged."""
    try:
        snapshot = _read_metadata(lake.snapshots / source / snapshot_id / "snapshot.json")
        content = get_content_path(lake, snapshot).read_bytes()
    except OSError:
        return None
    return (snapshot, content) if hashlib.sha256(content).hexdigest() == snapshot.sha256 else None


def add_bundled(lake: Lake) -> list[Snapshot]:
    """Add the facts bundled with the project, dated when they were compiled; the snapshots that are new."""
    bundled = tomllib.loads((BUNDLED / "bundled.toml").read_text(encoding="utf-8"))
    new = []
    for name, facts in bundled.items():
        compiled = dt.datetime.combine(facts["compiled_on"], dt.time(), dt.UTC)
        content = (BUNDLED / name).read_bytes()
        snapshot, is_new, _ = _store_snapshot(
            lake, content, facts["source"], origin="bundled", original_name=name, fetched_at=compiled
        )
        new += [snapshot] if is_new else []
    return new


def _read_metadata(path: Path) -> Snapshot:
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise OSError(
            f"{path} is damaged ({error}); restore it, or remove its folder and add the file again"
        ) from error
    metadata["fetched_at"] = dt.datetime.fromisoformat(metadata["fetched_at"])
    return Snapshot(**metadata)


def _store_snapshot(
    lake: Lake, content: bytes, source: str, *, is_by_hand: bool = False, **facts: Any
) -> tuple[Snapshot, bool, str]:
    """Store bytes, the same bytes of a source once; the snapshot, whether it is new, and a remark."""
    sha256 = hashlib.sha256(content).hexdigest()
    salted = hashlib.sha256(f"{source}\n".encode() + content).hexdigest()
    lake.snapshots.mkdir(parents=True, exist_ok=True)
    with (lake.snapshots / ".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # else two sources with the same content could both take the unsalted identity
        for identity in (sha256[:16], salted[:16]):
            if (path := lake.snapshots / source / identity / "snapshot.json").exists():
                snapshot, remark = _merge_hints(_read_metadata(path), facts, is_by_hand)
                if snapshot != _read_metadata(path):
                    replace_file(path, _encode_json(_build_metadata(snapshot)))
                    path.chmod(0o444)
                return snapshot, False, remark
        others = sorted(path.parts[-3] for path in lake.snapshots.glob(f"[!.]*/{sha256[:16]}/snapshot.json"))
        facts.setdefault("licence", get_source(source).licence)
        identity = (salted if others else sha256)[:16]
        snapshot = Snapshot(snapshot_id=identity, source=source, sha256=sha256, size_bytes=len(content), **facts)
        _write_folder(
            lake.snapshots / source / snapshot.snapshot_id, content, _build_metadata(snapshot), "snapshot.json"
        )
    return snapshot, True, f"the same bytes are stored as {others[0]} too" if others else ""


def _merge_hints(stored: Snapshot, facts: dict[str, Any], is_by_hand: bool) -> tuple[Snapshot, str]:
    """The snapshot with new hints, and a remark on what changed or was not used.

    Hints of a feed take precedence over those of a person, since they apply to all its snapshots. A feed that only
    comes with another address changes nothing: one page can have several.
    """
    hints: dict[str, str] = facts.get("hints") or {}
    new = {name: value for name, value in hints.items() if stored.hints.get(name) != value}
    compared = {name for name in {**stored.hints, **hints} if name not in _ADDRESSES}
    is_same_feed = stored.feed is not None and hints.get("feed") == stored.feed
    is_changed = any(stored.hints.get(name) != hints.get(name) for name in compared) if is_same_feed else bool(new)
    if not (is_changed or (new and is_by_hand)):
        return stored, ""
    new_text = ", ".join(f"{name} “{value}”" for name, value in new.items() if name != "feed_url")
    if stored.origin == "bundled":
        return stored, f"it is bundled with the project: {new_text} is not used"
    if stored.feed is not None and not is_same_feed:
        return stored, f"it belongs to the feed {stored.feed}: {new_text} is not used"
    merged = hints if is_same_feed else {**stored.hints, **hints}
    fetched = {name: facts[name] for name in ("origin", "url", "http_status", "headers", "licence") if name in facts}
    changed = replace(stored, hints=merged, **(fetched if facts["origin"] == "fetch" else {}))
    old_text = ", ".join(f"{name} “{stored.hints[name]}”" for name in new if name in stored.hints)
    return changed, f"now with {new_text or 'other hints'}" + (f" instead of {old_text}" if old_text else "")


def _build_metadata(snapshot: Snapshot) -> dict[str, object]:
    return {**asdict(snapshot), "fetched_at": snapshot.fetched_at.isoformat()}


def _encode_json(facts: dict[str, object]) -> bytes:
    return json.dumps(facts, indent=1, ensure_ascii=False).encode()


def store_refused(lake: Lake, name: str, content: bytes, reason: str) -> None:
    """Store bytes that no source can read under ``refused/`` with the reason, the same bytes once."""
    sha256 = hashlib.sha256(content).hexdigest()
    folder = lake.refused / sha256[:16]
    refused = RefusedFile(sha256, name, len(content), reason, utc_now())
    if not folder.exists():
        _write_folder(
            folder, content, {**asdict(refused), "refused_at": refused.refused_at.isoformat()}, "refusal.json"
        )


def _write_folder(folder: Path, content: bytes, facts: dict[str, object], facts_name: str) -> None:
    """Make a folder with content and facts appear in one step; a killed writer leaves only a hidden draft."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder.parent))
    try:
        for name, data in (
            ("content", content),
            (facts_name, _encode_json(facts)),
        ):
            with (draft / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            (draft / name).chmod(0o444)
        sync_folder(draft)
        draft.chmod(0o755)
        if folder.exists():  # another process stored the same content first
            return
        draft.rename(folder)
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
