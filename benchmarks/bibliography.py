"""Builds a large lake: the bundled data and many synthetic publications, processed by the real transforms."""

from __future__ import annotations

import time
from collections.abc import Callable

import duckdb
import polars as pl

from benchmarks.sessions import aisle
from orchestration.defs.catalog import list_tables, load_transforms
from transforms import engine
from warehouse.lake import Lake
from warehouse.release import Release, publish_release
from warehouse.search import index
from warehouse.table import Table

_SHEET, _SIGHTINGS = "raw.lab_sheet_publications", "raw.sightings"
_WORDS = (
    "alignment probe reward steering circuit feature oversight debate sandbagging deception unlearning jailbreak "
    "monitor evaluation calibration gradient sparse attention robustness watermark verifier rollout policy agent"
)
# titles of realistic length with many rare words
_SYNTHETIC_SHEET = f"""
with vocabulary as (select string_split('{_WORDS}', ' ') as words),
numbered as (select i, words, len(words) as vocabulary_size from range({{rows}}) as numbers (i) cross join vocabulary)

select
    printf('made%012x', i) as record_id,
    printf('made%012x', i) as version_id,
    i + 1000 as sheet_row,
    labs.lab,
    array_to_string(list_transform(range(4), lambda n: words[cast(1 + hash(i, n) % vocabulary_size as bigint)]), ' ')
        || printf(' in model%05d, study%d', hash(i, 'm') % 50000, i) as title,
    date '2015-01-01' + cast(hash(i, 'y') % 4190 as integer) as published_on,
    printf('https://example.org/made/%d', i) as url,
    categories.category,
    hash(i, 'u') % 40 = 0 as is_duplicate,
    (select max(first_seen_at) from sheet) as first_seen_at,
    (select max(last_seen_at) from sheet) as last_seen_at,
    (select max(snapshot_id) from sheet) as snapshot_id,
    i + 1000 as record_ordinal
from numbered
inner join (select lab, row_number() over (order by lab) - 1 as n from labs) as labs
    on labs.n = hash(i, 'l') % (select count(*) from labs)
inner join (
    select category, row_number() over (order by category) - 1 as n from categories where taxonomy = 'iaps'
) as categories on categories.n = hash(i, 'c') % (select count(*) from categories where taxonomy = 'iaps')
"""


def build_bibliography(lake: Lake, rows: int, log: Callable[[str], None] = print) -> Release:
    """Publish a release with this many synthetic publications beside the bundled ones, and build its search index."""
    aisle(lake, "run")
    tables: dict[str, Table] = {table.name: table for table in list_tables()}
    sheet = lake.read(tables[_SHEET])
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for name, frame in (
            ("sheet", sheet),
            ("labs", lake.read(tables["reference.labs"])),
            ("categories", lake.read(tables["reference.categories"])),
        ):
            connection.register(name, frame)
        publications = connection.sql(_SYNTHETIC_SHEET.format(rows=rows)).pl()
    sightings = publications.select(
        "snapshot_id",
        "record_ordinal",
        "record_id",
        "version_id",
        source=pl.lit("lab_sheet"),
        occurrence=pl.lit(1, pl.Int64),
        locator=pl.format("row {}", "sheet_row"),
    )
    for name, rows_to_add in ((_SHEET, publications), (_SIGHTINGS, sightings)):
        frame = pl.concat([lake.read(tables[name]), rows_to_add], how="diagonal_relaxed")
        lake.write(tables[name], tables[name].conform(frame))
    for name, transform in load_transforms().items():
        started = time.monotonic()
        state = engine.make_table(transform, lake)
        if time.monotonic() - started > 5:
            log(f"{name}: {state.rows:,} rows in {time.monotonic() - started:.0f} s")
    started = time.monotonic()
    release, _ = publish_release(lake, tables.values(), {})
    log(f"published in {time.monotonic() - started:.0f} s")
    started = time.monotonic()
    index.build_index(release)
    log(f"search indexed in {time.monotonic() - started:.0f} s")
    return release
