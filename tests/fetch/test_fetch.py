"""Conversations with a place that changes, misbehaves or goes away: nothing is lost, repeated or mixed up."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from orchestration.fetch.journal import FeedFolder, all_lines
from orchestration.ingest.snapshots import all_refusals, all_snapshots
from tests.conftest import PROJECT
from tests.support.http_server import ENDING, PASSING, Asked, Given, served
from tests.support.sheet_server import SheetPlace, configure, fetchable, fetched, raw, titles
from warehouse.lake import Lake


@pytest.fixture(autouse=True)
def sheets_can_be_fetched() -> Iterator[None]:
    with fetchable():
        yield


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def filled(publications: int, size: int = 5) -> SheetPlace:
    place = SheetPlace(size)
    for number in range(publications):
        place.put(number)
    return place


def results(lake: Lake) -> Counter[str]:
    return Counter(line.result for line in all_lines(lake))


def test_two_thousand_requests_of_which_a_tenth_fail_give_exactly_the_records(lake: Lake) -> None:
    requests, chance = 2000, random.Random(7)
    sheet = filled(2 * requests, 2)
    slow = ("silence", "drip", "slow_head")
    quick = [fault for fault in PASSING if fault not in slow]
    kinds = [*(slow + ENDING) * 5, *(quick[n % len(quick)] for n in range(requests // 10 - 30))]
    faults = dict(zip(chance.sample(range(requests), requests // 10), kinds, strict=True))
    met: Counter[str] = Counter()

    def misbehaving(asked: Asked) -> Given:
        fault = faults.pop(int(asked.query.get("page", 0)), None)
        met[fault or "none"] += 1
        given = sheet(asked)
        return Given(given.content, given.status, given.headers, fault)

    with served(misbehaving) as place:
        configure(lake, [place.host], {"works": f"{place.url}/"}, attempts=3, read_seconds=0.3, total_seconds=0.6)
        outcomes = []
        while not (outcomes and outcomes[-1].is_complete):
            assert len(outcomes) < 100
            outcomes += fetched(lake)
        assert all("refused" in outcome.results for outcome in outcomes[:-1])
    assert set(met) == {"none", *PASSING, *ENDING}
    assert sum(met.values()) - met["none"] == requests // 10
    assert len(outcomes) == 1 + sum(met[fault] for fault in ENDING)
    assert results(lake)["kept"] == len(all_snapshots(lake)) == requests
    tables = raw(lake)
    assert tables["raw.sightings"].height == 2 * requests
    assert titles(tables) == sorted(f"Work {number}" for number in range(2 * requests))
    assert tables["raw.lab_sheet_publications"].height == 2 * requests
    assert tables["raw.fetches"].filter(pl.col("result") == "refused").height == len(outcomes) - 1


KILLED = """
import os, sys
from pathlib import Path
from tests.sheet_place import Lake, fetchable, fetched
with fetchable():
    (outcome,) = fetched(Lake(Path(sys.argv[1])))
    print(outcome)
    sys.exit(0 if outcome.is_complete else 3)
"""


def test_killed_again_and_again_it_ends_without_gap_or_repeat(lake: Lake) -> None:
    sheet = filled(300)
    with served(sheet) as place:
        configure(lake, [place.host], {"works": place.url})
        kills = 0
        while True:
            before = len(place.asked)
            process = subprocess.Popen([sys.executable, "-c", KILLED, str(lake.root)], cwd=PROJECT)
            while len(place.asked) < before + 11 + kills and process.poll() is None:
                time.sleep(0.002)
            if process.poll() is not None:
                break
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
            assert FeedFolder(lake, "works").state.watermark is None
        assert process.returncode == 0
        assert kills >= 3
        asked = Counter(asked.query.get("page", "0") for asked in place.asked if asked.path == "/")
    assert set(asked) == {str(page) for page in range(60)}
    assert sum(asked.values()) <= 60 + kills  # only what was under way when it was killed is asked again
    assert FeedFolder(lake, "works").state.watermark == "300"
    lines = [line for line in all_lines(lake) if line.result != "unchanged"]
    assert len({line.conversation_id for line in lines}) == 1
    tables = raw(lake)
    assert titles(tables) == sorted(f"Work {number}" for number in range(300))
    assert tables["raw.sightings"].height == 300
    assert not list(FeedFolder(lake, "works").path.glob("running"))


STOPPED = """
import signal
from tests.sheet_place import fetchable
signal.signal(signal.SIGINT, signal.default_int_handler)
with fetchable():
    from orchestration.cli import app
    app(["fetch"])
"""


def test_stopped_by_hand_it_says_so_and_is_taken_up_again(lake: Lake) -> None:
    sheet = filled(2000)
    with served(sheet) as place:
        configure(lake, [place.host], {"works": place.url})
        environment = {**os.environ, "AISLE_LAKE": str(lake.root)}
        command = [sys.executable, "-c", STOPPED]
        process = subprocess.Popen(command, cwd=PROJECT, env=environment, stderr=subprocess.PIPE, text=True)
        while len(place.asked) < 20 and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert "stopped; what was under way is taken up again" in process.communicate()[1]
        assert process.returncode == 130
        assert len(place.asked) < 400
        told: list[str] = []
        assert fetched(lake, told=told)[0].is_complete
    assert any("taken up again after" in line for line in told)
    assert results(lake) == {"kept": 400}


def test_journal_torn_by_a_kill_is_taken_up_before_the_tear(lake: Lake) -> None:
    sheet, pages = filled(30), []

    def breaking(asked: Asked) -> Given:
        pages.append(asked.query.get("page", "0"))
        return sheet(asked) if len(pages) != 4 else Given(b"", 404)

    with served(breaking) as place:
        configure(lake, [place.host], {"works": place.url})
        (outcome,) = fetched(lake)
        assert outcome.reason is not None
        assert "HTTP status 404" in outcome.reason
        path = FeedFolder(lake, "works").path / "running" / "lines.jsonl"
        path.write_bytes(path.read_bytes()[:-40])
        told: list[str] = []
        (outcome,) = fetched(lake, told=told)
    assert outcome.is_complete
    assert "works: taken up again after 3 requests" in told
    assert pages == ["0", "1", "2", "3", "3", "4", "5"]


def test_what_comes_incrementally_equals_what_comes_at_once(tmp_path: Path) -> None:
    step, whole = Lake(tmp_path / "step"), Lake(tmp_path / "whole")
    sheet = SheetPlace()
    with served(sheet) as place:
        for lake in (step, whole):
            configure(lake, [place.host], {"works": place.url})
        for number in (5, 3, 1, 4):  # out of order
            sheet.put(number)
        assert fetched(step)[0].is_complete
        sheet.put(2)  # late
        sheet.put(5, "Work 5, corrected")  # edited
        sheet.put(6)
        assert fetched(step)[0].is_complete
        assert fetched(step)[0].results == {"kept": 1}  # nothing new, but the overlap begins later than before
        assert fetched(step)[0].results == {"unchanged": 1}
        sheet.withdraw(3)
        sheet.put(7)
        assert fetched(step)[0].is_complete
        assert fetched(whole)[0].is_complete
    stepped, at_once = raw(step), raw(whole)
    now = ["Work 1", "Work 2", "Work 4", "Work 5, corrected", "Work 6", "Work 7"]
    assert titles(at_once) == now
    assert titles(stepped) == sorted([*now, "Work 3"])  # absence from a list of changes is no withdrawal
    same = stepped["raw.lab_sheet_publications"].filter(pl.col("title").is_in(now)).sort("title")
    other = at_once["raw.lab_sheet_publications"].sort("title")
    columns = [
        name
        for name in same.columns
        if not name.endswith("_at") and name not in {"snapshot_id", "record_ordinal", "sheet_row"}
    ]
    assert_frame_equal(same.select(columns), other.select(columns))
    parses = stepped["raw.parses"]
    assert (parses["records_read"] == parses["records_kept"] + parses["records_repeated"]).all()


def test_edit_that_is_taken_back_counts_as_the_newest(lake: Lake) -> None:
    sheet = filled(1)
    with served(sheet) as place:
        configure(lake, [place.host], {"works": f"{place.url}"})
        seen = []
        for title in ("As it was", "Edited", "As it was", "As it was"):
            sheet.change = 0
            sheet.put(0, title)
            seen += [fetched(lake, full=True)[0].results]
    assert seen == [{"kept": 1}, {"kept": 1}, {"returned": 1}, {"unchanged": 1}]
    tables = raw(lake)
    assert titles(tables) == ["As it was"]
    assert len(all_snapshots(lake)) == 2


def test_what_is_unchanged_is_not_sent_again(lake: Lake) -> None:
    sheet = filled(3)

    def conditional(asked: Asked) -> Given:
        return Given(b"", 304) if "if-modified-since" in asked.headers else sheet(asked)

    with served(conditional) as place:
        configure(lake, [place.host], {"works": place.url})
        assert fetched(lake)[0].results == {"kept": 1}
        FeedFolder(lake, "works").write_state(type(FeedFolder(lake, "works").state)())  # the same address once more
        assert fetched(lake)[0].results == {"unchanged": 1}
        assert fetched(lake, full=True)[0].results == {"unchanged": 1}  # sent in full, and found to be the same
    statuses = [line.http_status for line in all_lines(lake)]
    assert statuses == [200, 304, 200]


def test_one_feed_s_failure_is_no_other_s(lake: Lake) -> None:
    good, broken = filled(4), Given(b"\0\1 no sheet at all")
    with served(good) as fine, served(lambda _: broken) as bad, served(lambda _: Given(fault="circle")) as circle:
        configure(
            lake,
            [fine.host, bad.host, circle.host],
            {
                "a_bad": bad.url,
                "b_away": "http://no-such-host.invalid",
                "c_circle": circle.url,
                "d_private": "http://10.0.0.1/",
                "e_fine": fine.url,
            },
        )
        outcomes = {outcome.feed: outcome for outcome in fetched(lake)}
    assert [name for name, outcome in outcomes.items() if outcome.is_complete] == ["e_fine"]
    assert "binary data" in (outcomes["a_bad"].reason or "")
    assert "cannot be resolved" in (outcomes["b_away"].reason or "")
    assert "redirected in a circle" in (outcomes["c_circle"].reason or "")
    assert "10.0.0.1, which is not a public address" in (outcomes["d_private"].reason or "")
    assert [refusal.original_name for refusal in all_refusals(lake)] == ["changes from 0, page 0"]
    assert len(all_snapshots(lake)) == 1


def test_same_bytes_of_two_feeds_are_one_snapshot(lake: Lake) -> None:
    with served(filled(4)) as one, served(filled(4)) as two:
        configure(lake, [one.host, two.host], {"one": one.url, "two": two.url}, parallel=1)
        assert [outcome.results for outcome in fetched(lake)] == [{"kept": 1}, {"unchanged": 1}]
    tables = raw(lake)
    assert tables["raw.snapshots"]["feed"].to_list() == ["one"]
    assert sorted(tables["raw.fetches"]["feed"]) == ["one", "two"]


def test_last_good_data_stays_when_a_failure_page_comes(lake: Lake) -> None:
    sheet = filled(4)
    failing: list[str | None] = [None, "page", None]

    def turning(asked: Asked) -> Given:
        given = sheet(asked)
        return Given(given.content, given.status, given.headers, failing.pop(0))

    with served(turning) as place:
        configure(lake, [place.host], {"works": place.url})
        assert fetched(lake)[0].is_complete
        before = titles(raw(lake))
        sheet.put(9)
        (outcome,) = fetched(lake)
        assert "refused: found a bot wall titled “Just a moment...”" in (outcome.reason or "")
        assert titles(raw(lake)) == before
        assert FeedFolder(lake, "works").state.watermark == "4"
        assert FeedFolder(lake, "works").state.failures == 1
        assert fetched(lake)[0].is_complete
    assert titles(raw(lake)) == sorted([*before, "Work 9"])


def test_conversation_that_gets_no_further_is_begun_anew(lake: Lake) -> None:
    sheet, broken = filled(12), True

    def answering(asked: Asked) -> Given:
        return Given(b"", 410) if broken and asked.query.get("page") == "1" else sheet(asked)

    with served(answering) as place:
        configure(lake, [place.host], {"works": place.url})
        told: list[str] = []
        for _ in range(4):
            assert not fetched(lake, told=told)[0].is_complete
        assert not any("begun anew" in line for line in told[:3])
        broken = False
        assert fetched(lake, told=told)[0].is_complete
    assert "works: begun anew, since it got no further 3 times" in told
    assert titles(raw(lake)) == sorted(f"Work {number}" for number in range(12))


def test_changed_feed_is_begun_anew(lake: Lake) -> None:
    sheet, told = filled(12), []
    pages = {"1": Given(b"", 404)}
    with served(lambda asked: pages.pop(asked.query.get("page", "0"), None) or sheet(asked)) as place:
        configure(lake, [place.host], {"works": place.url})
        assert not fetched(lake)[0].is_complete
        configure(lake, [place.host], {"works": f"{place.url}/moved"})
        assert fetched(lake, told=told)[0].is_complete
    assert not any("taken up" in line for line in told)
    assert sum(asked.path == "/moved" for asked in place.asked) == 3


WORD = "sesame-open/4711 x"


def test_secret_appears_nowhere(lake: Lake, capfd: pytest.CaptureFixture[str]) -> None:
    sheet, told = filled(8), []

    def repeating(asked: Asked) -> Given:
        given = sheet(asked)
        assert asked.query["key"] == WORD
        assert asked.headers["x-key"] == WORD
        if asked.query.get("page") == "1":
            return Given(f"{WORD} is wrong".encode(), 403)
        rows = given.content.decode().replace("Work 1", f"Work {WORD}")
        return Given(rows.encode(), headers=given.headers)

    more = 'headers = { "X-Key" = "${SESAME}" }\nsettings = { more = "key=${SESAME}" }'
    with served(repeating) as place:
        configure(lake, [place.host], {"works": f"{place.url}/?key=${{SESAME}}&x=1"}, more)
        (outcome,) = fetched(lake, told=told, environment={"SESAME": WORD})
        assert "403" in (outcome.reason or ""), outcome
        (unset,) = fetched(lake, told=told, environment={})
        assert "the environment variable SESAME is not set" in (unset.reason or "")
    raw(lake)
    forms = [WORD, "sesame-open%2F4711%20x", "sesame-open%2F4711+x", "sesame-open/4711"]
    written = [path for path in lake.root.rglob("*") if path.is_file()]
    assert len(written) > 20
    for path in written:
        assert not any(form.encode() in path.read_bytes() for form in forms), path
    said = "".join([*told, str(outcome), str(unset), *capfd.readouterr()])
    assert not any(form in said for form in forms)
    assert any("Work ${SESAME}" in title for title in titles(raw(lake)))


def test_place_that_gives_far_less_than_before_is_pointed_out(lake: Lake) -> None:
    sheet = filled(20, 50)
    with served(sheet) as place:
        configure(lake, [place.host], {"works": place.url})
        assert fetched(lake)[0].reason is None
        for number in range(15):
            sheet.withdraw(number)
        assert fetched(lake, full=True)[0].reason == "changes from 0, page 0: only 5 records, after 20 the time before"


def test_damaged_state_is_told_by_name(lake: Lake) -> None:
    with served(filled(1)) as place:
        configure(lake, [place.host], {"works": place.url})
        fetched(lake)
        path = FeedFolder(lake, "works").path / "state.json"
        path.write_text("{", encoding="utf-8")
        assert f"{path} is damaged" in (fetched(lake)[0].reason or "")
        path.write_text(json.dumps({}), encoding="utf-8")
        assert fetched(lake)[0].is_complete
