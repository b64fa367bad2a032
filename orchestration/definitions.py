"""What Dagster loads: assets, checks, the job, its schedule, sensors and feeds. It only assembles them.

Nothing is read from disk before Dagster calls `load_definitions`.
"""

from __future__ import annotations

import logging
import warnings

import dagster as dg

from orchestration.defs.automation import DAILY, NEW_INPUT, RUN_ALL, inbox
from orchestration.defs.checks import build_checks
from orchestration.defs.feeds import build_feed_assets, build_feed_schedules
from orchestration.defs.orphans import lease_executor
from orchestration.defs.release import build_release_asset
from orchestration.defs.resources import LakeResource
from orchestration.defs.run_log import RUN_LOG
from orchestration.defs.tables import build_table_assets
from orchestration.fetch.config import Configuration, ConfigurationError, read_configuration
from warehouse.lake import Lake, UnusableLake


def _read_feeds() -> Configuration:
    """The configuration of feeds; an empty one while it cannot be used, so that tables can be made all the same."""
    try:
        return read_configuration(Lake.from_environment())
    except (ConfigurationError, UnusableLake) as error:
        logging.getLogger("aisle").error("no feed is known to Dagster: %s", error)
        return Configuration()


@dg.definitions
def load_definitions() -> dg.Definitions:
    """All definitions, for the lake named by ``AISLE_LAKE`` and its configuration of feeds."""
    configuration = _read_feeds()
    with warnings.catch_warnings():
        # code references and backfills in a single run are beta features of Dagster; the warnings do not help a user
        warnings.simplefilter("ignore", dg.BetaWarning)
        assets = [*build_table_assets(configuration), build_release_asset(), *build_feed_assets(configuration)]
    return dg.Definitions(
        assets=assets,
        asset_checks=build_checks(),
        jobs=[RUN_ALL],
        schedules=[DAILY, *build_feed_schedules(configuration)],
        sensors=[inbox, NEW_INPUT],
        resources={"lake_run": LakeResource()},
        executor=lease_executor,
        loggers={"console": RUN_LOG},
    )
