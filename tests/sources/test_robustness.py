"""Whatever a place answers, its reader gives records, rejects, or one sentence: it never breaks on the shape of a value."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.ingest.raw import record_table
from orchestration.sources.shared.document import Document, Unreadable
from orchestration.sources.source import Damaged, NotThisSource, Source
from tests.sources import test_arxiv, test_enrichers, test_feed, test_forum, test_lab_site, test_openalex
from tests.support.fetch_plans import NOW, as_json

JSON_ANSWERS: dict[str, tuple[Source, Any]] = {
    "posts": (test_forum.POSTS, json.loads(test_forum.answer("posts", test_forum.post()))),
    "comments": (
        test_forum.COMMENTS,
        json.loads(test_forum.answer("comments", test_forum.comment())),
    ),
    "bulk": (test_arxiv.SOURCE, test_arxiv.bulk()),
    "works": (test_openalex.SOURCE, json.loads(test_openalex.page(test_openalex.work()))),
    "semanticscholar": (test_enrichers.S2, [test_enrichers.paper()]),
    "crossref": (test_enrichers.CROSSREF, json.loads(test_enrichers.works(test_enrichers.work()))),
    "huggingface": (test_enrichers.HUGGING_FACE, [test_enrichers.entry()]),
    "dataset": (test_enrichers.DATASET, test_enrichers.text()),
}
OTHER_ANSWERS: dict[str, tuple[Source, bytes]] = {
    "oai": (test_arxiv.SOURCE, test_arxiv.oai(test_arxiv.record())),
    "atom": (test_arxiv.SOURCE, test_arxiv.atom(1, 0, "2401.00001")),
    "rss": (test_feed.SOURCE, test_feed.rss(test_feed.item())),
    "index": (test_lab_site.SOURCE, test_lab_site.INDEX),
    "page": (test_lab_site.SOURCE, test_lab_site.page("<h1>A work</h1><p>July 2025</p>")),
}
ODD: list[Any] = [
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


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in places(one, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    if not path:
        return odd
    made = copy.deepcopy(value)
    holder = made
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = odd
    return made


def read(source: Source, content: bytes, **hints: str) -> None:
    document = Document(content, "odd", hints)
    try:
        source.recognise(document)
        found = source.parse(document)
    except (NotThisSource, Damaged, Unreadable):
        return
    table = record_table(source)
    for record in found.records:
        # a value that a table cannot hold would hold back all the others
        identity = dict.fromkeys(("record_id", "version_id", "snapshot_id"), "x")
        seen = {"first_seen_at": NOW, "last_seen_at": NOW, "record_ordinal": 1}
        table.frame([{**identity, **record.values, **seen}])
    assert all(reject.reason for reject in found.rejects)
    json.dumps([reject.raw_text for reject in found.rejects], ensure_ascii=False).encode()


@pytest.mark.parametrize("name", JSON_ANSWERS)
def test_any_value_can_be_anything(name: str) -> None:
    source, answer = JSON_ANSWERS[name]
    read(source, as_json(answer))
    for path in places(answer):
        for odd in ODD:
            read(source, as_json(changed(answer, path, odd)))


@pytest.mark.parametrize("name", OTHER_ANSWERS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_bytes_can_be_lost_doubled_or_changed(name: str, data: st.DataObject) -> None:
    source, content = OTHER_ANSWERS[name]
    begin = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(begin, min(len(content), begin + 200)))
    put = data.draw(
        st.sampled_from([b"", content[begin:end] * 2, b"<x/>", b"&", b"<", b"\xff", b"]]>", b"\x00", b"<![CDATA["])
    )
    read(source, content[:begin] + put + content[end:])
