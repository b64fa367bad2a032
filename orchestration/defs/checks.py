"""Checks in Dagster: the declared limits of each table, and the checks between tables.

The limits of a table are two checks, ``limits`` (critical, they hold back everything downstream) and ``warnings``.
Each shows every declared limit with the observed value and the keys of failing rows. They are a part of the step that
makes the table, which can be subset, so that a check can be run alone on the table as it is.
"""

# no postponed annotations here: Dagster reads the type of `context`

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import dagster as dg

import expectations
from expectations import cross_table
from expectations.limits import MAX_EXAMPLES, check_relation
from expectations.observed import describe_expectations
from orchestration.defs.engines import is_for_workers, open_relation, query_on_workers
from orchestration.defs.errors import fail_without_retry
from orchestration.defs.resources import LakeResource
from orchestration.defs.specs import build_asset_key, hash_texts
from orchestration.ingest.limits import list_allowed_values
from orchestration.run import CheckResult, LakeRun
from transforms.engine import Engine
from warehouse.parts import SIGHTINGS, SNAPSHOTS
from warehouse.sql import connect_tables
from warehouse.table import Table, describe_table

LIMITS, WARNINGS = "limits", "warnings"
_CODE = Path(expectations.__file__).parent


def list_limit_checks(table: Table) -> list[dg.AssetCheckSpec]:
    """The checks of a table's declared limits."""
    names = [LIMITS, *([WARNINGS] if any(column.warn for column in table.columns) else [])]
    descriptions = {
        LIMITS: "Columns, key and every critical limit of the declaration. A failure holds back everything downstream.",
        WARNINGS: "The limits that only warn. A failure is shown; the release goes on.",
    }
    return [
        dg.AssetCheckSpec(
            name, asset=build_asset_key(table.name), blocking=name == LIMITS, description=descriptions[name]
        )
        for name in names
    ]


@cache
def hash_limits(table: Table) -> str:
    """Hash of all that decides the result of a table's limits besides its rows: declaration, allowed values, code."""
    references = {column.one_of for column in table.columns if isinstance(column.one_of, str)}
    allowed = [f"{name} {list_allowed_values(name)}" for name in sorted(references)]
    return hash_texts(describe_table(table), *allowed, *_read_code())


@cache
def _read_code() -> tuple[str, ...]:
    return tuple(file.read_text(encoding="utf-8") for file in sorted(_CODE.glob("*.py")))


def check_limits(run: LakeRun, table: Table, engine: Engine) -> Iterator[dg.AssetCheckResult]:
    """Check the declared limits of a table as it is in the lake, and add the results to the record of the run.

    The workers of an engine evaluate those of a large table.
    """
    is_there = is_for_workers(engine, run.lake, [table.name])
    with connect_tables(run.lake, [] if is_there else [table.name]) as connection:
        relation = open_relation(engine, run.lake, table.name) if is_there else table.name
        checked = check_relation(table, connection, relation, list_allowed_values)
    for spec in list_limit_checks(table):
        is_critical = spec.name == LIMITS
        own = [breach for breach in checked.breaches if breach.is_critical == is_critical]
        message = "; ".join(breach.message for breach in own)
        message = _name_rows(run, table, message)
        versions = {table.name: run.get_version(table.name)}
        code = hash_limits(table)
        run.add_check(CheckResult(table.name, spec.name, not own, is_critical, message, versions, code))
        described = describe_expectations(table, checked, is_critical=is_critical)
        yield dg.AssetCheckResult(
            asset_key=build_asset_key(table.name),
            check_name=spec.name,
            passed=not own,
            severity=dg.AssetCheckSeverity.ERROR if is_critical else dg.AssetCheckSeverity.WARN,
            description=message or None,
            metadata={
                "rows_checked": checked.rows,
                "expectations": dg.MetadataValue.table([dg.TableRecord(row) for row in described]),
            },
        )


def _name_rows(run: LakeRun, table: Table, message: str) -> str:
    """The message with the file and the place of each row of a raw table that it names by its ``version_id``."""
    versions = re.findall(r"\bversion_id (\w+)", message) if table.key == ("version_id",) else []
    if not versions or any(run.lake.read_state(name) is None for name in (SNAPSHOTS, SIGHTINGS)):
        return message
    query = f"""
        select version_id, min_by(concat(original_name, ', ', locator), (snapshot_id, record_ordinal))
        from {SIGHTINGS} inner join {SNAPSHOTS} using (snapshot_id)
        where version_id in (select unnest(?)) and locator is not null
        group by version_id
    """
    with connect_tables(run.lake, [SNAPSHOTS, SIGHTINGS], sightings_of=[table.name]) as connection:
        places = dict(connection.execute(query, [versions]).fetchall())
    return re.sub(r"\bversion_id (\w+)", lambda match: places.get(match[1], match[0]), message)


def find_limit_results(run: LakeRun, table: Table) -> list[CheckResult] | None:
    """The newest results of a table's limits; none if the table or its limits have changed since."""
    found = [run.find_result(table.name, spec.name, hash_limits(table)) for spec in list_limit_checks(table)]
    results = [result for result in found if result is not None]
    return results if len(results) == len(found) else None


def repeat_results(results: list[CheckResult]) -> Iterator[dg.AssetCheckResult]:
    """Results of an earlier run, as results of this one."""
    for result in results:
        yield dg.AssetCheckResult(
            asset_key=build_asset_key(result.table),
            check_name=result.check,
            passed=result.passed,
            severity=dg.AssetCheckSeverity.ERROR if result.is_critical else dg.AssetCheckSeverity.WARN,
            description=result.message or None,
            metadata={"not_repeated": "The table and its limits are those of the last check."},
        )


def check_tables(run: LakeRun, check: cross_table.CrossTableCheck, engine: Engine) -> dg.AssetCheckResult:
    """Make a check between tables and add the result to the record of the run.

    The workers of an engine make that of large tables.

    Raises:
        FileNotFoundError: A table that it reads was never written.
    """
    names = check.source_tables
    if is_for_workers(engine, run.lake, names):
        violations = check.find_violations_there(lambda query: query_on_workers(engine, run.lake, names, query))
    else:
        violations = check.find_violations(run.lake)
    examples = "; ".join(", ".join(f"{k} {v}" for k, v in row.items()) for row in violations.rows.head(3).to_dicts())
    rows = f"{violations.count:,} {'row' if violations.count == 1 else 'rows'}"
    if "source" in violations.rows.columns and (sources := set(violations.rows["source"].drop_nulls())):
        rows += f" of {', '.join(sorted(sources))}"
    message = f"broken by {rows}: {examples}" if examples else ""
    versions = {name: run.get_version(name) for name in names}
    passed, code = not violations.count, hash_texts(check.query)
    run.add_check(CheckResult(check.table, check.name, passed, check.is_critical, message, versions, code))
    return dg.AssetCheckResult(
        asset_key=build_asset_key(check.table),
        check_name=check.name,
        passed=not violations.count,
        severity=dg.AssetCheckSeverity.ERROR if check.is_critical else dg.AssetCheckSeverity.WARN,
        description=message or None,
        metadata={
            "failing_rows": violations.count,
            "examples": dg.MetadataValue.table(
                [
                    dg.TableRecord({k: str(v) for k, v in row.items()})
                    for row in violations.rows.head(MAX_EXAMPLES).to_dicts()
                ],
                schema=dg.TableSchema([dg.TableColumn(name) for name in violations.rows.columns]),
            ),
            "query": dg.MetadataValue.md(f"```sql\n{check.query.strip()}\n```"),
        },
    )


@cache  # as the assets of transforms
def _build_cross_table_check(check: cross_table.CrossTableCheck) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=build_asset_key(check.table),
        name=check.name,
        description=check.description,
        blocking=check.is_critical,
        additional_deps=[build_asset_key(name) for name in check.source_tables if name != check.table],
    )
    def run_check(context: dg.AssetCheckExecutionContext, lake_run: LakeResource) -> dg.AssetCheckResult:
        run = lake_run.run
        # a person who starts the check alone wants it made again
        earlier = run.find_result(check.table, check.name, hash_texts(check.query)) if run.is_whole else None
        if earlier is not None:
            (result,) = repeat_results([earlier])
        else:
            result = fail_without_retry(lambda: check_tables(run, check, lake_run.table_engine))
        if result.description:
            context.log.warning(f"{check.table}: {check.name}: {result.description}")
        return result

    return run_check


def build_checks() -> list[dg.AssetChecksDefinition]:
    """The checks between tables."""
    return [_build_cross_table_check(check) for check in cross_table.list_checks()]


def repeat_stale_checks(run: LakeRun, tables: list[Table], engine: Engine) -> list[CheckResult]:
    """The newest result of every check of a release, made again where tables have changed since it was made.

    A run that makes only some of the tables needs this: a check between tables belongs to one of them, and another of
    them may have changed.
    """
    for table in tables:
        if run.get_version(table.name) >= 0 and find_limit_results(run, table) is None:
            list(check_limits(run, table, engine))
    for check in cross_table.list_checks():
        if run.find_result(check.table, check.name, hash_texts(check.query)) is None:
            check_tables(run, check, engine)
    known = {(table.name, spec.name) for table in tables for spec in list_limit_checks(table)}
    known |= {(check.table, check.name) for check in cross_table.list_checks()}
    return [result for result in run.read_checks() if (result.table, result.check) in known]
