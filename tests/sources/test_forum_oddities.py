"""Odd answers of the forums: errors beside results, odd values in any field, and odd addresses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from orchestration.ingest.identity import identify_record
from orchestration.ingest.limits import find_broken_limits
from orchestration.ingest.raw_tables import declare_record_table
from orchestration.ingest.snapshots import Snapshot
from orchestration.sources.shared.document import Document
from orchestration.sources.shared.fetch_plan import Feed, FetchCursor, RequestFailed
from orchestration.sources.shared.records import leave_out_odd_values
from orchestration.sources.source import DamagedDocument, Source
from tests.sources.test_forum import COMMENTS, POSTS, URL, build_comment, build_post, build_response
from tests.support.fetch_plans import NOW, encode_json, parse_document, run_fetch_plan

SNAPSHOT = Snapshot("0" * 16, "forum_comments", "file", "answer.json", "0" * 64, 1, NOW, "none")
ERROR = {"message": "Cannot resolve the field", "path": ["comments", "results", 1, "contents"]}


@pytest.mark.parametrize(
    ("results", "errors", "records", "faults"),
    [
        ([build_comment(1), build_comment(2, contents=None)], [ERROR], 2, [False]),
        ([build_comment(1), None], [ERROR], 1, [True]),
        ([build_comment(1)], [{"message": "Slow"}, "Slower", {"path": "comments"}], 1, [False] * 3),
        ([build_comment(1)], {"message": "One object"}, 1, [False]),
        ([build_comment(1)], [{"message": "Far", "path": ["comments", 10**30, -5]}], 1, [False]),
        ([build_comment(1)], [], 1, []),
    ],
)
def test_response_with_results_and_errors_is_read_and_its_errors_are_counted(
    results: list[Any], errors: Any, records: int, faults: list[bool]
) -> None:
    content = encode_json({"data": {"comments": {"results": results}}, "errors": errors})
    result = parse_document(COMMENTS, content)
    assert len(result.records) == records
    assert [reject.is_fault for reject in result.rejects] == faults
    assert all("the forum reports an error" in reject.reason for reject in result.rejects)


@pytest.mark.parametrize("results", [[], [None], None])
def test_response_with_errors_and_no_result_is_no_empty_answer(results: list[Any] | None) -> None:
    content = encode_json({"data": {"comments": {"results": results}}, "errors": [ERROR]})
    document = Document(content, "answer")
    COMMENTS.recognise(document)
    with pytest.raises(DamagedDocument, match="the forum responds with errors: Cannot resolve the field"):
        COMMENTS.parse(document)


def test_fetch_does_not_take_errors_without_results_for_an_empty_month() -> None:
    assert COMMENTS.fetch is not None
    answer = encode_json({"data": {"comments": {"results": [], "totalCount": 0}}, "errors": [ERROR]})
    feed = Feed("c", "forum_comments", URL, {})
    with pytest.raises(RequestFailed, match="the forum responds with errors"):
        run_fetch_plan(COMMENTS.fetch(feed, FetchCursor(None, NOW)), lambda _: answer)


@pytest.mark.parametrize("captured", [7, ["https://www.lesswrong.com"], {"url": "x"}, None])
def test_odd_address_of_a_capture_does_not_count(captured: Any) -> None:
    response = json.loads(build_response("comments", build_comment(1), build_comment(2, pageUrl=None, post=None)))
    result = parse_document(COMMENTS, encode_json({"captured_from": captured, "response": response}))
    assert [record.identity for record in result.records] == ["lw c1"]
    assert "its forum is unknown" in result.rejects[0].reason


ODD_VALUES = [None, "", "many", -1, -(10**400), 10**400, 1e300, 2.5, True, [], ["x"], [None], {}, {"x": 1}, "0000-00-00", "9999-12-31T23:59:59+00:00", "0001-01-01"]  # fmt: skip


def iterate_odd_records(record: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Path of a field, and the record with an odd value in it: each value in each field, also of inner objects."""
    for name, value in record.items():
        for odd in ODD_VALUES:
            yield name, {**record, name: odd}
        if isinstance(value, dict):
            for path, inner in iterate_odd_records(value):
                yield f"{name}.{path}", {**record, name: inner}
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for path, inner in iterate_odd_records(value[0]):
                yield f"{name}[].{path}", {**record, name: [inner]}


@pytest.mark.parametrize(
    ("source", "name", "record"),
    [
        (COMMENTS, "comments", build_comment(descendentCount=2)),
        (POSTS, "posts", build_post(commentCount=3, voteCount=9)),
    ],
)
def test_odd_value_costs_its_own_field_and_never_the_record(source: Source, name: str, record: dict[str, Any]) -> None:
    whole = parse_document(source, build_response(name, record), site="lw").records[0].values
    necessary = {"_id", "title"}
    odd = [(path, odd) for path, odd in iterate_odd_records(record) if path not in necessary]
    result = leave_out_odd_values(
        source, parse_document(source, build_response(name, *(entry for _, entry in odd)), site="lw")
    )
    assert (len(result.records), result.rejects) == (len(odd), [])
    for (path, _), kept in zip(odd, result.records, strict=True):
        lost = {column for column in whole if kept.values[column] != whole[column]}
        assert len(lost) <= 3, (path, lost)  # an author has three columns, and a deleted comment loses text and links
    versions = [identify_record(source, SNAPSHOT, number, kept) for number, kept in enumerate(result.records, 1)]
    assert not find_broken_limits(declare_record_table(source), versions)


@pytest.mark.parametrize("odd", ODD_VALUES)
def test_record_without_a_usable_id_is_rejected_alone(odd: Any) -> None:
    response = build_response("comments", build_comment(1, _id=odd), build_comment(2))
    result = leave_out_odd_values(COMMENTS, parse_document(COMMENTS, response))
    assert len(result.items) == 2
    assert result.records[-1].identity == "lw c2"
    assert [record.identity for record in result.records[:-1]] == (
        [f"lw {odd}"] if odd and isinstance(odd, str) else []
    )
