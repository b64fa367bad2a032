"""The forums: windows that miss nothing, hidden people, withdrawn texts, and the same post on two sites."""

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
from orchestration.sources.registry import Refused, recognised
from orchestration.sources.shared.document import Document
from orchestration.sources.shared.fetch_plan import Feed, Request, Since, Unanswered, WrongSettings
from tests.support.fetch_plans import NOW, SAMPLES, as_json, converse, needs_samples, parsed, table

POSTS, COMMENTS = forum_posts.SOURCE, comments.SOURCE
URL = "https://www.lesswrong.com/graphql"


def comment(number: int = 1, **changes: Any) -> dict[str, Any]:
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


def post(number: int = 1, **changes: Any) -> dict[str, Any]:
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


def answer(name: str, *things: Any) -> bytes:
    return as_json({"data": {name: {"results": list(things), "totalCount": len(things)}}})


class Forum:
    """A forum with its own limit, which answers windows of time and offsets as the real ones do."""

    def __init__(self, times: list[dt.datetime], largest: int = 10_000) -> None:
        self.times = {f"c{number}": time for number, time in enumerate(times)}
        self.largest = largest
        self.given: set[str] = set()

    def __call__(self, request: Request) -> bytes:
        assert request.body is not None
        told = request.body["variables"]
        terms = told["input"]["terms"] if "input" in told else next(iter(told["selector"].values()))
        page = terms if "input" in told else told
        inside = sorted(
            (time, key)
            for key, time in self.times.items()
            if dt.datetime.fromisoformat(terms["after"]) <= time < dt.datetime.fromisoformat(terms["before"])
        )
        shown = inside[page["offset"] :][: min(page["limit"], self.largest)]
        self.given |= {key for _, key in shown}
        things = [comment(_id=key, postedAt=time.isoformat()) for time, key in shown]
        return as_json({"data": {"comments": {"results": things, "totalCount": len(inside) - page["offset"]}}})


def harvest(forum: Forum, watermark: str | None = None, **given_settings: Any) -> tuple[list[Request], str | None]:
    feed = Feed("lw", "forum_comments", URL, {"from": "2025-01-01", "limit": 20, **given_settings})
    assert COMMENTS.fetch is not None
    return converse(COMMENTS.fetch(feed, Since(watermark, NOW)), forum)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 600 * 86400), max_size=150), st.sampled_from(["selector", "terms"]), st.integers(3, 30))
def test_windows_miss_nothing_however_the_times_lie(seconds: list[int], syntax: str, largest: int) -> None:
    start = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    forum = Forum([start + dt.timedelta(seconds=second) for second in seconds], largest)
    _, watermark = harvest(forum, syntax=syntax)
    assert forum.given == set(forum.times)
    assert watermark == NOW.isoformat()


def test_equal_times_are_parted_by_offsets_and_too_many_are_told() -> None:
    moment = dt.datetime(2025, 6, 1, tzinfo=dt.UTC)
    forum = Forum([moment] * 95)
    requests, _ = harvest(forum)
    assert forum.given == set(forum.times)
    assert any(request.body and request.body["variables"]["offset"] for request in requests)
    with pytest.raises(Unanswered, match="over 2,000 comments within a second from 2025-05-31T23:59:59"):
        harvest(Forum([moment] * 2600), limit=200)


def test_the_next_time_begins_two_days_earlier_and_asks_for_edited_ones_too() -> None:
    forum = Forum([NOW - dt.timedelta(days=days) for days in (1, 3, 9)])
    requests, _ = harvest(forum, watermark=(NOW - dt.timedelta(days=2)).isoformat())
    windows = [next(iter(request.body["variables"]["selector"].values())) for request in requests if request.body]
    assert {window["timeField"] for window in windows} == {"postedAt", "lastEditedAt"}
    assert min(window["after"] for window in windows) == "2026-11-16T12:00:00.000Z"
    assert forum.given == {"c0", "c1"}


def test_a_backfill_asks_for_its_days_and_moves_no_watermark() -> None:
    assert COMMENTS.fetch is not None
    forum = Forum([dt.datetime(2025, 5, day, 12, tzinfo=dt.UTC) for day in range(1, 20)])
    since = Since("2026-11-01T00:00:00+00:00", NOW, dt.date(2025, 5, 3), dt.date(2025, 5, 5))
    _, watermark = converse(COMMENTS.fetch(Feed("lw", "forum_comments", URL), since), forum)
    assert forum.given == {"c2", "c3", "c4"}
    assert watermark == "2026-11-01T00:00:00+00:00"


def test_a_user_is_looked_up_first_and_an_unknown_one_told() -> None:
    assert POSTS.fetch is not None
    feed = Feed("lw", "forum_posts", URL, {"user": "ann", "from": dt.date(2026, 11, 1)})
    known = lambda request: answer("users", {"_id": "u1"}) if "users(" in request.body["query"] else answer("posts")  # noqa: E731
    requests, _ = converse(POSTS.fetch(feed, Since(None, NOW)), known)
    assert [request.is_kept for request in requests] == [False, True]
    assert requests[1].body
    assert requests[1].body["variables"]["selector"]["userPosts"]["userId"] == "u1"
    with pytest.raises(Unanswered, match="knows no user 'ann'"):
        converse(POSTS.fetch(feed, Since(None, NOW)), lambda _: answer("users"))


@pytest.mark.parametrize(
    ("given_settings", "told"),
    [
        ({"limit": 0}, "settings.limit is 0; expected a whole number from 1"),
        ({"syntax": "graphql"}, "expected one of selector, terms"),
        ({"from": "soon"}, "expected a day"),
        ({"tags": ["ai"]}, "unknown settings tags; known are"),
        ({"tag": "t1"}, "none for comments"),
    ],
)
def test_settings_that_cannot_be_used_are_told(given_settings: dict[str, Any], told: str) -> None:
    assert COMMENTS.fetch is not None
    with pytest.raises(WrongSettings, match=told):
        next(COMMENTS.fetch(Feed("lw", "forum_comments", URL, given_settings), Since(None, NOW)))


def test_fields_left_out_are_not_asked_for() -> None:
    assert COMMENTS.fetch is not None
    feed = Feed("eaf", "forum_comments", "https://forum.effectivealtruism.org/graphql", {"omit": ["rejected", "post"]})
    request = next(COMMENTS.fetch(feed, Since(None, NOW)))
    assert request.body
    assert "rejected" not in request.body["query"]
    assert "post {" not in request.body["query"]
    assert request.hints == {"site": "eaf"}


def test_values_of_a_comment() -> None:
    (record,) = parsed(COMMENTS, answer("comments", comment(retracted=True))).records
    assert record.identity == "lw c1"
    assert record.values["text"] == "One.\nTwo, see it"
    assert record.values["links"] == "https://arxiv.org/abs/2401.00001"
    assert record.values["posted_at"] == dt.datetime(2025, 3, 1, 10, tzinfo=dt.UTC)
    assert (record.values["author"], record.values["agreement_score"], record.values["is_retracted"]) == (
        "Ann",
        2,
        True,
    )


@pytest.mark.parametrize("gone", [{"user": None}, {"hideAuthor": True}])
def test_nobody_is_named_where_the_forum_names_nobody(gone: dict[str, Any]) -> None:
    (record,) = parsed(COMMENTS, answer("comments", comment(**gone))).records
    assert [record.values[name] for name in ("author", "author_slug", "author_forum_id")] == [None] * 3


@pytest.mark.parametrize("gone", [{"contents": None}, {"deleted": True}, {"rejected": True}])
def test_a_withdrawn_comment_keeps_its_place_but_no_text(gone: dict[str, Any]) -> None:
    (record,) = parsed(COMMENTS, answer("comments", comment(**gone))).records
    assert record.values["text"] is None
    assert record.values["post_forum_id"] == "p1"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"_id": None}, "no _id"),
        ({"baseScore": "many"}, "baseScore is “many”, not a whole number"),
        ({"postedAt": "yesterday"}, "postedAt is “yesterday”, not a time"),
        ({"user": []}, "user is a list, not an object"),
        ({"pageUrl": None, "post": None}, "which forum it is of cannot be told"),
    ],
)
def test_a_damaged_record_is_rejected_alone(change: dict[str, Any], told: str) -> None:
    found = parsed(COMMENTS, answer("comments", comment(1, **change), comment(2), None))
    assert [record.identity for record in found.records] == ["lw c2"]
    assert told in found.rejects[0].reason


def test_unread_fields_are_counted_with_their_paths() -> None:
    odd = comment(2, newField=1, post={"_id": "p1", "title": "A post", "mood": "good"}, empty=[])
    assert parsed(COMMENTS, answer("comments", comment(), odd)).unparsed == {"newField": 1, "post.mood": 1}


def test_an_answer_with_errors_is_refused_with_them() -> None:
    document = Document(as_json({"errors": [{"message": "Cannot query field “mood”"}], "data": None}), "answer")
    with pytest.raises(Refused, match="the forum answers with errors: Cannot query field “mood”"):
        recognised(document)


def test_an_empty_answer_is_none_to_complain_of() -> None:
    found = parsed(COMMENTS, answer("comments"))
    assert found.is_answer
    assert not found.items


def test_texts_that_no_table_can_hold_are_mended() -> None:
    (record,) = parsed(COMMENTS, answer("comments", comment(contents={"html": "<p>a\ud800b\x00c &amp; d</p>"}))).records
    assert str(record.values["text"]).encode().decode() == "a\ufffdb\ufffdc & d"


def test_clean_tables_hold_the_newest_of_each_and_forget_what_was_withdrawn(tmp_path: Path) -> None:
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
    shown = "What the page shows to people. " * 50  # a page of a few words would be refused as none
    documents = (
        answer("posts", post(1, title="A post, edited", modifiedAt="2025-04-01T10:00:00.000Z"), post(2)),
        answer("posts", post(1, baseScore=90), post(2, deletedDraft=True, modifiedAt="2025-05-01T10:00:00.000Z")),
        f'<!doctype html><title>A post</title><p>{shown}</p><script type="application/ld+json">{page}</script>'.encode(),
    )
    posts = table(tmp_path, "clean.forum_posts", *documents).to_dicts()
    first, second = sorted(posts, key=lambda row: row["forum_id"])
    assert (first["title"], first["text"], first["author"], first["is_withdrawn"]) == (
        "A post, edited",
        "Words.",
        "Ann",
        False,
    )
    assert (second["text"], second["is_withdrawn"]) == (None, True)


def test_clean_comments_know_their_posts(tmp_path: Path) -> None:
    documents = (
        answer("comments", comment(1), comment(1, lastEditedAt="2025-03-05T10:00:00Z", contents={"html": "Edited."})),
        answer("comments", comment(1, baseScore=7), comment(2, deleted=True, post=None, postId="p9")),
        answer("posts", post(1)),
    )
    rows = table(tmp_path, "clean.forum_comments", *documents).sort("forum_id").to_dicts()
    assert [(row["forum_id"], row["text"], row["is_withdrawn"]) for row in rows] == [
        ("c1", "Edited.", False),
        ("c2", None, True),
    ]
    assert rows[0]["forum_post_id"] is not None
    assert rows[1]["forum_post_id"] is None


@needs_samples
def test_real_answers() -> None:
    found = {}
    for path in sorted((SAMPLES / "forummagnum" / "graphql_raw").glob("*.json")):
        source = recognised(Document(path.read_bytes(), path.name))
        items = source.parse(Document(path.read_bytes(), path.name))
        assert not items.rejects
        told = json.loads(path.read_bytes())["response"]["data"]
        expected = told["comments"]["results"] if "comments" in told else [told["post"]["result"]]
        assert [record.identity for record in items.records] == [f"lw {thing['_id']}" for thing in expected]
        for record, thing in zip(items.records, expected, strict=True):
            assert (record.values["score"], record.values["votes"]) == (thing["baseScore"], thing["voteCount"])
            assert bool(record.values["text"]) == bool((thing["contents"] or {}).get("html"))
        found.setdefault(source.name, []).append(len(items.records))
    assert found == {"forum_comments": [16, 12, 4, 16], "forum_posts": [1] * 7}


@needs_samples
def test_a_page_and_an_answer_tell_of_the_same_post_in_the_same_words() -> None:
    folder = SAMPLES / "forummagnum"
    pages = {path.name: gzip.decompress(path.read_bytes()) for path in (folder / "html").glob("*.gz")}
    records = {name: parsed(POSTS, page).records[0] for name, page in pages.items()}
    assert (
        records["af_post_gdm_hiring.html.gz"].identity == records["lw_post_gdm_hiring_same_id_as_af.html.gz"].identity
    )
    assert records["eaf_post.html.gz"].identity == "eaf QXpxioWSQcNuNnNTy"
    answers = itertools.chain.from_iterable(
        parsed(POSTS, path.read_bytes()).records for path in (folder / "graphql_raw").glob("post_*.json")
    )
    same = {record.identity: record for record in answers}
    compared = 0
    for record in records.values():
        if other := same.get(record.identity):
            compared += 1
            assert all(
                record.values[name] == other.values[name] for name in ("title", "author", "posted_at", "slug", "text")
            )
    assert compared == 3


def test_no_things_of_many_is_no_empty_window() -> None:
    assert comments.SOURCE.fetch is not None
    nothing = as_json({"data": {"comments": {"results": [], "totalCount": 40}}})
    feed = Feed("c", "forum_comments", "https://www.lesswrong.com/graphql", {})
    with pytest.raises(Unanswered, match="tells of 40 comments and gives none"):
        converse(comments.SOURCE.fetch(feed, Since(None, NOW)), lambda _: nothing)


def test_a_scalar_among_comments_costs_only_itself() -> None:
    found = parsed(comments.SOURCE, answer("comments", 7, comment()), site="lw")
    assert (len(found.records), [reject.reason for reject in found.rejects]) == (1, ["no JSON object"])
