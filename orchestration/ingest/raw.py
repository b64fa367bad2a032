"""From snapshots to raw tables: each snapshot is parsed once, each record accounted for once.

A raw table has one row per distinct version of a record; ``raw.sightings`` says in which snapshots and where
it was seen. Records that break a critical limit of their table are moved to ``raw.rejects`` with the others
that could not be read, so that for every snapshot records read = kept + repeated + rejected.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from expectations.suite import check
from orchestration.fetch.journal import Line, all_lines, moment_of
from orchestration.ingest.parser_process import parse_file
from orchestration.ingest.snapshots import (
    Snapshot,
    add_bundled,
    add_file,
    all_refusals,
    all_snapshots,
    content_path,
    visible_files,
)
from orchestration.sources.registry import SOURCES, Refused
from orchestration.sources.source import Parsed, Record, Reject, Source, digest, first
from warehouse.lake import Lake
from warehouse.reference import FOLDER as REFERENCE
from warehouse.reference import names_of
from warehouse.table import Column, Table, table_from_toml

Say = Callable[[str], None]
ID_LENGTH = 16
_TOLD_ONE_BY_ONE = 20
_TELL_SECONDS = 3.0


@cache
def shared_tables() -> dict[str, Table]:
    """The raw tables that every source shares, by the name of their things."""
    declared = tomllib.loads((Path(__file__).parent / "raw_tables.toml").read_text(encoding="utf-8"))
    return {things: table_from_toml(f"raw.{things}", entry) for things, entry in declared.items()}


@cache
def record_table(source: Source) -> Table:
    """The raw table of a source: its content columns, between identity and evidence."""
    text, when = {"type": "text", "required": True}, {"type": "timestamp", "required": True}
    columns = {
        "record_id": text | {"meaning": "Identity of the record, the same in every snapshot."},
        "version_id": text | {"meaning": "Identity of the record with this content."},
        **source.columns,
        "first_seen_at": when | {"meaning": "When a snapshot first had it."},
        "last_seen_at": when | {"meaning": "When a snapshot last had it."},
        "snapshot_id": text | {"meaning": "The first snapshot that had it."},
        "record_ordinal": {"type": "integer", "meaning": "Its place in that snapshot, from 1.", "required": True},
    }
    return table_from_toml(source.table_name, {"row": source.row, "key": ["version_id"], "columns": columns})


def raw_tables() -> list[Table]:
    """All tables that come from snapshots, in the order in which they must be written."""
    return [*(record_table(source) for source in SOURCES), *shared_tables().values()]


def allowed_values(reference: str) -> list[str]:
    """The names that a reference table allows, for ``one_of = "reference.labs"``."""
    return names_of(reference.partition(".")[2])


@cache
def parser_version(source: Source) -> str:
    """Hash of everything a raw table depends on besides the bytes: parsers, declarations, reference data."""
    here = Path(__file__).parent
    files = sorted([*(here.parent / "sources").rglob("*.py"), here / "raw_tables.toml", *REFERENCE.glob("*.csv")])
    parts = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    return digest(source.name, json.dumps(source.columns, default=str), *parts, length=ID_LENGTH)


def _reading(source: Source, snapshot: Snapshot) -> str:
    """Hash of everything that decides what is read in a snapshot besides its bytes."""
    told = json.dumps(snapshot.hints, sort_keys=True) if snapshot.hints else ""
    return digest(parser_version(source), told, length=ID_LENGTH) if told else parser_version(source)


def take_in(lake: Lake, say: Say) -> None:
    """Take the bundled default (unless ``AISLE_BUNDLED=no``) and the files of the inbox into the lake.

    A file of the inbox is removed once it is kept, as a snapshot or among the refused files.
    """
    if os.environ.get("AISLE_BUNDLED", "yes").lower() not in {"no", "0", "false"}:
        for snapshot in add_bundled(lake):
            say(f"took in the bundled {snapshot.original_name}")
    lake.inbox.mkdir(parents=True, exist_ok=True)
    for path in visible_files(lake.inbox):
        try:
            taken = add_file(lake, path, origin="inbox")
        except Refused as refusal:
            say(f"refused {path.name}: {refusal}")
        else:
            say(f"took in {path.name}: {taken.records} records of {taken.snapshot.source}")
        path.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Row:
    """A record at its place, with the identities that depend on it."""

    snapshot: Snapshot
    ordinal: int
    record: Record
    record_id: str
    version_id: str


def _row(source: Source, snapshot: Snapshot, ordinal: int, record: Record) -> _Row:
    record_id = digest(source.name, record.identity, length=ID_LENGTH)
    content = {name: value for name, value in record.values.items() if name not in source.positional}
    version_id = digest(record_id, json.dumps(content, default=str, sort_keys=True), length=ID_LENGTH)
    return _Row(snapshot, ordinal, record, record_id, version_id)


def ingest(lake: Lake, say: Say) -> dict[str, pl.DataFrame]:
    """Parse the snapshots that were not parsed yet and bring all raw tables up to date.

    Args:
        lake: The lake.
        say: Told what is done, a line at a time.

    Returns:
        The raw tables by name, to be written in the order of `raw_tables`.
    """
    snapshots = all_snapshots(lake)
    shared = shared_tables()
    held = {things: lake.read(shared[things]) for things in ("parses", "sightings", "rejects", "unparsed_fields")}
    lost = [table.name for table in raw_tables() if lake.state(table.name) is None]
    if lost and held["parses"].height:
        say(f"{', '.join(lost)} not in the lake: reading all snapshots again")
        held = {things: frame.clear() for things, frame in held.items()}
    made: dict[str, pl.DataFrame] = {}
    parts: dict[str, list[pl.DataFrame]] = {things: [] for things in held}
    for source in SOURCES:
        mine = [snapshot for snapshot in snapshots if snapshot.source == source.name]
        old = {things: frame.filter(pl.col("source") == source.name) for things, frame in held.items()}
        done = set(old["parses"]["snapshot_id"])
        # what a killed run wrote of a snapshot that is not in the accounts does not count
        old = {things: frame.filter(pl.col("snapshot_id").is_in(done)) for things, frame in old.items()}
        rows = lake.read(record_table(source)).filter(
            pl.col("version_id").is_in(old["sightings"]["version_id"].to_list())
        )
        gone = done - {snapshot.snapshot_id for snapshot in mine}
        read_by = dict(old["parses"].select("snapshot_id", "parser_version").iter_rows())
        changed = [one for one in mine if read_by.get(one.snapshot_id) not in (None, _reading(source, one))]
        if gone or changed:
            why = f"{first(sorted(gone))} taken away" if gone else "the reader or a hint has changed"
            say(f"{source.name}: {why}, reading all {len(mine)} snapshots again")
            old, rows, done = {things: frame.clear() for things, frame in old.items()}, rows.clear(), set()
        new = [snapshot for snapshot in mine if snapshot.snapshot_id not in done]
        made[source.table_name], added = _ingest_source(lake, source, new, rows, say)
        for things, frame in old.items():
            parts[things] += [frame, added[things]]
    made["raw.snapshots"] = _snapshots_frame(shared["snapshots"], snapshots)
    made["raw.refused_files"] = shared["refused_files"].frame(asdict(refusal) for refusal in all_refusals(lake))
    for things, frames in parts.items():
        made[shared[things].name] = pl.concat(frames)
    made["raw.fetches"] = shared["fetches"].frame(_fetch(line) for line in all_lines(lake))
    again = _seen_again(made["raw.fetches"], made["raw.sightings"])
    for source in SOURCES:
        made[source.table_name] = _with_last_seen(made[source.table_name], again)
    return made


def _fetch(line: Line) -> dict[str, Any]:
    return {
        name: moment_of(line.fetched_at) if name == "fetched_at" else getattr(line, name)
        for name in shared_tables()["fetches"].schema
    }


def _seen_again(fetches: pl.DataFrame, sightings: pl.DataFrame) -> pl.DataFrame:
    """When the versions of records were last given by their place, although that made no new snapshot."""
    last = fetches.filter(pl.col("snapshot_id").is_not_null()).group_by("snapshot_id").agg(pl.col("fetched_at").max())
    found = sightings.select("version_id", "snapshot_id").join(last, on="snapshot_id")
    return found.group_by("version_id").agg(pl.col("fetched_at").max())


def _with_last_seen(rows: pl.DataFrame, again: pl.DataFrame) -> pl.DataFrame:
    joined = rows.join(again, on="version_id", how="left", maintain_order="left")
    last = pl.max_horizontal("last_seen_at", "fetched_at").cast(rows.schema["last_seen_at"]).alias("last_seen_at")
    return joined.with_columns(last).select(rows.columns)


def _snapshots_frame(table: Table, snapshots: list[Snapshot]) -> pl.DataFrame:
    return table.frame({name: getattr(snapshot, name) for name in table.schema} for snapshot in snapshots)


def _ingest_source(
    lake: Lake, source: Source, new: list[Snapshot], old_rows: pl.DataFrame, say: Say
) -> tuple[pl.DataFrame, dict[str, pl.DataFrame]]:
    """The source's raw table with the new snapshots in it, and what they add to the shared tables."""
    table, shared = record_table(source), shared_tables()
    rows: list[_Row] = []
    rejects: list[dict[str, Any]] = []
    unparsed: list[dict[str, Any]] = []
    read: Counter[str] = Counter()
    begun = told = time.monotonic()
    for number, snapshot in enumerate(new):
        if (now := time.monotonic()) > told + _TELL_SECONDS:
            told = now
            rate = f"{number / (now - begun):.0f} a second"
            say(f"{source.name}: {number:,} of {len(new):,} snapshots read, {sum(read.values()):,} records, {rate}")
        parsed = _parse(lake, source, snapshot)
        items = parsed.items
        read[snapshot.snapshot_id] = len(items)
        unparsed += [
            {"snapshot_id": snapshot.snapshot_id, "source": source.name, "field": path, "records_with_field": records}
            for path, records in sorted(parsed.unparsed.items())
        ]
        for ordinal, item in enumerate(items, 1):
            if isinstance(item, Record):
                rows.append(_row(source, snapshot, ordinal, item))
            else:
                rejects.append(_reject(source, snapshot, ordinal, item))
    broken = _broken(table, rows)
    rejects += [
        _reject(
            source,
            row.snapshot,
            row.ordinal,
            Reject(row.record.locator, broken[row.version_id], str(dict(row.record.values))),
        )
        for row in rows
        if row.version_id in broken
    ]
    rows = [row for row in rows if row.version_id not in broken]
    known, kept, repeated = set(old_rows["record_id"]), Counter[str](), Counter[str]()
    sightings, occurrences = [], Counter[tuple[str, str]]()
    for row in rows:
        occurrences[row.snapshot.snapshot_id, row.record_id] += 1
        (repeated if row.record_id in known else kept)[row.snapshot.snapshot_id] += 1
        known.add(row.record_id)
        sightings.append(_sighting(source, row, occurrences[row.snapshot.snapshot_id, row.record_id]))
    rejected = Counter(reject["snapshot_id"] for reject in rejects)
    parses = [
        {
            "snapshot_id": (identity := snapshot.snapshot_id),
            "source": source.name,
            "parser_version": _reading(source, snapshot),
            "records_read": read[identity],
            "records_kept": kept[identity],
            "records_repeated": repeated[identity],
            "records_rejected": rejected[identity],
        }
        for snapshot in new
    ]
    _tell(source, new, parses, say)
    added = {
        "parses": shared["parses"].frame(parses),
        "sightings": shared["sightings"].frame(sightings),
        "rejects": shared["rejects"].frame(rejects),
        "unparsed_fields": shared["unparsed_fields"].frame(unparsed),
    }
    return _merged(source, table, old_rows, table.frame(_values(row) for row in rows)), added


def _tell(source: Source, new: list[Snapshot], parses: list[dict[str, Any]], say: Say) -> None:
    """Tell the account of each snapshot, or of all together where they are many."""
    if len(new) > _TOLD_ONE_BY_ONE:
        whole = {name: sum(parse[name] for parse in parses) for name in parses[0] if name.startswith("records_")}
        accounts = [(f"{len(new):,} snapshots", whole)]
    else:
        accounts = [(snapshot.original_name, parse) for snapshot, parse in zip(new, parses, strict=True)]
    for name, account in accounts:
        numbers = ", ".join(f"{account[f'records_{what}']} {what}" for what in ("read", "kept", "repeated", "rejected"))
        say(f"{source.name}: {name}: {numbers}")


def _parse(lake: Lake, source: Source, snapshot: Snapshot) -> Parsed:
    try:
        parsed = parse_file(content_path(lake, snapshot), snapshot.original_name, snapshot.hints, source.name)[1]
    except Refused as refusal:  # it could be read when it was added: the reader has changed since
        parsed = Parsed([Reject("whole file", f"can no longer be read: {refusal}", "")])
    return parsed


def _broken(table: Table, rows: list[_Row]) -> dict[str, str]:
    """Versions that break a critical limit of the table, with the reason."""
    if not rows:
        return {}
    distinct = {row.version_id: row for row in rows}
    reasons: dict[str, list[str]] = {}
    for breach in check(table, table.frame(_values(row) for row in distinct.values()), allowed_values):
        if breach.is_critical:
            column = table.column(breach.column) if breach.limit in Column(breach.column, "text", "").__dict__ else None
            for (version_id,) in breach.keys:
                value = distinct[version_id].record.values.get(breach.column)
                told = getattr(column, breach.limit) if column else ""
                reasons.setdefault(version_id, []).append(
                    f"{breach.column} “{value}” breaks its limit {breach.limit} {told}"
                )
    return {version_id: "; ".join(texts) for version_id, texts in reasons.items()}


def _values(row: _Row) -> dict[str, Any]:
    return {
        "record_id": row.record_id,
        "version_id": row.version_id,
        **row.record.values,
        "first_seen_at": row.snapshot.fetched_at,
        "last_seen_at": row.snapshot.fetched_at,
        "snapshot_id": row.snapshot.snapshot_id,
        "record_ordinal": row.ordinal,
    }


def _sighting(source: Source, row: _Row, occurrence: int) -> dict[str, Any]:
    return {
        "snapshot_id": row.snapshot.snapshot_id,
        "record_ordinal": row.ordinal,
        "source": source.name,
        "record_id": row.record_id,
        "version_id": row.version_id,
        "occurrence": occurrence,
        "locator": row.record.locator,
    }


def _reject(source: Source, snapshot: Snapshot, ordinal: int, reject: Reject) -> dict[str, Any]:
    return {
        "snapshot_id": snapshot.snapshot_id,
        "record_ordinal": ordinal,
        "source": source.name,
        "original_name": snapshot.original_name,
        **asdict(reject),
    }


def _merged(source: Source, table: Table, old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """One row per version: seen first and last over all snapshots, evidence of the first, places of the last."""
    both = pl.concat([old, new]).sort("first_seen_at", "snapshot_id", "record_ordinal")
    places: Mapping[str, pl.Expr] = {
        name: pl.col(name).sort_by("last_seen_at", maintain_order=True).drop_nulls().last()
        for name in source.positional
    }
    merged = both.group_by("version_id", maintain_order=True).agg(
        pl.col("last_seen_at").max() if name == "last_seen_at" else places.get(name, pl.col(name).first())
        for name in table.schema
        if name != "version_id"
    )
    return merged.select(list(table.schema))
