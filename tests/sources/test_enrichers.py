"""Sources that enrich known papers: Semantic Scholar, Crossref, Hugging Face, the alignment research dataset."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from orchestration.sources.enrichers import (
    alignment_dataset,
    crossref_works,
    huggingface_papers,
    semanticscholar_papers,
)
from orchestration.sources.registry import recognise_source
from orchestration.sources.shared.document import Document
from orchestration.sources.shared.fetch_plan import Feed, FetchCursor, InvalidSettings, Request, RequestFailed
from orchestration.sources.source import Source
from tests.support.fetch_plans import NOW, SAMPLES, encode_json, needs_samples, parse_document, run_fetch_plan

S2, CROSSREF = semanticscholar_papers.SOURCE, crossref_works.SOURCE
HUGGING_FACE, DATASET = huggingface_papers.SOURCE, alignment_dataset.SOURCE


def run_source(
    source: Source, url: str, respond: Any, cursor: FetchCursor, **settings: Any
) -> tuple[list[Request], str | None]:
    assert source.fetch is not None
    return run_fetch_plan(source.fetch(Feed("f", source.name, url, settings), cursor), respond)


def parse_query(request: Request) -> dict[str, list[str]]:
    return parse_qs(urlsplit(request.url).query)


def build_paper(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "paperId": f"hash{number}",
        "corpusId": number,
        "externalIds": {"ArXiv": "2401.00001", "DOI": "10.1234/ABC", "CorpusId": number},
        "title": "A  title",
        "abstract": "Some\nwords",
        "year": 2024,
        "publicationDate": None,
        "authors": [{"authorId": "1", "name": "Ann"}, {"authorId": None, "name": "Ben"}],
        "citationCount": 3,
        **changes,
    }


def test_values_of_a_semantic_scholar_paper() -> None:
    result = parse_document(S2, encode_json([build_paper(), build_paper(2, publicationDate="2024-05-06", mood="good")]))
    first, second = result.records
    assert (first.identity, first.values["doi"], first.values["arxiv_id"]) == ("1", "10.1234/abc", "2401.00001")
    assert (first.values["published_on"], first.values["date_precision"]) == (dt.date(2024, 1, 1), "year")
    assert (second.values["published_on"], second.values["date_precision"]) == (dt.date(2024, 5, 6), "day")
    assert result.unparsed_fields == {"mood": 1}


@pytest.mark.parametrize("response", [[None, build_paper(), None], [None, None, None]])
def test_unknown_ids_are_rejects_with_their_names(response: list[Any]) -> None:
    result = parse_document(S2, encode_json(response), requested_ids=json.dumps(["DOI:a", "DOI:b", "DOI:c"]))
    unknown = [name for name, one in zip(("DOI:a", "DOI:b", "DOI:c"), response, strict=True) if one is None]
    assert [(reject.raw_text, reject.is_fault) for reject in result.rejects] == [(name, False) for name in unknown]


def test_ids_are_requested_in_batches_of_500() -> None:
    ids = [f"ARXIV:2401.{number:05}" for number in range(1001)]
    requests, _ = run_source(
        S2, "https://api.semanticscholar.org/graph/v1", lambda _: b"[]", FetchCursor(None, NOW), ids=ids
    )
    assert [len(request.body["ids"]) for request in requests if request.body] == [500, 500, 1]
    assert json.loads(requests[2].hints["requested_ids"]) == ids[1000:]
    assert {request.method for request in requests} == {"POST"}


def test_semantic_scholar_search_follows_tokens() -> None:
    responses = iter(
        [
            encode_json({"total": 2, "token": "t1", "data": [build_paper(1)]}),
            encode_json({"total": 2, "token": None, "data": [build_paper(2)]}),
        ]
    )
    requests, watermark = run_source(
        S2, "https://s.example.org", lambda _: next(responses), FetchCursor(None, NOW), search="alignment"
    )
    assert [parse_query(request).get("token") for request in requests] == [None, ["t1"]]
    assert parse_query(requests[0])["publicationDateOrYear"] == ["2000-01-01:"]
    assert watermark == NOW.isoformat()
    with pytest.raises(InvalidSettings, match="either a list of ids or a search"):
        run_source(S2, "https://s.example.org", lambda _: b"", FetchCursor(None, NOW))


def build_work(**changes: Any) -> dict[str, Any]:
    return {
        "DOI": "10.1234/ABC",
        "type": "journal-article",
        "title": ["A <i>title</i>"],
        "container-title": ["Physics &amp; more"],
        "abstract": "<jats:title>Abstract</jats:title><jats:p>Some  words</jats:p>",
        "author": [
            {"given": "Ann", "family": "A", "sequence": "first", "affiliation": [{"name": "A Lab"}]},
            {"name": "A Group"},
        ],
        "issued": {"date-parts": [[2024, 5]]},
        "is-referenced-by-count": 3,
        **changes,
    }


def build_work_list(*items: dict[str, Any], cursor: str = "c", total: int = 2) -> bytes:
    return encode_json(
        {
            "status": "ok",
            "message-type": "work-list",
            "message": {"items": items, "next-cursor": cursor, "total-results": total},
        }
    )


def test_values_of_a_crossref_work() -> None:
    (record,) = parse_document(CROSSREF, build_work_list(build_work())).records
    values = record.values
    assert (record.identity, values["title"], values["venue"]) == ("10.1234/abc", "A title", "Physics & more")
    assert values["abstract"] == "Some words"
    assert (values["authors"], values["affiliations"]) == (
        "Ann A; A Group",
        '[{"author": "Ann A", "affiliation": "A Lab"}]',
    )
    assert (values["published_on"], values["date_precision"]) == (dt.date(2024, 5, 1), "month")


@pytest.mark.parametrize(
    ("issued", "day", "precision"),
    [([[None]], None, None), ([[2024]], dt.date(2024, 1, 1), "year"), ([[2024, 2, 29]], dt.date(2024, 2, 29), "day")],
)
def test_partial_dates_of_crossref_keep_their_precision(
    issued: Any, day: dt.date | None, precision: str | None
) -> None:
    (record,) = parse_document(CROSSREF, build_work_list(build_work(issued={"date-parts": issued}))).records
    assert (record.values["published_on"], record.values["date_precision"]) == (day, precision)


def test_invalid_date_costs_the_date_and_not_the_work() -> None:
    (record,) = parse_document(CROSSREF, build_work_list(build_work(issued={"date-parts": [[2024, 13]]}))).records
    assert (record.identity, record.values["published_on"]) == ("10.1234/abc", None)
    assert record.values["reading_note"] == "issued.date-parts are [[2024, 13]], not year, month and day"


def test_crossref_list_ends_with_an_empty_page() -> None:
    responses = iter(
        [
            build_work_list(build_work(), cursor="c1"),
            build_work_list(build_work(DOI="10.1234/b"), cursor="c2"),
            build_work_list(cursor="c2"),
        ]
    )
    cursor = FetchCursor("2026-11-10T08:00:00+00:00", NOW)
    requests, watermark = run_source(
        CROSSREF, "https://api.crossref.org/works", lambda _: next(responses), cursor, filter="type:journal-article"
    )
    assert [parse_query(request)["cursor"] for request in requests] == [["*"], ["c1"], ["c2"]]
    assert parse_query(requests[0])["filter"] == ["type:journal-article,from-index-date:2026-11-09"]
    assert watermark == NOW.isoformat()


def test_incomplete_crossref_list_is_refused() -> None:
    cursor = FetchCursor("2026-11-10T08:00:00+00:00", NOW)
    with pytest.raises(RequestFailed, match="ends after 0 of 40 works"):
        run_source(
            CROSSREF,
            "https://api.crossref.org/works",
            lambda _: build_work_list(total=40),
            cursor,
            filter="type:journal-article",
        )


def test_repeated_hugging_face_page_is_refused() -> None:
    day = [build_entry(number) for number in range(100)]
    with pytest.raises(RequestFailed, match="repeats the page before it"):
        run_source(HUGGING_FACE, "https://huggingface.co/api", lambda _: encode_json(day), FetchCursor(None, NOW))


def test_unknown_doi_does_not_stop_the_others() -> None:
    assert CROSSREF.fetch is not None
    plan = CROSSREF.fetch(
        Feed("c", "crossref_works", "https://api.crossref.org/works", {"dois": ["10.1/a", "10.1/b"]}),
        FetchCursor(None, NOW),
    )
    assert next(plan).url == "https://api.crossref.org/works/10.1%2Fa"
    assert plan.throw(RequestFailed("not found", 404)).url.endswith("10.1%2Fb")
    with pytest.raises(RequestFailed):
        plan.throw(RequestFailed("busy", 503))


def build_entry(number: int = 1) -> dict[str, Any]:
    paper = {
        "id": f"2401.0000{number}",
        "title": "A title",
        "summary": "Some\nwords",
        "authors": [{"_id": "x", "name": "Ann", "hidden": False}],
        "publishedAt": "2024-01-02T00:00:00.000Z",
        "submittedOnDailyAt": "2024-01-03T10:00:00.000Z",
        "upvotes": 4,
        "ai_keywords": ["a", "b"],
        "organization": {"name": "x", "fullname": "A Lab"},
    }
    return {"paper": paper, "publishedAt": paper["publishedAt"], "title": "A title", "numComments": 2}


def test_values_of_a_hugging_face_paper() -> None:
    for content in (encode_json([build_entry()]), encode_json(build_entry()["paper"])):
        result = parse_document(HUGGING_FACE, content)
        (record,) = result.records
        assert record.identity == "arxiv:2401.00001"
        assert (record.values["published_on"], record.values["listed_on"]) == (dt.date(2024, 1, 2), dt.date(2024, 1, 3))
        assert (record.values["votes"], record.values["organisation"], record.values["keywords"]) == (
            4,
            "A Lab",
            "a; b",
        )
        assert not result.unparsed_fields


def test_each_day_is_requested_and_recent_days_are_repeated() -> None:
    full = encode_json([build_entry(number % 10) for number in range(100)])

    def respond(request: Request) -> bytes:
        return full if parse_query(request)["date"] == ["2026-11-19"] and parse_query(request)["p"] == ["0"] else b"[]"

    cursor = FetchCursor("2026-11-20T00:00:00+00:00", NOW)
    requests, _ = run_source(HUGGING_FACE, "https://huggingface.co/api", respond, cursor, recheck_days=2)
    days = [(parse_query(request)["date"][0][-2:], parse_query(request)["p"][0]) for request in requests]
    assert days == [("18", "0"), ("19", "0"), ("19", "1"), ("20", "0")]
    assert parse_document(HUGGING_FACE, b"[]", day="2026-11-18").is_empty_valid


def build_text(**changes: Any) -> dict[str, Any]:
    origin = {
        "id": "a" * 32,
        "source": "arxiv",
        "source_type": "paper",
        "title": "T",
        "url": "https://arxiv.org/abs/2401.00001",
    }
    return {
        **origin,
        "text": "Words",
        "date_published": "2024-01-02T00:00:00Z",
        "authors": ["Ann"],
        "summaries": [],
        **changes,
    }


def test_values_of_dataset_lines() -> None:
    lines = [build_text(), build_text(id="b" * 32, date_published="", url=""), build_text(id=None), "no object"]
    result = parse_document(DATASET, "\n".join(map(json.dumps, lines)).encode())
    first, second = result.records
    assert (first.identity, first.values["arxiv_id"]) == ("a" * 32, "2401.00001")
    assert first.values["published_at"] == dt.datetime(2024, 1, 2, tzinfo=dt.UTC)
    assert (second.values["published_at"], second.values["url"]) == (None, None)
    assert [reject.locator for reject in result.rejects] == ["line 3", "line 4"]
    requests, _ = run_source(DATASET, "https://example.org/arxiv.jsonl", lambda _: b"", FetchCursor(None, NOW))
    assert [request.url for request in requests] == ["https://example.org/arxiv.jsonl"]


def read_recorded_responses(name: str) -> list[tuple[str, Any, bytes]]:
    """Address, body and response content of each recorded request with status 200."""
    interactions = yaml.safe_load((SAMPLES / name).read_text(encoding="utf-8"))["interactions"]
    responses = []
    for interaction in interactions:
        response = interaction["response"]
        if response.get("status_code", response.get("status", {}).get("code")) != 200:
            continue
        body = response["content"] if "content" in response else response["body"]["string"]
        content = body if isinstance(body, bytes) else body.encode()
        request = interaction["request"]
        responses.append((request["uri"], request["body"], Document(content, name).data))
    return responses


@needs_samples
def test_captured_batch_with_an_unknown_id_is_parsed() -> None:
    ((_, body, content), *_) = read_recorded_responses("semanticscholar/test_get_papers_not_found_warning.yaml")
    requested_ids = json.loads(body)["ids"]
    result = parse_document(S2, content, requested_ids=json.dumps(requested_ids))
    assert (len(result.records), [reject.raw_text for reject in result.rejects]) == (3, requested_ids[:1])


@needs_samples
def test_captured_searches_are_parsed() -> None:
    recorded = read_recorded_responses("semanticscholar/test_search_paper_bulk_retrieval_next_page.yaml")
    counts = []
    for _, _, content in recorded:
        document = Document(content, "search")
        assert recognise_source(document) is S2
        result = S2.parse(document)
        assert not result.rejects
        assert len(result.records) == len(json.loads(content)["data"])
        counts.append(len(result.records))
    assert counts[0] == 1000


@needs_samples
def test_captured_crossref_works_are_parsed() -> None:
    for path in sorted((SAMPLES / "crossref" / "hepcrawl").glob("*.json")):
        document = Document(path.read_bytes(), path.name)
        assert recognise_source(document) is CROSSREF
        (record,) = CROSSREF.parse(document).records
        assert record.identity == json.loads(path.read_bytes())["message"]["DOI"].lower()
    lists = 0
    for name in ("test_cursor", "test_works_query", "test_works_with_one_id", "test_workscontainer_with_cursor"):
        for _, _, content in read_recorded_responses(f"crossref/habanero/{name}.yaml"):
            value = json.loads(content)
            result = parse_document(CROSSREF, content)
            assert not result.rejects
            lists += value["message-type"] == "work-list"
            assert len(result.records) == len(value["message"].get("items", [0]))
    assert lists >= 3
