"""Snapshots: the bytes of one file or fetch, kept under the name of their content and never changed.

``snapshots/<source>/<snapshot_id>/`` holds the bytes (``content``) and what is known about them
(``snapshot.json``), which is corrected where more is told of the same bytes. The folder appears whole or not
at all. Files that no source takes are kept under ``refused/`` with the reason.
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
from orchestration.sources.registry import Refused, source_named
from orchestration.sources.shared.document import MAX_BYTES
from warehouse.lake import Lake, replace_file, sync_folder
from warehouse.table import utc_now

BUNDLED = Path(__file__).parents[2] / "warehouse" / "bundled"
_ADDRESSES = frozenset({"url", "feed_url", "page_url"})
Origin = Literal["bundled", "file", "inbox", "fetch"]


@dataclass(frozen=True)
class Snapshot:
    """One snapshot.

    Args:
        snapshot_id: First 16 hex digits of the content's SHA-256; where another source holds the same content, of the
            SHA-256 of the source's name and the content.
        source: Name of the source it is of.
        origin: How it came: with the project (``bundled``), by ``aisle add`` (``file``), by the inbox or a ``fetch``.
        original_name: Name of the file it came as, or what was asked for.
        url: Where it was fetched from, if it was.
        sha256: Hash of the content.
        size_bytes: Length of the content.
        fetched_at: When the content was taken in (for bundled facts: when they were compiled).
        licence: Terms under which the records may be used.
        hints: What the person who added it knows of it (``owner``), or the feed (``feed``, a mapping of columns).
        http_status: The status of the answer it is, if it was fetched.
        headers: Some headers of that answer, in lower case.
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
class Refusal:
    """A file that was not taken: its hash, name, size and the reason, and when that was."""

    sha256: str
    original_name: str
    size_bytes: int
    reason: str
    refused_at: dt.datetime


@dataclass(frozen=True)
class Taken:
    """What came of adding one file: the snapshot, whether it is new, what could be read in it, and a remark.

    The remark says what became of hints that differ from those it was held with, and as what else it is held.
    """

    snapshot: Snapshot
    is_new: bool
    records: int
    rejects: int
    remark: str = ""


def content_path(lake: Lake, snapshot: Snapshot) -> Path:
    """Where the bytes of a snapshot lie."""
    return lake.snapshots / snapshot.source / snapshot.snapshot_id / "content"


def all_snapshots(lake: Lake) -> list[Snapshot]:
    """All snapshots of a lake, oldest first."""
    found = [_read(path) for path in lake.snapshots.glob("[!.]*/[!.]*/snapshot.json")]
    return sorted(found, key=lambda snapshot: (snapshot.fetched_at, snapshot.snapshot_id))


def all_refusals(lake: Lake) -> list[Refusal]:
    """All files that were refused, oldest first."""
    found = []
    for path in lake.refused.glob("[!.]*/refusal.json"):
        told = json.loads(path.read_text(encoding="utf-8"))
        told["refused_at"] = dt.datetime.fromisoformat(told["refused_at"])
        found.append(Refusal(**told))
    return sorted(found, key=lambda refusal: (refusal.refused_at, refusal.sha256))


def visible_files(folder: Path) -> list[Path]:
    """All files below a folder, sorted, without hidden ones (a desktop's own notes are not data)."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def add_file(lake: Lake, path: Path, *, origin: Origin = "file", hints: dict[str, str] | None = None) -> Taken:
    """Take a file in as a snapshot if a source recognises it and can read it; else keep it aside.

    Raises:
        Refused: No source can take it; it is kept under ``refused/`` with the reason.
        OSError: The file cannot be read, or the lake cannot be written.
    """
    size = path.stat().st_size
    if not path.is_file():
        raise Refused("found something that is not a regular file (a device or a pipe)")
    if size > MAX_BYTES:
        raise Refused(f"found {size:,} bytes; at most {MAX_BYTES:,} are taken (it was left where it is)")
    content = path.read_bytes()
    try:
        source, parsed = parse_file(path.resolve(), path.name, hints or {})
    except Refused as refusal:
        keep_refused(lake, path.name, content, str(refusal))
        raise
    facts = {"origin": origin, "original_name": path.name, "fetched_at": utc_now(), "hints": hints or {}}
    snapshot, is_new, remark = _keep(lake, content, source, is_by_hand=True, **facts)
    return Taken(snapshot, is_new, len(parsed.records), len(parsed.rejects), remark)


def add_answer(lake: Lake, content: bytes, name: str, url: str, *, source: str | None = None, **facts: Any) -> Taken:
    """Take in what came from an address that a person named, if a source, or just the one named, can read it.

    Raises:
        Refused: No source can take it; it is kept under ``refused/`` with the reason.
        OSError: The lake cannot be written.
    """
    hints = {**facts.pop("hints", {}), "url": url}
    try:
        source, parsed = parse_bytes(content, name, hints, source)
        if not parsed.items:
            raise Refused(f"found a document of {source} without a single record")
    except Refused as refusal:
        keep_refused(lake, name, content, str(refusal))
        raise
    moment = dt.datetime.now(dt.UTC)
    facts |= {"origin": "fetch", "original_name": name, "url": url, "fetched_at": moment, "hints": hints}
    snapshot, is_new, remark = _keep(lake, content, source, is_by_hand=True, **facts)
    return Taken(snapshot, is_new, len(parsed.records), len(parsed.rejects), remark)


def keep_fetched(lake: Lake, content: bytes, source: str, **facts: Any) -> tuple[Snapshot, bool]:
    """Keep what was fetched and found readable as a snapshot, with what is known of it; whether it is a new one.

    Raises:
        OSError: The lake cannot be written, or a snapshot in it is damaged.
    """
    snapshot, is_new, _ = _keep(lake, content, source, origin="fetch", **facts)
    return snapshot, is_new


def held_snapshot(lake: Lake, source: str, snapshot_id: str) -> tuple[Snapshot, bytes] | None:
    """A snapshot and its bytes, if it is held and undamaged."""
    try:
        snapshot = _read(lake.snapshots / source / snapshot_id / "snapshot.json")
        content = content_path(lake, snapshot).read_bytes()
    except OSError:
        return None
    return (snapshot, content) if hashlib.sha256(content).hexdigest() == snapshot.sha256 else None


def add_bundled(lake: Lake) -> list[Snapshot]:
    """Take in the facts that come with the project, as old as they are; returns those that were not held yet."""
    told = tomllib.loads((BUNDLED / "bundled.toml").read_text(encoding="utf-8"))
    new = []
    for name, facts in told.items():
        compiled = dt.datetime.combine(facts["compiled_on"], dt.time(), dt.UTC)
        content = (BUNDLED / name).read_bytes()
        snapshot, is_new, _ = _keep(
            lake, content, facts["source"], origin="bundled", original_name=name, fetched_at=compiled
        )
        new += [snapshot] if is_new else []
    return new


def _read(path: Path) -> Snapshot:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise OSError(
            f"{path} is damaged ({error}); restore it, or remove its folder and add the file again"
        ) from error
    told["fetched_at"] = dt.datetime.fromisoformat(told["fetched_at"])
    return Snapshot(**told)


def _keep(
    lake: Lake, content: bytes, source: str, *, is_by_hand: bool = False, **facts: Any
) -> tuple[Snapshot, bool, str]:
    """The snapshot of some bytes, whether it is new, and what is to be said of it; the same bytes are kept once."""
    sha256 = hashlib.sha256(content).hexdigest()
    salted = hashlib.sha256(f"{source}\n".encode() + content).hexdigest()
    lake.snapshots.mkdir(parents=True, exist_ok=True)
    with (lake.snapshots / ".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # else two sources with the same content could each think they are the first
        for identity in (sha256[:16], salted[:16]):
            if (path := lake.snapshots / source / identity / "snapshot.json").exists():
                snapshot, remark = _with_hints(_read(path), facts, is_by_hand)
                if snapshot != _read(path):
                    replace_file(path, _as_json(_told(snapshot)))
                    path.chmod(0o444)
                return snapshot, False, remark
        others = sorted(path.parts[-3] for path in lake.snapshots.glob(f"[!.]*/{sha256[:16]}/snapshot.json"))
        facts.setdefault("licence", source_named(source).licence)
        identity = (salted if others else sha256)[:16]
        snapshot = Snapshot(snapshot_id=identity, source=source, sha256=sha256, size_bytes=len(content), **facts)
        _place(lake.snapshots / source / snapshot.snapshot_id, content, _told(snapshot), "snapshot.json")
    return snapshot, True, f"the same bytes are held as {others[0]} too, which stays" if others else ""


def _with_hints(held: Snapshot, facts: dict[str, Any], is_by_hand: bool) -> tuple[Snapshot, str]:
    """A snapshot with what is now known of it besides its bytes, and what became of that as a remark.

    A feed's word counts more than a person's, since its other snapshots are read by it too. Of a feed's own hints,
    addresses are no news: one page can have several.
    """
    given: dict[str, str] = facts.get("hints") or {}
    new = {name: value for name, value in given.items() if held.hints.get(name) != value}
    named = {name for name in {**held.hints, **given} if name not in _ADDRESSES}
    is_same_feed = held.feed is not None and given.get("feed") == held.feed
    changes = any(held.hints.get(name) != given.get(name) for name in named) if is_same_feed else bool(new)
    if not (changes or (new and is_by_hand)):
        return held, ""
    told = ", ".join(f"{name} “{value}”" for name, value in new.items() if name != "feed_url")
    if held.origin == "bundled":
        return held, f"it came with the project, so that {told} is not used"
    if held.feed is not None and not is_same_feed:
        return held, f"it is held as the feed {held.feed} has it, so that {told} is not used"
    hints = given if is_same_feed else {**held.hints, **given}
    fetched = {name: facts[name] for name in ("origin", "url", "http_status", "headers", "licence") if name in facts}
    changed = replace(held, hints=hints, **(fetched if facts["origin"] == "fetch" else {}))
    before = ", ".join(f"{name} “{held.hints[name]}”" for name in new if name in held.hints)
    return changed, f"now with {told or 'other hints'}" + (f" in the place of {before}" if before else "")


def _told(snapshot: Snapshot) -> dict[str, object]:
    return {**asdict(snapshot), "fetched_at": snapshot.fetched_at.isoformat()}


def _as_json(facts: dict[str, object]) -> bytes:
    return json.dumps(facts, indent=1, ensure_ascii=False).encode()


def keep_refused(lake: Lake, name: str, content: bytes, reason: str) -> None:
    """Keep aside what no source can take, with the reason; the same bytes once."""
    sha256 = hashlib.sha256(content).hexdigest()
    folder = lake.refused / sha256[:16]
    refusal = Refusal(sha256, name, len(content), reason, utc_now())
    if not folder.exists():
        _place(folder, content, {**asdict(refusal), "refused_at": refusal.refused_at.isoformat()}, "refusal.json")


def _place(folder: Path, content: bytes, facts: dict[str, object], facts_name: str) -> None:
    """Make a folder with content and facts appear in one step; a killed writer leaves only a hidden draft."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder.parent))
    try:
        for name, data in (
            ("content", content),
            (facts_name, _as_json(facts)),
        ):
            with (draft / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            (draft / name).chmod(0o444)
        sync_folder(draft)
        draft.chmod(0o755)
        if folder.exists():  # another process placed the same content meanwhile
            return
        draft.rename(folder)
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
