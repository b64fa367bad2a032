"""The assets of tables, made by factories from the declarations.

Each step makes a table (or, for raw and reference tables, several), writes it to the lake and checks its declared
limits. Every step can be subset, so that one source, one table or one check can be run alone.
"""

# no postponed annotations here: Dagster reads the type of `context`

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import dagster as dg
import polars as pl

from orchestration.defs.automation import UPDATE_WITH_NEW_INPUT, UPDATE_WITH_UPSTREAM
from orchestration.defs.catalog import load_transforms, trace_table
from orchestration.defs.checks import check_limits, list_limit_checks
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
from orchestration.ingest.parse import compute_parser_version
from orchestration.ingest.raw import update_raw_tables
from orchestration.ingest.raw_tables import SHARED_TABLES_PATH, declare_record_table, load_shared_tables
from orchestration.run import hash_inputs
from orchestration.sources.registry import SOURCES
from transforms import engine, lineage
from transforms.reader import Transform
from warehouse import reference
from warehouse.table import Table

INBOX = dg.AssetKey(["inbox"])
INBOX_TAKEN_FOR = "aisle/inbox_taken_for"
"""Tag with the id of the run for which a command has just taken the files of the inbox."""

Events: TypeAlias = Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]


def _write_table(lake_run: LakeResource, table: Table, frame: pl.DataFrame) -> dict[str, Any]:
    """Write a table to the lake; returns the metadata of its materialisation."""
    state = lake_run.lake.write(table, frame)
    transform = load_transforms().get(table.name)
    lake_run.run.set_version(table.name, state.version, transform.source_tables if transform else ())
    return {
        "dagster/row_count": state.rows,
        "dagster/column_lineage": build_column_lineage(table.name),
        "delta_version": state.version,
        "content_sha256": state.content_sha256,
        "path": dg.MetadataValue.path(lake_run.lake.locate_table(table.name)),
    }


def _make_tables(
    context: dg.AssetExecutionContext,
    lake_run: LakeResource,
    tables: list[Table],
    make: Callable[[list[Table]], Mapping[str, pl.DataFrame]],
) -> Events:
    """Make the selected tables, write and check them; tables of which only a check is selected are checked as they are.

    Shared tables that ``make`` returns but that are not selected are also written and reported as materialised.
    """
    selected = [table for table in tables if build_asset_key(table.name) in context.selected_asset_keys]
    frames = dict(fail_without_retry(lambda: make(selected))) if selected else {}
    checks = {(key.asset_key, key.name) for key in context.selected_asset_check_keys}
    for table in tables:
        key = build_asset_key(table.name)
        if table.name in frames:
            frame = frames[table.name]
            metadata = _write_table(lake_run, table, frame)
            context.log.info(f"{table.name}: {frame.height:,} rows")
            version = dg.DataVersion(metadata["content_sha256"])
            if table in selected:
                yield dg.MaterializeResult(asset_key=key, metadata=metadata, data_version=version)
            else:
                context.log_event(
                    dg.AssetMaterialization(key, metadata=metadata, tags={"dagster/data_version": version.value})
                )
        elif any(asset == key for asset, _ in checks):
            if lake_run.lake.read_state(table.name) is None:
                raise dg.Failure(f"{table.name} was never made: materialise it first", allow_retries=False)
            frame = lake_run.lake.read(table)
        else:
            continue
        if any(asset == key for asset, _ in checks):
            for result in check_limits(lake_run.run, table, frame):
                if result.description:
                    context.log.warning(f"{table.name}: {result.description}")
                if (key, result.check_name) in checks:
                    yield result


def _build_tables_asset(
    name: str,
    specs: Mapping[Table, dg.AssetSpec],
    make: Callable[[dg.AssetExecutionContext, LakeResource, list[Table]], Mapping[str, pl.DataFrame]],
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
    return _build_tables_asset(
        "reference", specs, lambda _, __, tables: {table.name: reference.read_table(table) for table in tables}
    )


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

    def ingest(
        context: dg.AssetExecutionContext, lake_run: LakeResource, tables: list[Table]
    ) -> Mapping[str, pl.DataFrame]:
        lake, selected = lake_run.lake, [sources[table] for table in tables if table in sources]
        if context.run.tags.get(INBOX_TAKEN_FOR) != context.run.run_id:  # a repeated run has the tags of the first
            add_waiting_files(lake, context.log.info)
        if len(selected) == len(SOURCES):
            # noted before they are read: what is fetched from now on is for the next run
            lake_run.run.inputs = hash_inputs(lake)
        return update_raw_tables(lake, context.log.info, selected)

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

    def trace(*_: object) -> Mapping[str, pl.DataFrame]:
        return {lineage.TABLE.name: pl.concat(trace_table(name) for name in transforms)}

    return _build_tables_asset("lineage", {lineage.TABLE: spec}, trace)


def build_transform_asset(transform: Transform) -> dg.AssetsDefinition:
    """The table that a SQL file makes, downstream of the tables that its query reads."""
    table = transform.table
    spec = build_table_spec(
        table,
        [build_asset_key(source) for source in transform.source_tables],
        code=transform.path,
        code_version=hash_texts(transform.path.read_text(encoding="utf-8")),
        kinds={"duckdb", "deltalake"},
        freshness=build_table_freshness(),
        automation=UPDATE_WITH_UPSTREAM,
    )

    def run_query(_: object, lake_run: LakeResource, __: object) -> Mapping[str, pl.DataFrame]:
        return {table.name: engine.run_transform(transform, lake_run.lake)}

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
