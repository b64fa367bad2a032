"""Sources that add facts to known papers: Semantic Scholar, Crossref, Hugging Face, the alignment research dataset."""

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
from orchestration.sources.registry import recognised
from orchestration.sources.shared.document import Document
from orchestration.sources.shared.fetch_plan import Feed, Request, Since, Unanswered, WrongSettings
from orchestration.sources.source import Source
from tests.support.fetch_plans import NOW, SAMPLES, as_json, converse, needs_samples, parsed

S2, CROSSREF = semanticscholar_papers.SOURCE, crossref_works.SOURCE
HUGGING_FACE, DATASET = huggingface_papers.SOURCE, alignment_dataset.SOURCE


def ask(source: Source, url: str, place: Any, since: Since, **settings: Any) -> tuple[list[Request], str | None]:
    assert source.fetch is not None
    return converse(source.fetch(Feed("f", source.name, url, settings), since), place)


def query(request: Request) -> dict[str, list[str]]:
    return parse_qs(urlsplit(request.url).query)


def paper(number: int = 1, **changes: Any) -> dict[str, Any]:
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


def test_values_of_a_paper_of_semantic_scholar() -> None:
    found = parsed(S2, as_json([paper(), paper(2, publicationDate="2024-05-06", mood="good")]))
    first, second = found.records
    assert (first.identity, first.values["doi"], first.values["arxiv_id"]) == ("1", "10.1234/abc", "2401.00001")
    assert (first.values["published_on"], first.values["date_precision"]) == (dt.date(2024, 1, 1), "year")
    assert (second.values["published_on"], second.values["date_precision"]) == (dt.date(2024, 5, 6), "day")
    assert found.unparsed == {"mood": 1}


@pytest.mark.parametrize("answer", [[None, paper(), None], [None, None, None]])
def test_ids_that_semantic_scholar_does_not_know_are_told_by_name(answer: list[Any]) -> None:
    found = parsed(S2, as_json(answer), asked=json.dumps(["DOI:a", "DOI:b", "DOI:c"]))
    unknown = [name for name, one in zip(("DOI:a", "DOI:b", "DOI:c"), answer, strict=True) if one is None]
    assert [(reject.raw_text, reject.is_fault) for reject in found.rejects] == [(name, False) for name in unknown]


def test_ids_are_asked_for_by_five_hundred() -> None:
    ids = [f"ARXIV:2401.{number:05}" for number in range(1001)]
    requests, _ = ask(S2, "https://api.semanticscholar.org/graph/v1", lambda _: b"[]", Since(None, NOW), ids=ids)
    assert [len(request.body["ids"]) for request in requests if request.body] == [500, 500, 1]
    assert json.loads(requests[2].hints["asked"]) == ids[1000:]
    assert {request.method for request in requests} == {"POST"}


def test_a_search_of_semantic_scholar_follows_tokens() -> None:
    answers = iter(
        [
            as_json({"total": 2, "token": "t1", "data": [paper(1)]}),
            as_json({"total": 2, "token": None, "data": [paper(2)]}),
        ]
    )
    requests, watermark = ask(
        S2, "https://s.example.org", lambda _: next(answers), Since(None, NOW), search="alignment"
    )
    assert [query(request).get("token") for request in requests] == [None, ["t1"]]
    assert query(requests[0])["publicationDateOrYear"] == ["2000-01-01:"]
    assert watermark == NOW.isoformat()
    with pytest.raises(WrongSettings, match="either a list of ids or a search"):
        ask(S2, "https://s.example.org", lambda _: b"", Since(None, NOW))


def work(**changes: Any) -> dict[str, Any]:
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


def works(*items: dict[str, Any], cursor: str = "c", total: int = 2) -> bytes:
    return as_json(
        {
            "status": "ok",
            "message-type": "work-list",
            "message": {"items": items, "next-cursor": cursor, "total-results": total},
        }
    )


def test_values_of_a_work_of_crossref() -> None:
    (record,) = parsed(CROSSREF, works(work())).records
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
def test_days_of_crossref_can_be_parts(issued: Any, day: dt.date | None, precision: str | None) -> None:
    (record,) = parsed(CROSSREF, works(work(issued={"date-parts": issued}))).records
    assert (record.values["published_on"], record.values["date_precision"]) == (day, precision)


def test_a_day_that_does_not_exist_is_rejected() -> None:
    (reject,) = parsed(CROSSREF, works(work(issued={"date-parts": [[2024, 13]]}))).rejects
    assert "month must be in 1..12" in reject.reason


def test_a_list_of_crossref_ends_with_an_empty_page() -> None:
    answers = iter([works(work(), cursor="c1"), works(work(DOI="10.1234/b"), cursor="c2"), works(cursor="c2")])
    since = Since("2026-11-10T08:00:00+00:00", NOW)
    requests, watermark = ask(
        CROSSREF, "https://api.crossref.org/works", lambda _: next(answers), since, filter="type:journal-article"
    )
    assert [query(request)["cursor"] for request in requests] == [["*"], ["c1"], ["c2"]]
    assert query(requests[0])["filter"] == ["type:journal-article,from-index-date:2026-11-09"]
    assert watermark == NOW.isoformat()


def test_a_list_of_crossref_that_stops_early_is_no_whole_list() -> None:
    since = Since("2026-11-10T08:00:00+00:00", NOW)
    with pytest.raises(Unanswered, match="ends after 0 of 40 works"):
        ask(CROSSREF, "https://api.crossref.org/works", lambda _: works(total=40), since, filter="type:journal-article")


def test_a_page_of_hugging_face_that_comes_again_is_told() -> None:
    day = [entry(number) for number in range(100)]
    with pytest.raises(Unanswered, match="is the page before it again"):
        ask(HUGGING_FACE, "https://huggingface.co/api", lambda _: as_json(day), Since(None, NOW))


def test_a_doi_that_crossref_does_not_know_holds_back_no_other() -> None:
    assert CROSSREF.fetch is not None
    conversation = CROSSREF.fetch(
        Feed("c", "crossref_works", "https://api.crossref.org/works", {"dois": ["10.1/a", "10.1/b"]}), Since(None, NOW)
    )
    assert next(conversation).url == "https://api.crossref.org/works/10.1%2Fa"
    assert conversation.throw(Unanswered("not found", 404)).url.endswith("10.1%2Fb")
    with pytest.raises(Unanswered):
        conversation.throw(Unanswered("busy", 503))


def entry(number: int = 1) -> dict[str, Any]:
    told = {
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
    return {"paper": told, "publishedAt": told["publishedAt"], "title": "A title", "numComments": 2}


def test_values_of_a_paper_of_hugging_face() -> None:
    for content in (as_json([entry()]), as_json(entry()["paper"])):
        found = parsed(HUGGING_FACE, content)
        (record,) = found.records
        assert record.identity == "arxiv:2401.00001"
        assert (record.values["published_on"], record.values["listed_on"]) == (dt.date(2024, 1, 2), dt.date(2024, 1, 3))
        assert (record.values["votes"], record.values["organisation"], record.values["keywords"]) == (
            4,
            "A Lab",
            "a; b",
        )
        assert not found.unparsed


def test_each_day_is_asked_for_and_some_days_again() -> None:
    full = as_json([entry(number % 10) for number in range(100)])

    def place(request: Request) -> bytes:
        return full if query(request)["date"] == ["2026-11-19"] and query(request)["p"] == ["0"] else b"[]"

    since = Since("2026-11-20T00:00:00+00:00", NOW)
    requests, _ = ask(HUGGING_FACE, "https://huggingface.co/api", place, since, recheck_days=2)
    days = [(query(request)["date"][0][-2:], query(request)["p"][0]) for request in requests]
    assert days == [("18", "0"), ("19", "0"), ("19", "1"), ("20", "0")]
    assert parsed(HUGGING_FACE, b"[]", day="2026-11-18").is_answer


def text(**changes: Any) -> dict[str, Any]:
    told = {
        "id": "a" * 32,
        "source": "arxiv",
        "source_type": "paper",
        "title": "T",
        "url": "https://arxiv.org/abs/2401.00001",
    }
    return {
        **told,
        "text": "Words",
        "date_published": "2024-01-02T00:00:00Z",
        "authors": ["Ann"],
        "summaries": [],
        **changes,
    }


def test_lines_of_the_dataset() -> None:
    lines = [text(), text(id="b" * 32, date_published="", url=""), text(id=None), "no object"]
    found = parsed(DATASET, "\n".join(map(json.dumps, lines)).encode())
    first, second = found.records
    assert (first.identity, first.values["arxiv_id"]) == ("a" * 32, "2401.00001")
    assert first.values["published_at"] == dt.datetime(2024, 1, 2, tzinfo=dt.UTC)
    assert (second.values["published_at"], second.values["url"]) == (None, None)
    assert [reject.locator for reject in found.rejects] == ["line 3", "line 4"]
    requests, _ = ask(DATASET, "https://example.org/arxiv.jsonl", lambda _: b"", Since(None, NOW))
    assert [request.url for request in requests] == ["https://example.org/arxiv.jsonl"]


def exchanges(name: str) -> list[tuple[str, Any, bytes]]:
    """Address, body and answer of each recorded request that was answered well."""
    told = yaml.safe_load((SAMPLES / name).read_text(encoding="utf-8"))["interactions"]
    held = []
    for one in told:
        answer = one["response"]
        if answer.get("status_code", answer.get("status", {}).get("code")) != 200:
            continue
        body = answer["content"] if "content" in answer else answer["body"]["string"]
        content = body if isinstance(body, bytes) else body.encode()
        held.append((one["request"]["uri"], one["request"]["body"], Document(content, name).data))
    return held


@needs_samples
def test_a_real_batch_of_semantic_scholar_with_an_unknown_id() -> None:
    ((_, body, content), *_) = exchanges("semanticscholar/test_get_papers_not_found_warning.yaml")
    asked = json.loads(body)["ids"]
    found = parsed(S2, content, asked=json.dumps(asked))
    assert (len(found.records), [reject.raw_text for reject in found.rejects]) == (3, asked[:1])


@needs_samples
def test_real_searches_of_semantic_scholar() -> None:
    recorded = exchanges("semanticscholar/test_search_paper_bulk_retrieval_next_page.yaml")
    counts = []
    for _, _, content in recorded:
        document = Document(content, "search")
        assert recognised(document) is S2
        found = S2.parse(document)
        assert not found.rejects
        assert len(found.records) == len(json.loads(content)["data"])
        counts.append(len(found.records))
    assert counts[0] == 1000


@needs_samples
def test_real_works_of_crossref() -> None:
    for path in sorted((SAMPLES / "crossref" / "hepcrawl").glob("*.json")):
        document = Document(path.read_bytes(), path.name)
        assert recognised(document) is CROSSREF
        (record,) = CROSSREF.parse(document).records
        assert record.identity == json.loads(path.read_bytes())["message"]["DOI"].lower()
    lists = 0
    for name in ("test_cursor", "test_works_query", "test_works_with_one_id", "test_workscontainer_with_cursor"):
        for _, _, content in exchanges(f"crossref/habanero/{name}.yaml"):
            told = json.loads(content)
            found = parsed(CROSSREF, content)
            assert not found.rejects
            lists += told["message-type"] == "work-list"
            assert len(found.records) == len(told["message"].get("items", [0]))
    assert lists >= 3
