"""Conversations with a place that is damaged in small ways, or leads nowhere: only what is damaged is lost."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.cli.feeds_report import feeds_table
from orchestration.cli.report import status_lines
from orchestration.fetch import runner
from orchestration.fetch.config import read_configuration
from orchestration.fetch.journal import FeedFolder, all_lines
from tests.support.http_server import Asked, Given, served
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


def test_state_with_an_unknown_key_stops_no_other_feed(lake: Lake) -> None:
    with served(filled(1)) as place:
        configure(lake, [place.host], {"works": place.url, "others": f"{place.url}/other"})
        fetched(lake)
        path = FeedFolder(lake, "works").path / "state.json"
        path.write_text(json.dumps({"mood": 1}), encoding="utf-8")
        first, second = fetched(lake)
        assert f"{path} is damaged" in (first.reason or "")
        assert second.is_complete
        assert any(str(path) in line for line in status_lines(lake))
        feeds_table(lake, read_configuration(lake))


def test_place_that_leads_in_a_circle_is_left(lake: Lake) -> None:
    sheet = filled(20)

    def circling(asked: Asked) -> Given:
        given = sheet(asked)
        to = {"0": "1", "1": "2", "2": "1"}[asked.query.get("page", "0")]
        return Given(given.content, headers={"Link": f'<?since=0&page={to}>; rel="next"; change=20'})

    with served(circling) as place:
        configure(lake, [place.host], {"works": place.url})
        (outcome,) = fetched(lake)
        assert "leads in a circle" in (outcome.reason or "")
        assert not outcome.is_complete
        assert sum(asked.path == "/" for asked in place.asked) == 3
    assert FeedFolder(lake, "works").state.watermark is None


def test_damaged_record_of_a_small_answer_is_a_reject_and_the_rest_goes_on(lake: Lake) -> None:
    sheet = filled(4, 2)

    def damaged(asked: Asked) -> Given:
        given = sheet(asked)
        return Given(given.content.replace(b"1-Feb-24", b"1-Foo-24", 1), headers=given.headers)

    with served(damaged) as place:
        configure(lake, [place.host], {"works": place.url})
        (outcome,) = fetched(lake)
        assert outcome.is_complete
        assert "1 unreadable, the first: " in (outcome.reason or "")
    tables = raw(lake)
    assert titles(tables) == ["Work 1", "Work 3"]
    assert tables["raw.rejects"].height == 2


def test_numbers_of_requests_go_on_after_a_kill_between_log_and_journal(lake: Lake) -> None:
    sheet, broken = filled(12), True

    def answering(asked: Asked) -> Given:
        return Given(b"", 410) if broken and asked.query.get("page") == "1" else sheet(asked)

    with served(answering) as place:
        configure(lake, [place.host], {"works": place.url})
        fetched(lake)
        journal = FeedFolder(lake, "works").journal("running")
        kept, failed = journal.lines
        journal.archive([failed])  # and then it was killed
        journal.keep_lines([kept])
        broken = False
        assert fetched(lake)[0].is_complete
    assert [(line.request_ordinal, line.result) for line in all_lines(lake)][:3] == [
        (1, "kept"),
        (2, "failed"),
        (3, "kept"),
    ]


def test_waiting_ends_when_it_is_asked_to_stop(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(lambda _: Given(b"", 503)) as place:
        configure(lake, [place.host], {"works": place.url}, attempts=5, backoff_seconds=60)

        def stopped(*_: object, **__: object) -> None:
            while not place.count("/"):
                time.sleep(0.01)
            raise KeyboardInterrupt

        monkeypatch.setattr(runner, "wait", stopped)
        with pytest.raises(KeyboardInterrupt):
            fetched(lake)
        assert place.count("/") == 1
