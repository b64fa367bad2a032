"""The assets of tables, made by factories from the declarations.

Each step makes a table (or, for raw and reference tables, several), writes it to the lake and checks its declared
limits. Every step can be subset, so that one source, one table or one check can be run alone.
"""

# no postponed annotations here: Dagster reads the type of `context`

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import dagster as dg
import polars as pl

from orchestration.defs.automation import UPDATE_WITH_NEW_INPUT, UPDATE_WITH_UPSTREAM
from orchestration.defs.catalog import load_inputs, load_transforms, trace_table
from orchestration.defs.checks import check_limits, find_limit_results, list_limit_checks, repeat_results
from orchestration.defs.errors import RETRY, fail_without_retry
from orchestration.defs.feeds import build_feed_key, build_raw_freshness, build_table_freshness
from orchestration.defs.resources import LakeResource
from orchestration.defs.specs import (
    build_asset_key,
    build_column_lineage,
    build_table_spec,
    hash_texts,
)
from orchestration.fetch.config import Configuration
from orchestration.ingest.inbox import add_waiting_files
from orchestration.ingest.parser_version import compute_parser_version
from orchestration.ingest.raw import update_raw_tables
from orchestration.ingest.raw_tables import SHARED_TABLES_PATH, declare_record_table, load_shared_tables
from orchestration.run import hash_inputs
from orchestration.sources.registry import SOURCES
from transforms import lineage
from transforms.reader import Transform
from warehouse import reference
from warehouse.lake import TableState
from warehouse.table import Table

INBOX = dg.AssetKey(["inbox"])
INBOX_TAKEN_FOR = "aisle/inbox_taken_for"
"""Tag with the id of the run for which a command has just taken the files of the inbox."""

Events: TypeAlias = Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]


def _describe_state(lake_run: LakeResource, name: str, state: TableState) -> dict[str, Any]:
    """The metadata of the materialisation of a table."""
    cost = lake_run.costs.get(name)
    return {
        **({} if cost is None else asdict(cost)),
        "dagster/row_count": state.rows,
        "dagster/column_lineage": build_column_lineage(lake_run.trace_columns(name)),
        "delta_version": state.version,
        "content_sha256": state.content_sha256,
        "path": dg.MetadataValue.path(lake_run.lake.locate_table(name)),
    }


def _make_tables(
    context: dg.AssetExecutionContext,
    lake_run: LakeResource,
    tables: list[Table],
    make: Callable[[list[Table]], Collection[str]],
) -> Events:
    """Make and check the selected tables; tables of which only a check is selected are checked as they are.

    A table is not made again if all that decides its rows is as before, and not checked again if it has not changed
    since its last check. Shared tables that ``make`` writes but that are not selected are reported too.
    """
    run = lake_run.run
    selected = [table for table in tables if build_asset_key(table.name) in context.selected_asset_keys]
    inputs = load_inputs()
    current = [t for t in selected if t.name in inputs and run.is_current(t.name, inputs[t.name])]
    to_make = [table for table in selected if table not in current]
    before = {table.name: run.get_version(table.name) for table in tables}
    written = set(fail_without_retry(lambda: make(to_make))) if to_make else set()
    for path in run.lake.intact_files.take_damaged():
        context.log.warning(f"{path} is missing or has other bytes than were written: its table is made again")
    checks = {(key.asset_key, key.name) for key in context.selected_asset_check_keys}
    for table in tables:
        key = build_asset_key(table.name)
        has_checks = any(asset == key for asset, _ in checks)
        if not (table.name in written or table in current or has_checks):
            continue
        state = run.lake.read_state(table.name)
        if state is None:
            raise dg.Failure(f"{table.name} was never made: materialise it first", allow_retries=False)
        if table.name in written or table in current:
            run.set_version(table.name, state.version, inputs.get(table.name))
            metadata = _describe_state(lake_run, table.name, state)
            if table in current:
                metadata["not_made_again"] = "All that decides its rows is the same as when it was made."
            elif table.name in load_transforms() or state.version != before[table.name]:
                context.log.info(f"{table.name}: {state.rows:,} rows")
            version = dg.DataVersion(state.content_sha256)
            if table in selected:
                yield dg.MaterializeResult(asset_key=key, metadata=metadata, data_version=version)
            else:
                context.log_event(
                    dg.AssetMaterialization(key, metadata=metadata, tags={"dagster/data_version": version.value})
                )
        if has_checks:
            yield from _check_table(context, lake_run, table, {name for asset, name in checks if asset == key})


def _check_table(
    context: dg.AssetExecutionContext, lake_run: LakeResource, table: Table, names: Collection[str]
) -> Iterator[dg.AssetCheckResult]:
    """The results of the selected checks of a table's limits; earlier ones if nothing has changed since."""
    run = lake_run.run
    earlier = None if table in _list_checked_alone(context, table) else find_limit_results(run, table)
    results = check_limits(run, table, lake_run.table_engine) if earlier is None else repeat_results(earlier)
    for result in results:
        if result.description:
            context.log.warning(f"{table.name}: {result.description}")
        if result.check_name in names:
            yield result


def _list_checked_alone(context: dg.AssetExecutionContext, table: Table) -> list[Table]:
    """The table, if its checks are selected without it: a person who does that wants them made again."""
    return [] if build_asset_key(table.name) in context.selected_asset_keys else [table]


def _build_tables_asset(
    name: str,
    specs: Mapping[Table, dg.AssetSpec],
    make: Callable[[dg.AssetExecutionContext, LakeResource, list[Table]], Collection[str]],
) -> dg.AssetsDefinition:
    tables = list(specs)

    @dg.multi_asset(
        name=name,
        specs=list(specs.values()),
        check_specs=[check for table in tables for check in list_limit_checks(table)],
        can_subset=True,
        retry_policy=RETRY,
    )
    def make_tables(context: dg.AssetExecutionContext, lake_run: LakeResource) -> Events:
        yield from _make_tables(context, lake_run, tables, lambda selected: make(context, lake_run, selected))

    return make_tables


def build_reference_asset() -> dg.AssetsDefinition:
    """The reference tables, from the files in ``warehouse/reference``."""
    folder = Path(reference.FOLDER)
    version = hash_texts(*(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.*[vl]"))))
    specs = {
        table: build_table_spec(
            table,
            (),
            code=folder / "tables.toml",
            code_version=version,
            kinds={"csv", "deltalake"},
            freshness=build_table_freshness(),
        )
        for table in reference.list_reference_tables()
    }

    def write(_: object, lake_run: LakeResource, tables: list[Table]) -> Collection[str]:
        for table in tables:
            lake_run.lake.write(table, reference.read_table(table))
        return [table.name for table in tables]

    return _build_tables_asset("reference", specs, write)


def build_raw_asset(configuration: Configuration) -> dg.AssetsDefinition:
    """The raw tables: one for each source, downstream of its feeds and the inbox, and the accounts of all of them."""
    sources = {declare_record_table(source): source for source in SOURCES}
    specs = {
        table: build_table_spec(
            table,
            [INBOX, *(build_feed_key(f.name) for f in configuration.feeds.values() if f.source == source.name)],
            code=source.parse,
            code_version=compute_parser_version(source),
            kinds={"python", "deltalake"},
            freshness=build_raw_freshness(configuration, source) or build_table_freshness(),
            automation=UPDATE_WITH_NEW_INPUT,
        )
        for table, source in sources.items()
    }
    shared_version = hash_texts(SHARED_TABLES_PATH.read_text(encoding="utf-8"))
    specs |= {
        table: build_table_spec(
            table,
            [build_asset_key(source.table_name) for source in SOURCES],
            code=SHARED_TABLES_PATH,
            code_version=shared_version,
            kinds={"python", "deltalake"},
            freshness=build_table_freshness(),
            automation=UPDATE_WITH_UPSTREAM,
        )
        for table in load_shared_tables().values()
    }

    def ingest(context: dg.AssetExecutionContext, lake_run: LakeResource, tables: list[Table]) -> Collection[str]:
        lake, selected = lake_run.lake, [sources[table] for table in tables if table in sources]
        if context.run.tags.get(INBOX_TAKEN_FOR) != context.run.run_id:  # a repeated run has the tags of the first
            add_waiting_files(lake, context.log.info)
        if len(selected) == len(SOURCES):
            # noted before they are read: what is fetched from now on is for the next run
            lake_run.run.inputs = hash_inputs(lake)
        if not update_raw_tables(lake, context.log.info, selected, lake_run.build_read_ahead(context.log.info)):
            lake_run.run.inputs = None  # so that the next run looks for what is away
        return [*(source.table_name for source in selected), *(table.name for table in load_shared_tables().values())]

    return _build_tables_asset("ingest", specs, ingest)


def build_lineage_asset() -> dg.AssetsDefinition:
    """The table of column lineage, from all SQL files."""
    transforms = load_transforms()
    spec = build_table_spec(
        lineage.TABLE,
        [build_asset_key(name) for name in transforms],
        code=lineage.trace_columns,
        code_version=hash_texts(*(transform.query for transform in transforms.values())),
        kinds={"python", "deltalake"},
        freshness=build_table_freshness(),
        automation=UPDATE_WITH_UPSTREAM,
    )

    def trace(_: object, lake_run: LakeResource, __: object) -> Collection[str]:
        lake_run.lake.write(lineage.TABLE, pl.concat(trace_table(name) for name in transforms))
        return [lineage.TABLE.name]

    return _build_tables_asset("lineage", {lineage.TABLE: spec}, trace)


@cache
def build_transform_asset(transform: Transform) -> dg.AssetsDefinition:
    """The table that a SQL file makes, downstream of the tables that its query reads; the same each time it is called.

    Dagster takes ten milliseconds to build an asset.
    """
    table = transform.table
    spec = build_table_spec(
        table,
        [build_asset_key(source) for source in transform.source_tables],
        code=transform.path,
        code_version=transform.code_version,
        kinds={"duckdb", "deltalake"},
        freshness=build_table_freshness(),
        automation=UPDATE_WITH_UPSTREAM,
    )

    def run_query(_: object, lake_run: LakeResource, __: object) -> Collection[str]:
        _, lake_run.costs[table.name] = lake_run.table_engine.make_table(transform, lake_run.lake)
        return [table.name]

    return _build_tables_asset(table.name.replace(".", "__"), {table: spec}, run_query)


def build_table_assets(configuration: Configuration) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The assets of all tables, and the inbox, into which people put files by hand."""
    inbox = dg.AssetSpec(
        INBOX,
        description="The folder `inbox/` of the lake: a sensor starts a run for files put there.",
        group_name="feeds",
        kinds={"file"},
    )
    return [
        inbox,
        build_reference_asset(),
        build_raw_asset(configuration),
        build_lineage_asset(),
        *(build_transform_asset(transform) for transform in load_transforms().values()),
    ]
