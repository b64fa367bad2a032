"""Queries of the overview: contents, news and freshness of a release."""

from __future__ import annotations

import datetime as dt

import polars as pl

from dashboards.queries.release import query_release
from dashboards.queries.work import has_works
from warehouse.lake_tables import list_all_tables
from warehouse.release import Release

# a count by the name that the page shows: its table and expression; old releases may lack a table
_CONTENTS = {
    "works": ("clean.works", "count(*) filter (where not is_withdrawn)"),
    "labs": ("clean.work_labs", "count(distinct lab)"),
    "snapshots": ("raw.snapshots", "count(*)"),
    "sources": ("raw.snapshots", "count(distinct source)"),
}
# of a release without works
_FORMER_CONTENTS = {
    "publications": ("clean.publications", "count(*) filter (where not is_duplicate)"),
    "labs": ("clean.publications", "count(distinct lab)"),
    "papers": ("clean.papers", "count(*)"),
}


def count_contents(release: Release) -> dict[str, int]:
    """Counts of the release's contents by name: works, or publications and papers in a release without works."""
    tables = release.manifest["tables"]
    contents = _CONTENTS if has_works(release) else {**_FORMER_CONTENTS, **_CONTENTS, "labs": _FORMER_CONTENTS["labs"]}
    columns = ", ".join(
        f'(select {expression} from {table}) as "{name}"'
        for name, (table, expression) in contents.items()
        if table in tables
    )
    return query_release(release, f"select {columns}").row(0, named=True)


def is_unfed(release: Release) -> bool:
    """Whether nothing in the release was fetched from a feed or an address; no if it has no table of snapshots."""
    if "raw.snapshots" not in release.manifest["tables"]:
        return False
    return bool(query_release(release, "select count(*) = 0 from raw.snapshots where origin = 'fetch'").item())


def list_trends(release: Release, dimension: str) -> pl.DataFrame:
    """The trends of a dimension (``all``, ``lab`` or ``category``), most works first.

    Returns:
        ``member``, ``works``, ``finding`` and ``sentence``.
    """
    query = """
        select member, works, finding, sentence
        from mart.publication_trends
        where dimension = $dimension
        order by works desc, member
    """
    return query_release(release, query, {"dimension": dimension})


def list_changed_tables(newer: Release, older: Release) -> pl.DataFrame:
    """Tables whose content hashes differ between two releases.

    Returns:
        ``table_name``, ``rows_before`` and ``rows_now``; null where a release lacks the table.
    """
    before, now = (list_all_tables(release.manifest) for release in (older, newer))
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


def count_days_since(release: Release) -> int:
    """Whole days since the release was published."""
    at = dt.datetime.fromisoformat(release.manifest["published_at"])
    return (dt.datetime.now(dt.UTC) - at).days
