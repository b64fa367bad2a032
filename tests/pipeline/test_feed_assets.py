"""Feeds in Dagster: schedules that run only where enabled, pools by host, months, and runs of their own."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from orchestration.cli.launch import report_fetches
from orchestration.definitions import load_definitions
from orchestration.defs.automation import RUN_ALL
from orchestration.defs.feeds import (
    build_feed_assets,
    build_feed_key,
    build_feed_schedules,
    build_partitions,
    build_pool_name,
    build_raw_freshness,
    compute_feed_version,
    compute_longest_interval,
    find_present_partition,
)
from orchestration.fetch.config import Configuration, read_configuration
from orchestration.fetch.journal import DateWindow
from orchestration.ingest.fetch_log import read_fetch_log
from orchestration.run import configure_dagster
from orchestration.sources.shared.fetch_plan import Feed, FetchCursor, FetchPlan, Request
from orchestration.sources.sheet import lab_sheet
from tests.support.http_server import ServerRequest, ServerResponse, serve_http
from tests.support.sheet_server import enable_sheet_fetch, make_sheet_server, run_fetch, write_feeds_config
from warehouse.lake import Lake


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("AISLE_LAKE", str(tmp_path / "lake"))
    return Lake(tmp_path / "lake")


@pytest.fixture
def windowed() -> Iterator[None]:
    with enable_sheet_fetch(is_windowed=True):
        yield


def configuration(lake: Lake, more: str = "") -> Configuration:
    write_feeds_config(lake, [], {"daily_sheet": "https://one.example/x", "other_sheet": "https://two.example/x"}, more)
    return read_configuration(lake)


def test_no_schedule_of_a_feed_runs_before_it_is_enabled() -> None:
    bundled = read_configuration(Lake(Path("no-such-lake")))
    assert len(bundled.feeds) > 10
    assert {schedule.default_status for schedule in build_feed_schedules(bundled)} == {dg.DefaultScheduleStatus.STOPPED}
    assert all(schedule.cron_schedule for schedule in build_feed_schedules(bundled))


def test_enabled_feed_has_a_schedule_that_runs_at_its_cadence(lake: Lake) -> None:
    feeds = configuration(lake, 'cadence = "17 */2 * * *"')
    schedules = {schedule.name: schedule for schedule in build_feed_schedules(feeds)}
    assert schedules["fetch_other_sheet"].cron_schedule == "17 */2 * * *"
    assert schedules["fetch_other_sheet"].default_status is dg.DefaultScheduleStatus.RUNNING


@pytest.mark.parametrize("is_windowed", [True, False])
def test_schedule_requests_the_present_month_of_a_feed_with_months(lake: Lake, is_windowed: bool) -> None:
    with enable_sheet_fetch(is_windowed=is_windowed):
        feeds = configuration(lake)
        schedule = build_feed_schedules(feeds)[0]
        repository = dg.Definitions(assets=build_feed_assets(feeds), schedules=[schedule]).get_repository_def()
        context = dg.build_schedule_context(repository_def=repository)
        (request,) = schedule.evaluate_tick(context).run_requests or []
    assert request.partition_key == (f"{dt.datetime.now(dt.UTC):%Y-%m-01}" if is_windowed else None)


def test_feeds_are_no_part_of_the_job_that_releases() -> None:
    keys = load_definitions().resolve_job_def(RUN_ALL.name).asset_layer.executable_asset_keys
    assert dg.AssetKey(["release"]) in keys
    assert not any(key.path[0].startswith("feed") for key in keys)


def test_hosts_share_pools_as_they_share_paces(lake: Lake) -> None:
    shared = configuration(lake, '[[hosts]]\nnames = ["one.example", "two.example"]\n')
    assert {build_pool_name(shared, feed) for feed in shared.feeds.values()} == {"host/one_example"}
    apart = configuration(lake)
    assert {build_pool_name(apart, feed) for feed in apart.feeds.values()} == {"host/one_example", "host/two_example"}
    assert {asset.op.pool for asset in build_feed_assets(apart)} == {"host/one_example", "host/two_example"}
    configure_dagster(lake)
    with dg.DagsterInstance.get() as instance:
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 1


def test_settings_of_the_instance_are_renewed_unless_a_person_keeps_their_own(lake: Lake) -> None:
    path = configure_dagster(lake) / "dagster.yaml"
    first = path.read_text(encoding="utf-8")
    path.write_text(first.replace("default_limit: 1", "default_limit: 7"), encoding="utf-8")
    configure_dagster(lake)
    assert path.read_text(encoding="utf-8") == first
    path.write_text("nux:\n  enabled: false\n", encoding="utf-8")
    configure_dagster(lake)
    assert path.read_text(encoding="utf-8") == "nux:\n  enabled: false\n"


def test_raw_table_of_an_enabled_feed_has_a_freshness_policy(lake: Lake) -> None:
    feeds = configuration(lake, 'cadence = "hourly"')
    policy = build_raw_freshness(feeds, lab_sheet.SOURCE)
    assert isinstance(policy, dg.FreshnessPolicy)
    assert build_raw_freshness(Configuration(), lab_sheet.SOURCE) is None
    assert compute_longest_interval(feeds.feeds["other_sheet"]) == dt.timedelta(hours=1)
    assert compute_longest_interval(feeds.feeds["daily_sheet"]) == dt.timedelta(days=1)


def run(
    assets: list[dg.AssetsDefinition], key: list[str], partition: str | None = None, **tags: str
) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            assets,
            selection=[dg.AssetKey(key)],
            partition_key=partition,
            instance=instance,
            raise_on_error=False,
            tags={name.replace("__", "/"): value for name, value in tags.items()},
        )


def test_failed_feed_fails_its_own_run_with_the_reason(lake: Lake) -> None:
    with (
        enable_sheet_fetch(),
        serve_http(make_sheet_server(3)) as fine,
        serve_http(lambda _: ServerResponse(b"", 404)) as gone,
    ):
        write_feeds_config(lake, [fine.host, gone.host], {"fine": fine.url, "gone": gone.url})
        assets = build_feed_assets(read_configuration(lake))
        failed, done = run(assets, ["feed", "gone"]), run(assets, ["feed", "fine"])
    assert not failed.success
    (event,) = [event for event in failed.all_events if event.is_step_failure]
    assert "gone: changes from 0, page 0: HTTP status 404" in str(event.step_failure_data)
    assert done.success
    (event,) = done.get_asset_materialization_events()
    assert event.materialization.metadata["requests_kept"].value == 1
    assert event.materialization.metadata["records"].value == 3


@pytest.fixture
def cursors(lake: Lake) -> Iterator[list[FetchCursor]]:
    """The cursors with which the one feed of the lake is fetched."""
    seen: list[FetchCursor] = []

    def plan(feed: Feed, cursor: FetchCursor) -> FetchPlan:
        seen.append(cursor)
        yield Request(f"{feed.url}/?since=0", "all")
        return "a watermark"

    with enable_sheet_fetch(is_windowed=True), serve_http(make_sheet_server(3)) as place:
        object.__setattr__(lab_sheet.SOURCE, "fetch", plan)
        write_feeds_config(lake, [place.host], {"sheet": place.url})
        yield seen


def list_days(cursors: list[FetchCursor]) -> list[tuple[dt.date | None, dt.date | None]]:
    return [(cursor.start, cursor.end) for cursor in cursors]


def test_a_past_month_is_fetched_by_its_days_and_moves_no_watermark(lake: Lake, cursors: list[FetchCursor]) -> None:
    assets = build_feed_assets(read_configuration(lake))
    cursors.clear()
    assert run(assets, ["feed", "sheet"], "2024-02-01").success
    assert list_days(cursors) == [(dt.date(2024, 2, 1), dt.date(2024, 2, 29))]
    assert not (lake.root / "fetch" / "feeds" / "sheet" / "state.json").exists()
    assert [line.result for line in read_fetch_log(lake)] == ["kept"]


def test_the_present_month_fetches_what_is_new(lake: Lake, cursors: list[FetchCursor]) -> None:
    feeds = read_configuration(lake)
    cursors.clear()
    assert run(build_feed_assets(feeds), ["feed", "sheet"], find_present_partition(feeds.feeds["sheet"])).success
    assert list_days(cursors) == [(None, None)]
    assert (lake.root / "fetch" / "feeds" / "sheet" / "state.json").exists()


def test_a_backfill_of_several_months_is_one_run(lake: Lake, cursors: list[FetchCursor]) -> None:
    feeds = read_configuration(lake)
    assets = build_feed_assets(feeds)
    present = str(find_present_partition(feeds.feeds["sheet"]))
    before = (dt.date.fromisoformat(present) - dt.timedelta(days=1)).replace(day=1)
    for first, last in (("2024-02-01", "2024-04-01"), (str(before), present)):
        tags = {"dagster__asset_partition_range_start": first, "dagster__asset_partition_range_end": last}
        cursors.clear()
        assert run(assets, ["feed", "sheet"], **tags).success
        if last != present:
            assert list_days(cursors) == [(dt.date(2024, 2, 1), dt.date(2024, 4, 30))]
        else:
            end = dt.date.fromisoformat(present) - dt.timedelta(days=1)
            assert list_days(cursors) == [(before, end), (None, None)]


def test_a_feed_that_cannot_be_fetched_by_days_has_no_months(lake: Lake) -> None:
    with enable_sheet_fetch(is_windowed=False):
        feeds = configuration(lake)
        assert [asset.key.path[0] for asset in build_feed_assets(feeds)] == ["feed", "feed"]
        assert {build_partitions(feed) for feed in feeds.feeds.values()} == {None}


def test_only_new_answers_change_the_data_version_of_a_feed(lake: Lake) -> None:
    place = make_sheet_server(3)
    with enable_sheet_fetch(), serve_http(place) as server:
        write_feeds_config(lake, [server.host], {"sheet": server.url})
        run_fetch(lake)
        first = compute_feed_version(lake, "sheet")
        run_fetch(lake)  # nothing new
        assert compute_feed_version(lake, "sheet") == first
        place.put(99)
        run_fetch(lake)
        assert compute_feed_version(lake, "sheet") != first


def test_fetches_of_the_command_line_are_reported_by_month(lake: Lake, windowed: None) -> None:
    with serve_http(make_sheet_server(3)) as server:
        write_feeds_config(lake, [server.host], {"sheet": server.url})
        feed = read_configuration(lake).feeds["sheet"]
        results = run_fetch(lake)
        report_fetches(lake, [feed], results, None)
        report_fetches(lake, [feed], results, DateWindow(dt.date(2024, 2, 10), dt.date(2024, 3, 5)))
    with dg.DagsterInstance.get() as instance:
        key = build_feed_key("sheet")
        months = instance.get_materialized_partitions(key)
        records = instance.fetch_materializations(key, limit=5).records
    assert months == {find_present_partition(feed), "2024-02-01", "2024-03-01"}
    materialization = records[0].asset_materialization
    assert materialization is not None
    assert materialization.metadata["records"].value == 3
    assert (materialization.tags or {})["dagster/data_version"] == compute_feed_version(lake, "sheet")


def test_broken_configuration_leaves_the_tables_to_dagster(lake: Lake) -> None:
    lake.root.mkdir()
    (lake.root / "feeds.toml").write_text("[fetch", encoding="utf-8")
    script = (
        "from orchestration.definitions import load_definitions;"
        "print(len(load_definitions().resolve_job_def('run_all').all_node_defs) > 10)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
    assert "no feed is known to Dagster" in done.stderr


def test_loading_definitions_sends_no_request(lake: Lake) -> None:
    def refuse(_: ServerRequest) -> ServerResponse:
        return ServerResponse(b"", 404)

    with serve_http(refuse) as place:
        write_feeds_config(lake, [place.host], {"sheet": place.url})
        script = "from orchestration.definitions import load_definitions; load_definitions()"
        subprocess.run([sys.executable, "-c", script], check=True)
        assert place.requests == []
