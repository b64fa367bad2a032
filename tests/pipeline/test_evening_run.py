"""A work that a feed brings counts after the scheduled run of the same day, by Dagster's own daemon."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from orchestration.definitions import load_definitions
from orchestration.defs.automation import DAILY, RUN_ALL
from orchestration.run import configure_dagster
from tests.sources.test_openalex import build_authorship, build_page, build_work
from tests.support.builders import fetch_rows
from tests.support.http_server import ServerResponse, serve_http
from tests.support.sheet_server import write_feeds_config
from tests.support.trials import trials_only
from warehouse.lake import PROJECT, Lake
from warehouse.release import read_current_release
from warehouse.release_diff import explain_changes

TABLE = "mart.works_by_lab_category_month"
CATEGORY_COUNTS = f"select corpus, lab, works from {TABLE} where published_month = date '2025-05-01' and works > 0"
# the feed is fetched at 06:14 and all tables are made at 06:15; the daemon starts at 06:13:50 of its own clock
FEED = """
[feeds.works]
source = "openalex_works"
url = "{url}/works"
enabled = true
cadence = "14 6 * * *"
settings = {{ filter = "authorships.institutions.lineage:I4210090411", from = 2025-01-01 }}
"""
DAEMON = """
import datetime, sys, time
import dagster._time as clock
now = datetime.datetime.now(datetime.timezone.utc)
shift = now.replace(hour=6, minute=13, second=50, microsecond=0) - now
clock._mockable_get_current_datetime = lambda: datetime.datetime.now(datetime.timezone.utc) + shift
clock._mockable_get_current_timestamp = lambda: time.time() + shift.total_seconds()
from dagster._daemon.cli import main
sys.argv[1:] = ["run", "-m", "orchestration.definitions"]
main()
"""
TIMEOUT_SECONDS = 600


def test_the_scheduled_run_is_the_one_of_the_command_line() -> None:
    context = dg.build_schedule_context(repository_def=load_definitions().get_repository_def())
    (request,) = DAILY.evaluate_tick(context).run_requests or []
    assert DAILY.job_name == RUN_ALL.name
    assert request.asset_selection is None  # all tables of the job


@trials_only
@pytest.mark.trials("evenings with a new work", 1)
def test_a_work_that_a_feed_brings_counts_on_the_same_evening(
    released_lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(tmp_path / "lake")
    shutil.copytree(released_lake.root, lake.root, symlinks=True)
    before = read_current_release(lake)
    author = build_authorship("Ada Byron", "Google DeepMind, London", "I4210090411")
    work = build_work(
        71, title="How agents keep the habits of earlier games", publication_date="2025-05-06", authorships=[author]
    )
    monkeypatch.setenv("AISLE_LAKE", str(lake.root))
    monkeypatch.setenv("DAGSTER_HOME", str(lake.dagster_home))
    configure_dagster(lake)
    page = ServerResponse(build_page(work, next_cursor=None), headers={"Content-Type": "application/json"})
    with serve_http(lambda _: page) as server, (tmp_path / "daemon.log").open("w") as log:
        write_feeds_config(lake, [server.host], {}, FEED.format(url=server.url))
        daemon = subprocess.Popen([sys.executable, "-c", DAEMON], cwd=PROJECT, stdout=log, stderr=log, process_group=0)
        try:
            with dg.DagsterInstance.get() as instance:
                runs = dg.RunsFilter(tags={"dagster/schedule_name": DAILY.name}, statuses=[dg.DagsterRunStatus.SUCCESS])
                end = time.monotonic() + TIMEOUT_SECONDS
                while not instance.get_runs(runs) or not fetch_rows(read_current_release(lake), CATEGORY_COUNTS):
                    assert time.monotonic() < end, (tmp_path / "daemon.log").read_text()[-5000:]
                    assert daemon.poll() is None, (tmp_path / "daemon.log").read_text()[-5000:]
                    time.sleep(0.5)
        finally:
            os.killpg(daemon.pid, signal.SIGTERM)
            daemon.wait()
    after = read_current_release(lake)
    assert sorted(fetch_rows(after, CATEGORY_COUNTS)) == [
        ("all_works", "Google DeepMind", 1),
        ("lab_publications", "Google DeepMind", 1),
    ]
    causes = explain_changes(before, after, TABLE)
    assert set(causes["publications"]) == {"How agents keep the habits of earlier games"}
