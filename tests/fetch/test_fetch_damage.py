"""Fetch sessions with damaged files or responses, paging loops and stops: only damaged records are lost."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.cli.feeds_report import build_feeds_table
from orchestration.cli.report import describe_status
from orchestration.fetch import runner
from orchestration.fetch.config import read_configuration
from orchestration.fetch.journal import FeedFolder
from orchestration.ingest.fetch_log import read_fetch_log
from tests.support.http_server import ServerRequest, ServerResponse, serve_http
from tests.support.sheet_server import (
    build_raw_tables,
    enable_sheet_fetch,
    list_titles,
    make_sheet_server,
    run_fetch,
    write_feeds_config,
)
from warehouse.lake import Lake


@pytest.fixture(autouse=True)
def fetchable_sheets() -> Iterator[None]:
    with enable_sheet_fetch():
        yield


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def test_state_with_an_unknown_key_does_not_stop_other_feeds(lake: Lake) -> None:
    with serve_http(make_sheet_server(1)) as server:
        write_feeds_config(lake, [server.host], {"works": server.url, "others": f"{server.url}/other"})
        run_fetch(lake)
        path = FeedFolder(lake, "works").path / "state.json"
        path.write_text(json.dumps({"mood": 1}), encoding="utf-8")
        first, second = run_fetch(lake)
        assert f"{path} is damaged" in (first.reason or "")
        assert second.is_complete
        assert any(str(path) in line for line in describe_status(lake))
        build_feeds_table(lake, read_configuration(lake))


def test_paging_loop_ends_the_session(lake: Lake) -> None:
    sheet = make_sheet_server(20)

    def respond_in_loop(request: ServerRequest) -> ServerResponse:
        response = sheet(request)
        next_page = {"0": "1", "1": "2", "2": "1"}[request.query.get("page", "0")]
        return ServerResponse(response.content, headers={"Link": f'<?since=0&page={next_page}>; rel="next"; change=20'})

    with serve_http(respond_in_loop) as server:
        write_feeds_config(lake, [server.host], {"works": server.url})
        (result,) = run_fetch(lake)
        assert "the server's paging runs in a loop" in (result.reason or "")
        assert not result.is_complete
        assert sum(request.path == "/" for request in server.requests) == 3
    assert FeedFolder(lake, "works").state.watermark is None


def test_damaged_record_is_rejected_and_the_rest_is_kept(lake: Lake) -> None:
    sheet = make_sheet_server(4, 2)

    def respond_with_damage(request: ServerRequest) -> ServerResponse:
        response = sheet(request)
        nameless = re.sub(rb"Work \d+,(.*?),https?:[^,\r\n]*", rb",\1,", response.content, count=1)
        return ServerResponse(nameless, headers=response.headers)

    with serve_http(respond_with_damage) as server:
        write_feeds_config(lake, [server.host], {"works": server.url})
        (result,) = run_fetch(lake)
        assert result.is_complete
        assert "1 unreadable, the first: " in (result.reason or "")
    tables = build_raw_tables(lake)
    assert list_titles(tables) == ["Work 1", "Work 3"]
    assert tables["raw.rejects"].height == 2


def test_request_ordinals_continue_after_a_kill_between_log_and_journal(lake: Lake) -> None:
    sheet, broken = make_sheet_server(12), True

    def respond(request: ServerRequest) -> ServerResponse:
        return ServerResponse(b"", 410) if broken and request.query.get("page") == "1" else sheet(request)

    with serve_http(respond) as server:
        write_feeds_config(lake, [server.host], {"works": server.url})
        run_fetch(lake)
        journal = FeedFolder(lake, "works").open_journal("running")
        kept, failed = journal.lines
        journal.archive([failed])  # and then the process was killed
        journal.write_lines([kept])
        broken = False
        assert run_fetch(lake)[0].is_complete
    assert [(line.request_ordinal, line.result) for line in read_fetch_log(lake)][:3] == [
        (1, "kept"),
        (2, "failed"),
        (3, "kept"),
    ]


def test_stop_ends_waiting_for_a_retry(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_http(lambda _: ServerResponse(b"", 503)) as server:
        write_feeds_config(lake, [server.host], {"works": server.url}, attempts=5, backoff_seconds=60)

        def wait_until_interrupted(*_: object, **__: object) -> None:
            while not server.count("/"):
                time.sleep(0.01)
            raise KeyboardInterrupt

        monkeypatch.setattr(runner, "wait", wait_until_interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_fetch(lake)
        assert server.count("/") == 1
