"""The asset of the release: all tables published in one step, and the index for search."""

# no postponed annotations here: Dagster reads the type of `context`

from dataclasses import asdict

import dagster as dg

from orchestration.defs.automation import UPDATE_WITH_UPSTREAM
from orchestration.defs.catalog import list_tables, load_transforms
from orchestration.defs.checks import repeat_stale_checks
from orchestration.defs.errors import RETRY, fail_without_retry
from orchestration.defs.feeds import build_table_freshness
from orchestration.defs.resources import LakeResource
from orchestration.defs.specs import OWNERS, build_asset_key, reference_code
from orchestration.ingest.raw_tables import load_shared_tables
from orchestration.run import hash_code
from transforms.engine import INCREMENTAL_CODE, list_incremental_code
from warehouse.lake_tables import list_all_tables
from warehouse.release import Release, find_damage, publish_release

KEY = dg.AssetKey(["release"])


def _build_search_index(context: dg.AssetExecutionContext, release: Release) -> None:
    """Build the index for full-text search; pages search by SQL without it, so an error here does not fail the step."""
    try:
        from warehouse.search.build import build_index

        count = build_index(release)
    except (ImportError, OSError) as error:
        context.log.warning(f"release {release.name} is searched without an index, which is slower: {error}")
    else:
        if count is not None:
            context.log.info(f"release {release.name}: {count:,} items can be searched")


def _publish(context: dg.AssetExecutionContext, lake_run: LakeResource) -> dg.MaterializeResult[None]:
    """Publish all tables, unless the newest release has the same content.

    Raises:
        dg.Failure: A table was not made from the present tables upstream, or a critical check failed.
    """
    run = lake_run.run
    checks = fail_without_retry(lambda: repeat_stale_checks(run, list_tables(), lake_run.table_engine))
    problems = [f"{result.table}: {result.message}" for result in checks if result.is_critical and not result.passed]
    problems += run.find_outdated(load_transforms()).values()
    if problems:
        raise dg.Failure("; ".join(["no release", *problems]), allow_retries=False)
    facts = {
        "snapshots": run.lake.read(load_shared_tables()["snapshots"])["snapshot_id"].to_list(),
        "code_version": hash_code(),
        INCREMENTAL_CODE: list_incremental_code(load_transforms().values()),
        "dagster_run_id": context.run_id,
        "checks": [asdict(result) for result in checks],
    }
    if damage := find_damage(run.lake):
        context.log.warning(f"{damage.path} is damaged: {damage.reason}; the release is published again")
    release, is_new = fail_without_retry(lambda: publish_release(run.lake, list_tables(), facts))
    run.release, run.is_new_release = release.number, is_new
    made = "published" if run.lake.origin is None else "made, to be published when the run is stored"
    context.log.info(
        f"release {release.name}: {made if is_new else 'has the same content already, nothing to publish'}"
    )
    _build_search_index(context, release)
    return dg.MaterializeResult(
        metadata={
            "release": release.number,
            "is_new": is_new,
            "tables": dg.MetadataValue.table(
                [
                    dg.TableRecord({"table": name, "rows": table["rows"]})
                    for name, table in sorted(list_all_tables(release.manifest).items())
                ]
            ),
            "path": dg.MetadataValue.path(release.path),
        },
        data_version=dg.DataVersion(release.content_sha256),
    )


def build_release_asset() -> dg.AssetsDefinition:
    """The release, downstream of all tables."""

    @dg.asset(
        key=KEY,
        deps=[build_asset_key(table.name) for table in list_tables()],
        description="One consistent, immutable set of all tables, published in one step.",
        group_name="release",
        owners=[OWNERS["release"]],
        tags={"layer": "release"},
        kinds={"duckdb"},
        metadata={"dagster/code_references": reference_code(publish_release)},
        freshness_policy=build_table_freshness(),
        automation_condition=UPDATE_WITH_UPSTREAM,
        retry_policy=RETRY,
    )
    def release(context: dg.AssetExecutionContext, lake_run: LakeResource) -> dg.MaterializeResult[None]:
        return _publish(context, lake_run)

    return release
