"""Reading bulk files in a run: each is one unit of work, kept when it is done, so that a killed run is continued."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orchestration.ingest.bulk import BulkPart, UnreadableBulkFile, compute_bulk_version, read_bulk_part
from orchestration.ingest.bulk_files import GATE, OFF, is_unchanged
from orchestration.ingest.snapshots import DamagedSnapshot, Snapshot, get_content_path
from orchestration.sources.source import ID_LENGTH, Source, hash_parts
from warehouse.lake import Lake, replace_file
from warehouse.memory import read_engine_budget

_PROGRESS_SECONDS = 2.0
_ACCOUNT = "account.json"


@dataclass(frozen=True)
class StagedPart:
    """A bulk file that was read, and is not in the raw tables yet.

    Args:
        snapshot: Its snapshot.
        part: What it gave; none if it could not be read as a whole.
        reason: Why it could not be read.
    """

    snapshot: Snapshot
    part: BulkPart | None
    reason: str = ""


def compute_version(source: Source, snapshot: Snapshot, parser_version: str) -> str:
    """Version of all that a bulk file is read with: the parser, the statement and the reference data of the gate."""
    return hash_parts(parser_version, compute_bulk_version(source, is_gated=_is_gated(snapshot)), length=ID_LENGTH)


def read_bulk_snapshots(
    lake: Lake, source: Source, snapshots: list[Snapshot], versions: dict[str, str], log: Callable[[str], None]
) -> Iterator[StagedPart]:
    """Read bulk files of one source one after the other; those that a killed run has read are not read again.

    Args:
        lake: The lake.
        source: The source.
        snapshots: The bulk files.
        versions: The version to read each with, by its identity.
        log: Receives the number of files and records read, the rate and the time left.

    Raises:
        DamagedSnapshot: The bytes of some are not those that were added; the message names all of them.
    """
    damages, records, begun = list[str](), 0, time.monotonic()
    logged, sizes, done = begun, sum(one.size_bytes for one in snapshots), 0
    for number, snapshot in enumerate(snapshots, 1):
        try:
            staged = _read_one(lake, source, snapshot, versions[snapshot.snapshot_id])
        except DamagedSnapshot as damage:
            damages.append(str(damage))
            continue
        records += 0 if staged.part is None else staged.part.records_read
        done += snapshot.size_bytes
        if (now := time.monotonic()) > logged + _PROGRESS_SECONDS:
            logged, seconds = now, now - begun
            log(
                f"{source.name}: {number:,} of {len(snapshots):,} files read, {records:,} records,"
                f" {records / seconds:,.0f} a second, {(sizes - done) / done * seconds:,.0f} s left"
            )
        yield staged
    if damages:
        raise DamagedSnapshot("; ".join(damages))


def _read_one(lake: Lake, source: Source, snapshot: Snapshot, version: str) -> StagedPart:
    folder = lake.root / "parsed" / source.name / f"{snapshot.snapshot_id}-{version}"
    if (part := _read_account(folder)) is not None:
        return StagedPart(snapshot, part)
    path = get_content_path(lake, snapshot)
    if not is_unchanged(path, snapshot):
        raise DamagedSnapshot.of(lake.snapshots / source.name / snapshot.snapshot_id, f"{path} has other bytes")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        part = read_bulk_part(
            path,
            snapshot.snapshot_id,
            source,
            folder,
            memory_bytes=read_engine_budget(),
            is_gated=_is_gated(snapshot),
            original_name=snapshot.original_name,
        )
    except UnreadableBulkFile as error:
        shutil.rmtree(folder)
        return StagedPart(snapshot, None, str(error))
    replace_file(folder / _ACCOUNT, json.dumps(asdict(part), default=str).encode())
    return StagedPart(snapshot, part)


def _read_account(folder: Path) -> BulkPart | None:
    """What a killed run has read, if it was finished."""
    try:
        facts: dict[str, Any] = json.loads((folder / _ACCOUNT).read_bytes())
        facts |= {name: Path(facts[name]) for name in ("records_path", "rejects_path")}
        part = BulkPart(**facts)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return part if part.records_path.exists() and part.rejects_path.exists() else None


def _is_gated(snapshot: Snapshot) -> bool:
    return snapshot.hints.get(GATE) != OFF
