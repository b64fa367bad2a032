"""What starts by itself: tables downstream of a feed with something new, and freshness that a daemon watches."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions import freshness_evaluator
from dagster._core.definitions.freshness import FreshnessState
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon.freshness import FreshnessDaemon

from orchestration.cli.launch import report_fetches
from orchestration.definitions import load_definitions
from orchestration.fetch.config import FeedConfig, read_configuration
from orchestration.run import configure_dagster
from tests.support.http_server import serve_http
from tests.support.sheet_server import SheetServer, enable_sheet_fetch, make_sheet_server, run_fetch, write_feeds_config
from warehouse.lake import Lake

SHEET = dg.AssetKey(["raw", "lab_sheet_publications"])


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("AISLE_LAKE", str(tmp_path / "lake"))
    return Lake(tmp_path / "lake")


@pytest.fixture
def followed_sheet(lake: Lake) -> Iterator[tuple[SheetServer, FeedConfig]]:
    """A sheet that a feed follows, and the feed."""
    sheet = make_sheet_server(3)
    with enable_sheet_fetch(is_windowed=True), serve_http(sheet) as server:
        write_feeds_config(lake, [server.host], {"sheet": server.url})
        yield sheet, read_configuration(lake).feeds["sheet"]


def test_a_feed_with_something_new_runs_its_own_tables_up_to_the_release(
    lake: Lake, followed_sheet: tuple[SheetServer, FeedConfig]
) -> None:
    sheet, feed = followed_sheet
    definitions = load_definitions()
    specs = definitions.resolve_all_asset_specs()
    checks = definitions.resolve_asset_graph().asset_check_keys
    configure_dagster(lake)

    def fetch() -> None:
        report_fetches(lake, [feed], run_fetch(lake), None)

    def evaluate(cursor: Any = None) -> tuple[set[dg.AssetKey], Any]:
        result = dg.evaluate_automation_conditions(definitions, instance, cursor=cursor)
        return {spec.key for spec in specs if result.get_num_requested(spec.key)}, result.cursor

    def report_run(keys: Iterable[dg.AssetKey]) -> None:
        for key in keys:
            instance.report_runless_asset_event(dg.AssetMaterialization(key))
        for check in checks:
            if check.asset_key in keys:
                instance.report_runless_asset_event(dg.AssetCheckEvaluation(check.asset_key, check.name, passed=True))

    tables = {spec.key for spec in specs if spec.automation_condition or spec.key.path[0] == "reference"}
    with dg.DagsterInstance.get() as instance:
        requested, cursor = evaluate()
        assert requested == set()  # nothing runs by itself on a new lake
        fetch()
        requested, cursor = evaluate(cursor)
        assert requested == {SHEET}  # what is downstream needs tables that were never made
        report_run(tables)
        requested, cursor = evaluate(cursor)
        assert requested == set()
        sheet.put(98)
        fetch()
        requested, cursor = evaluate(cursor)
        assert SHEET in requested
        assert {
            dg.AssetKey(["clean", "publications"]),
            dg.AssetKey(["raw", "parses"]),
            dg.AssetKey(["release"]),
        } <= requested
        raw = {key for key in requested if key.path[0] == "raw"}
        assert dg.AssetKey(["raw", "openalex_works"]) not in raw
        assert dg.AssetKey(["feed", "sheet"]) not in requested
        report_run(requested)
        requested, cursor = evaluate(cursor)
        assert requested == set()
        fetch()  # nothing new
        requested, cursor = evaluate(cursor)
        assert requested == set()
        sheet.put(99)
        fetch()
        requested, cursor = evaluate(cursor)
        assert SHEET in requested


def test_a_table_that_is_not_made_again_goes_stale(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    configure_dagster(lake)
    keys = [dg.AssetKey(["mart", "publications_by_lab_year"]), dg.AssetKey(["release"]), SHEET]
    target = LoadableTargetOrigin(
        executable_path=sys.executable, module_name="orchestration.definitions", attribute="load_definitions"
    )
    now = dt.datetime.now(dt.UTC)
    states = []
    with (
        dg.DagsterInstance.get() as instance,
        WorkspaceProcessContext(
            instance, InProcessWorkspaceLoadTarget(InProcessCodeLocationOrigin(target))
        ) as workspace,
    ):
        for key in keys:
            instance.report_runless_asset_event(dg.AssetMaterialization(key))
        for hours in (1, 26, 50):
            later = (now + dt.timedelta(hours=hours)).timestamp()
            monkeypatch.setattr(freshness_evaluator, "get_current_timestamp", lambda later=later: later)
            list(FreshnessDaemon().run_iteration(workspace))
            records = instance.get_freshness_state_records(keys)
            assert len(records) == len(keys)
            states.append({record.freshness_state for record in records.values()})
    assert states == [{FreshnessState.PASS}, {FreshnessState.WARN}, {FreshnessState.FAIL}]
