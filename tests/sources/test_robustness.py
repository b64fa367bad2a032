"""Parsers of damaged responses: any value of any type yields records, rejects or a refusal, never a crash."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.ingest.raw_tables import declare_record_table
from orchestration.sources.shared.document import Document, UnreadableDocument
from orchestration.sources.shared.records import leave_out_odd_values
from orchestration.sources.source import DamagedDocument, NotThisSource, Source
from tests.sources import test_arxiv, test_enrichers, test_feed, test_forum, test_lab_site, test_openalex
from tests.support.fetch_plans import NOW, encode_json
from tests.support.trials import scale_trials

JSON_RESPONSES: dict[str, tuple[Source, Any]] = {
    "posts": (test_forum.POSTS, json.loads(test_forum.build_response("posts", test_forum.build_post()))),
    "comments": (
        test_forum.COMMENTS,
        json.loads(test_forum.build_response("comments", test_forum.build_comment())),
    ),
    "bulk": (test_arxiv.SOURCE, test_arxiv.build_bulk_line()),
    "works": (test_openalex.SOURCE, json.loads(test_openalex.build_page(test_openalex.build_work()))),
    "semanticscholar": (test_enrichers.S2, [test_enrichers.build_paper()]),
    "crossref": (test_enrichers.CROSSREF, json.loads(test_enrichers.build_work_list(test_enrichers.build_work()))),
    "huggingface": (test_enrichers.HUGGING_FACE, [test_enrichers.build_entry()]),
    "dataset": (test_enrichers.DATASET, test_enrichers.build_text()),
}
OTHER_RESPONSES: dict[str, tuple[Source, bytes]] = {
    "oai": (test_arxiv.SOURCE, test_arxiv.build_oai(test_arxiv.build_oai_record())),
    "atom": (test_arxiv.SOURCE, test_arxiv.build_atom(1, 0, "2401.00001")),
    "rss": (test_feed.SOURCE, test_feed.build_rss(test_feed.build_item())),
    "index": (test_lab_site.SOURCE, test_lab_site.INDEX),
    "page": (test_lab_site.SOURCE, test_lab_site.build_page("<h1>A work</h1><p>July 2025</p>")),
}
ODD_VALUES: list[Any] = [
    None,
    True,
    -1,
    10**30,
    1.5,
    "",
    "odd",
    "\ud800",
    [],
    {},
    [None],
    [[]],
    [{}],
    {"a": 1},
    ["odd"],
    [1],
    {"odd": {}},
]


DAMAGES = scale_trials(20, 400)  # of each kind of document


def list_paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(inner_path for key, inner_value in inner for inner_path in list_paths(inner_value, (*path, key)))]


def replace_value(value: Any, path: tuple[Any, ...], odd_value: Any) -> Any:
    if not path:
        return odd_value
    copied = copy.deepcopy(value)
    container = copied
    for key in path[:-1]:
        container = container[key]
    container[path[-1]] = odd_value
    return copied


def parse_content(source: Source, content: bytes, **hints: str) -> None:
    document = Document(content, "odd", hints)
    try:
        source.recognise(document)
        result = source.parse(document)
    except (NotThisSource, DamagedDocument, UnreadableDocument):
        return
    # a value that the table cannot hold would block all other records
    identity = dict.fromkeys(("record_id", "version_id", "snapshot_id", "reading_note"), "x")
    seen = {"first_seen_at": NOW, "last_seen_at": NOW, "record_ordinal": 1}
    records = leave_out_odd_values(source, result).records
    declare_record_table(source).frame({**identity, **record.values, **seen} for record in records)
    assert all(reject.reason for reject in result.rejects)
    json.dumps([reject.raw_text for reject in result.rejects], ensure_ascii=False).encode()


@pytest.mark.parametrize("name", JSON_RESPONSES)
def test_any_value_can_be_replaced(name: str) -> None:
    source, response = JSON_RESPONSES[name]
    parse_content(source, encode_json(response))
    for path in list_paths(response):
        for odd_value in ODD_VALUES:
            parse_content(source, encode_json(replace_value(response, path, odd_value)))


@pytest.mark.trials("damaged documents", DAMAGES)
@pytest.mark.parametrize("name", OTHER_RESPONSES)
@settings(max_examples=DAMAGES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_bytes_can_be_lost_repeated_or_changed(name: str, data: st.DataObject) -> None:
    source, content = OTHER_RESPONSES[name]
    begin = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(begin, min(len(content), begin + 200)))
    replacement = data.draw(
        st.sampled_from([b"", content[begin:end] * 2, b"<x/>", b"&", b"<", b"\xff", b"]]>", b"\x00", b"<![CDATA["])
    )
    parse_content(source, content[:begin] + replacement + content[end:])
