"""What the overview asks: what a lake holds, what is new in it, how fresh it is, and what its checks warn of."""

from __future__ import annotations

import datetime as dt
from typing import Any

import duckdb
import polars as pl
import streamlit as st

from dashboards.queries import release as read
from dashboards.queries.release import ask
from warehouse.release import Release
from warehouse.sql import quoted

MOST_NEW = 25  # publications listed as new
# what is told of a lake, and the tables that it takes; a release made before a table was does not have it
_HELD = {
    "publications": ("clean.publications", "count(*) filter (where not is_duplicate)"),
    "labs": ("clean.publications", "count(distinct lab)"),
    "podcast entries": ("clean.episodes", "count(*) filter (where not is_repeat)"),
    "forum segments": ("clean.segments", "count(*)"),
    "snapshots": ("raw.snapshots", "count(*)"),
    "sources": ("raw.snapshots", "count(distinct source)"),
}


def held(release: Release) -> dict[str, int]:
    """How many things of each kind the release holds; publications are distinct works."""
    present = {name: of for name, of in _HELD.items() if of[0] in release.manifest["tables"]}
    columns = ", ".join(f'(select {counted} from {table}) as "{name}"' for name, (table, counted) in present.items())
    return ask(release, f"select {columns}").row(0, named=True)


def freshness(release: Release) -> pl.DataFrame:
    """Each source with its newest snapshot and newest record.

    Returns:
        ``source``, ``snapshots``, ``newest_snapshot_at``, ``records_read``, ``newest_record_on`` and ``covers_until``.
    """
    query = """
        select
            snapshots.source,
            count(*) as snapshots,
            max(snapshots.fetched_at) as newest_snapshot_at,
            cast(sum(parses.records_read) as bigint) as records_read,
            any_value(silences.newest_on) as newest_record_on,
            any_value(silences.covers_until) as covers_until
        from raw.snapshots as snapshots
        left join raw.parses as parses on snapshots.snapshot_id = parses.snapshot_id
        left join mart.source_silences as silences on snapshots.source = silences.source
        group by snapshots.source
        order by snapshots.source
    """
    return ask(release, query)


def findings(release: Release, dimension: str) -> pl.DataFrame:
    """The trends of all, of each lab or of each category, those of most works first.

    Returns:
        ``member``, ``works``, ``finding`` and ``sentence``.
    """
    query = """
        select member, works, finding, sentence
        from mart.publication_trends
        where dimension = $dimension
        order by works desc, member
    """
    return ask(release, query, {"dimension": dimension})


def failed_checks(release: Release) -> list[dict[str, Any]]:
    """The checks of the release that did not pass, from its manifest, the critical ones first."""
    failed = [told for told in release.manifest.get("checks", []) if not told["passed"]]
    return sorted(failed, key=lambda told: (not told["is_critical"], told["table"], told["check"]))


def new_publications(newer: Release, older: Release) -> pl.DataFrame:
    """The newest `MOST_NEW` publications that the newer release has and the older one has not.

    Returns:
        ``publication_id``, ``title``, ``lab``, ``category``, ``published_on`` and ``in_all`` (how many are new).

    Raises:
        UnreadableRelease: One of the releases cannot be read.
    """
    moments = [str(release.manifest["published_at"]) for release in (newer, older)]
    return _new(str(newer.path), str(older.path), *moments)


@st.cache_data(max_entries=16, show_spinner=False)
def _new(newer: str, older: str, newer_at: str, older_at: str) -> pl.DataFrame:  # noqa: ARG001 - times tell files apart
    query = f"""
        with new as (
            select publication_id, title, lab, category, published_on
            from newer.clean.publications
            anti join older.clean.publications using (publication_id)
        )

        select *, (select count(*) from new) as in_all
        from new
        order by published_on desc nulls last, publication_id
        limit {MOST_NEW}
    """
    with duckdb.connect() as connection:
        for alias, path in (("newer", newer), ("older", older)):
            with read.reading(read.Path(path)):
                connection.execute(f"attach {quoted(path)} as {alias} (read_only)")
        with read.reading(read.Path(newer)):
            return connection.sql(query).pl()


def changed_tables(newer: Release, older: Release) -> pl.DataFrame:
    """Tables whose content differs between two releases, by their manifests.

    Returns:
        ``table_name``, ``rows_before`` and ``rows_now``; a table that one of them lacks has no number there.
    """
    before, now = older.manifest["tables"], newer.manifest["tables"]
    rows = [
        {
            "table_name": name,
            "rows_before": before.get(name, {}).get("rows"),
            "rows_now": now.get(name, {}).get("rows"),
        }
        for name in sorted({*before, *now})
        if before.get(name, {}).get("content_sha256") != now.get(name, {}).get("content_sha256")
    ]
    schema = {"table_name": pl.String, "rows_before": pl.Int64, "rows_now": pl.Int64}
    return pl.DataFrame(rows, schema=schema)


def days_since(release: Release) -> int:
    """Days since the release was published, as of now."""
    at = dt.datetime.fromisoformat(release.manifest["published_at"])
    return (dt.datetime.now(dt.UTC) - at).days
