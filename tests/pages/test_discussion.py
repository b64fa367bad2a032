"""The pages Discussion, Curriculum, Works and Item, on a lake with items of every kind."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest

from dashboards.queries import curriculum, discussion, mentions
from dashboards.queries.release import get_newest_release
from orchestration.defs.catalog import load_transforms
from tests.support.app_tests import open_page, read_page_text
from tests.support.builders import NOW, build_release, make_publication
from warehouse.lake import Lake

SEEN = {"first_seen_at": NOW, "last_seen_at": NOW}
HOSTILE = "<img src=x onerror=alert(1)> **bold** ![](http://evil.example/x) [x](javascript:alert(1))"


def build_row(table: str, **values: Any) -> dict[str, Any]:
    return {**dict.fromkeys(load_transforms()[table].table.schema), **SEEN, **values}


@pytest.fixture(scope="module")
def discussion_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Two publications, linked from forums, a saved page and podcasts."""
    lake = Lake(tmp_path_factory.mktemp("discussion") / "lake")
    post = {"site": "lesswrong", "is_withdrawn": False, "author": "Ada Example", "title": "On probes"}
    comment = {"site": "lesswrong", "post_forum_id": "p1", "post_title": "On probes", "is_withdrawn": False}
    segment = {"page_sha256": "1" * 64, "page_owner": "Bo", "confidence": "high", "is_text_repeated": False}
    segment |= {"first_line": 1, "last_line": 2, "is_truncated": False, "characters": 9}
    episode = {"entry": 1, "linked_url": "https://arxiv.org/abs/2310.17230", "linked_site": "arxiv.org"}
    episode |= {"summary": "About probes.", "summary_sha256": "0" * 64, "is_repeat": False}
    item = {"feed": "cast", "feed_title": "A made podcast", "versions": 1, "audio_url": "https://example.org/a.mp3"}
    build_release(
        lake,
        [
            make_publication("work", title="Sparse probes of features", url="https://arxiv.org/abs/2310.17230"),
            make_publication("other", title=f"Unheard of {HOSTILE}", lab="Anthropic", url="javascript:alert(1)"),
        ],
        clean__forum_posts=[
            build_row(
                "clean.forum_posts",
                forum_post_id="p",
                forum_id="p1",
                posted_at=dt.datetime(2024, 2, 3, tzinfo=dt.UTC),
                text=f"Probes for red-teaming, see the link. {HOSTILE}",
                links="https://arxiv.org/pdf/2310.17230v2; https://example.org/no",
                **post,
            )
        ],
        clean__forum_comments=[
            build_row(
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
            build_row("clean.segments", segment_id="s", segment=1, kind="quick_take", text="Undated note", **segment)
        ],
        clean__episodes=[build_row("clean.episodes", episode_id="e-1", **episode)],
        clean__feed_items=[
            build_row(
                "clean.feed_items",
                feed_item_id=f"f{n}",
                title=f"Lecture {n} on probes",
                published_at=dt.datetime(2024, n, 1, tzinfo=dt.UTC),
                duration_seconds=3600,
                links="https://arxiv.org/abs/2310.17230" if n == 1 else None,
                url="javascript:alert(1)" if n == 1 else "https://example.org/lecture",
                **item,
            )
            for n in (1, 2)
        ]
        + [build_row("clean.feed_items", feed_item_id="blog", **{**item, "title": "Only a post", "audio_url": None})],
    )
    return lake


def test_discussion_shows_items_threads_and_undated_items(
    discussion_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page(discussion_lake, monkeypatch, page="discussion")
    assert not app.exception
    text = read_page_text(app)
    assert "4 items in 2 threads, by 3 known authors" in text
    assert "1 of them has no date" in text
    frames = [pl.from_pandas(frame.value) for frame in app.dataframe]
    threads, items = frames[-2:]
    assert threads.row(0, named=True)["thread"] == "On probes"
    assert threads.row(0, named=True)["items"] == 3
    assert items["published_on"].null_count() == 1
    assert items["open"].str.starts_with("item?kind=").all()


def test_discussion_shows_works_and_topics(discussion_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(discussion_lake, monkeypatch, page="discussion")
    frames = [pl.from_pandas(frame.value) for frame in app.dataframe]
    (discussed,) = (frame for frame in frames if "mentioning_authors" in frame.columns)
    assert discussed.select("title", "mentions", "posts", "recognised_by").rows() == [
        ("Sparse probes of features", 1, 1, "link")
    ]
    assert discussed["open"].str.starts_with("work?work=").all()
    (delays,) = (frame for frame in frames if "days" in frame.columns)
    assert delays["days"].to_list() == [245]
    (authors,) = (frame for frame in frames if "all_texts" in frame.columns)
    assert authors.select("author", "topic", "texts").rows() == [("Ada Example", "red teaming", 1)]


def test_texts_that_mention_a_work_are_listed(discussion_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AISLE_LAKE", str(discussion_lake.root))
    release = get_newest_release()
    ((work_id, *_),) = mentions.list_discussed_works(release).rows()
    found = mentions.list_work_mentions(release, work_id)
    assert found.select("item_kind", "item_id", "kind", "mentioned_on", "recognised_by").rows() == [
        ("post", "p", "post", dt.date(2024, 2, 3), "link"),
        ("feed item", "f1", "episode", dt.date(2024, 1, 1), "link"),
        ("episode", "e-1", "episode", None, "link"),
    ]


def test_discussion_is_filtered_by_its_address(discussion_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(discussion_lake, monkeypatch, page="discussion", author="Cy Example", kinds="comment")
    assert "2 items in 1 thread, by 1 known author" in read_page_text(app)
    app = open_page(discussion_lake, monkeypatch, page="discussion", author="Cy Example", said="post")  # a former link
    assert "No posts or comments match" in app.warning[0].value
    app = open_page(discussion_lake, monkeypatch, page="discussion", author="Cy Example", kinds="post")
    assert not app.exception
    assert "No posts or comments match" in app.warning[0].value


def test_items_of_every_kind_link_to_publications(discussion_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AISLE_LAKE", str(discussion_lake.root))
    release = get_newest_release()
    linked = discussion.list_mentions(release, "work")
    assert linked.select("kind", "item_id").rows() == [("episode", "e-1"), ("feed item", "f1"), ("post", "p")]
    app = open_page(discussion_lake, monkeypatch, page="work", id="work")
    assert "Mentioned in" in [heading.value for heading in app.subheader]


def test_curriculum_shows_feeds_and_saved_lists(discussion_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(discussion_lake, monkeypatch, page="curriculum")
    assert not app.exception
    text = read_page_text(app)
    assert "3 episodes: 2 of followed feeds, 1 of saved lists" in text
    assert "1 episode in 1 entry" in text
    (taught,) = (
        frame for frame in map(pl.from_pandas, (f.value for f in app.dataframe)) if "podcasts" in frame.columns
    )
    assert taught.select("title", "episodes", "podcasts").rows() == [("Sparse probes of features", 2, 2)]
    assert "has no dates" in text
    assert "A made podcast has the most\\: 2 of 2 episodes" in text
    (captured,) = (
        frame for frame in map(pl.from_pandas, (f.value for f in app.dataframe)) if "narrator" in frame.columns
    )
    assert captured["work"].str.starts_with("work?work=").to_list() == [True]
    monkeypatch.setenv("AISLE_LAKE", str(discussion_lake.root))
    episodes = curriculum.list_feed_episodes(get_newest_release(), ())
    assert episodes["title"].to_list() == [
        "Lecture 2 on probes",
        "Lecture 1 on probes",
    ]  # entries without audio are no episodes
    assert episodes["url"].to_list() == ["https://example.org/lecture", None]
    assert episodes["minutes"].to_list() == [60, 60]


@pytest.mark.parametrize(
    ("kind", "identity", "expected"),
    [
        ("post", "p", "On probes"),
        ("comment", "c1", "Comment on On probes"),
        ("segment", "s", "Quick take 1 on the page of Bo"),
        ("episode", "e-1", "Podcast entry 1"),
        ("feed item", "f2", "Lecture 2 on probes"),
    ],
)
def test_each_kind_of_item_has_a_page(
    discussion_lake: Lake, monkeypatch: pytest.MonkeyPatch, kind: str, identity: str, expected: str
) -> None:
    app = open_page(discussion_lake, monkeypatch, page="item", kind=kind, id=identity)
    assert not app.exception
    assert expected in app.title[0].value.replace("\\", "")
    for element in [*app.markdown, *app.title, *app.caption]:
        assert "![](" not in str(element.value)


def test_works_are_searched_and_filtered_by_address(discussion_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(discussion_lake, monkeypatch, page="works", q="porbes")  # a typo
    assert not app.exception
    assert " items" in read_page_text(app)
    assert "similar words are included" in app.info[0].value
    app = open_page(discussion_lake, monkeypatch, page="works", kind="publication", lab="Anthropic")
    assert "##### 1 item\n" in read_page_text(app)
    for element in [*app.markdown, *app.title, *app.caption]:
        assert "![](" not in str(element.value)
    app = open_page(discussion_lake, monkeypatch, page="works", q="nothing of the kind", lab="Nobody")
    assert not app.exception
    assert "No items found" in app.warning[0].value


def test_work_has_downloads_and_links_only_to_the_web(discussion_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(discussion_lake, monkeypatch, page="work", id="other")
    assert not app.exception
    assert "no other publication has the same title" in read_page_text(app).lower()
    assert not app.get("link_button")
    assert app.get("download_button")
    assert open_page(discussion_lake, monkeypatch, page="work", id="work").get("link_button")
