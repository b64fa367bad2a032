"""Newest record and number of items of each source: all items that search finds, and no others."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import duckdb
import polars as pl
import pytest

from orchestration.defs.catalog import list_tables, load_transforms
from orchestration.sources.registry import SOURCES
from tests.pipeline.test_declarations import make_good_frame
from tests.support.two_lists import make_row
from warehouse.search.items import ITEM_KINDS, select_items

TRANSFORM = load_transforms()["mart.source_freshness"]
# SQL for the source of the records behind the items of each kind
RECORD_SOURCES = {
    "publication": "'lab_sheet'",
    "episode": "'podcast_page'",
    "segment": "'forum_page'",
    "post": "'forum_posts'",
    "comment": "'forum_comments'",
    "feed item": "'feed_items'",
    "paper": "source",
}
# works are made of the records of the other kinds
RECORD_KINDS = tuple(kind for kind in ITEM_KINDS if kind.kind != "work")
# what search finds, counted in each source in which its record was sighted
ITEMS_OF_SEARCH = f"""
    select sightings.source, count(*) as items, max(published_on) as newest_record_on
    from ({select_items(RECORD_KINDS)}) as items
    inner join (select distinct record_id, source from raw.sightings) as sightings using (record_id)
    group by sightings.source
"""


def connect(**frames: pl.DataFrame) -> duckdb.DuckDBPyConnection:
    """A database with all tables, empty but for those that are given, with two underscores for the dot."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    for table in list_tables():
        connection.execute(f"create schema if not exists {table.layer}")
        rows = frames.get(table.name.replace(".", "__"), table.frame())
        connection.register("rows_to_store", rows)
        connection.execute(f"create table {table.name} as from rows_to_store")
    return connection


def make_frame(name: str, rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    (table,) = (table for table in list_tables() if table.name == name)
    return table.frame(make_row(name, **row) for row in rows)


def query_freshness_rows(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, Any]]:
    frame = TRANSFORM.table.conform(connection.sql(TRANSFORM.query).pl())
    return {row["source"]: row for row in frame.iter_rows(named=True)}


def make_snapshots(*sources: str) -> pl.DataFrame:
    at = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
    return make_frame("raw.snapshots", ({"snapshot_id": name, "source": name, "fetched_at": at} for name in sources))


@pytest.mark.parametrize("rows", [0, 1, 3, 8])
def test_items_of_a_source_are_those_that_search_finds(rows: int) -> None:
    assert {kind.kind for kind in RECORD_KINDS} == set(RECORD_SOURCES), "a kind of item without its source"
    names = {kind.table for kind in RECORD_KINDS}
    frames = {
        table.name.replace(".", "__"): make_good_frame(table, rows) for table in list_tables() if table.name in names
    }
    with connect(**frames, raw__snapshots=make_snapshots(*(source.name for source in SOURCES))) as connection:
        for kind in RECORD_KINDS:
            # records of different sources have different identities
            connection.execute(f"update {kind.table} set {kind.item_id} = '{kind.kind} ' || {kind.item_id}")
            for snapshot in ("first", "second"):  # an item that two snapshots have is one item
                connection.execute(
                    f"insert into raw.sightings by name select {kind.record_id} as record_id,"
                    f" {RECORD_SOURCES[kind.kind]} as source, '{snapshot}' as snapshot_id from {kind.table}"
                )
        found = connection.execute(ITEMS_OF_SEARCH).fetchall()
        counted = query_freshness_rows(connection)
    assert set(counted) == {source.name for source in SOURCES}
    got = {(name, row["items"], row["newest_record_on"]) for name, row in counted.items() if row["items"]}
    assert got == set(found)
    assert (
        sum(row["items"] for row in counted.values()) == rows * len(RECORD_KINDS) - (rows + 1) // 2
    )  # every other episode is a repeat


def test_source_without_items_records_or_coverage_has_zeros_and_no_dates() -> None:
    with connect(raw__snapshots=make_snapshots("crossref_works")) as connection:
        (row,) = query_freshness_rows(connection).values()
    assert (row["snapshots"], row["records_read"], row["items"]) == (1, 0, 0)
    assert (row["newest_record_on"], row["covers_until"]) == (None, None)


def test_snapshots_and_records_of_a_source_are_added_up() -> None:
    parses = make_frame(
        "raw.parses",
        (
            {"snapshot_id": str(n), "source": source, "records_read": n}
            for n, source in [(3, "feed_items"), (4, "feed_items"), (9, "arxiv_papers")]
        ),
    )
    snapshots = pl.concat([make_snapshots("feed_items", "arxiv_papers"), make_snapshots("feed_items")])
    items = make_frame(
        "clean.feed_items",
        (
            {"feed_item_id": str(n), "published_at": at}
            for n, at in enumerate([dt.datetime(2026, 1, 2, 23, 59, tzinfo=dt.UTC), None])
        ),
    )
    with connect(raw__snapshots=snapshots, raw__parses=parses, clean__feed_items=items) as connection:
        rows = query_freshness_rows(connection)
    assert (rows["feed_items"]["snapshots"], rows["feed_items"]["records_read"]) == (2, 7)
    assert (rows["feed_items"]["items"], rows["feed_items"]["newest_record_on"]) == (2, dt.date(2026, 1, 2))
    assert (rows["arxiv_papers"]["records_read"], rows["arxiv_papers"]["items"]) == (9, 0)
