"""Reading bulk files in a run: each is one unit of work, kept when it is done, so that a killed run is continued."""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from orchestration.ingest.bulk import BulkPart, UnreadableBulkFile, compute_bulk_version, read_bulk_part
from orchestration.ingest.bulk_files import GATE, OFF, is_unchanged
from orchestration.ingest.raw_tables import declare_record_table, load_shared_tables
from orchestration.ingest.snapshots import DamagedSnapshot, Snapshot, get_content_path
from orchestration.sources.source import ID_LENGTH, Source, hash_parts
from warehouse.delta import measure_file, name_data_file
from warehouse.lake import Lake, replace_file
from warehouse.memory import read_engine_budget
from warehouse.parts import list_part_columns
from warehouse.scratch import configure_connection

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
            staged = stage_snapshot(lake, source, snapshot, versions[snapshot.snapshot_id])
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


def stage_snapshot(lake: Lake, source: Source, snapshot: Snapshot, version: str) -> StagedPart:
    """Read one bulk file, unless that was done before, and keep its part with its account.

    Raises:
        DamagedSnapshot: Its bytes are not those that were added.
    """
    folder = _locate_part(lake, source, snapshot, version)
    if (part := _read_account(folder)) is not None:
        return StagedPart(snapshot, part)
    path = get_content_path(lake, snapshot)
    if not is_unchanged(path, snapshot):
        raise DamagedSnapshot.of(lake.snapshots / source.name / snapshot.snapshot_id, f"{path} has other bytes")
    # in a folder of its own: a task that a cluster took for lost can still write, beside the one that replaced it
    draft = folder.with_name(f".{folder.name}-{uuid.uuid4().hex}")
    draft.mkdir(parents=True)
    try:
        part = read_bulk_part(
            path,
            snapshot.snapshot_id,
            source,
            draft,
            memory_bytes=read_engine_budget(),
            is_gated=_is_gated(snapshot),
            original_name=snapshot.original_name,
        )
        names = _name_by_content(source, part)
        sizes = [(draft / name).stat().st_size for name in names.values()]
        part = replace(part, **{name: folder / file for name, file in names.items()})
        replace_file(draft / _ACCOUNT, json.dumps(asdict(part) | {"sizes": sizes}, default=str).encode())
        if _read_account(folder) is None:
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):  # another one was first
                draft.rename(folder)
    except UnreadableBulkFile as error:
        return StagedPart(snapshot, None, str(error))
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return StagedPart(snapshot, _read_account(folder) or part)


def _name_by_content(source: Source, part: BulkPart) -> dict[str, str]:
    """Name the files of a part as those of tables, by their rows and bytes; returns the name of each by its field.

    It is done where they are written, so that what adds them to the tables need not read them.
    """
    columns = {
        "records_path": list_part_columns(declare_record_table(source).columns),
        "rejects_path": load_shared_tables()["rejects"].columns,
    }
    names = {}
    with duckdb.connect() as connection:
        configure_connection(connection)
        connection.execute(f"set memory_limit = '{read_engine_budget() // 2**20}MiB'")
        for field, declared in columns.items():
            path: Path = getattr(part, field)
            measured = measure_file(connection, [column.name for column in declared], path)
            names[field] = path.rename(path.with_name(name_data_file(measured))).name
    return names


def has_account(lake: Lake, source: Source, snapshot: Snapshot, versions: dict[str, str]) -> bool:
    """Whether a bulk file was read, and its part is kept."""
    return _read_account(_locate_part(lake, source, snapshot, versions[snapshot.snapshot_id])) is not None


def _locate_part(lake: Lake, source: Source, snapshot: Snapshot, version: str) -> Path:
    return lake.root / "parsed" / source.name / f"{snapshot.snapshot_id}-{version}"


def _read_account(folder: Path) -> BulkPart | None:
    """What a killed run or a worker has read, if it was finished, and its files have the size that they had then."""
    try:
        facts: dict[str, Any] = json.loads((folder / _ACCOUNT).read_bytes())
        sizes = facts.pop("sizes")
        facts |= {name: folder / Path(facts[name]).name for name in ("records_path", "rejects_path")}
        part = BulkPart(**facts)
        is_whole = [path.stat().st_size for path in (part.records_path, part.rejects_path)] == sizes
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return part if is_whole else None


def _is_gated(snapshot: Snapshot) -> bool:
    return snapshot.hints.get(GATE) != OFF
