"""What must be true between tables: accounts that add up, and counts that others published.

Each check is a query that returns the rows that break it; no rows means that it holds.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import polars as pl

from warehouse.lake import Lake
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


_CLAIMS = """
select
    published.claim,
    published.published_value as published,
    published.counted_value as counted,
    differences.difference,
    differences.title,
    differences.reason
from mart.published_counts as published
left join mart.published_count_differences as differences on published.claim = differences.claim
where published.outcome = 'differs'
order by published.claim, differences.title
"""

_CUT_SHORT = """
select stream, fetched_at, records_read, usual_records, records_gone
from mart.snapshot_yields
where is_newest and is_cut_short
"""

_GONE = """
select stream, fetched_at, records_read, records_gone
from mart.snapshot_yields
where is_newest and source = 'lab_sheet' and records_gone > 0
"""

_FUTURE = """
select title, published_on, last_seen_at
from raw.lab_sheet_publications
where published_on > cast(last_seen_at as date) + 1
"""

_SILENT = """
select source, newest_on, covers_until, silent_days, silence_p_value
from mart.source_silences
where is_alarming
"""

_CROSSWALK = """
with placed as (
    select
        categories.category,
        taxonomies.taxonomy,
        sum(crosswalk.weight) as weights,
        count(crosswalk.to_category) - count(targets.category) as unknown_categories
    from reference.categories as categories
    inner join reference.taxonomies as defaults on categories.taxonomy = defaults.taxonomy and defaults.is_default
    inner join reference.taxonomies as taxonomies on not taxonomies.is_default
    left join reference.category_crosswalk as crosswalk
        on
            categories.taxonomy = crosswalk.from_taxonomy
            and categories.category = crosswalk.from_category
            and taxonomies.taxonomy = crosswalk.to_taxonomy
    left join reference.categories as targets
        on crosswalk.to_taxonomy = targets.taxonomy and crosswalk.to_category = targets.category
    group by all
)
select * from placed where weights is null or abs(weights - 1) > 1e-9 or unknown_categories > 0
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
        Check("published_counts", "mart.published_counts", "Counts that others published come out.", _CLAIMS, False),
        Check(
            "no_snapshot_was_cut_short",
            "mart.snapshot_yields",
            "The newest snapshot of each file or address holds about as much as the earlier ones.",
            _CUT_SHORT,
            False,
        ),
        Check(
            "records_are_still_listed",
            "mart.snapshot_yields",
            "The newest snapshot of a sheet has every record of the one before; what is gone is kept.",
            _GONE,
            False,
        ),
        Check(
            "dates_are_past",
            "raw.lab_sheet_publications",
            "No publication is dated after the day on which it was seen; such a date is not used.",
            _FUTURE,
            False,
        ),
        Check(
            "no_source_fell_silent",
            "mart.source_silences",
            "No source is silent for longer than its past lets expect.",
            _SILENT,
            False,
        ),
        Check(
            "crosswalk_is_whole",
            "reference.category_crosswalk",
            "Every category of the default taxonomy is spread over each other one with weights that add up to 1.",
            _CROSSWALK,
            True,
        ),
    ]
