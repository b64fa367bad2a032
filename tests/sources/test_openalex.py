"""OpenAlex: works in all the forms they come in, rebuilt abstracts, labs among affiliations, and cursors that end."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.sources.openalex_works import SOURCE
from orchestration.sources.registry import recognised
from orchestration.sources.shared.document import Document
from orchestration.sources.shared.fetch_plan import Feed, Request, Since, Unanswered, WrongSettings
from orchestration.sources.source import Damaged
from tests.support.fetch_plans import NOW, SAMPLES, as_json, converse, needs_samples, parsed, table

URL = "https://api.openalex.org/works?api_key=${OPENALEX_API_KEY}"


def authorship(name: str, affiliation: str, *lineage: str) -> dict[str, Any]:
    return {
        "author": {"id": f"https://openalex.org/A{len(name)}", "display_name": name},
        "raw_affiliation_strings": [affiliation],
        "institutions": [
            {"id": f"https://openalex.org/{one}", "lineage": [f"https://openalex.org/{o}" for o in lineage]}
            for one in lineage[:1]
        ],
    }


def work(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"https://openalex.org/W{number}",
        "doi": "https://doi.org/10.1234/ABC",
        "title": "A  title <i>of</i> a work",
        "publication_date": "2024-05-06",
        "type": "article",
        "primary_location": {
            "landing_page_url": "https://doi.org/10.1/abc",
            "source": {"display_name": "A Venue", "issn_l": "1"},
        },
        "locations": [{"landing_page_url": "http://arxiv.org/abs/2401.00001v2"}],
        "authorships": [authorship("Ann", "Some Place", "I1", "I2")],
        "cited_by_count": 4,
        "is_retracted": False,
        "abstract_inverted_index": {"a": [1, 3], "This": [0], "is": [2], "test": [4]},
        "referenced_works": ["https://openalex.org/W9"],
        "updated_date": "2025-09-18T12:11:05.971817",
        **changes,
    }


def page(*works: Any, following: str | None = "c2", count: int = 2) -> bytes:
    return as_json({"meta": {"count": count, "next_cursor": following}, "results": list(works), "group_by": []})


def test_values_of_a_work() -> None:
    found = parsed(SOURCE, page(work(mood="good")))
    values = found.records[0].values
    assert found.records[0].identity == "W1"
    assert (values["title"], values["abstract"]) == ("A title of a work", "This a is a test")
    assert (values["doi"], values["arxiv_id"], values["venue"]) == ("10.1234/abc", "2401.00001", "A Venue")
    assert (values["published_on"], values["citations"]) == (dt.date(2024, 5, 6), 4)
    assert (values["institution_openalex_ids"], values["cited_openalex_ids"]) == ("I1; I2", "W9")
    assert found.unparsed == {"mood": 1}


def test_a_doi_of_arxiv_is_an_id_of_arxiv() -> None:
    (record,) = parsed(SOURCE, page(work(doi="https://doi.org/10.48550/arXiv.2401.00007", locations=None))).records
    assert (record.values["doi"], record.values["arxiv_id"]) == (None, "2401.00007")


@given(st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1), min_size=1, max_size=60))
def test_an_abstract_is_rebuilt_word_for_word(words: list[str]) -> None:
    index: dict[str, list[int]] = {}
    for place, word in enumerate(words):
        index.setdefault(word, []).append(place)
    (record,) = parsed(SOURCE, page(work(abstract_inverted_index=index))).records
    assert record.values["abstract"] == " ".join(words)
    assert record.values["reading_note"] is None


@pytest.mark.parametrize(
    ("index", "abstract", "note"),
    [
        (None, None, None),
        ({"a": [0], "b": [999_999_999]}, "a b", "the abstract has gaps"),
        ({"a": list(range(2000))}, None, "an abstract of 2,000 words left out: it is a whole page"),
    ],
)
def test_abstracts_that_are_none(index: Any, abstract: str | None, note: str | None) -> None:
    (record,) = parsed(SOURCE, page(work(abstract_inverted_index=index))).records
    assert (record.values["abstract"], record.values["reading_note"]) == (abstract, note)


def test_damaged_works_are_rejected_alone_in_a_packed_part_file() -> None:
    lines = [
        work(1),
        {"id": "https://openalex.org/A1"},
        work(2, abstract_inverted_index=[1]),
        work(3, publication_date="soon"),
    ]
    content = "\n".join([*map(json.dumps, lines), '{"id": "https://openalex.org/W4"', json.dumps(work(5))])
    found = parsed(SOURCE, gzip.compress(content.encode()))
    assert [record.identity for record in found.records] == ["W1", "W5"]
    assert [reject.locator for reject in found.rejects] == ["line 2", "line 3", "line 4", "line 5"]
    assert not found.is_answer


def test_the_last_page_is_empty_and_another_may_not_be() -> None:
    assert parsed(SOURCE, page(following=None)).is_answer
    with pytest.raises(Damaged, match="a page without works that is not the last"):
        parsed(SOURCE, page())


def ask(answers: list[bytes], since: Since, **settings: Any) -> tuple[list[Request], str | None]:
    assert SOURCE.fetch is not None
    given_answers = iter(answers)
    feed = Feed("o", "openalex_works", URL, settings)
    return converse(SOURCE.fetch(feed, since), lambda _: next(given_answers))


def test_cursors_are_followed_to_the_empty_page() -> None:
    requests, watermark = ask(
        [page(work(1)), page(work(2), following="c3"), page(following=None)],
        Since("2026-11-01T00:00:00+00:00", NOW),
        filter="authorships.institutions.lineage:I1|I2",
    )
    queries = [parse_qs(urlsplit(request.url).query) for request in requests]
    assert [query["cursor"] for query in queries] == [["*"], ["c2"], ["c3"]]
    assert queries[0]["per_page"] == ["100"]
    assert queries[0]["filter"] == ["authorships.institutions.lineage:I1|I2,from_publication_date:2026-08-03"]
    assert all(request.url.startswith(URL + "&") for request in requests)  # the secret is filled in when it is sent
    assert watermark == NOW.isoformat()


def test_a_list_that_ends_before_its_count_is_no_whole_list() -> None:
    with pytest.raises(Unanswered, match="ends after 1 of 500 works"):
        ask([page(work(1), following=None, count=500)], Since(None, NOW), filter="type:article")


def test_a_damaged_first_work_costs_only_itself() -> None:
    found = parsed(SOURCE, page(work(1, id="nothing"), 5, work(2)))
    assert ([record.identity for record in found.records], len(found.rejects)) == (["W2"], 2)


def test_a_filter_is_needed() -> None:
    with pytest.raises(WrongSettings, match=r"settings\.filter is None; expected a filter such as"):
        ask([], Since(None, NOW))


def test_clean_papers_name_labs_by_institution_and_by_print(tmp_path: Path) -> None:
    works = [
        work(1),
        work(2, authorships=[authorship("Ann", "Anthropic, San Francisco"), authorship("Ben", "OpenAI")]),
        work(3, authorships=[authorship("Ann", "Institute for the Anthropic Principle")]),
        work(4, authorships=[authorship("Ann", "anthropic forcing group")], is_retracted=True),
        work(5, authorships=[authorship("Ann", "Anthropic")]),
        work(6, authorships=[authorship("Ann", "London", "I9", "I4210090411")]),
    ]
    arxiv = {
        "id": "2401.00001",
        "authors_parsed": [["Ann", "A.", ""]],
        "categories": "cs.LG",
        "title": "T",
        "update_date": "2024-03-01",
        "versions": [
            {"version": "v1", "created": "Mon, 1 Jan 2024 10:00:00 GMT"},
            {"version": "v2", "created": "Fri, 1 Mar 2024 10:00:00 GMT"},
        ],
    }
    made = table(
        tmp_path,
        "clean.papers",
        page(*works),
        page(work(1, title="New", updated_date="2026-01-01T00:00:00")),
        as_json(arxiv),
    )
    rows = {row["openalex_id"] or row["arxiv_id"]: row for row in made.to_dicts()}
    assert [rows[f"W{n}"]["labs"] for n in range(1, 7)] == [
        None,
        "Anthropic; OpenAI",
        None,
        None,
        "Anthropic",
        "Google DeepMind",
    ]
    assert rows["W1"]["title"] == "New"
    assert rows["W4"]["is_withdrawn"]
    assert (rows["2401.00001"]["published_on"], rows["2401.00001"]["source"]) == (dt.date(2024, 1, 1), "arxiv_papers")


@needs_samples
def test_real_pages() -> None:
    counts = {}
    for path in sorted((SAMPLES / "openalex" / "cursor_pages").glob("*.json")):
        document = Document(path.read_bytes(), path.name)
        assert recognised(document) is SOURCE
        found = SOURCE.parse(document)
        told = json.loads(path.read_bytes())["results"]
        assert not found.rejects
        for record, expected in zip(found.records, told, strict=True):
            assert record.identity == expected["id"].rpartition("/")[2]
            assert record.values["citations"] == expected["cited_by_count"]
            assert str(record.values["published_on"]) == expected["publication_date"]
            assert (record.values["authors"] is None) == (not expected["authorships"])
        counts[path.stem] = len(found.records)
    assert [counts[f"json_chunk_{n}_results_page_1"] for n in range(1, 5)] == [50, 50, 50, 25]
    assert all(count == 0 for name, count in counts.items() if name.endswith("page_2"))


@needs_samples
def test_a_real_single_work() -> None:
    (record,) = parsed(SOURCE, (SAMPLES / "openalex" / "entities" / "W2741809807.json").read_bytes()).records
    assert record.values["doi"] == "10.7717/peerj.4375"
    assert len(str(record.values["abstract"]).split()) > 100
