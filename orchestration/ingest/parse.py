"""Parsing new snapshots into records, rejects and fields that no parser reads."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from orchestration.ingest.identity import RecordVersion, identify_record
from orchestration.ingest.parsed import read_parsed
from orchestration.ingest.parser_process import AlteredFile, parse_file
from orchestration.ingest.snapshots import DamagedSnapshot, Snapshot, get_content_path
from orchestration.ingest.stored_folders import hash_file
from orchestration.sources.source import DocumentRefused, ParseResult, Record, Reject, Source
from warehouse.lake import Lake

_PROGRESS_SECONDS = 2.0
_BATCH_RECORDS = 10_000


@dataclass
class ParsedSnapshots:
    """What the new snapshots of one source hold.

    Args:
        versions: The records with their identities, in the order of the snapshots.
        rejects: Rows of ``raw.rejects``.
        judged_rows: Rows of ``raw.judged_rows``.
        unparsed_fields: Rows of ``raw.unparsed_fields``.
        records_read: Records and rejects of each snapshot, by its identity.
    """

    versions: list[RecordVersion] = field(default_factory=list)
    rejects: list[dict[str, Any]] = field(default_factory=list)
    judged_rows: list[dict[str, Any]] = field(default_factory=list)
    unparsed_fields: list[dict[str, Any]] = field(default_factory=list)
    records_read: Counter[str] = field(default_factory=Counter)

    def add(self, source: Source, snapshot: Snapshot, result: ParseResult) -> None:
        """Add what one snapshot holds."""
        self.records_read[snapshot.snapshot_id] = len(result.items)
        self.unparsed_fields += [
            {"snapshot_id": snapshot.snapshot_id, "source": source.name, "field": path, "records_with_field": records}
            for path, records in sorted(result.unparsed_fields.items())
        ]
        for ordinal, item in enumerate(result.items, 1):
            if isinstance(item, Record):
                self.versions.append(identify_record(source, snapshot, ordinal, item))
            else:
                self.rejects.append(build_reject_row(snapshot, ordinal, item))
                if item.judged:
                    place = {"snapshot_id": snapshot.snapshot_id, "record_ordinal": ordinal, "source": source.name}
                    self.judged_rows.append({**place, **item.judged})

    def count_rejects(self) -> Counter[str]:
        """Number of rejects of each snapshot."""
        return Counter(str(reject["snapshot_id"]) for reject in self.rejects)


def parse_snapshots(
    lake: Lake, source: Source, snapshots: list[Snapshot], log: Callable[[str], None]
) -> Iterator[tuple[list[Snapshot], ParsedSnapshots]]:
    """Parse snapshots of one source, each in the parser process, and identify their records.

    Returns:
        Some snapshots and what they hold, at a time: as many as have some ten thousand records.

    Raises:
        DamagedSnapshot: The bytes of some are not what was stored; the message names all of them. It is raised at the
            end, so that all are found.
    """
    batch, parsed, damages, records = list[Snapshot](), ParsedSnapshots(), list[DamagedSnapshot](), 0
    begun = logged = time.monotonic()
    for number, snapshot in enumerate(snapshots):
        if (now := time.monotonic()) > logged + _PROGRESS_SECONDS:
            logged, rate = now, number / (now - begun)
            left = f"{(len(snapshots) - number) / rate:.0f} s left" if number else ""
            log(
                f"{source.name}: {number:,} of {len(snapshots):,} snapshots read, {records:,} records,"
                f" {rate:.0f} snapshots a second, {left}"
            )
        try:
            result = _parse_snapshot(lake, source, snapshot)
        except AlteredFile as error:
            path = get_content_path(lake, snapshot)
            damages.append(DamagedSnapshot.of(path.parent, f"{path.name} {error}"))
            continue
        parsed.add(source, snapshot, result)
        batch.append(snapshot)
        records += len(result.items)
        if len(parsed.versions) > _BATCH_RECORDS:
            yield batch, parsed
            batch, parsed = [], ParsedSnapshots()
    if damages:
        raise DamagedSnapshot("; ".join(map(str, damages)))
    if batch:
        yield batch, parsed


def _parse_snapshot(lake: Lake, source: Source, snapshot: Snapshot) -> ParseResult:
    path = get_content_path(lake, snapshot)
    kept = read_parsed(lake, source.name, snapshot.snapshot_id, snapshot.hints)
    if kept is not None:
        if hash_file(path) != snapshot.sha256:
            raise AlteredFile("has other bytes than were stored")
        return kept
    try:
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
        **{name: value for name, value in asdict(reject).items() if name != "judged"},
    }
