"""An odd value costs its own field, with a note; the record and the other records of the document stay."""

from __future__ import annotations

import datetime as dt
import json
import math
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.ingest.identity import RecordVersion, identify_record
from orchestration.ingest.limits import find_broken_limits
from orchestration.ingest.raw_tables import declare_record_table
from orchestration.ingest.snapshots import Snapshot
from orchestration.sources.feed import podcast_page
from orchestration.sources.shared.document import Document, parse_json
from orchestration.sources.shared.records import leave_out_odd_values
from orchestration.sources.source import ParseResult, Record, Source
from tests.sources import test_arxiv, test_enrichers, test_feed, test_forum, test_lab_site, test_openalex
from tests.sources.test_podcast_page import HASH, HEADER
from tests.sources.test_robustness import list_paths, replace_value
from tests.support.fetch_plans import NOW, encode_json
from tests.support.trials import scale_trials

# response, path to the record under test, and its fields without which it cannot be identified or dated
JSON_KINDS: dict[str, tuple[Source, Any, tuple[Any, ...], set[str]]] = {
    "posts": (
        test_forum.POSTS,
        json.loads(test_forum.build_response("posts", test_forum.build_post(1), test_forum.build_post(2))),
        ("data", "posts", "results", 0),
        {"_id", "pageUrl", "postedAt", "title"},
    ),
    "comments": (
        test_forum.COMMENTS,
        json.loads(test_forum.build_response("comments", test_forum.build_comment(1), test_forum.build_comment(2))),
        ("data", "comments", "results", 0),
        {"_id", "pageUrl", "postedAt"},
    ),
    "works": (
        test_openalex.SOURCE,
        json.loads(test_openalex.build_page(test_openalex.build_work(1), test_openalex.build_work(2))),
        ("results", 0),
        {"id"},
    ),
    "semanticscholar": (
        test_enrichers.S2,
        [test_enrichers.build_paper(), {**test_enrichers.build_paper(), "corpusId": 2}],
        (0,),
        {"corpusId", "paperId"},
    ),
    "crossref": (
        test_enrichers.CROSSREF,
        json.loads(
            test_enrichers.build_work_list(test_enrichers.build_work(), test_enrichers.build_work(DOI="10.1/b"))
        ),
        ("message", "items", 0),
        {"DOI"},
    ),
    "huggingface": (
        test_enrichers.HUGGING_FACE,
        [test_enrichers.build_entry(), test_enrichers.build_entry()],
        (0, "paper"),
        {"id"},
    ),
    "bulk": (test_arxiv.SOURCE, test_arxiv.build_bulk_line(), (), {"id"}),
    "dataset": (test_enrichers.DATASET, test_enrichers.build_text(), (), {"id"}),
}
ODD_VALUES: list[Any] = [
    *(True, -1, 10**19, 10**400, 10**4500, 1.5, math.inf, math.nan),
    *("odd", "0001-01-01", "2024-13-45", "2024-06-17T25:00:00Z", "9" * 400, "\ud800", "\x00"),
    *([], {}, [None], [[]], [{}], {"a": 1}, ["odd"], [1], {"odd": {}}),
]
_ODD_TEXTS = ["odd", "-1", "9" * 400, "1e999", "NaN", "0001-01-01", "2024-13-45", "9999-99-99T99:99:99Z", "½", "٣"]


def encode_odd(value: Any) -> bytes:
    """JSON as a careless server writes it: with NaN, and with numbers of any length."""
    return json.dumps(value, default=str).encode() if not _has_long_number(value) else _encode_long(value)


def _has_long_number(value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (isinstance(value, int) and value >= 10**4000) or any(map(_has_long_number, inner))


def _encode_long(value: Any) -> bytes:
    def mark(inner: Any) -> Any:
        if isinstance(inner, dict):
            return {key: mark(entry) for key, entry in inner.items()}
        if isinstance(inner, list):
            return [mark(entry) for entry in inner]
        return "<long>" if isinstance(inner, int) and inner >= 10**4000 else inner

    return json.dumps(mark(value)).replace('"<long>"', "9" * 4500).encode()


def parse_kept(source: Source, content: bytes, **hints: str) -> ParseResult:
    """The result as it is ingested: without odd values, and checked to fit the raw table."""
    document = Document(content, "odd", hints)
    source.recognise(document)
    result = leave_out_odd_values(source, source.parse(document))
    find_broken_limits(declare_record_table(source), identify_records(source, result))
    return result


def identify_records(source: Source, result: ParseResult) -> list[RecordVersion]:
    snapshot = Snapshot("s", source.name, "file", "odd", "hash", 1, NOW, "none")
    return [identify_record(source, snapshot, number, record) for number, record in enumerate(result.records, 1)]


def list_identities(result: ParseResult) -> list[str]:
    return [record.identity for record in result.records]


@cache
def list_expected(name: str) -> list[str]:
    """The identities of the records of a response, or of an XML document, without an odd value."""
    if name in JSON_KINDS:
        source, response, *_ = JSON_KINDS[name]
        return list_identities(parse_kept(source, encode_json(response)))
    source, content, _ = XML_KINDS[name]
    return list_identities(parse_kept(source, content, feed="f"))


@pytest.mark.parametrize("name", JSON_KINDS)
@settings(max_examples=scale_trials(25, 300), deadline=None)
@given(data=st.data())
def test_odd_value_costs_its_own_field(name: str, data: st.DataObject) -> None:
    source, response, prefix, identifying = JSON_KINDS[name]
    expected = list_expected(name)
    assert expected
    paths = [
        path
        for path in list_paths(response)
        if path[: len(prefix)] == prefix and len(path) > len(prefix) and path[len(prefix)] not in identifying
    ]
    path, odd = data.draw(st.sampled_from(paths)), data.draw(st.sampled_from(ODD_VALUES))
    result = parse_kept(source, encode_odd(replace_value(response, path, odd)))
    assert list_identities(result) == expected
    assert result.rejects == []


XML_KINDS: dict[str, tuple[Source, bytes, set[str]]] = {
    "oai": (
        test_arxiv.SOURCE,
        test_arxiv.build_oai(test_arxiv.build_oai_record()),
        {"identifier", "resumptionToken", "request"},
    ),
    "atom": (test_arxiv.SOURCE, test_arxiv.build_atom(2, 0, "2401.00001", "2401.00002"), {"id"}),
    "rss": (
        test_feed.SOURCE,
        test_feed.build_rss(
            test_feed.build_item(
                1,
                '<enclosure url="https://example.org/1.mp3" length="9" type="audio/mpeg"/>'
                "<itunes:duration>1:02</itunes:duration><podcast:season>2</podcast:season>"
                "<podcast:episode>3</podcast:episode>",
            ),
            test_feed.build_item(2),
        ),
        {"guid"},
    ),
}


@pytest.mark.parametrize("name", XML_KINDS)
@settings(max_examples=scale_trials(20, 300), deadline=None)
@given(data=st.data())
def test_odd_text_costs_its_own_element(name: str, data: st.DataObject) -> None:
    from lxml import etree

    source, content, identifying = XML_KINDS[name]
    root = etree.fromstring(content)
    leaves = [
        (element, attribute)
        for element in root.iter()
        if etree.QName(element).localname not in identifying and not len(element)
        for attribute in (None, *element.attrib)
    ]
    element, attribute = data.draw(st.sampled_from(leaves))
    odd = data.draw(st.sampled_from([*_ODD_TEXTS, ""]))
    if attribute is None:
        element.text = odd
    else:
        element.set(attribute, odd)
    expected = list_expected(name)
    result = parse_kept(source, etree.tostring(root), feed="f")
    assert list_identities(result) == expected
    assert result.rejects == []


@pytest.mark.parametrize("odd", [*_ODD_TEXTS, "[]", "{}", "9" * 5000, "[" * 3000])
def test_odd_value_of_structured_data_costs_its_own_fact(odd: str) -> None:
    for field in ("datePublished", "author", "url", "headline", "@type"):
        value = odd if odd[0] in "[{" or odd.isdigit() else json.dumps(odd)
        data = f'{{"@type": "Article", "{field}": {value}}}'
        page = test_lab_site.build_page(
            "<h1>A work</h1><p>July 2025</p>", head=f'<script type="application/ld+json">{data}</script>'
        )
        (record,) = parse_kept(test_lab_site.SOURCE, page).records
        assert record.identity == "openai:a-work"
        assert record.values["title"] in {"A work", odd}


@pytest.mark.parametrize("column", ["entry", "linked_url"])
@pytest.mark.parametrize("odd", [text for text in _ODD_TEXTS if text != "٣"])
def test_odd_cell_of_an_episode_table_costs_its_own_cell(column: str, odd: str) -> None:
    cells = {
        "entry": "7",
        "linked_url": "https://example.org/1",
        "summary_sha256": HASH,
        "summary": "On ropes.",
        column: odd,
    }
    row = ",".join(cells.get(name, "") for name in HEADER.split(","))
    result = parse_kept(podcast_page.SOURCE, f"{HEADER}\n{row}\n".encode())
    (record,) = result.records
    assert (record.identity, record.values[column]) == (HASH, 1 if column == "entry" else None)
    assert odd[:20] in str(record.values["reading_note"])


def test_note_names_the_field_and_the_value() -> None:
    response = [{**test_enrichers.build_paper(), "citationCount": -1, "year": 10**400, "venue": ["x"]}]
    (record,) = parse_kept(test_enrichers.S2, encode_json(response)).records
    assert (record.values["citations"], record.values["published_on"], record.values["venue"]) == (None, None, None)
    assert record.values["reading_note"] == (
        "year is a number of over 40 digits, not a whole number that a table can hold; venue is a list, not a text;"
        " citations -1 is not used: it is below 0"
    )


def test_odd_field_is_counted_as_not_read() -> None:
    response = [{**test_enrichers.build_paper(), "venue": ["x"]}]
    assert parse_kept(test_enrichers.S2, encode_json(response)).unparsed_fields["venue"] == 1


@pytest.mark.parametrize("day", [dt.date(1, 1, 1), dt.date(9999, 12, 31)])
def test_day_of_an_impossible_year_is_left_out(day: dt.date) -> None:
    work = test_openalex.build_work(1, publication_date=day.isoformat())
    (record,) = parse_kept(test_openalex.SOURCE, test_openalex.build_page(work)).records
    assert record.values["published_on"] is None
    assert str(day) in str(record.values["reading_note"])


def test_value_that_no_table_can_hold_rejects_the_record_only_in_a_required_column() -> None:
    source = podcast_page.SOURCE
    values = {"entry": 10**30, "linked_url": 5, "summary_sha256": HASH}
    (reject,) = leave_out_odd_values(source, ParseResult([Record("x", values, "row 1")])).rejects
    assert reject.reason.startswith("entry 1000000000000000000000000000000 is not used: no number")
    (record,) = leave_out_odd_values(source, ParseResult([Record("x", {**values, "entry": 1}, "row 1")])).records
    assert record.values["linked_url"] is None


def test_required_limit_names_what_was_odd() -> None:
    post = test_forum.build_post(1, title=["A post"])
    result = parse_kept(test_forum.POSTS, test_forum.build_response("posts", post))
    versions = identify_records(test_forum.POSTS, result)
    (reason,) = find_broken_limits(declare_record_table(test_forum.POSTS), versions).values()
    assert "title is a list, not a text" in reason


def test_long_number_costs_no_more_than_its_field() -> None:
    value = parse_json(b'{"a": %s, "b": -%s, "c": NaN, "d": 1}' % (b"9" * 6000, b"9" * 6000))
    assert (value["a"], value["b"], value["d"]) == (math.inf, -math.inf, 1)
    assert math.isnan(value["c"])
