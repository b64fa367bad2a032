"""What must be true between tables: accounts that add up, and counts that others published.

Each check is a query that returns the rows that break it; no rows means that it holds.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from warehouse.lake import Lake
from warehouse.reference import PUBLISHED_COUNTS
from warehouse.sql import connected, tables_read

_ACCOUNTS = """
with seen as (
    select snapshot_id, count(*) as seen from raw.sightings group by snapshot_id
),
rejected as (
    select snapshot_id, count(*) as rejected from raw.rejects group by snapshot_id
)
select
    parses.snapshot_id,
    parses.source,
    records_read,
    records_kept,
    records_repeated,
    records_rejected,
    coalesce(seen, 0) as rows_in_sightings,
    coalesce(rejected, 0) as rows_in_rejects
from raw.snapshots
left join raw.parses as parses on snapshots.snapshot_id = parses.snapshot_id
left join seen on snapshots.snapshot_id = seen.snapshot_id
left join rejected on snapshots.snapshot_id = rejected.snapshot_id
where
    parses.snapshot_id is null
    or records_read != records_kept + records_repeated + records_rejected
    or records_kept + records_repeated != coalesce(seen, 0)
    or records_rejected != coalesce(rejected, 0)
"""

_KEPT = """
select source, kept, records
from (
    select
        source,
        cast(sum(records_kept) as bigint) as kept,
        (select count(distinct record_id) from raw.sightings where sightings.source = parses.source) as records
    from raw.parses
    group by source
)
where kept != records
"""

_REJECTS = """
select original_name, locator, reason from raw.rejects where is_fault
"""


@dataclass(frozen=True)
class Check:
    """A check between tables.

    Args:
        name: Name of the check.
        table: The table it is shown at.
        means: What holds when it passes, as a sentence.
        query: Returns the rows that break it.
        is_critical: Whether it forbids a release.
    """

    name: str
    table: str
    means: str
    query: str
    is_critical: bool

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the tables it reads."""
        return tables_read(self.query)

    def broken_by(self, lake: Lake) -> pl.DataFrame:
        """The rows that break it; none if it holds.

        Raises:
            duckdb.Error: The query fails; the text names the check.
        """
        with connected(lake, self.reads) as connection:
            try:
                return connection.sql(self.query).pl()
            except duckdb.Error as error:
                raise type(error)(f"check {self.name}: {error}") from error


@cache
def published_claims(path: Path = PUBLISHED_COUNTS) -> tuple[dict[str, Any], ...]:
    """The claims of ``published_counts.toml``: ``name``, ``says``, ``source``, ``counted_by`` and ``value``."""
    return tuple(tomllib.loads(path.read_text(encoding="utf-8"))["claim"])


def _claims_query() -> str:
    """The claims that differ from what the lake counts."""
    counted = "\nunion all\n".join(
        f"select '{claim['name']}' as claim, {claim['value']} as published, ({claim['counted_by']}) as counted"
        for claim in published_claims()
    )
    return f"select * from ({counted}) where published != counted"


def checks() -> list[Check]:
    """All checks between tables."""
    return [
        Check(
            "accounts_add_up",
            "raw.parses",
            "For every snapshot, records read = kept + repeated + rejected.",
            _ACCOUNTS,
            True,
        ),
        Check(
            "kept_records_are_held",
            "raw.parses",
            "The records kept from all snapshots are the records held.",
            _KEPT,
            True,
        ),
        Check("nothing_was_rejected", "raw.rejects", "Every record of every snapshot could be read.", _REJECTS, False),
        Check(
            "published_counts", "clean.publications", "Counts that others published come out.", _claims_query(), False
        ),
    ]
