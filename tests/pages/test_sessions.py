"""Many readers at once while a release is published: no error, and nobody sees two releases in one look."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from tests.support.builders import made, publication
from tests.support.dashboard_server import addresses, serving
from tests.support.websocket_clients import Reader, View, mixtures, read_at_once
from warehouse.lake import Lake

SESSIONS = 12
AFTER_SECONDS = 4.0


def test_readers_are_not_disturbed_by_a_new_release(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    made(lake, [publication(f"{n:016x}") for n in range(40)])
    pages = list(addresses(lake).values())
    log = tmp_path / "log.txt"
    views, is_over = list[View](), threading.Event()
    with serving(lake, log) as server:
        reading = threading.Thread(target=lambda: views.extend(read_at_once(server, pages, SESSIONS, is_over)))
        reading.start()
        try:
            made(lake, [publication(f"{n:016x}") for n in range(50)])
            time.sleep(AFTER_SECONDS)
        finally:
            is_over.set()
            reading.join()
        with_new = Reader(server)
        assert with_new.look("trends").releases == {"v2"}  # without a restart
        with_new.close()
    assert [f"{view.address}: {view.faults}" for view in views if view.faults] == []
    assert mixtures(views) == []
    assert {release for view in views for release in view.releases} == {"v1", "v2"}
    assert "Traceback" not in log.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("views", "found"),
    [
        ([View("trends", 1, frozenset({"v1", "v2"}), "a", ())], "trends shows"),
        ([View("trends", 1, frozenset({"v1"}), digest, ()) for digest in "ab"], "2 different"),
        ([View("trends", 1, frozenset({release}), release, ()) for release in ("v1", "v2")], None),
    ],
)
def test_a_mixture_would_be_found(views: list[View], found: str | None) -> None:
    assert (found is None and mixtures(views) == []) or (found is not None and found in mixtures(views)[0])
