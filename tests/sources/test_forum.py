"""The forums: complete windows, hidden authors, withdrawn texts, and the same post on two sites."""

from __future__ import annotations

import datetime as dt
import gzip
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.sources.forum import comments
from orchestration.sources.forum import posts as forum_posts
from orchestration.sources.registry import recognise_source
from orchestration.sources.shared.document import Document
from orchestration.sources.shared.fetch_plan import Feed, FetchCursor, InvalidSettings, Request, RequestFailed
from orchestration.sources.source import DocumentRefused
from tests.support.fetch_plans import (
    NOW,
    SAMPLES,
    build_table,
    encode_json,
    needs_samples,
    parse_document,
    run_fetch_plan,
)

POSTS, COMMENTS = forum_posts.SOURCE, comments.SOURCE
URL = "https://www.lesswrong.com/graphql"


def build_comment(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "_id": f"c{number}",
        "postId": "p1",
        "parentCommentId": None,
        "pageUrl": f"https://www.lesswrong.com/posts/p1/a-post?commentId=c{number}",
        "postedAt": "2025-03-01T10:00:00.000Z",
        "lastEditedAt": "2025-03-01T10:00:00.000Z",
        "baseScore": 5,
        "voteCount": 3,
        "extendedScore": {"agreement": 2},
        "deleted": False,
        "user": {"_id": "u1", "slug": "ann", "displayName": "Ann"},
        "post": {
            "_id": "p1",
            "title": "A post",
            "slug": "a-post",
            "pageUrl": "https://www.lesswrong.com/posts/p1/a-post",
        },
        "contents": {
            "html": "<p>One.</p><p>Two, see <a href='https://arxiv.org/abs/2401.00001'>it</a></p>",
            "wordCount": 4,
        },
        **changes,
    }


def build_post(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "_id": f"p{number}",
        "slug": "a-post",
        "title": "A  post",
        "pageUrl": f"https://www.lesswrong.com/posts/p{number}/a-post",
        "postedAt": "2025-03-01T10:00:00.000Z",
        "modifiedAt": "2025-03-02T10:00:00.000Z",
        "baseScore": 40,
        "user": {"_id": "u1", "slug": "ann", "displayName": "Ann"},
        "coauthors": [{"_id": "u2", "slug": "ben", "displayName": "Ben"}],
        "tags": [{"_id": "t1", "name": "AI", "slug": "ai"}],
        "contents": {"html": "<p>Words.</p>", "wordCount": 1, "version": "1.0.0"},
        **changes,
    }


def build_response(name: str, *results: Any) -> bytes:
    return encode_json({"data": {name: {"results": list(results), "totalCount": len(results)}}})


class FakeForum:
    """A forum with a maximum of results per page, which responds to time windows and offsets as the real ones do."""

    def __init__(self, times: list[dt.datetime], max_results: int = 10_000) -> None:
        self.times = {f"c{number}": time for number, time in enumerate(times)}
        self.max_results = max_results
        self.returned: set[str] = set()

    def __call__(self, request: Request) -> bytes:
        assert request.body is not None
        variables = request.body["variables"]
        is_terms = "input" in variables
        terms = variables["input"]["terms"] if is_terms else next(iter(variables["selector"].values()))
        page = terms if is_terms else variables
        inside = sorted(
            (time, key)
            for key, time in self.times.items()
            if dt.datetime.fromisoformat(terms["after"]) <= time < dt.datetime.fromisoformat(terms["before"])
        )
        shown = inside[page["offset"] :][: min(page["limit"], self.max_results)]
        self.returned |= {key for _, key in shown}
        results = [build_comment(_id=key, postedAt=time.isoformat()) for time, key in shown]
        return encode_json({"data": {"comments": {"results": results, "totalCount": len(inside) - page["offset"]}}})


def run_harvest(
    forum: FakeForum, watermark: str | None = None, **feed_settings: Any
) -> tuple[list[Request], str | None]:
    feed = Feed("lw", "forum_comments", URL, {"from": "2025-01-01", "limit": 20, **feed_settings})
    assert COMMENTS.fetch is not None
    return run_fetch_plan(COMMENTS.fetch(feed, FetchCursor(watermark, NOW)), forum)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 600 * 86400), max_size=150), st.sampled_from(["selector", "terms"]), st.integers(3, 30))
def test_windows_miss_no_record_for_any_times(seconds: list[int], syntax: str, max_results: int) -> None:
    start = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    forum = FakeForum([start + dt.timedelta(seconds=second) for second in seconds], max_results)
    _, watermark = run_harvest(forum, syntax=syntax)
    assert forum.returned == set(forum.times)
    assert watermark == (NOW.isoformat() if seconds else None)  # a forum without records may just be blank


def test_records_of_one_second_are_separated_by_offsets_up_to_a_limit() -> None:
    moment = dt.datetime(2025, 6, 1, tzinfo=dt.UTC)
    forum = FakeForum([moment] * 95)
    requests, _ = run_harvest(forum)
    assert forum.returned == set(forum.times)
    assert any(request.body and request.body["variables"]["offset"] for request in requests)
    with pytest.raises(RequestFailed, match="over 2,000 comments within a second from 2025-05-31T23:59:59"):
        run_harvest(FakeForum([moment] * 2600), limit=200)


def test_next_fetch_overlaps_two_days_and_requests_edited_records() -> None:
    forum = FakeForum([NOW - dt.timedelta(days=days) for days in (1, 3, 9)])
    requests, _ = run_harvest(forum, watermark=(NOW - dt.timedelta(days=2)).isoformat())
    windows = [next(iter(request.body["variables"]["selector"].values())) for request in requests if request.body]
    assert {window["timeField"] for window in windows} == {"postedAt", "lastEditedAt"}
    assert min(window["after"] for window in windows) == "2026-11-16T12:00:00.000Z"
    assert forum.returned == {"c0", "c1"}


def test_backfill_requests_its_days_and_keeps_the_watermark() -> None:
    assert COMMENTS.fetch is not None
    forum = FakeForum([dt.datetime(2025, 5, day, 12, tzinfo=dt.UTC) for day in range(1, 20)])
    cursor = FetchCursor("2026-11-01T00:00:00+00:00", NOW, dt.date(2025, 5, 3), dt.date(2025, 5, 5))
    _, watermark = run_fetch_plan(COMMENTS.fetch(Feed("lw", "forum_comments", URL), cursor), forum)
    assert forum.returned == {"c2", "c3", "c4"}
    assert watermark == "2026-11-01T00:00:00+00:00"


def test_user_is_looked_up_first_and_an_unknown_user_fails() -> None:
    assert POSTS.fetch is not None
    feed = Feed("lw", "forum_posts", URL, {"user": "ann", "from": dt.date(2026, 11, 1)})

    def respond(request: Request) -> bytes:
        assert request.body
        return build_response("users", {"_id": "u1"}) if "users(" in request.body["query"] else build_response("posts")

    requests, _ = run_fetch_plan(POSTS.fetch(feed, FetchCursor(None, NOW)), respond)
    assert [request.is_kept for request in requests] == [False, True]
    assert requests[1].body
    assert requests[1].body["variables"]["selector"]["userPosts"]["userId"] == "u1"
    with pytest.raises(RequestFailed, match="knows no user 'ann'"):
        run_fetch_plan(POSTS.fetch(feed, FetchCursor(None, NOW)), lambda _: build_response("users"))


@pytest.mark.parametrize(
    ("feed_settings", "message"),
    [
        ({"limit": 0}, "settings.limit is 0; expected a whole number from 1"),
        ({"syntax": "graphql"}, "expected one of selector, terms"),
        ({"from": "soon"}, "expected a day"),
        ({"tags": ["ai"]}, "unknown settings tags; known are"),
        ({"tag": "t1"}, "none for comments"),
    ],
)
def test_invalid_settings_are_reported(feed_settings: dict[str, Any], message: str) -> None:
    assert COMMENTS.fetch is not None
    with pytest.raises(InvalidSettings, match=message):
        next(COMMENTS.fetch(Feed("lw", "forum_comments", URL, feed_settings), FetchCursor(None, NOW)))


def test_omitted_fields_are_not_requested() -> None:
    assert COMMENTS.fetch is not None
    feed = Feed("eaf", "forum_comments", "https://forum.effectivealtruism.org/graphql", {"omit": ["rejected", "post"]})
    request = next(COMMENTS.fetch(feed, FetchCursor(None, NOW)))
    assert request.body
    assert "rejected" not in request.body["query"]
    assert "post {" not in request.body["query"]
    assert request.hints == {"site": "eaf"}


def test_values_of_a_comment() -> None:
    (record,) = parse_document(COMMENTS, build_response("comments", build_comment(retracted=True))).records
    assert record.identity == "lw c1"
    assert record.values["text"] == "One.\nTwo, see it"
    assert record.values["links"] == "https://arxiv.org/abs/2401.00001"
    assert record.values["posted_at"] == dt.datetime(2025, 3, 1, 10, tzinfo=dt.UTC)
    assert (record.values["author"], record.values["agreement_score"], record.values["is_retracted"]) == (
        "Ann",
        2,
        True,
    )


@pytest.mark.parametrize("change", [{"user": None}, {"hideAuthor": True}])
def test_hidden_author_is_not_named(change: dict[str, Any]) -> None:
    (record,) = parse_document(COMMENTS, build_response("comments", build_comment(**change))).records
    assert [record.values[name] for name in ("author", "author_slug", "author_forum_id")] == [None] * 3


@pytest.mark.parametrize("change", [{"contents": None}, {"deleted": True}, {"rejected": True}])
def test_withdrawn_comment_keeps_its_thread_without_text(change: dict[str, Any]) -> None:
    (record,) = parse_document(COMMENTS, build_response("comments", build_comment(**change))).records
    assert record.values["text"] is None
    assert record.values["post_forum_id"] == "p1"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"_id": None}, "no _id"),
        ({"_id": 7}, "no _id, which identifies it; _id is 7, not a text"),
        ({"pageUrl": None, "post": None}, "its forum is unknown"),
    ],
)
def test_record_that_nothing_identifies_is_rejected_alone(change: dict[str, Any], reason: str) -> None:
    result = parse_document(COMMENTS, build_response("comments", build_comment(1, **change), build_comment(2), None))
    assert [record.identity for record in result.records] == ["lw c2"]
    assert reason in result.rejects[0].reason


def test_unread_fields_are_counted_with_their_paths() -> None:
    comment = build_comment(2, newField=1, post={"_id": "p1", "title": "A post", "mood": "good"}, empty=[])
    assert parse_document(COMMENTS, build_response("comments", build_comment(), comment)).unparsed_fields == {
        "newField": 1,
        "post.mood": 1,
    }


def test_response_with_errors_is_refused_with_their_text() -> None:
    document = Document(encode_json({"errors": [{"message": "Cannot query field “mood”"}], "data": None}), "answer")
    with pytest.raises(DocumentRefused, match="the forum responds with errors: Cannot query field “mood”"):
        recognise_source(document)


def test_empty_response_is_valid() -> None:
    result = parse_document(COMMENTS, build_response("comments"))
    assert result.is_empty_valid
    assert not result.items


def test_characters_that_no_table_can_hold_are_replaced() -> None:
    (record,) = parse_document(
        COMMENTS, build_response("comments", build_comment(contents={"html": "<p>a\ud800b\x00c &amp; d</p>"}))
    ).records
    assert str(record.values["text"]).encode().decode() == "a\ufffdb\ufffdc & d"


def test_clean_posts_have_the_latest_version_without_withdrawn_text(tmp_path: Path) -> None:
    page = json.dumps(
        {
            "@type": "DiscussionForumPosting",
            "url": "https://www.alignmentforum.org/posts/p1/a-post",
            "headline": "A post",
            "datePublished": "2025-03-01T10:00:00.000Z",
            "author": [{"@type": "Person", "name": "Ann", "url": "https://www.alignmentforum.org/users/ann"}],
            "text": "<p>Words.</p>",
        }
    )
    shown = "What the page shows to people. " * 50  # a page of a few words would be refused as a failure page
    documents = (
        build_response(
            "posts", build_post(1, title="A post, edited", modifiedAt="2025-04-01T10:00:00.000Z"), build_post(2)
        ),
        build_response(
            "posts",
            build_post(1, baseScore=90),
            build_post(2, deletedDraft=True, modifiedAt="2025-05-01T10:00:00.000Z"),
        ),
        f'<!doctype html><title>A post</title><p>{shown}</p><script type="application/ld+json">{page}</script>'.encode(),
    )
    posts = build_table(tmp_path, "clean.forum_posts", *documents).to_dicts()
    first, second = sorted(posts, key=lambda row: row["forum_id"])
    assert (first["title"], first["text"], first["author"], first["is_withdrawn"]) == (
        "A post, edited",
        "Words.",
        "Ann",
        False,
    )
    assert (second["text"], second["is_withdrawn"]) == (None, True)


def test_clean_comments_link_to_their_posts(tmp_path: Path) -> None:
    documents = (
        build_response(
            "comments",
            build_comment(1),
            build_comment(1, lastEditedAt="2025-03-05T10:00:00Z", contents={"html": "Edited."}),
        ),
        build_response(
            "comments", build_comment(1, baseScore=7), build_comment(2, deleted=True, post=None, postId="p9")
        ),
        build_response("posts", build_post(1)),
    )
    rows = build_table(tmp_path, "clean.forum_comments", *documents).sort("forum_id").to_dicts()
    assert [(row["forum_id"], row["text"], row["is_withdrawn"]) for row in rows] == [
        ("c1", "Edited.", False),
        ("c2", None, True),
    ]
    assert rows[0]["forum_post_id"] is not None
    assert rows[1]["forum_post_id"] is None


@needs_samples
def test_captured_responses_are_parsed() -> None:
    counts = {}
    for path in sorted((SAMPLES / "forummagnum" / "graphql_raw").glob("*.json")):
        source = recognise_source(Document(path.read_bytes(), path.name))
        result = source.parse(Document(path.read_bytes(), path.name))
        assert not result.rejects
        data = json.loads(path.read_bytes())["response"]["data"]
        expected = data["comments"]["results"] if "comments" in data else [data["post"]["result"]]
        assert [record.identity for record in result.records] == [f"lw {item['_id']}" for item in expected]
        for record, item in zip(result.records, expected, strict=True):
            assert (record.values["score"], record.values["votes"]) == (item["baseScore"], item["voteCount"])
            assert bool(record.values["text"]) == bool((item["contents"] or {}).get("html"))
        counts.setdefault(source.name, []).append(len(result.records))
    assert counts == {"forum_comments": [16, 12, 4, 16], "forum_posts": [1] * 7}


@needs_samples
def test_page_and_response_of_a_post_agree() -> None:
    folder = SAMPLES / "forummagnum"
    pages = {path.name: gzip.decompress(path.read_bytes()) for path in (folder / "html").glob("*.gz")}
    records = {name: parse_document(POSTS, page).records[0] for name, page in pages.items()}
    assert (
        records["af_post_gdm_hiring.html.gz"].identity == records["lw_post_gdm_hiring_same_id_as_af.html.gz"].identity
    )
    assert records["eaf_post.html.gz"].identity == "eaf QXpxioWSQcNuNnNTy"
    responses = itertools.chain.from_iterable(
        parse_document(POSTS, path.read_bytes()).records for path in (folder / "graphql_raw").glob("post_*.json")
    )
    records_by_identity = {record.identity: record for record in responses}
    compared = 0
    for record in records.values():
        if other := records_by_identity.get(record.identity):
            compared += 1
            assert all(
                record.values[name] == other.values[name] for name in ("title", "author", "posted_at", "slug", "text")
            )
    assert compared == 3


def test_empty_page_with_a_positive_total_fails() -> None:
    assert comments.SOURCE.fetch is not None
    empty = encode_json({"data": {"comments": {"results": [], "totalCount": 40}}})
    feed = Feed("c", "forum_comments", "https://www.lesswrong.com/graphql", {})
    with pytest.raises(RequestFailed, match="reports 40 comments and returns none"):
        run_fetch_plan(comments.SOURCE.fetch(feed, FetchCursor(None, NOW)), lambda _: empty)


def test_scalar_among_comments_is_rejected_alone() -> None:
    result = parse_document(comments.SOURCE, build_response("comments", 7, build_comment()), site="lw")
    assert (len(result.records), [reject.reason for reject in result.rejects]) == (1, ["no JSON object"])
