"""Fetch sessions with a server that changes, misbehaves or disappears: nothing is lost, repeated or mixed up."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from orchestration.fetch.journal import FeedFolder
from orchestration.ingest.fetch_log import read_fetch_log
from orchestration.ingest.refused import list_refused_files
from orchestration.ingest.snapshots import list_snapshots
from tests.conftest import PROJECT
from tests.support.http_server import LASTING_FAULTS, TRANSIENT_FAULTS, ServerRequest, ServerResponse, serve_http
from tests.support.sheet_server import (
    SheetServer,
    build_raw_tables,
    enable_sheet_fetch,
    list_titles,
    make_sheet_server,
    run_fetch,
    write_feeds_config,
)
from tests.support.trials import scale_trials
from warehouse.lake import Lake


@pytest.fixture(autouse=True)
def fetchable_sheets() -> Iterator[None]:
    with enable_sheet_fetch():
        yield


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def count_results(lake: Lake) -> Counter[str]:
    return Counter(line.result for line in read_fetch_log(lake))


@pytest.mark.trials("requests of a fetch, a tenth of them with faults", scale_trials(300, 2000))
def test_faults_in_a_tenth_of_the_requests_lose_and_repeat_no_record(lake: Lake) -> None:
    requests, generator = scale_trials(300, 2000), random.Random(7)
    sheet = make_sheet_server(2 * requests, 2)
    slow = ("silence", "drip", "slow_head")
    quick = [fault for fault in TRANSIENT_FAULTS if fault not in slow]
    dear = (slow + LASTING_FAULTS) * (requests // 150)
    kinds = [*dear, *(quick[n % len(quick)] for n in range(requests // 10 - len(dear)))]
    faults = dict(zip(generator.sample(range(requests), requests // 10), kinds, strict=True))
    served: Counter[str] = Counter()

    def respond_with_fault(request: ServerRequest) -> ServerResponse:
        fault = faults.pop(int(request.query.get("page", 0)), None)
        served[fault or "none"] += 1
        response = sheet(request)
        return ServerResponse(response.content, response.status, response.headers, fault)

    with serve_http(respond_with_fault) as server:
        write_feeds_config(
            lake, [server.host], {"works": f"{server.url}/"}, attempts=3, read_seconds=0.3, total_seconds=0.6
        )
        results = []
        while not (results and results[-1].is_complete):
            assert len(results) < 100
            results += run_fetch(lake)
        assert all("refused" in result.results for result in results[:-1])
    assert set(served) == {"none", *TRANSIENT_FAULTS, *LASTING_FAULTS}
    assert sum(served.values()) - served["none"] == requests // 10
    assert len(results) == 1 + sum(served[fault] for fault in LASTING_FAULTS)
    assert count_results(lake)["kept"] == len(list_snapshots(lake)) == requests
    tables = build_raw_tables(lake)
    assert tables["raw.sightings"].height == 2 * requests
    assert list_titles(tables) == sorted(f"Work {number}" for number in range(2 * requests))
    assert tables["raw.lab_sheet_publications"].height == 2 * requests
    assert tables["raw.fetches"].filter(pl.col("result") == "refused").height == len(results) - 1


FETCH_KILLS = scale_trials(3, 20)
FETCH_SCRIPT = """
import os, sys
from pathlib import Path
from tests.support.sheet_server import Lake, enable_sheet_fetch, run_fetch
with enable_sheet_fetch():
    (result,) = run_fetch(Lake(Path(sys.argv[1])))
    print(result)
    sys.exit(0 if result.is_complete else 3)
"""


@pytest.mark.trials("kills of a fetch", FETCH_KILLS)
def test_repeatedly_killed_session_completes_without_gap_or_repeat(lake: Lake) -> None:
    pages_in_all, generator = 15 * FETCH_KILLS, random.Random(2)
    works = 5 * pages_in_all
    sheet = make_sheet_server(works)
    with serve_http(sheet) as server:
        write_feeds_config(lake, [server.host], {"works": server.url})
        kills = 0
        while True:
            last = len(server.requests) + (generator.randint(4, 15) if kills < FETCH_KILLS else sys.maxsize)
            process = subprocess.Popen([sys.executable, "-c", FETCH_SCRIPT, str(lake.root)], cwd=PROJECT)
            while len(server.requests) < last and process.poll() is None:
                time.sleep(0.002)
            if process.poll() is not None:
                break
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
            assert FeedFolder(lake, "works").state.watermark is None
        assert process.returncode == 0
        assert kills > FETCH_KILLS / 2
        pages = Counter(request.query.get("page", "0") for request in server.requests if request.path == "/")
    assert set(pages) == {str(page) for page in range(pages_in_all)}
    assert sum(pages.values()) <= pages_in_all + kills  # only the request that was running at a kill is repeated
    assert FeedFolder(lake, "works").state.watermark == str(works)
    lines = [line for line in read_fetch_log(lake) if line.result != "unchanged"]
    assert len({line.session_id for line in lines}) == 1
    tables = build_raw_tables(lake)
    assert list_titles(tables) == sorted(f"Work {number}" for number in range(works))
    assert tables["raw.sightings"].height == works
    assert not list(FeedFolder(lake, "works").path.glob("running"))


FETCH_COMMAND_SCRIPT = """
import signal
from tests.support.sheet_server import enable_sheet_fetch
signal.signal(signal.SIGINT, signal.default_int_handler)
with enable_sheet_fetch():
    from orchestration.cli.app import app
    app(["fetch"])
"""


def test_interrupted_fetch_reports_it_and_is_resumed(lake: Lake) -> None:
    sheet, is_stopped = make_sheet_server(2000), threading.Event()

    def respond(request: ServerRequest) -> ServerResponse:
        if len(server.requests) > 20:
            is_stopped.wait(60)  # the session cannot end before the signal
        return sheet(request)

    with serve_http(respond) as server:
        write_feeds_config(lake, [server.host], {"works": server.url})
        environment = {**os.environ, "AISLE_LAKE": str(lake.root)}
        command = [sys.executable, "-c", FETCH_COMMAND_SCRIPT]
        process = subprocess.Popen(command, cwd=PROJECT, env=environment, stderr=subprocess.PIPE, text=True)
        while len(server.requests) < 20 and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert "stopped; the next aisle fetch resumes from here" in process.communicate()[1]
        assert process.returncode == 130
        assert len(server.requests) < 400
        is_stopped.set()
        messages: list[str] = []
        assert run_fetch(lake, messages=messages)[0].is_complete
    assert any("resumed after" in line for line in messages)
    assert count_results(lake) == {"kept": 400}


def test_session_with_torn_journal_resumes_before_the_tear(lake: Lake) -> None:
    sheet, pages = make_sheet_server(30), []

    def respond_404_once(request: ServerRequest) -> ServerResponse:
        pages.append(request.query.get("page", "0"))
        return sheet(request) if len(pages) != 4 else ServerResponse(b"", 404)

    with serve_http(respond_404_once) as server:
        write_feeds_config(lake, [server.host], {"works": server.url})
        (result,) = run_fetch(lake)
        assert result.reason is not None
        assert "HTTP status 404" in result.reason
        path = FeedFolder(lake, "works").path / "running" / "lines.jsonl"
        path.write_bytes(path.read_bytes()[:-40])
        messages: list[str] = []
        (result,) = run_fetch(lake, messages=messages)
    assert result.is_complete
    assert "works: resumed after 3 requests" in messages
    assert pages == ["0", "1", "2", "3", "3", "4", "5"]


def test_incremental_fetches_equal_one_full_fetch(tmp_path: Path) -> None:
    step, whole = Lake(tmp_path / "step"), Lake(tmp_path / "whole")
    sheet = SheetServer()
    with serve_http(sheet) as server:
        for lake in (step, whole):
            write_feeds_config(lake, [server.host], {"works": server.url})
        for number in (5, 3, 1, 4):  # out of order
            sheet.put(number)
        assert run_fetch(step)[0].is_complete
        sheet.put(2)  # late
        sheet.put(5, "Work 5, corrected")  # edited
        sheet.put(6)
        assert run_fetch(step)[0].is_complete
        assert run_fetch(step)[0].results == {"kept": 1}  # nothing new, but the overlap starts later than before
        assert run_fetch(step)[0].results == {"unchanged": 1}
        sheet.withdraw(3)
        sheet.put(7)
        assert run_fetch(step)[0].is_complete
        assert run_fetch(whole)[0].is_complete
    incremental, full = build_raw_tables(step), build_raw_tables(whole)
    now = ["Work 1", "Work 2", "Work 4", "Work 5, corrected", "Work 6", "Work 7"]
    assert list_titles(full) == now
    assert list_titles(incremental) == sorted(
        [*now, "Work 3"]
    )  # a publication missing from a list of changes is not withdrawn
    same = incremental["raw.lab_sheet_publications"].filter(pl.col("title").is_in(now)).sort("title")
    other = full["raw.lab_sheet_publications"].sort("title")
    columns = [
        name
        for name in same.columns
        if not name.endswith("_at") and name not in {"snapshot_id", "record_ordinal", "sheet_row"}
    ]
    assert_frame_equal(same.select(columns), other.select(columns))
    parses = incremental["raw.parses"]
    assert (parses["records_read"] == parses["records_kept"] + parses["records_repeated"]).all()


def test_reverted_edit_is_the_latest_version(lake: Lake) -> None:
    sheet = make_sheet_server(1)
    with serve_http(sheet) as server:
        write_feeds_config(lake, [server.host], {"works": f"{server.url}"})
        results = []
        for title in ("As it was", "Edited", "As it was", "As it was"):
            sheet.change = 0
            sheet.put(0, title)
            results += [run_fetch(lake, full=True)[0].results]
    assert results == [{"kept": 1}, {"kept": 1}, {"returned": 1}, {"unchanged": 1}]
    tables = build_raw_tables(lake)
    assert list_titles(tables) == ["As it was"]
    assert len(list_snapshots(lake)) == 2


def test_unchanged_response_is_not_sent_again(lake: Lake) -> None:
    sheet = make_sheet_server(3)

    def respond_conditionally(request: ServerRequest) -> ServerResponse:
        return ServerResponse(b"", 304) if "if-modified-since" in request.headers else sheet(request)

    with serve_http(respond_conditionally) as server:
        write_feeds_config(lake, [server.host], {"works": server.url})
        assert run_fetch(lake)[0].results == {"kept": 1}
        FeedFolder(lake, "works").write_state(
            type(FeedFolder(lake, "works").state)()
        )  # so that the address is the same
        assert run_fetch(lake)[0].results == {"unchanged": 1}
        assert run_fetch(lake, full=True)[0].results == {"unchanged": 1}  # sent in full, with the same bytes
    statuses = [line.http_status for line in read_fetch_log(lake)]
    assert statuses == [200, 304, 200]


def test_failing_feed_does_not_stop_the_others(lake: Lake) -> None:
    good, broken = make_sheet_server(4), ServerResponse(b"\0\1 no sheet at all")
    with (
        serve_http(good) as fine,
        serve_http(lambda _: broken) as bad,
        serve_http(lambda _: ServerResponse(fault="redirect_loop")) as loop,
    ):
        write_feeds_config(
            lake,
            [fine.host, bad.host, loop.host],
            {
                "a_bad": bad.url,
                "b_away": "http://no-such-host.invalid",
                "c_loop": loop.url,
                "d_private": "http://10.0.0.1/",
                "e_fine": fine.url,
            },
        )
        results = {result.feed: result for result in run_fetch(lake)}
    assert [name for name, result in results.items() if result.is_complete] == ["e_fine"]
    assert "binary data" in (results["a_bad"].reason or "")
    assert "cannot be resolved" in (results["b_away"].reason or "")
    assert "redirected in a loop" in (results["c_loop"].reason or "")
    assert "10.0.0.1, which is not a public address" in (results["d_private"].reason or "")
    assert [refusal.original_name for refusal in list_refused_files(lake)] == ["changes from 0, page 0"]
    assert len(list_snapshots(lake)) == 1


def test_same_bytes_of_two_feeds_are_one_snapshot(lake: Lake) -> None:
    with serve_http(make_sheet_server(4)) as one, serve_http(make_sheet_server(4)) as two:
        write_feeds_config(lake, [one.host, two.host], {"one": one.url, "two": two.url}, parallel=1)
        assert [result.results for result in run_fetch(lake)] == [{"kept": 1}, {"unchanged": 1}]
    tables = build_raw_tables(lake)
    assert tables["raw.snapshots"]["feed"].to_list() == ["one"]
    assert sorted(tables["raw.fetches"]["feed"]) == ["one", "two"]


def test_failure_page_leaves_existing_data_unchanged(lake: Lake) -> None:
    sheet = make_sheet_server(4)
    faults: list[str | None] = [None, "page", None]

    def respond_with_fault(request: ServerRequest) -> ServerResponse:
        response = sheet(request)
        return ServerResponse(response.content, response.status, response.headers, faults.pop(0))

    with serve_http(respond_with_fault) as server:
        write_feeds_config(lake, [server.host], {"works": server.url})
        assert run_fetch(lake)[0].is_complete
        before = list_titles(build_raw_tables(lake))
        sheet.put(9)
        (result,) = run_fetch(lake)
        assert "refused: found a bot wall titled “Just a moment...”" in (result.reason or "")
        assert list_titles(build_raw_tables(lake)) == before
        assert FeedFolder(lake, "works").state.watermark == "4"
        assert FeedFolder(lake, "works").state.failures == 1
        assert run_fetch(lake)[0].is_complete
    assert list_titles(build_raw_tables(lake)) == sorted([*before, "Work 9"])


def test_session_without_progress_is_restarted(lake: Lake) -> None:
    sheet, broken = make_sheet_server(12), True

    def respond(request: ServerRequest) -> ServerResponse:
        return ServerResponse(b"", 410) if broken and request.query.get("page") == "1" else sheet(request)

    with serve_http(respond) as server:
        write_feeds_config(lake, [server.host], {"works": server.url})
        messages: list[str] = []
        for _ in range(4):
            assert not run_fetch(lake, messages=messages)[0].is_complete
        assert not any("restarted" in line for line in messages[:3])
        broken = False
        assert run_fetch(lake, messages=messages)[0].is_complete
    assert "works: restarted: no progress in 3 runs" in messages
    assert list_titles(build_raw_tables(lake)) == sorted(f"Work {number}" for number in range(12))


def test_session_of_changed_feed_is_restarted(lake: Lake) -> None:
    sheet, messages = make_sheet_server(12), []
    pages = {"1": ServerResponse(b"", 404)}
    with serve_http(lambda request: pages.pop(request.query.get("page", "0"), None) or sheet(request)) as server:
        write_feeds_config(lake, [server.host], {"works": server.url})
        assert not run_fetch(lake)[0].is_complete
        write_feeds_config(lake, [server.host], {"works": f"{server.url}/moved"})
        assert run_fetch(lake, messages=messages)[0].is_complete
    assert not any("resumed" in line for line in messages)
    assert sum(request.path == "/moved" for request in server.requests) == 3


SESAME = "sesame-open/4711 x"


def test_secret_appears_in_no_file_and_no_message(lake: Lake, capfd: pytest.CaptureFixture[str]) -> None:
    sheet, messages = make_sheet_server(8), []

    def respond_with_secret(request: ServerRequest) -> ServerResponse:
        response = sheet(request)
        assert request.query["key"] == SESAME
        assert request.headers["x-key"] == SESAME
        if request.query.get("page") == "1":
            return ServerResponse(f"{SESAME} is wrong".encode(), 403)
        rows = response.content.decode().replace("Work 1", f"Work {SESAME}")
        return ServerResponse(rows.encode(), headers=response.headers)

    more = 'headers = { "X-Key" = "${SESAME}" }\nsettings = { more = "key=${SESAME}" }'
    with serve_http(respond_with_secret) as server:
        write_feeds_config(lake, [server.host], {"works": f"{server.url}/?key=${{SESAME}}&x=1"}, more)
        (result,) = run_fetch(lake, messages=messages, environment={"SESAME": SESAME})
        assert "403" in (result.reason or ""), result
        (unset,) = run_fetch(lake, messages=messages, environment={})
        assert "the environment variable SESAME is not set" in (unset.reason or "")
    build_raw_tables(lake)
    forms = [SESAME, "sesame-open%2F4711%20x", "sesame-open%2F4711+x", "sesame-open/4711"]
    files = [path for path in lake.root.rglob("*") if path.is_file()]
    assert len(files) > 20
    for path in files:
        assert not any(form.encode() in path.read_bytes() for form in forms), path
    output = "".join([*messages, str(result), str(unset), *capfd.readouterr()])
    assert not any(form in output for form in forms)
    assert any("Work ${SESAME}" in title for title in list_titles(build_raw_tables(lake)))


def test_sharp_drop_in_records_is_a_warning(lake: Lake) -> None:
    sheet = make_sheet_server(20, 50)
    with serve_http(sheet) as server:
        write_feeds_config(lake, [server.host], {"works": server.url})
        assert run_fetch(lake)[0].reason is None
        for number in range(15):
            sheet.withdraw(number)
        assert (
            run_fetch(lake, full=True)[0].reason == "changes from 0, page 0: only 5 records, 20 in the previous session"
        )
