"""Dagster assets, made by factories from the declarations: one asset for each table, and the release.

Each asset writes its table, says how many rows it has, and checks the declared limits: critical ones hold
back everything made from the table and the release, warning ones are shown.
"""

# no postponed annotations here: Dagster wants to see the type of `context` itself

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import dagster as dg
import polars as pl

from expectations import across, suite
from orchestration.defs.feeds import freshness_of
from orchestration.fetch.config import Configuration
from orchestration.ingest import raw
from orchestration.run import CheckResult, LakeRun, accounted, code_version, inputs_of
from transforms import engine, lineage
from transforms.reader import Transform, read_transforms
from warehouse import reference, release
from warehouse.dictionary import limits_in_words
from warehouse.lake import Lake, LakeBusy
from warehouse.table import SQL_TYPES, Table

CRITICAL, WARNING = "limits", "warnings"
RELEASE = dg.AssetKey(["release"])
# reading and publishing touch the disk, which can be busy for a moment; a wrong query stays wrong
_RETRY = dg.RetryPolicy(max_retries=2, delay=2, backoff=dg.Backoff.EXPONENTIAL)

Events: TypeAlias = Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]


@cache
def transforms() -> dict[str, Transform]:
    """All SQL files by the table they make."""
    return read_transforms([*reference.tables(), *raw.raw_tables()])


def all_tables() -> list[Table]:
    """The declarations of all tables of a release."""
    return [
        *reference.tables(),
        lineage.TABLE,
        *raw.raw_tables(),
        *(transform.table for transform in transforms().values()),
    ]


@dg.resource(
    description="Holds the lake for the whole run, so that two runs never write at once, and keeps its account."
)
def lake_run(context: dg.InitResourceContext) -> Iterator[LakeRun]:
    """Take the lake's lock, saying so if it has to be waited for, and give the account of the run."""
    lake = Lake.of_environment()
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(lake.lock(wait=False))
        except LakeBusy as busy:
            if context.log:
                context.log.warning(f"{busy}; waiting for it to end")
            stack.enter_context(lake.lock())
        yield stack.enter_context(accounted(lake, context.run_id or ""))


def _key(name: str) -> dg.AssetKey:
    return dg.AssetKey(name.split("."))


def _schema(table: Table) -> dg.TableSchema:
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                SQL_TYPES[column.type],
                description=column.meaning + (f" [{column.unit}]" if column.unit else ""),
                constraints=dg.TableColumnConstraints(
                    nullable=not column.required,
                    unique=table.key == (column.name,),
                    other=[text for text in limits_in_words(column).split("; ") if text != "required"],
                ),
            )
            for column in table.columns
        ]
    )


def _spec(
    table: Table,
    sources: tuple[str, ...],
    version: str,
    kinds: set[str],
    freshness: dg.FreshnessPolicy | None = None,
) -> dg.AssetSpec:
    return dg.AssetSpec(
        _key(table.name),
        deps=[_key(source) for source in sources],
        description=f"{table.row}\n\nKey: {', '.join(table.key)}",
        group_name=table.layer,
        kinds=kinds,
        code_version=version,
        metadata={"dagster/column_schema": _schema(table)},
        freshness_policy=freshness,
    )


def _check_specs(table: Table) -> list[dg.AssetCheckSpec]:
    specs = [
        dg.AssetCheckSpec(
            CRITICAL, asset=_key(table.name), blocking=True, description="Columns, key and the critical limits."
        )
    ]
    if any(column.warn for column in table.columns):
        specs.append(dg.AssetCheckSpec(WARNING, asset=_key(table.name), description="The limits that only warn."))
    return specs


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _written(context: dg.AssetExecutionContext, table: Table, frame: pl.DataFrame) -> Events:
    """Write a table and check it."""
    lake = context.resources.lake_run.lake
    state = lake.write(table, frame)
    context.log.info(f"{table.name}: {state.rows:,} rows")
    yield dg.MaterializeResult(
        asset_key=_key(table.name),
        metadata={
            "dagster/row_count": state.rows,
            "dagster/column_schema": _schema(table),
            "delta_version": state.version,
            "content_sha256": state.content_sha256,
            "path": dg.MetadataValue.path(lake.path(table.name)),
        },
    )
    breaches = suite.check(table, table.conform(frame), raw.allowed_values)
    for name, critical in ((CRITICAL, True), (WARNING, False)):
        found = [breach for breach in breaches if breach.is_critical == critical]
        for breach in found:
            context.log.warning(f"{table.name}: {breach.says}")
        if critical or any(column.warn for column in table.columns):
            says = "; ".join(breach.says for breach in found)
            context.resources.lake_run.checks.append(CheckResult(table.name, name, not found, critical, says))
            yield dg.AssetCheckResult(
                asset_key=_key(table.name),
                check_name=name,
                passed=not found,
                severity=dg.AssetCheckSeverity.ERROR if critical else dg.AssetCheckSeverity.WARN,
                metadata={
                    "rows_checked": state.rows,
                    **{
                        f"{breach.column}_{breach.limit}".replace(", ", "_"): {
                            "says": breach.says,
                            "rows": breach.rows,
                            "keys": [[str(part) for part in key] for key in breach.keys[: suite.EXAMPLES]],
                        }
                        for breach in found
                    },
                },
            )


def _guarded(make: Callable[[], Any]) -> Any:
    """Let the disk's faults be retried; anything else will not get better by itself."""
    try:
        return make()
    except OSError:
        raise
    except Exception as error:
        raise dg.Failure(description=f"{type(error).__name__}: {error}", allow_retries=False) from error


def _tables_asset(
    name: str,
    tables: list[Table],
    version: str,
    kind: str,
    make: Callable[[dg.AssetExecutionContext, Lake], Mapping[str, pl.DataFrame]],
    freshness: Mapping[str, dg.FreshnessPolicy | None],
) -> dg.AssetsDefinition:
    """One step that makes several tables at once."""

    @dg.multi_asset(
        name=name,
        specs=[_spec(table, (), version, {kind, "deltalake"}, freshness.get(table.name)) for table in tables],
        check_specs=[spec for table in tables for spec in _check_specs(table)],
        retry_policy=_RETRY,
        required_resource_keys={"lake_run"},
    )
    def made(context: dg.AssetExecutionContext) -> Events:
        frames = _guarded(lambda: make(context, context.resources.lake_run.lake))
        for table in tables:
            yield from _written(context, table, frames[table.name])

    return made


def _ingest(context: dg.AssetExecutionContext, lake: Lake) -> Mapping[str, pl.DataFrame]:
    raw.take_in(lake, context.log.info)
    # noted before they are read: what is fetched from now on is for the next run
    context.resources.lake_run.inputs = inputs_of(lake)
    return raw.ingest(lake, context.log.info)


def _lineage(_: dg.AssetExecutionContext, __: Lake) -> Mapping[str, pl.DataFrame]:
    return {lineage.TABLE.name: lineage.lineage_of(transforms().values(), all_tables())}


def _transform_asset(transform: Transform) -> dg.AssetsDefinition:
    table = transform.table

    @dg.multi_asset(
        name=table.name.replace(".", "__"),
        specs=[
            _spec(
                table,
                transform.sources,
                _short_hash(transform.path.read_text(encoding="utf-8")),
                {"duckdb", "deltalake"},
            )
        ],
        check_specs=_check_specs(table),
        retry_policy=_RETRY,
        required_resource_keys={"lake_run"},
    )
    def made(context: dg.AssetExecutionContext) -> Events:
        yield from _written(context, table, _guarded(lambda: engine.run(transform, context.resources.lake_run.lake)))

    return made


def _across_check(check: across.Check) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=_key(check.table),
        name=check.name,
        description=check.means,
        blocking=check.is_critical,
        additional_deps=[_key(name) for name in check.reads if name != check.table],
        required_resource_keys={"lake_run"},
    )
    def checked(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        account: LakeRun = context.resources.lake_run
        broken = check.broken_by(account.lake)
        examples = "; ".join(", ".join(f"{k} {v}" for k, v in row.items()) for row in broken.head(3).to_dicts())
        says = f"broken by {broken.height} {'row' if broken.height == 1 else 'rows'}: {examples}" if examples else ""
        account.checks.append(CheckResult(check.table, check.name, broken.is_empty(), check.is_critical, says))
        if says:
            context.log.warning(f"{check.table}: {check.name}: {says}")
        return dg.AssetCheckResult(
            passed=broken.is_empty(),
            severity=dg.AssetCheckSeverity.ERROR if check.is_critical else dg.AssetCheckSeverity.WARN,
            metadata={
                "rows": broken.height,
                "examples": [{k: str(v) for k, v in row.items()} for row in broken.head(suite.EXAMPLES).to_dicts()],
            },
        )

    return checked


def _index(context: dg.AssetExecutionContext, published: release.Release) -> None:
    """Make what full-text search needs; without it the pages search by plain SQL, so its faults hold back nothing."""
    try:
        from warehouse.search import index

        count = index.build(published)
    except (ImportError, OSError) as error:
        context.log.warning(f"release {published.name} is searched without an index, which is slower: {error}")
    else:
        if count is not None:
            context.log.info(f"release {published.name}: {count:,} things can be searched")


@dg.asset(
    key=RELEASE,
    deps=[_key(table.name) for table in all_tables()],
    description="One consistent, immutable set of all tables, published in one step.",
    group_name="release",
    kinds={"duckdb"},
    retry_policy=_RETRY,
    required_resource_keys={"lake_run"},
)
def release_asset(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    """Publish all tables, unless the newest release holds just the same."""
    account: LakeRun = context.resources.lake_run
    lake = account.lake
    facts = {
        "snapshots": lake.read(raw.shared_tables()["snapshots"])["snapshot_id"].to_list(),
        "code_version": code_version(),
        "dagster_run_id": context.run_id,
        "checks": [asdict(result) for result in account.checks],
    }
    published, is_new = _guarded(lambda: release.publish(lake, all_tables(), facts))
    account.release, account.is_new_release = published.number, is_new
    context.log.info(
        f"release {published.name}: {'published' if is_new else 'holds just the same already, nothing to publish'}"
    )
    _index(context, published)
    rows = {name: told["rows"] for name, told in published.manifest["tables"].items()}
    return dg.MaterializeResult(
        metadata={
            "release": published.number,
            "is_new": is_new,
            "rows": rows,
            "path": dg.MetadataValue.path(published.path),
        }
    )


def all_assets(configuration: Configuration) -> list[dg.AssetsDefinition]:
    """The assets of all tables and the release; raw tables that feeds fill are to be fresh."""
    references = list(reference.tables())
    reference_version = _short_hash(
        "".join(path.read_text(encoding="utf-8") for path in sorted(Path(reference.FOLDER).glob("*.csv")))
    )
    raw_version = _short_hash("".join(raw.parser_version(source) for source in raw.SOURCES))
    lineage_version = "".join(transform.query for transform in transforms().values())
    return [
        _tables_asset(
            "reference",
            references,
            reference_version,
            "csv",
            lambda _, __: {t.name: reference.frame_of(t) for t in references},
            {},
        ),
        _tables_asset(
            "ingest",
            raw.raw_tables(),
            raw_version,
            "python",
            _ingest,
            {source.table_name: freshness_of(configuration, source) for source in raw.SOURCES},
        ),
        _tables_asset("lineage", [lineage.TABLE], _short_hash(lineage_version), "python", _lineage, {}),
        *(_transform_asset(transform) for transform in transforms().values()),
        release_asset,
    ]


def all_checks() -> list[dg.AssetChecksDefinition]:
    """The checks between tables."""
    return [_across_check(check) for check in across.checks()]
