"""Checks across tables, such as balanced record counts and agreement with published counts.

Each check is a query that returns the violating rows; a check passes if there are none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import duckdb
import polars as pl
import pyarrow as pa

from warehouse.lake import Lake
from warehouse.sql import connect_tables, list_source_tables

MAX_VIOLATIONS = 1_000

_UNBALANCED_ACCOUNTS = """
with sightings as (
    select snapshot_id, count(*) as sighting_rows from raw.sightings group by snapshot_id
),
rejects as (
    select snapshot_id, count(*) as reject_rows from raw.rejects group by snapshot_id
)
select
    parses.snapshot_id,
    parses.source,
    records_read,
    records_kept,
    records_repeated,
    records_rejected,
    records_out_of_scope,
    coalesce(sighting_rows, 0) as rows_in_sightings,
    coalesce(reject_rows, 0) as rows_in_rejects
from raw.snapshots
left join raw.parses as parses on snapshots.snapshot_id = parses.snapshot_id
left join sightings on snapshots.snapshot_id = sightings.snapshot_id
left join rejects on snapshots.snapshot_id = rejects.snapshot_id
where
    parses.snapshot_id is null
    or records_read != records_kept + records_repeated + records_rejected + records_out_of_scope
    or records_kept + records_repeated != coalesce(sighting_rows, 0)
    or records_rejected != coalesce(reject_rows, 0)
"""

_LOST_RECORDS = """
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

# the first of each source first, so that the rows that are kept name every source
_FAULTY_RECORDS = """
select source, original_name, locator, reason
from (
    select *, row_number() over (partition by source order by snapshot_id, record_ordinal) as place_in_source
    from raw.rejects
    where is_fault
)
order by place_in_source, source
"""


# a sign of words that a model has not seen; of few works nothing is concluded
_FALLING_CONFIDENCE = """
with spans as (
    select
        *,
        published_month > max(published_month) over (partition by taxonomy, model) - interval 12 month as is_new
    from mart.suggestion_confidence_by_month
),
sums as (
    select
        taxonomy,
        model,
        cast(sum(suggested_works) filter (where is_new) as bigint) as new_works,
        cast(sum(confident_works) filter (where is_new) as bigint) as new_confident,
        cast(sum(suggested_works) filter (where not is_new) as bigint) as earlier_works,
        cast(sum(confident_works) filter (where not is_new) as bigint) as earlier_confident
    from spans
    group by taxonomy, model
)
select
    taxonomy,
    model,
    round(new_confident / new_works, 3) as confident_share_of_newest_12_months,
    round(earlier_confident / earlier_works, 3) as confident_share_before
from sums
where
    least(new_works, earlier_works) >= 30
    and wilson_high(new_confident, new_works) < wilson_low(earlier_confident, earlier_works)
order by taxonomy, model
"""

_DIFFERING_CLAIMS = """
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

_CUT_SHORT_SNAPSHOTS = """
select stream, fetched_at, records_read, usual_records, records_gone
from mart.snapshot_yields
where is_newest and is_cut_short
"""

_DELISTED_RECORDS = """
select stream, fetched_at, records_read, records_gone
from mart.snapshot_yields
where is_newest and source = 'lab_sheet' and records_gone > 0
"""

_FUTURE_DATES = """
select title, published_on, last_seen_at
from raw.lab_sheet_publications
where published_on > cast(last_seen_at as date) + 1
"""

_UNORDERED_VERSIONS = """
select arxiv_id, version_number, submitted_on, earlier_version_on, source
from (
    select
        *,
        max(submitted_on) over (
            partition by work_id, arxiv_id
            order by version_number
            rows between unbounded preceding and 1 preceding
        ) as earlier_version_on
    from clean.work_versions
)
where submitted_on < earlier_version_on
order by arxiv_id, version_number
"""

_SILENT_SOURCES = """
select source, newest_on, covers_until, silent_days, silence_p_value
from mart.source_silences
where is_alarming
"""

_INCOMPLETE_CROSSWALK = """
with weights_by_category as (
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
select * from weights_by_category where weights is null or abs(weights - 1) > 1e-9 or unknown_categories > 0
"""

_INCOMPLETE_MAPPINGS = """
select from_taxonomy, from_category, to_taxonomy, sum(weight) as weights
from clean.category_crosswalk
group by from_taxonomy, from_category, to_taxonomy
having abs(sum(weight) - 1) > 1e-5
"""


@dataclass(frozen=True)
class Violations:
    """The rows that violate a check.

    Args:
        rows: The first of them, at most `MAX_VIOLATIONS`.
        count: Number of all of them.
    """

    rows: pl.DataFrame
    count: int


@dataclass(frozen=True)
class CrossTableCheck:
    """A check across tables.

    Args:
        name: Name of the check.
        table: The table that it is reported with.
        description: What is true when it passes, as a sentence.
        query: Returns the violating rows.
        is_critical: Whether a failure blocks the release.
    """

    name: str
    table: str
    description: str
    query: str
    is_critical: bool

    @property
    def source_tables(self) -> tuple[str, ...]:
        """Names of the tables that the query reads."""
        return list_source_tables(self.query)

    def find_violations(self, lake: Lake) -> Violations:
        """The rows that violate the check; none if it passes.

        Raises:
            duckdb.Error: The query fails; the message names the check.
        """
        with connect_tables(lake, self.source_tables, self.query) as connection:
            return self.query_violations(connection)

    def find_violations_there(self, query_rows: Callable[[str], pl.DataFrame]) -> Violations:
        """The rows that violate the check, in another engine, which is asked in DuckDB's dialect.

        Args:
            query_rows: Returns the rows of a query, which are few.
        """
        rows = query_rows(f"select * from ({self.query.strip()}) as violations limit {MAX_VIOLATIONS + 1}")
        if rows.height <= MAX_VIOLATIONS:
            return Violations(rows, rows.height)
        ((count,),) = query_rows(f"select count(*) as all_rows from ({self.query.strip()}) as violations").rows()
        return Violations(rows.head(MAX_VIOLATIONS), count)

    def query_violations(self, connection: duckdb.DuckDBPyConnection) -> Violations:
        """The rows that violate the check, in a connection that has its tables under their names.

        Only the first rows are kept in memory; the others are counted as they come.

        Raises:
            duckdb.Error: The query fails; the message names the check.
        """
        try:
            batches = connection.sql(self.query).to_arrow_reader(MAX_VIOLATIONS)
            # not `empty_table`, which imports pandas
            rows, count = pl.DataFrame(pl.from_arrow(pa.Table.from_batches([], batches.schema))), 0
            for batch in batches:
                if count < MAX_VIOLATIONS:
                    first = batch.slice(0, MAX_VIOLATIONS - count)
                    rows = rows.vstack(pl.DataFrame(pl.from_arrow(first)))
                count += batch.num_rows
        except duckdb.Error as error:
            raise type(error)(f"check {self.name}: {error}") from error
        return Violations(rows, count)


def list_checks() -> list[CrossTableCheck]:
    """All checks across tables."""
    return [
        CrossTableCheck(
            "accounts_add_up",
            "raw.parses",
            "For every snapshot, records read = kept + repeated + rejected + out of scope.",
            _UNBALANCED_ACCOUNTS,
            True,
        ),
        CrossTableCheck(
            "kept_records_are_held",
            "raw.parses",
            "The number of records kept from all snapshots is the number of distinct records in the lake.",
            _LOST_RECORDS,
            True,
        ),
        CrossTableCheck(
            "nothing_was_rejected",
            "raw.rejects",
            "Every record of every snapshot could be parsed.",
            _FAULTY_RECORDS,
            False,
        ),
        CrossTableCheck(
            "published_counts",
            "mart.published_counts",
            "Published counts are reproduced.",
            _DIFFERING_CLAIMS,
            False,
        ),
        CrossTableCheck(
            "no_snapshot_was_cut_short",
            "mart.snapshot_yields",
            "The newest snapshot of each file or address has about as many records as earlier ones.",
            _CUT_SHORT_SNAPSHOTS,
            False,
        ),
        CrossTableCheck(
            "records_are_still_listed",
            "mart.snapshot_yields",
            "The newest snapshot of a sheet has every record of the previous one; missing records stay in the lake.",
            _DELISTED_RECORDS,
            False,
        ),
        CrossTableCheck(
            "dates_are_past",
            "raw.lab_sheet_publications",
            "No publication is dated after the day on which it was seen; such dates are not used.",
            _FUTURE_DATES,
            False,
        ),
        CrossTableCheck(
            "versions_are_in_order",
            "clean.work_versions",
            "No version of a paper is dated before an earlier one.",
            _UNORDERED_VERSIONS,
            False,
        ),
        CrossTableCheck(
            "no_source_fell_silent",
            "mart.source_silences",
            "No source has been silent for improbably long, given its past rate.",
            _SILENT_SOURCES,
            False,
        ),
        CrossTableCheck(
            "suggestions_stay_confident",
            "mart.suggestion_confidence_by_month",
            "Suggestions for works of the newest 12 months are as often confident as for earlier ones.",
            _FALLING_CONFIDENCE,
            False,
        ),
        CrossTableCheck(
            "crosswalk_is_whole",
            "reference.category_crosswalk",
            "The weights of every category of the default taxonomy in each other taxonomy add up to 1.",
            _INCOMPLETE_CROSSWALK,
            True,
        ),
        CrossTableCheck(
            "mappings_are_whole",
            "clean.category_crosswalk",
            "The weights of every category that is mapped into another taxonomy add up to 1.",
            _INCOMPLETE_MAPPINGS,
            True,
        ),
    ]
