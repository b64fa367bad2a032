"""Parsing new snapshots into records, rejects and fields that no parser reads."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from orchestration.ingest.identity import RecordVersion, identify_record
from orchestration.ingest.parser_process import AlteredFile, parse_file
from orchestration.ingest.parser_version import compute_parser_version as compute_parser_version
from orchestration.ingest.snapshots import DamagedSnapshot, Snapshot, get_content_path
from orchestration.sources.source import DocumentRefused, ParseResult, Record, Reject, Source
from warehouse.lake import Lake

_PROGRESS_SECONDS = 3.0


@dataclass
class ParsedSnapshots:
    """What the new snapshots of one source hold.

    Args:
        versions: The records with their identities, in the order of the snapshots.
        rejects: Rows of ``raw.rejects``.
        unparsed_fields: Rows of ``raw.unparsed_fields``.
        records_read: Records and rejects of each snapshot, by its identity.
    """

    versions: list[RecordVersion] = field(default_factory=list)
    rejects: list[dict[str, Any]] = field(default_factory=list)
    unparsed_fields: list[dict[str, Any]] = field(default_factory=list)
    records_read: Counter[str] = field(default_factory=Counter)


def parse_snapshots(
    lake: Lake, source: Source, snapshots: list[Snapshot], log: Callable[[str], None]
) -> ParsedSnapshots:
    """Parse snapshots of one source, each in the parser process, and identify their records.

    Raises:
        DamagedSnapshot: The bytes of some are not what was stored; the message names all of them.
    """
    parsed, damages = ParsedSnapshots(), list[DamagedSnapshot]()
    begun = logged = time.monotonic()
    for number, snapshot in enumerate(snapshots):
        if (now := time.monotonic()) > logged + _PROGRESS_SECONDS:
            logged = now
            records, rate = sum(parsed.records_read.values()), f"{number / (now - begun):.0f} a second"
            log(f"{source.name}: {number:,} of {len(snapshots):,} snapshots read, {records:,} records, {rate}")
        try:
            result = _parse_snapshot(lake, source, snapshot)
        except AlteredFile as error:
            path = get_content_path(lake, snapshot)
            damages.append(DamagedSnapshot.of(path.parent, f"{path.name} {error}"))
            continue
        parsed.records_read[snapshot.snapshot_id] = len(result.items)
        parsed.unparsed_fields += [
            {"snapshot_id": snapshot.snapshot_id, "source": source.name, "field": path, "records_with_field": records}
            for path, records in sorted(result.unparsed_fields.items())
        ]
        for ordinal, item in enumerate(result.items, 1):
            if isinstance(item, Record):
                parsed.versions.append(identify_record(source, snapshot, ordinal, item))
            else:
                parsed.rejects.append(build_reject_row(snapshot, ordinal, item))
    if damages:
        raise DamagedSnapshot("; ".join(map(str, damages)))
    return parsed


def _parse_snapshot(lake: Lake, source: Source, snapshot: Snapshot) -> ParseResult:
    try:
        path = get_content_path(lake, snapshot)
        return parse_file(path, snapshot.original_name, snapshot.hints, source.name, snapshot.sha256)[1]
    except DocumentRefused as refusal:  # it could be read when it was added: the parser has changed since
        return ParseResult([Reject("whole file", f"can no longer be read: {refusal}", "")])


def build_reject_row(snapshot: Snapshot, ordinal: int, reject: Reject) -> dict[str, Any]:
    """The row of ``raw.rejects`` for a record that could not be used."""
    return {
        "snapshot_id": snapshot.snapshot_id,
        "record_ordinal": ordinal,
        "source": snapshot.source,
        "original_name": snapshot.original_name,
        **asdict(reject),
    }
