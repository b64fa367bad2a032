"""Watermarks: kept by errors and blank answers, and no longer valid once the feed's question has changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestration.fetch.config import read_configuration
from orchestration.fetch.journal import FeedFolder, FeedState, FetchResult
from orchestration.fetch.runner import fetch_feeds
from tests.sources.test_arxiv import build_atom, build_oai, build_oai_record
from tests.sources.test_feed import build_item, build_rss
from tests.support.http_server import ServerRequest, ServerResponse, serve_http
from warehouse.lake import Lake

ERROR_ENTRY = (
    b'<feed xmlns="http://www.w3.org/2005/Atom"><title>ArXiv Query: search_query=x</title><id>http://arxiv.org/api/x</id>'
    b'<totalResults xmlns="http://a9.com/-/spec/opensearch/1.1/">1</totalResults><entry>'
    b"<id>http://arxiv.org/api/errors#made_up</id><title>Error</title><summary>a bracket is missing</summary></entry></feed>"
)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def fetch(lake: Lake, host: str, source: str, url: str, **settings: Any) -> tuple[FetchResult, FeedState, list[str]]:
    """Fetch a single feed; returns its result, its state, and what the user was shown."""
    values = ", ".join(f"{name} = {json.dumps(value)}" for name, value in settings.items())
    lake.root.mkdir(parents=True, exist_ok=True)
    (lake.root / "feeds.toml").write_text(
        f'[fetch]\nbundled = false\nallow_private = ["{host}"]\ninterval_seconds = 0.001\nbackoff_seconds = 0.005\n'
        f'attempts = 2\n[feeds.one]\nsource = "{source}"\nurl = "{url}"\nenabled = true\nsettings = {{ {values} }}\n'
    )
    configuration, messages = read_configuration(lake), list[str]()
    (result,) = fetch_feeds(lake, configuration, list(configuration.feeds.values()), log=messages.append)
    return result, FeedFolder(lake, "one").state, messages


def list_starts(requests: list[ServerRequest]) -> list[str]:
    """The first day of each search of arXiv."""
    return [
        request.query["search_query"].partition("[")[2][:8] for request in requests if "search_query" in request.query
    ]


@pytest.mark.parametrize("status", [200, 400])
def test_error_of_arxiv_in_place_of_papers_fails_the_fetch_and_keeps_the_watermark(lake: Lake, status: int) -> None:
    answers = {"good": (build_atom(1, 0, "2401.00001"), 200), "bad": (ERROR_ENTRY, status)}

    def respond(request: ServerRequest) -> ServerResponse:
        return ServerResponse(*answers["bad" if is_broken else "good"])

    is_broken = False
    with serve_http(respond) as server:
        _, good, _ = fetch(lake, server.host, "arxiv_papers", f"{server.url}/api/query", search="cat:cs.LG")
        is_broken = True
        result, bad, _ = fetch(lake, server.host, "arxiv_papers", f"{server.url}/api/query", search="cat:cs.LG")
    assert good.watermark
    assert (bad.watermark, bad.is_complete) == (good.watermark, False)
    assert "a bracket is missing" in (result.reason or "")


SERVICE_ERRORS = {
    "openalex_works": ({"error": "Invalid query", "message": "no such filter"}, {"filter": "x:1"}, "no such filter"),
    "crossref_works": (
        {"status": "failed", "message-type": "validation-failure", "message": [{"message": "no such field"}]},
        {"query": "x"},
        "no such field",
    ),
    "semanticscholar_papers": ({"error": "Unacceptable query"}, {"search": "x"}, "Unacceptable query"),
    "huggingface_papers": ({"error": "Invalid date"}, {}, "Invalid date"),
    "forum_posts": ({"errors": [{"message": "no such view"}], "data": None}, {"from": "2026-01-01"}, "no such view"),
    "alignment_dataset": ({"detail": "No such file"}, {}, "No such file"),
}


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("source", SERVICE_ERRORS)
def test_error_of_a_service_fails_the_fetch_with_its_own_words(lake: Lake, source: str, status: int) -> None:
    value, settings, words = SERVICE_ERRORS[source]
    with serve_http(lambda _: ServerResponse(json.dumps(value).encode(), status)) as server:
        result, state, _ = fetch(lake, server.host, source, f"{server.url}/x", **settings)
    assert (result.is_complete, state.watermark) == (False, None)
    assert words in (result.reason or "")


def test_error_of_oai_pmh_fails_the_fetch_with_its_own_words(lake: Lake) -> None:
    with serve_http(lambda _: ServerResponse(build_oai(error="badArgument"))) as server:
        result, state, _ = fetch(lake, server.host, "arxiv_papers", f"{server.url}/oai")
    assert (result.is_complete, state.watermark) == (False, None)
    assert "badArgument: words" in (result.reason or "")


def test_blank_answers_keep_the_watermark_until_something_was_seen(lake: Lake) -> None:
    answers = [build_atom(0, 0), build_atom(0, 0), build_atom(0, 0), build_atom(0, 0), build_atom(1, 0, "2401.00001")]

    with serve_http(lambda _: ServerResponse(answers.pop(0))) as server:
        blank = fetch(lake, server.host, "arxiv_papers", f"{server.url}/q", search="all:x", **{"from": "2005-10-01"})
        seen = fetch(lake, server.host, "arxiv_papers", f"{server.url}/q", search="all:x", **{"from": "2005-10-01"})
        assert list_starts(server.requests) == ["20051001"] * 5
    assert (blank[0].is_complete, blank[0].results, blank[1].watermark) == (True, {"empty": 3}, None)
    assert (seen[0].is_complete, seen[0].results) == (True, {"empty": 1, "kept": 1})
    assert seen[1].watermark


def test_harvest_without_any_record_keeps_the_watermark(lake: Lake) -> None:
    answers = [build_oai(error="noRecordsMatch")] * 3 + [build_oai(build_oai_record())]
    with serve_http(lambda _: ServerResponse(answers.pop(0))) as server:
        blank = fetch(lake, server.host, "arxiv_papers", f"{server.url}/oai", sets=["cs:cs:CY"])
        seen = fetch(lake, server.host, "arxiv_papers", f"{server.url}/oai", sets=["cs:cs:CY"])
    assert (blank[0].is_complete, blank[1].watermark) == (True, None)
    assert seen[1].watermark


@pytest.mark.parametrize(
    ("before", "now", "begin", "changed"),
    [
        ({"search": "all:x"}, {"search": "all:y"}, "20240101", "its search changed"),
        ({"search": "all:x"}, {"search": "all:x", "from": "2023-05-01"}, "20230501", "its from changed"),
        ({"search": "all:x"}, {"search": "all:x", "from": "2025-05-01"}, None, None),
        ({"search": "all:x"}, {"search": "all:x", "page": 5, "overlap_days": 4}, None, None),
    ],
)
def test_changed_question_is_fetched_from_its_beginning(
    lake: Lake, before: dict[str, Any], now: dict[str, Any], begin: str | None, changed: str | None
) -> None:
    earlier = {"from": "2024-01-01"}
    with serve_http(lambda _: ServerResponse(build_atom(1, 0, "2401.00001"))) as server:
        fetch(lake, server.host, "arxiv_papers", f"{server.url}/q", **{**earlier, **before})
        _, state, messages = fetch(lake, server.host, "arxiv_papers", f"{server.url}/q", **{**earlier, **now})
        start = list_starts(server.requests)[-1]
    is_reported = any("so it is fetched from its beginning" in message for message in messages)
    assert is_reported == (changed is not None)
    if begin is None:
        assert start > "20260101"
    else:
        assert start == begin
        assert any(f"one: {changed}" in message for message in messages)
    assert state.question is not None


def test_watermark_of_a_failed_first_answer_to_a_new_question_is_not_reused(lake: Lake) -> None:
    is_down = False
    with serve_http(lambda _: ServerResponse(ERROR_ENTRY if is_down else build_atom(1, 0, "2401.00001"))) as server:
        fetch(lake, server.host, "arxiv_papers", f"{server.url}/q", search="all:x")
        is_down = True
        fetch(lake, server.host, "arxiv_papers", f"{server.url}/q", search="all:y")
        is_down = False
        result, _, _ = fetch(lake, server.host, "arxiv_papers", f"{server.url}/q", search="all:y")
        assert list_starts(server.requests)[1:] == ["20050916", "20050916"]
    assert result.is_complete


def test_new_address_of_a_feed_replaces_the_one_it_had_moved_to(lake: Lake) -> None:
    def respond(request: ServerRequest) -> ServerResponse:
        moved = f"<itunes:new-feed-url>http://{server.host}/moved</itunes:new-feed-url>"
        return ServerResponse(build_rss(build_item(1), head=moved if request.path == "/old" else ""))

    with serve_http(respond) as server:
        _, state, _ = fetch(lake, server.host, "feed_items", f"{server.url}/old")
        assert state.watermark == f"http://{server.host}/moved"
        _, state, messages = fetch(lake, server.host, "feed_items", f"{server.url}/new")
        assert [request.path for request in server.requests if request.path != "/robots.txt"] == [
            "/old",
            "/moved",
            "/new",
        ]
    assert any("its address changed" in message for message in messages)


def test_state_of_an_earlier_version_is_trusted() -> None:
    assert FeedState(watermark="2026-01-01").describe_changed_question({"url": "x", "search": "y"}) is None


def test_feed_without_entries_is_a_complete_fetch(lake: Lake) -> None:
    with serve_http(lambda _: ServerResponse(build_rss())) as server:
        result, state, _ = fetch(lake, server.host, "feed_items", f"{server.url}/rss")
    assert (result.is_complete, result.results, result.reason) == (True, {"empty": 1}, None)
    assert state.is_complete
