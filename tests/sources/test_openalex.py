"""OpenAlex: all document formats, rebuilt abstracts, labs by affiliation, and paging."""

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
from orchestration.sources.registry import recognise_source
from orchestration.sources.shared.document import Document
from orchestration.sources.shared.fetch_plan import Feed, FetchCursor, InvalidSettings, Request, RequestFailed
from orchestration.sources.source import DamagedDocument
from tests.support.fetch_plans import (
    NOW,
    SAMPLES,
    build_table,
    encode_json,
    needs_samples,
    parse_document,
    run_fetch_plan,
)
from warehouse.names import clean_line

URL = "https://api.openalex.org/works?api_key=${OPENALEX_API_KEY}"


def build_authorship(name: str, affiliation: str, *lineage: str) -> dict[str, Any]:
    return {
        "author": {"id": f"https://openalex.org/A{len(name)}", "display_name": name},
        "raw_affiliation_strings": [affiliation],
        "institutions": [
            {"id": f"https://openalex.org/{one}", "lineage": [f"https://openalex.org/{o}" for o in lineage]}
            for one in lineage[:1]
        ],
    }


def build_work(number: int = 1, **changes: Any) -> dict[str, Any]:
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
        "authorships": [build_authorship("Ann", "Some Place", "I1", "I2")],
        "cited_by_count": 4,
        "is_retracted": False,
        "abstract_inverted_index": {"a": [1, 3], "This": [0], "is": [2], "test": [4]},
        "referenced_works": ["https://openalex.org/W9"],
        "updated_date": "2025-09-18T12:11:05.971817",
        **changes,
    }


def build_page(*works: Any, next_cursor: str | None = "c2", count: int = 2) -> bytes:
    return encode_json({"meta": {"count": count, "next_cursor": next_cursor}, "results": list(works), "group_by": []})


def test_values_of_a_work() -> None:
    result = parse_document(SOURCE, build_page(build_work(mood="good")))
    values = result.records[0].values
    assert result.records[0].identity == "W1"
    assert (values["title"], values["abstract"]) == ("A title of a work", "This a is a test")
    assert (values["doi"], values["arxiv_id"], values["venue"]) == ("10.1234/abc", "2401.00001", "A Venue")
    assert (values["published_on"], values["citations"]) == (dt.date(2024, 5, 6), 4)
    assert (values["institution_openalex_ids"], values["cited_openalex_ids"]) == ("I1; I2", "W9")
    assert result.unparsed_fields == {"mood": 1}


def test_doi_of_arxiv_becomes_an_arxiv_id() -> None:
    (record,) = parse_document(
        SOURCE, build_page(build_work(doi="https://doi.org/10.48550/arXiv.2401.00007", locations=None))
    ).records
    assert (record.values["doi"], record.values["arxiv_id"]) == (None, "2401.00007")


@given(st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1), min_size=1, max_size=60))
def test_abstract_is_rebuilt_word_for_word(words: list[str]) -> None:
    index: dict[str, list[int]] = {}
    for position, word in enumerate(words):
        index.setdefault(word, []).append(position)
    (record,) = parse_document(SOURCE, build_page(build_work(abstract_inverted_index=index))).records
    assert record.values["abstract"] == clean_line(" ".join(words))
    assert record.values["reading_note"] is None


@pytest.mark.parametrize(
    ("index", "abstract", "note"),
    [
        (None, None, None),
        ({"a": [0], "b": [999_999_999]}, "a b", "the abstract has gaps"),
        ({"a": list(range(2000))}, None, "an abstract of 2,000 words left out: it is a whole page"),
    ],
)
def test_problematic_abstracts_have_a_note(index: Any, abstract: str | None, note: str | None) -> None:
    (record,) = parse_document(SOURCE, build_page(build_work(abstract_inverted_index=index))).records
    assert (record.values["abstract"], record.values["reading_note"]) == (abstract, note)


def test_damaged_lines_of_a_gzipped_part_file_are_rejected_alone() -> None:
    lines = [
        build_work(1),
        {"id": "https://openalex.org/A1"},
        build_work(2, abstract_inverted_index=[1]),
        build_work(3, publication_date="soon"),
    ]
    content = "\n".join([*map(json.dumps, lines), '{"id": "https://openalex.org/W4"', json.dumps(build_work(5))])
    result = parse_document(SOURCE, gzip.compress(content.encode()))
    assert [record.identity for record in result.records] == ["W1", "W2", "W3", "W5"]
    assert [reject.locator for reject in result.rejects] == ["line 2", "line 5"]
    notes = [record.values.get("reading_note") for record in result.records]
    assert notes[1:3] == [
        "abstract_inverted_index is not an index of words and positions",
        "publication_date is “soon”, not a day such as 2024-06-17",
    ]
    assert not result.is_empty_valid


def test_only_the_last_page_may_be_empty() -> None:
    assert parse_document(SOURCE, build_page(next_cursor=None)).is_empty_valid
    with pytest.raises(DamagedDocument, match="a page without works that is not the last"):
        parse_document(SOURCE, build_page())


def run_source(responses: list[bytes], cursor: FetchCursor, **settings: Any) -> tuple[list[Request], str | None]:
    assert SOURCE.fetch is not None
    remaining = iter(responses)
    feed = Feed("o", "openalex_works", URL, settings)
    return run_fetch_plan(SOURCE.fetch(feed, cursor), lambda _: next(remaining))


def test_cursors_are_followed_to_the_empty_page() -> None:
    requests, watermark = run_source(
        [build_page(build_work(1)), build_page(build_work(2), next_cursor="c3"), build_page(next_cursor=None)],
        FetchCursor("2026-11-01T00:00:00+00:00", NOW),
        filter="authorships.institutions.lineage:I1|I2",
    )
    queries = [parse_qs(urlsplit(request.url).query) for request in requests]
    assert [query["cursor"] for query in queries] == [["*"], ["c2"], ["c3"]]
    assert queries[0]["per_page"] == ["100"]
    assert queries[0]["filter"] == ["authorships.institutions.lineage:I1|I2,from_publication_date:2026-08-03"]
    assert all(request.url.startswith(URL + "&") for request in requests)  # the secret is filled in when it is sent
    assert watermark == NOW.isoformat()


def test_incomplete_list_is_refused() -> None:
    with pytest.raises(RequestFailed, match="ends after 1 of 500 works"):
        run_source(
            [build_page(build_work(1), next_cursor=None, count=500)], FetchCursor(None, NOW), filter="type:article"
        )


def test_damaged_first_work_is_rejected_alone() -> None:
    result = parse_document(SOURCE, build_page(build_work(1, id="nothing"), 5, build_work(2)))
    assert ([record.identity for record in result.records], len(result.rejects)) == (["W2"], 2)


def test_filter_is_required() -> None:
    with pytest.raises(InvalidSettings, match=r"settings\.filter is None; expected a filter such as"):
        run_source([], FetchCursor(None, NOW))


def test_clean_papers_assign_labs_by_institution_and_printed_affiliation(tmp_path: Path) -> None:
    works = [
        build_work(1),
        build_work(
            2, authorships=[build_authorship("Ann", "Anthropic, San Francisco"), build_authorship("Ben", "OpenAI")]
        ),
        build_work(3, authorships=[build_authorship("Ann", "Institute for the Anthropic Principle")]),
        build_work(4, authorships=[build_authorship("Ann", "anthropic forcing group")], is_retracted=True),
        build_work(5, authorships=[build_authorship("Ann", "Anthropic")]),
        build_work(6, authorships=[build_authorship("Ann", "London", "I9", "I4210090411")]),
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
    papers = build_table(
        tmp_path,
        "clean.papers",
        build_page(*works),
        build_page(build_work(1, title="New", updated_date="2026-01-01T00:00:00")),
        encode_json(arxiv),
    )
    rows = {row["openalex_id"] or row["arxiv_id"]: row for row in papers.to_dicts()}
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
def test_captured_pages_are_parsed() -> None:
    counts = {}
    for path in sorted((SAMPLES / "openalex" / "cursor_pages").glob("*.json")):
        document = Document(path.read_bytes(), path.name)
        assert recognise_source(document) is SOURCE
        result = SOURCE.parse(document)
        works = json.loads(path.read_bytes())["results"]
        assert not result.rejects
        for record, expected in zip(result.records, works, strict=True):
            assert record.identity == expected["id"].rpartition("/")[2]
            assert record.values["citations"] == expected["cited_by_count"]
            assert str(record.values["published_on"]) == expected["publication_date"]
            assert (record.values["authors"] is None) == (not expected["authorships"])
        counts[path.stem] = len(result.records)
    assert [counts[f"json_chunk_{n}_results_page_1"] for n in range(1, 5)] == [50, 50, 50, 25]
    assert all(count == 0 for name, count in counts.items() if name.endswith("page_2"))


@needs_samples
def test_captured_single_work_is_parsed() -> None:
    (record,) = parse_document(SOURCE, (SAMPLES / "openalex" / "entities" / "W2741809807.json").read_bytes()).records
    assert record.values["doi"] == "10.7717/peerj.4375"
    assert len(str(record.values["abstract"]).split()) > 100
