"""Many sessions at once while a release is published: no error, and no page view mixes two releases."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from orchestration.defs.catalog import list_tables, load_transforms
from tests.conftest import copy_lake
from tests.support.dashboard_server import list_page_addresses, serve_dashboard
from tests.support.trials import scale_trials
from tests.support.websocket_clients import PageReader, PageView, find_inconsistent_views, read_concurrently
from warehouse.lake import Lake
from warehouse.release import publish_release

SESSIONS = scale_trials(8, 30)
PATIENCE_SECONDS = 120.0


def wait_for_views(reading: threading.Thread, views: Sequence[PageView], release: str) -> None:
    """Wait until as many pages as there are sessions were read of a release."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while sum(release in view.releases for view in [*views]) < SESSIONS:
        assert reading.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.trials("sessions that read pages while a release is published", SESSIONS)
def test_new_release_does_not_disturb_open_sessions(released_lake: Lake, tmp_path: Path) -> None:
    lake = copy_lake(released_lake, tmp_path / "lake")
    pages = list(list_page_addresses(lake).values())
    log = tmp_path / "log.txt"
    views, is_stopped = list[PageView](), threading.Event()
    with serve_dashboard(lake, log) as server:
        failures = list[OSError]()

        def read_pages() -> None:
            try:
                read_concurrently(server, pages, SESSIONS, is_stopped, views)
            except OSError as error:
                failures.append(error)

        reading = threading.Thread(target=read_pages)
        reading.start()
        try:
            wait_for_views(reading, views, "v1")
            table = load_transforms()["mart.publication_counts_by_month"].table
            lake.write(table, lake.read(table).with_columns(pl.col("publications") * 2))
            publish_release(lake, list_tables(), {})
            wait_for_views(reading, views, "v2")
        finally:
            is_stopped.set()
            reading.join()
        new_reader = PageReader(server)
        assert new_reader.read_page("trends").releases == {"v2"}  # without a restart
        new_reader.close()
    assert failures == []
    assert [f"{view.address}: {view.errors}" for view in views if view.errors] == []
    assert find_inconsistent_views(views) == []
    assert {release for view in views for release in view.releases} == {"v1", "v2"}
    assert "Traceback" not in log.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("views", "finding"),
    [
        ([PageView("trends", 1, frozenset({"v1", "v2"}), "a", ())], "trends shows"),
        ([PageView("trends", 1, frozenset({"v1"}), digest, ()) for digest in "ab"], "2 different"),
        ([PageView("trends", 1, frozenset({release}), release, ()) for release in ("v1", "v2")], None),
    ],
)
def test_inconsistent_views_are_found(views: list[PageView], finding: str | None) -> None:
    assert (finding is None and find_inconsistent_views(views) == []) or (
        finding is not None and finding in find_inconsistent_views(views)[0]
    )
