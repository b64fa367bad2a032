"""Identity of records: which records of two snapshots are the same, and which have the same content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from orchestration.ingest.raw_tables import declare_record_table
from orchestration.ingest.snapshots import Snapshot
from orchestration.sources.source import Record, Source, hash_parts

ID_LENGTH = 16


@dataclass(frozen=True)
class RecordVersion:
    """A record at its place in a snapshot.

    Args:
        snapshot: The snapshot it was parsed from.
        ordinal: Its place in the snapshot, from 1.
        record: The record.
        record_id: Identity of the record, the same in every snapshot.
        version_id: Identity of the record with this content.
    """

    snapshot: Snapshot
    ordinal: int
    record: Record
    record_id: str
    version_id: str

    def to_row(self) -> dict[str, Any]:
        """Its row of the source's raw table."""
        return {
            "record_id": self.record_id,
            "version_id": self.version_id,
            "reading_note": None,
            **self.record.values,
            "first_seen_at": self.snapshot.fetched_at,
            "last_seen_at": self.snapshot.fetched_at,
            "snapshot_id": self.snapshot.snapshot_id,
            "record_ordinal": self.ordinal,
        }


def identify_record(source: Source, snapshot: Snapshot, ordinal: int, record: Record) -> RecordVersion:
    """The record with its identities."""
    return RecordVersion(snapshot, ordinal, record, *compute_ids(source, record))


def compute_ids(source: Source, record: Record) -> tuple[str, str]:
    """Identity of a record and of its version; volatile columns do not make a new version."""
    record_id = hash_parts(source.name, record.identity, length=ID_LENGTH)
    content = {name: value for name, value in record.values.items() if name not in source.volatile_columns}
    return record_id, hash_parts(record_id, json.dumps(content, default=str, sort_keys=True), length=ID_LENGTH)


def merge_versions(source: Source, stored: pl.DataFrame, versions: list[RecordVersion]) -> pl.DataFrame:
    """The source's raw table with more versions in it, one row per version.

    A row has the first and last time a snapshot had the version, the evidence of the first snapshot, and the
    volatile columns of the last.
    """
    table = declare_record_table(source)
    new = table.frame(version.to_row() for version in versions)
    both = pl.concat([stored, new]).sort("first_seen_at", "snapshot_id", "record_ordinal")
    volatile: Mapping[str, pl.Expr] = {
        name: pl.col(name).sort_by("last_seen_at", maintain_order=True).drop_nulls().last()
        for name in source.volatile_columns
    }
    merged = both.group_by("version_id", maintain_order=True).agg(
        pl.col("last_seen_at").max() if name == "last_seen_at" else volatile.get(name, pl.col(name).first())
        for name in table.schema
        if name != "version_id"
    )
    return merged.select(list(table.schema))


def find_last_fetches(fetches: pl.DataFrame, sightings: pl.DataFrame) -> pl.DataFrame:
    """When each version was last returned by a fetch, also where that made no new snapshot.

    Returns:
        The columns ``version_id`` and ``fetched_at``.
    """
    last = fetches.filter(pl.col("snapshot_id").is_not_null()).group_by("snapshot_id").agg(pl.col("fetched_at").max())
    seen = sightings.select("version_id", "snapshot_id").join(last, on="snapshot_id")
    return seen.group_by("version_id").agg(pl.col("fetched_at").max())


def update_last_seen(rows: pl.DataFrame, last_fetches: pl.DataFrame) -> pl.DataFrame:
    """The rows of a raw table with ``last_seen_at`` no earlier than their last fetch."""
    joined = rows.join(last_fetches, on="version_id", how="left", maintain_order="left")
    last = pl.max_horizontal("last_seen_at", "fetched_at").cast(rows.schema["last_seen_at"]).alias("last_seen_at")
    return joined.with_columns(last).select(rows.columns)
