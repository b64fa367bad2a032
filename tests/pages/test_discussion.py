"""The pages of discussion, curriculum, works and single things, over a few made ones of every kind."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest

from dashboards.queries import curriculum, discussion
from dashboards.queries import release as read
from orchestration.defs.tables import transforms
from tests.support.app_tests import opened, said
from tests.support.builders import NOW, made, publication
from warehouse.lake import Lake

SEEN = {"first_seen_at": NOW, "last_seen_at": NOW}
HOSTILE = "<img src=x onerror=alert(1)> **bold** ![](http://evil.example/x) [x](javascript:alert(1))"


def row(table: str, **facts: Any) -> dict[str, Any]:
    return {**dict.fromkeys(transforms()[table].table.schema), **SEEN, **facts}


@pytest.fixture(scope="module")
def spoken_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Two publications, and what is said of them on forums, on a captured page and in podcasts."""
    lake = Lake(tmp_path_factory.mktemp("spoken") / "lake")
    post = {"site": "lesswrong", "is_withdrawn": False, "author": "Ada Example", "title": "On probes"}
    comment = {"site": "lesswrong", "post_forum_id": "p1", "post_title": "On probes", "is_withdrawn": False}
    segment = {"page_sha256": "1" * 64, "page_owner": "Bo", "confidence": "high", "is_text_repeated": False}
    segment |= {"first_line": 1, "last_line": 2, "is_truncated": False, "characters": 9}
    episode = {"entry": 1, "linked_url": "https://arxiv.org/abs/2310.17230", "linked_site": "arxiv.org"}
    episode |= {"summary": "About probes.", "summary_sha256": "0" * 64, "is_repeat": False}
    item = {"feed": "cast", "feed_title": "A made podcast", "versions": 1, "audio_url": "https://example.org/a.mp3"}
    made(
        lake,
        [
            publication("work", title="Sparse probes of features", url="https://arxiv.org/abs/2310.17230"),
            publication("other", title=f"Unheard of {HOSTILE}", lab="Anthropic", url="javascript:alert(1)"),
        ],
        clean__forum_posts=[
            row(
                "clean.forum_posts",
                forum_post_id="p",
                forum_id="p1",
                posted_at=dt.datetime(2024, 2, 3, tzinfo=dt.UTC),
                text=f"Probes, see the link. {HOSTILE}",
                links="https://arxiv.org/pdf/2310.17230v2; https://example.org/no",
                **post,
            )
        ],
        clean__forum_comments=[
            row(
                "clean.forum_comments",
                forum_comment_id=f"c{n}",
                forum_id=f"c{n}",
                forum_post_id="p",
                posted_at=dt.datetime(2024, 3, n, tzinfo=dt.UTC),
                author="Cy Example",
                text=f"Comment {n}",
                **comment,
            )
            for n in (1, 2)
        ],
        clean__segments=[
            row("clean.segments", segment_id="s", segment=1, kind="quick_take", text="Undated talk", **segment)
        ],
        clean__episodes=[row("clean.episodes", episode_id="e-1", **episode)],
        clean__feed_items=[
            row(
                "clean.feed_items",
                feed_item_id=f"f{n}",
                title=f"Talk {n} of probes",
                published_at=dt.datetime(2024, n, 1, tzinfo=dt.UTC),
                duration_seconds=3600,
                links="https://arxiv.org/abs/2310.17230" if n == 1 else None,
                url="javascript:alert(1)" if n == 1 else "https://example.org/talk",
                **item,
            )
            for n in (1, 2)
        ]
        + [row("clean.feed_items", feed_item_id="blog", **{**item, "title": "Only a post", "audio_url": None})],
    )
    return lake


def test_discussion_tells_authors_kinds_threads_and_what_has_no_date(
    spoken_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(spoken_lake, monkeypatch, page="discussion")
    assert not app.exception
    told = said(app)
    assert "4 things said, in 2 threads, by 3 known authors" in told
    assert "1 of them has no date" in told
    threads, things = (pl.from_pandas(frame.value) for frame in app.dataframe)
    assert threads.row(0, named=True)["thread"] == "On probes"
    assert threads.row(0, named=True)["things"] == 3
    assert things["published_on"].null_count() == 1
    assert things["open"].str.starts_with("/item?kind=").all()


def test_discussion_is_narrowed_by_its_address(spoken_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(spoken_lake, monkeypatch, page="discussion", author="Cy Example", said="comment")
    assert "2 things said, in 1 thread, by 1 known author" in said(app)
    app = opened(spoken_lake, monkeypatch, page="discussion", author="Cy Example", said="post")
    assert not app.exception
    assert "Nothing fits this choice" in app.warning[0].value


def test_links_of_every_kind_of_text_lead_to_publications(spoken_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AISLE_LAKE", str(spoken_lake.root))
    release = read.newest()
    from_work = discussion.linked_from(release, "work")
    assert from_work.select("kind", "item_id").rows() == [("episode", "e-1"), ("feed item", "f1"), ("post", "p")]
    assert discussion.linked(release, ["post", "comment", "segment"])["item_id"].to_list() == ["work"]
    app = opened(spoken_lake, monkeypatch, page="work", id="work")
    assert "Discussed in" in [heading.value for heading in app.subheader]


def test_curriculum_has_followed_feeds_over_time_and_the_captured_list_apart(
    spoken_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(spoken_lake, monkeypatch, page="curriculum")
    assert not app.exception
    told = said(app)
    assert "1 episode in 1 entry" in told
    assert "shows no dates" in told
    assert "A made podcast has the most\\: 2 of 2 episodes" in told
    monkeypatch.setenv("AISLE_LAKE", str(spoken_lake.root))
    heard = curriculum.heard(read.newest(), ())
    assert heard["title"].to_list() == ["Talk 2 of probes", "Talk 1 of probes"]  # a post without sound is no episode
    assert heard["url"].to_list() == ["https://example.org/talk", None]
    assert heard["minutes"].to_list() == [60, 60]


@pytest.mark.parametrize(
    ("kind", "identity", "expected"),
    [
        ("post", "p", "On probes"),
        ("comment", "c1", "Comment on On probes"),
        ("segment", "s", "Quick take 1 on the page of Bo"),
        ("episode", "e-1", "Podcast entry 1"),
        ("feed item", "f2", "Talk 2 of probes"),
    ],
)
def test_each_kind_of_thing_has_a_page(
    spoken_lake: Lake, monkeypatch: pytest.MonkeyPatch, kind: str, identity: str, expected: str
) -> None:
    app = opened(spoken_lake, monkeypatch, page="item", kind=kind, id=identity)
    assert not app.exception
    assert expected in app.title[0].value.replace("\\", "")
    for element in [*app.markdown, *app.title, *app.caption]:
        assert "![](" not in str(element.value)


def test_works_finds_narrows_and_sorts_by_its_address(spoken_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(spoken_lake, monkeypatch, page="works", q="porbes")  # a slip of the keyboard
    assert not app.exception
    assert "things found" in said(app)
    assert "words like it are found too" in app.info[0].value
    app = opened(spoken_lake, monkeypatch, page="works", kind="publication", lab="Anthropic")
    assert "1 thing found" in said(app)
    for element in [*app.markdown, *app.title, *app.caption]:
        assert "![](" not in str(element.value)
    app = opened(spoken_lake, monkeypatch, page="works", q="nothing of the kind", lab="Nobody")
    assert not app.exception
    assert "Nothing fits" in app.warning[0].value


def test_a_work_tells_where_it_stands_and_links_only_to_the_web(
    spoken_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(spoken_lake, monkeypatch, page="work", id="other")
    assert not app.exception
    assert "no other publication has its title" in said(app).lower()
    assert not app.get("link_button")
    assert app.get("download_button")
    assert opened(spoken_lake, monkeypatch, page="work", id="work").get("link_button")
