"""Identity of records: which records of two snapshots are the same, and which have the same content."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestration.sources.source import ID_LENGTH, Record, Source, hash_parts

if TYPE_CHECKING:
    from orchestration.ingest.snapshots import Snapshot


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
        """Its row in the parts of the source's raw table, without occurrence and locator."""
        return {
            "record_id": self.record_id,
            "version_id": self.version_id,
            "reading_note": None,
            **self.record.values,
            "snapshot_id": self.snapshot.snapshot_id,
            "record_ordinal": self.ordinal,
        }


def identify_record(source: Source, snapshot: Snapshot, ordinal: int, record: Record) -> RecordVersion:
    """The record with its identities."""
    return RecordVersion(snapshot, ordinal, record, *compute_ids(source, record))


def compute_ids(source: Source, record: Record) -> tuple[str, str]:
    """Identity of a record and of its version; volatile and missing added columns make no new one."""
    record_id = hash_parts(source.name, record.identity, length=ID_LENGTH)
    content = {
        name: value
        for name, value in record.values.items()
        if name not in source.volatile_columns and not (value is None and name in source.added_columns)
    }
    return record_id, hash_parts(record_id, json.dumps(content, default=str, sort_keys=True), length=ID_LENGTH)
