"""What Dagster knows of feeds: schedules that only run where enabled, pools by host, windows, and runs of their own."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from orchestration.definitions import JOB, defs
from orchestration.defs.feeds import feed_assets, feed_schedules, fetched_sensor, freshness_of, period_of, pool_of
from orchestration.fetch.config import Configuration, read_configuration
from orchestration.fetch.journal import all_lines
from orchestration.fetch.runner import changed_mark
from orchestration.run import use_instance
from orchestration.sources.shared.fetch_plan import Conversation, Feed, Request, Since
from orchestration.sources.sheet import lab_sheet
from tests.fetch.test_fetch import filled
from tests.support.http_server import Asked, Given, served
from tests.support.sheet_server import configure, fetchable, fetched
from warehouse.lake import Lake


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("AISLE_LAKE", str(tmp_path / "lake"))
    return Lake(tmp_path / "lake")


@pytest.fixture
def by_window() -> Iterator[None]:
    with fetchable(by_window=True):
        yield


def configuration(lake: Lake, more: str = "") -> Configuration:
    configure(lake, [], {"daily_sheet": "https://one.example/x", "other_sheet": "https://two.example/x"}, more)
    return read_configuration(lake)


def test_no_schedule_of_a_feed_runs_before_it_is_enabled() -> None:
    bundled = read_configuration(Lake(Path("no-such-lake")))
    assert len(bundled.feeds) > 10
    assert {schedule.default_status for schedule in feed_schedules(bundled)} == {dg.DefaultScheduleStatus.STOPPED}
    assert all(schedule.cron_schedule for schedule in feed_schedules(bundled))


def test_enabled_feed_has_a_schedule_that_runs_at_its_cadence(lake: Lake) -> None:
    found = {schedule.name: schedule for schedule in feed_schedules(configuration(lake, 'cadence = "17 */2 * * *"'))}
    assert found["fetch_other_sheet"].cron_schedule == "17 */2 * * *"
    assert found["fetch_other_sheet"].default_status is dg.DefaultScheduleStatus.RUNNING


def test_feeds_are_no_part_of_the_job_that_releases() -> None:
    keys = defs.resolve_job_def(JOB).asset_layer.executable_asset_keys
    assert dg.AssetKey(["release"]) in keys
    assert not any(key.path[0].startswith("feed") for key in keys)


def test_hosts_share_pools_as_they_share_paces(lake: Lake) -> None:
    told = configuration(lake, '[[hosts]]\nnames = ["one.example", "two.example"]\n')
    assert {pool_of(told, followed) for followed in told.feeds.values()} == {"host/one_example"}
    other = configuration(lake)
    assert {pool_of(other, followed) for followed in other.feeds.values()} == {"host/one_example", "host/two_example"}
    assert {asset.op.pool for asset in feed_assets(other)} == {"host/one_example", "host/two_example"}
    use_instance(lake)
    with dg.DagsterInstance.get() as instance:
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 1


def test_settings_of_the_instance_are_renewed_unless_a_person_keeps_their_own(lake: Lake) -> None:
    path = use_instance(lake) / "dagster.yaml"
    first = path.read_text(encoding="utf-8")
    path.write_text(first.replace("default_limit: 1", "default_limit: 7"), encoding="utf-8")
    use_instance(lake)
    assert path.read_text(encoding="utf-8") == first
    path.write_text("nux:\n  enabled: false\n", encoding="utf-8")
    use_instance(lake)
    assert path.read_text(encoding="utf-8") == "nux:\n  enabled: false\n"


def test_raw_table_of_an_enabled_feed_is_to_be_fresh(lake: Lake) -> None:
    told = configuration(lake, 'cadence = "hourly"')
    policy = freshness_of(told, lab_sheet.SOURCE)
    assert isinstance(policy, dg.FreshnessPolicy)
    assert freshness_of(Configuration(), lab_sheet.SOURCE) is None
    assert period_of(told.feeds["other_sheet"]) == dt.timedelta(hours=1)
    assert period_of(told.feeds["daily_sheet"]) == dt.timedelta(days=1)


def run(assets: list[dg.AssetsDefinition], key: list[str], partition: str | None = None) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            assets, selection=[dg.AssetKey(key)], partition_key=partition, instance=instance, raise_on_error=False
        )


def test_failed_feed_fails_its_own_run_with_the_reason(lake: Lake, by_window: None) -> None:
    with served(filled(3)) as fine, served(lambda _: Given(b"", 404)) as gone:
        configure(lake, [fine.host, gone.host], {"fine": fine.url, "gone": gone.url})
        assets = feed_assets(read_configuration(lake))
        failed, done = run(assets, ["feed", "gone"]), run(assets, ["feed", "fine"])
    assert not failed.success
    (event,) = [event for event in failed.all_events if event.is_step_failure]
    assert "gone: changes from 0, page 0: HTTP status 404" in str(event.step_failure_data)
    assert done.success
    (made,) = done.get_asset_materialization_events()
    assert made.materialization.metadata["requests_kept"].value == 1
    assert made.materialization.metadata["records"].value == 3


def test_past_is_asked_for_by_months(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Since] = []

    def converse(feed: Feed, since: Since) -> Conversation:
        asked.append(since)
        yield Request(f"{feed.url}/?since=0", "all")
        return "never kept"

    with fetchable(by_window=True), served(filled(3)) as place:
        object.__setattr__(lab_sheet.SOURCE, "fetch", converse)
        configure(lake, [place.host], {"sheet": place.url})
        assert run(feed_assets(read_configuration(lake)), ["feed_past", "sheet"], "2024-02-01").success
    # without days it is only begun, when the configuration is checked
    assert [(since.start, since.end) for since in asked if since.start] == [(dt.date(2024, 2, 1), dt.date(2024, 2, 29))]
    assert not (lake.root / "fetch" / "feeds" / "sheet" / "state.json").exists()
    assert [line.result for line in all_lines(lake)] == ["kept"]


def test_kind_that_knows_no_days_has_no_past(lake: Lake) -> None:
    with fetchable(by_window=False):
        assert [asset.key.path[0] for asset in feed_assets(configuration(lake))] == ["feed", "feed"]


def test_sensor_asks_for_one_run_for_what_was_fetched(lake: Lake) -> None:
    sensor = fetched_sensor(JOB)
    with dg.DagsterInstance.ephemeral() as instance, fetchable(), served(filled(3)) as place:
        context = dg.build_sensor_context(instance=instance)
        assert isinstance(sensor(context), dg.SkipReason)
        configure(lake, [place.host], {"sheet": place.url})
        fetched(lake)
        first = sensor(context)
        assert isinstance(first, dg.RunRequest)
        changed = changed_mark(lake).stat().st_mtime_ns
        fetched(lake)  # nothing new
        assert changed_mark(lake).stat().st_mtime_ns == changed
        again = sensor(context)
        assert isinstance(again, dg.RunRequest)
        assert again.run_key == first.run_key


def test_broken_configuration_leaves_the_tables_to_dagster(lake: Lake) -> None:
    lake.root.mkdir()
    (lake.root / "feeds.toml").write_text("[fetch", encoding="utf-8")
    script = "from orchestration.definitions import JOB, defs; print(len(defs.resolve_job_def(JOB).all_node_defs) > 10)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
    assert "no feed is known to Dagster" in done.stderr


def test_loading_definitions_asks_nobody(lake: Lake) -> None:
    def answering(_: Asked) -> Given:
        return Given(b"", 404)

    with served(answering) as place:
        configure(lake, [place.host], {"sheet": place.url})
        subprocess.run([sys.executable, "-c", "import orchestration.definitions"], check=True)
        assert place.asked == []
