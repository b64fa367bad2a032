"""The files of a feed: damage is reported with the path, and files of earlier versions are read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from orchestration.fetch.journal import FeedFolder, FeedState
from orchestration.ingest.fetch_log import read_fetch_log
from tests.support.http_server import ServerRequest, ServerResponse, serve_http
from tests.support.sheet_server import (
    build_raw_tables,
    enable_sheet_fetch,
    make_sheet_server,
    run_fetch,
    write_feeds_config,
)
from warehouse.lake import Lake

# current keys and their names in earlier versions
OLD_KEYS = {"session_id": "conversation_id", "content_sha256": "kept", "plan_inputs": "asks"}


@pytest.fixture(autouse=True)
def fetchable_sheets() -> Iterator[None]:
    with enable_sheet_fetch():
        yield


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def downgrade(folder: FeedFolder) -> None:
    """Rewrite the files of a feed as earlier versions wrote them."""
    for path in [*folder.path.rglob("*.json"), *folder.path.rglob("*.jsonl")]:
        if path.name == "http_validators.json":
            path.rename(path.with_name("held.json"))
            continue
        is_log = path.suffix == ".jsonl"
        objects = [json.loads(text) for text in (path.read_text().splitlines() if is_log else [path.read_text()])]
        texts = [json.dumps({OLD_KEYS.get(key, key): value for key, value in one.items()}) for one in objects]
        path.write_text("".join(f"{text}\n" for text in texts))


def test_damaged_state_is_reported_with_its_path(lake: Lake) -> None:
    with serve_http(make_sheet_server(1)) as server:
        write_feeds_config(lake, [server.host], {"works": server.url})
        run_fetch(lake)
        path = FeedFolder(lake, "works").path / "state.json"
        path.write_text("{", encoding="utf-8")
        assert f"{path} is damaged" in (run_fetch(lake)[0].reason or "")
        path.write_text("[]", encoding="utf-8")
        assert f"{path} is damaged" in (run_fetch(lake)[0].reason or "")
        path.write_text(json.dumps({}), encoding="utf-8")
        assert run_fetch(lake)[0].is_complete


def test_old_files_are_read(lake: Lake) -> None:
    folder = FeedFolder(lake, "works")
    (folder.path / "log").mkdir(parents=True)
    state = {"watermark": "7", "conversation_id": "works 2026-01-02", "is_complete": True, "kept": 3}
    line = {
        "conversation_id": "works 2026-01-02",
        "request_ordinal": 1,
        "feed": "works",
        "source": "lab_sheet",
        "fetched_at": "2026-01-02T03:04:05+00:00",
        "original_name": "changes from 0, page 0",
        "url": "https://example.org/",
        "digest": "0" * 32,
        "result": "read",
        "kept": "f" * 64,
    }
    (folder.path / "state.json").write_text(json.dumps(state))
    (folder.path / "held.json").write_text(json.dumps({"0" * 32: {"snapshot_id": "1" * 16, "records": "2"}}))
    (folder.path / "log" / "2026-01.jsonl").write_text(f"{json.dumps(line)}\n5\n")
    assert folder.state == FeedState(watermark="7", session_id="works 2026-01-02", is_complete=True, kept=3)
    assert folder.validators == {"0" * 32: {"snapshot_id": "1" * 16, "records": "2"}}
    (read,) = read_fetch_log(lake)
    assert (read.session_id, read.request_ordinal, read.content_sha256) == ("works 2026-01-02", 1, "f" * 64)
    folder.write_validators({})
    assert folder.validators == {}


def test_fetch_continues_from_old_files(lake: Lake) -> None:
    sheet, is_broken = make_sheet_server(12), False

    def respond(request: ServerRequest) -> ServerResponse:
        if is_broken and request.query.get("page") == "1":
            return ServerResponse(b"", 503)
        response = sheet(request)
        is_current = "if-modified-since" in request.headers
        return ServerResponse(b"", 304, response.headers) if is_current else response

    with serve_http(respond) as server:
        write_feeds_config(lake, [server.host], {"works": server.url}, attempts=1)
        assert run_fetch(lake)[0].results == {"kept": 3}
        folder = FeedFolder(lake, "works")
        first = folder.state
        folder.write_state(FeedState())  # so that the requests are the same
        is_broken = True
        assert not run_fetch(lake)[0].is_complete
        downgrade(folder)
        is_broken, messages = False, []
        assert run_fetch(lake, messages=messages)[0].results == {"unchanged": 2}
    assert messages == ["works: resumed after 1 requests"]
    fetches = build_raw_tables(lake)["raw.fetches"].sort("fetched_at")
    assert fetches["result"].to_list() == ["kept", "kept", "kept", "unchanged", "failed", "unchanged", "unchanged"]
    assert fetches["session_id"].to_list() == [first.session_id] * 3 + [folder.state.session_id] * 4
    assert not fetches.filter(pl.col("session_id").is_null()).height
