"""Critical limits of single rows: a record that breaks one becomes a reject, so that it does not block the release."""

from __future__ import annotations

from dataclasses import fields

from expectations.limits import check_table
from orchestration.ingest.identity import RecordVersion
from orchestration.ingest.parse import ParsedSnapshots, build_reject_row
from orchestration.ingest.raw_tables import declare_record_table
from orchestration.sources.source import Reject, Source
from warehouse.parts import SEEN_COLUMNS
from warehouse.reference import list_names
from warehouse.table import Column, Table

_COLUMN_SETTINGS = {setting.name for setting in fields(Column)}


def list_allowed_values(reference: str) -> list[str]:
    """The names that a reference table allows, for ``one_of = "reference.labs"``."""
    return list_names(reference.partition(".")[2])


def reject_broken_versions(source: Source, parsed: ParsedSnapshots) -> None:
    """Move the records that break a critical limit of their table to the rejects."""
    reasons = find_broken_limits(declare_record_table(source), parsed.versions)
    parsed.rejects += [
        build_reject_row(
            version.snapshot,
            version.ordinal,
            Reject(version.record.locator, reasons[version.version_id], str(dict(version.record.values))),
        )
        for version in parsed.versions
        if version.version_id in reasons
    ]
    parsed.versions = [version for version in parsed.versions if version.version_id not in reasons]


def find_broken_limits(table: Table, versions: list[RecordVersion]) -> dict[str, str]:
    """The reason for each ``version_id`` that breaks a critical limit of the table."""
    if not versions:
        return {}
    distinct = {version.version_id: version for version in versions}
    reasons: dict[str, list[str]] = {}
    table = Table(table.name, table.row, ("version_id",), tuple(c for c in table.columns if c.name not in SEEN_COLUMNS))
    rows = table.frame(version.to_row() for version in distinct.values())
    for breach in check_table(table, rows, list_allowed_values):
        if not breach.is_critical:
            continue
        expected = getattr(table.column(breach.column), breach.limit) if breach.limit in _COLUMN_SETTINGS else ""
        for (version_id,) in breach.keys:
            value = distinct[version_id].record.values.get(breach.column)
            reasons.setdefault(version_id, []).append(
                f"{breach.column} “{value}” breaks its limit {breach.limit} {expected}"
            )
    notes = {version_id: distinct[version_id].record.values.get("reading_note") for version_id in reasons}
    return {
        version_id: "; ".join([*texts, *([str(notes[version_id])] if notes[version_id] else [])])
        for version_id, texts in reasons.items()
    }
