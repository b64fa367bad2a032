"""Builds a large lake: the bundled data and many synthetic publications, processed by the real transforms."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.sessions import aisle
from orchestration.defs.catalog import list_tables, load_transforms
from orchestration.ingest.parts import commit_records, commit_sightings, open_parts, select_files
from orchestration.ingest.raw_tables import declare_record_table
from orchestration.sources.registry import SOURCES
from transforms import engine
from warehouse.delta import measure_file, write_draft
from warehouse.lake import Lake
from warehouse.parts import SNAPSHOTS
from warehouse.release import Release, publish_release
from warehouse.search.build import build_index
from warehouse.sql import connect_tables
from warehouse.table import Table

_WORDS = (
    "alignment probe reward steering circuit feature oversight debate sandbagging deception unlearning jailbreak "
    "monitor evaluation calibration gradient sparse attention robustness watermark verifier rollout policy agent"
)
# titles of realistic length with many rare words
_SYNTHETIC_SHEET = f"""
with vocabulary as (select string_split('{_WORDS}', ' ') as words),
numbered as (select i, words, len(words) as vocabulary_size from range({{rows}}) as numbers (i) cross join vocabulary)

select
    1::bigint as occurrence,
    printf('row %d', i + 1000) as locator,
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
    _add_synthetic_part(lake, rows)
    for name, transform in load_transforms().items():
        started = time.monotonic()
        state = engine.make_table(transform, lake)
        if time.monotonic() - started > 5:
            log(f"{name}: {state.rows:,} rows in {time.monotonic() - started:.0f} s")
    started = time.monotonic()
    release, _ = publish_release(lake, tables.values(), {})
    log(f"published in {time.monotonic() - started:.0f} s")
    started = time.monotonic()
    build_index(release)
    log(f"search indexed in {time.monotonic() - started:.0f} s")
    return release


def _add_synthetic_part(lake: Lake, rows: int) -> None:
    """Add a part with synthetic publications to the sheet of the bundled snapshot."""
    source = next(source for source in SOURCES if source.name == "lab_sheet")
    declared = {source.name: declare_record_table(source) for source in SOURCES}
    parts = {source.name: open_parts(lake, declared[source.name], source) for source in SOURCES}
    sheet = parts[source.name]
    with connect_tables(lake, [source.table_name, SNAPSHOTS, "reference.labs", "reference.categories"]) as connection:
        connection.execute(f"create view sheet as from {source.table_name}")
        connection.execute("create view labs as from reference.labs")
        connection.execute("create view categories as from reference.categories")
        columns = ", ".join(sheet.names)
        empty = f"(from {select_files(sheet.files)} limit 0)"
        query = f"select {columns} from ({empty} union all by name ({_SYNTHETIC_SHEET.format(rows=rows)}))"
        with write_draft(connection, lake.locate_table(source.table_name), query) as draft:
            sheet.added.append(lake.adopt_file(source.table_name, measure_file(connection, sheet.names, draft)))
        seen = connection.sql(f"from {SNAPSHOTS} where source = '{source.name}'").pl()
        commit_records(lake, connection, sheet, source, seen)
    commit_sightings(lake, parts.values())
