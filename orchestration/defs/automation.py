"""What starts runs: the job over all tables, its daily schedule, the sensor on the inbox, and automation conditions.

A raw table is made again when one of its feeds has brought something new, and everything downstream with it, up to
the release. A feed materialised without anything new keeps its data version, so nothing is run for it.
"""

# no postponed annotations here: Dagster reads the type of `context`

import dagster as dg

from orchestration.defs.feeds import GROUP
from orchestration.ingest.inbox_files import describe_waiting_files, find_waiting_files
from orchestration.run import JOB
from warehouse.lake import Lake
from warehouse.terminal_text import escape_name

_IS_IDLE = ~dg.AutomationCondition.in_progress() & ~dg.AutomationCondition.any_deps_in_progress()
UPDATE_WITH_NEW_INPUT = (
    dg.AutomationCondition.any_deps_match(dg.AutomationCondition.data_version_changed()).since_last_handled() & _IS_IDLE
).with_label("a feed has brought something new")
UPDATE_WITH_UPSTREAM = (
    dg.AutomationCondition.any_deps_updated().since_last_handled()
    & _IS_IDLE
    & dg.AutomationCondition.all_deps_blocking_checks_passed()
).with_label("a table that this one is made from was made again")


RUN_ALL = dg.define_asset_job(
    JOB,
    dg.AssetSelection.all() - dg.AssetSelection.groups(GROUP),
    description="Parse, check, transform, release. Fetching is not a part of it.",
    config={"loggers": {"console": {}}},
)

DAILY = dg.ScheduleDefinition(
    name="daily",
    job=RUN_ALL,
    cron_schedule="15 6 * * *",
    execution_timezone="UTC",
    description="Make all tables and a release from everything that is stored.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)

NEW_INPUT = dg.AutomationConditionSensorDefinition(
    name="new_input",
    target=dg.AssetSelection.all() - dg.AssetSelection.groups(GROUP),
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Make the table of a source, and everything downstream, when one of its feeds has something new.",
)


@dg.sensor(job=RUN_ALL, minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING)
def inbox(_: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Run the job when files in the inbox have stopped changing: once for each state, or again if a run left one."""
    folder = Lake.from_environment().inbox
    if not folder.is_dir():
        return dg.SkipReason(f"nothing in {folder}")
    waiting = find_waiting_files(folder)
    if not waiting.ready and not waiting.refused:
        unsettled = "; ".join(f"{escape_name(path.name)}: {reason}" for path, reason in waiting.unsettled)
        return dg.SkipReason(unsettled or f"nothing in {folder}")
    return dg.RunRequest(run_key=describe_waiting_files(folder, waiting))
