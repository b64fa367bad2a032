"""The account of each snapshot: records read = kept + repeated + rejected, with a sighting for each not rejected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import polars as pl

from orchestration.ingest.parse import ParsedSnapshots, compute_parser_version
from orchestration.ingest.raw_tables import ACCOUNT_TABLES, load_shared_tables
from orchestration.ingest.snapshots import Snapshot
from orchestration.sources.source import Source

_LOGGED_ONE_BY_ONE = 20


def build_accounts(
    source: Source, snapshots: list[Snapshot], parsed: ParsedSnapshots, known_records: Iterable[str]
) -> dict[str, pl.DataFrame]:
    """The rows that newly parsed snapshots add to the `ACCOUNT_TABLES`.

    Args:
        source: The source of the snapshots.
        snapshots: The newly parsed snapshots, oldest first.
        parsed: What they hold; records that break a critical limit are among the rejects.
        known_records: Each ``record_id`` that snapshots parsed before have.
    """
    known, kept, repeated = set(known_records), Counter[str](), Counter[str]()
    sightings: list[dict[str, Any]] = []
    occurrences = Counter[tuple[str, str]]()
    for version in parsed.versions:
        snapshot_id, record_id = version.snapshot.snapshot_id, version.record_id
        occurrences[snapshot_id, record_id] += 1
        (repeated if record_id in known else kept)[snapshot_id] += 1
        known.add(record_id)
        sightings.append(
            {
                "snapshot_id": snapshot_id,
                "record_ordinal": version.ordinal,
                "source": source.name,
                "record_id": record_id,
                "version_id": version.version_id,
                "occurrence": occurrences[snapshot_id, record_id],
                "locator": version.record.locator,
            }
        )
    rejected = Counter(reject["snapshot_id"] for reject in parsed.rejects)
    parses = [
        {
            "snapshot_id": (snapshot_id := snapshot.snapshot_id),
            "source": source.name,
            "parser_version": compute_parser_version(source, snapshot.hints),
            "records_read": parsed.records_read[snapshot_id],
            "records_kept": kept[snapshot_id],
            "records_repeated": repeated[snapshot_id],
            "records_rejected": rejected[snapshot_id],
        }
        for snapshot in snapshots
    ]
    rows = {
        "parses": parses,
        "sightings": sightings,
        "rejects": parsed.rejects,
        "unparsed_fields": parsed.unparsed_fields,
    }
    return {name: load_shared_tables()[name].frame(rows[name]) for name in ACCOUNT_TABLES}


def log_accounts(
    source: Source, snapshots: list[Snapshot], parses: list[dict[str, Any]], log: Callable[[str], None]
) -> None:
    """Log the account of each snapshot, or their sum where there are many."""
    if len(snapshots) > _LOGGED_ONE_BY_ONE:
        total = {name: sum(parse[name] for parse in parses) for name in parses[0] if name.startswith("records_")}
        accounts = [(f"{len(snapshots):,} snapshots", total)]
    else:
        accounts = [(snapshot.original_name, parse) for snapshot, parse in zip(snapshots, parses, strict=True)]
    for name, account in accounts:
        counts = ", ".join(
            f"{account[f'records_{result}']} {result}" for result in ("read", "kept", "repeated", "rejected")
        )
        log(f"{source.name}: {name}: {counts}")
