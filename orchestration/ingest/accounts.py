"""The account of each snapshot: records read = kept + repeated + rejected + out of scope."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.ingest.snapshots import Snapshot
from orchestration.sources.source import Source

_LOGGED_ONE_BY_ONE = 20
_RESULTS = ("read", "kept", "repeated", "rejected", "out_of_scope")


@dataclass(frozen=True)
class Account:
    """The account of one snapshot, a row of ``raw.parses``.

    Args:
        snapshot_id: The snapshot.
        source: Name of its source.
        parser_version: Hash of all that it was parsed with.
        records_read: Records found in it.
        records_kept: Records that no older snapshot has.
        records_repeated: Records that an older snapshot has, or an earlier place of this one.
        records_rejected: Records that could not be used.
        records_out_of_scope: Records that the gate left out.
        is_new: Whether it was parsed by this update.
    """

    snapshot_id: str
    source: str
    parser_version: str
    records_read: int
    records_kept: int = 0
    records_repeated: int = 0
    records_rejected: int = 0
    records_out_of_scope: int = 0
    is_new: bool = False

    @property
    def records_held(self) -> int:
        """Records of it that are in the raw table."""
        return self.records_kept + self.records_repeated


def build_account_rows(
    accounts: Iterable[Account], first_seen: Mapping[str, tuple[int, int]] | None
) -> list[dict[str, Any]]:
    """The rows of ``raw.parses`` for the snapshots of a source.

    Args:
        accounts: The accounts.
        first_seen: For each snapshot, how many records it was the first to have, and how many it has in all; none if
            no snapshot of the source has changed, so that the numbers are still right.
    """
    rows = []
    for account in accounts:
        row = {name: value for name, value in vars(account).items() if name != "is_new"}
        if first_seen is not None:
            kept, records = first_seen.get(account.snapshot_id, (0, 0))
            row |= {"records_kept": kept, "records_repeated": records - kept}
        rows.append(row)
    return rows


def log_accounts(
    source: Source, snapshots: list[Snapshot], parses: list[dict[str, Any]], log: Callable[[str], None]
) -> None:
    """Log the account of each newly parsed snapshot, or their sum where there are many."""
    by_snapshot = {row["snapshot_id"]: row for row in parses}
    named = [(snapshot.original_name, by_snapshot[snapshot.snapshot_id]) for snapshot in snapshots]
    if len(named) > _LOGGED_ONE_BY_ONE:
        total = {f"records_{result}": sum(row[f"records_{result}"] for _, row in named) for result in _RESULTS}
        named = [(f"{len(snapshots):,} snapshots", total)]
    for name, account in named:
        shown = [result for result in _RESULTS if result != "out_of_scope" or account["records_out_of_scope"]]
        counts = ", ".join(f"{account[f'records_{result}']:,} {result.replace('_', ' ')}" for result in shown)
        log(f"{source.name}: {name}: {counts}")
