"""What Dagster loads: assets, checks, the one job, its schedule, the sensor on the inbox, and the feeds."""

from __future__ import annotations

import logging
import sys
import warnings

import dagster as dg

from orchestration.defs.feeds import GROUP, feed_assets, feed_schedules, fetched_sensor
from orchestration.defs.tables import all_assets, all_checks, lake_run
from orchestration.fetch.config import Configuration, ConfigurationError, read_configuration
from orchestration.ingest.snapshots import visible_files
from warehouse.lake import Lake, UnusableLake

JOB = "run_all"


def _plain(_: dg.InitLoggerContext) -> logging.Logger:
    """A logger that leaves out Dagster's own events, which its UI shows better."""
    logger = logging.Logger("aisle", logging.INFO)
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_is_told)
    handler.setFormatter(_Plain())
    logger.addHandler(handler)
    return logger


def _event(record: logging.LogRecord) -> dg.DagsterEvent | None:
    return getattr(record, "dagster_meta", {}).get("dagster_event")


def _is_told(record: logging.LogRecord) -> bool:
    """Whether a line is a step's own, or tells why a step failed."""
    event = _event(record)
    if event is not None:
        return event.is_step_failure
    return not record.getMessage().startswith("Dependencies for step") and "Not executing" not in record.getMessage()


class _Plain(logging.Formatter):
    """One line: what a step says, with a mark for a warning, or the innermost reason of a failure."""

    def format(self, record: logging.LogRecord) -> str:
        event = _event(record)
        if event is not None:
            failure = event.step_failure_data
            reason = failure.user_failure_data.description if failure.user_failure_data else None
            error = failure.error_display_string.strip()
            return f"✗ {event.step_key}: {reason or error}"
        text = getattr(record, "dagster_meta", {}).get("orig_message") or record.getMessage()
        return ("! " if record.levelno >= logging.WARNING else "  ") + text


def _configuration() -> Configuration:
    """The configuration of feeds; none are known while it cannot be used, since the tables must not wait for that."""
    try:
        return read_configuration(Lake.of_environment())
    except (ConfigurationError, UnusableLake) as error:
        logging.getLogger("aisle").error("no feed is known to Dagster: %s", error)
        return Configuration()


CONFIGURATION = _configuration()

run_all = dg.define_asset_job(
    JOB,
    dg.AssetSelection.all() - dg.AssetSelection.groups(GROUP),
    description="Parse, check, transform, release.",
    config={"loggers": {"console": {}}},
)

daily = dg.ScheduleDefinition(
    name="daily", job=run_all, cron_schedule="15 6 * * *", default_status=dg.DefaultScheduleStatus.RUNNING
)


@dg.sensor(job=run_all, minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING)
def inbox(_: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Start a run when files lie in the inbox folder; one run for each state of the folder."""
    folder = Lake.of_environment().inbox
    files = visible_files(folder)
    if not files:
        return dg.SkipReason(f"nothing in {folder}")
    seen = [(str(path.relative_to(folder)), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return dg.RunRequest(run_key=repr(seen))


with warnings.catch_warnings():
    # months of the past in one run are a beta feature of Dagster, which is of no interest to whoever runs this
    warnings.simplefilter("ignore", dg.BetaWarning)
    _FEED_ASSETS = feed_assets(CONFIGURATION)

defs = dg.Definitions(
    assets=[*all_assets(CONFIGURATION), *_FEED_ASSETS],
    asset_checks=all_checks(),
    jobs=[run_all],
    schedules=[daily, *feed_schedules(CONFIGURATION)],
    sensors=[inbox, fetched_sensor(JOB)],
    resources={"lake_run": lake_run},
    executor=dg.in_process_executor,
    loggers={"console": dg.LoggerDefinition(_plain, description="Only what the steps themselves say.")},
)
