"""What a text mentions, by which rule, and the marts that count it; on made-up works and texts."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.support.mentions import MARTS, TABLES, make_mentions, query_lake
from warehouse.lake import Lake

ABSTRACT = (
    "We weigh small models of large seas on a scale that was built for ships, and find that most of them float on what "
    "they were trained with. Those which sink are not heavier than the others, but were weighed in another season, "
    "which earlier studies have not reported. We give away the scale and all weights."
)
WORKS: list[dict[str, Any]] = [
    {
        "work_id": "seas",
        "title": "Weighing Small Models of Large Seas: A Study",
        "abstract": ABSTRACT,
        "identifiers": ["arxiv:2301.00001", "anthropic:weighing-seas"],
        "names": ["Ada B. Stone", "J. Reed", "Vale et al."],
        "published_on": dt.date(2023, 1, 10),
        "date_precision": "day",
        "record_ids": ["seas in a list", "feed item of seas"],
    },
    {"work_id": "tides", "title": "Tides of Deep Oceans", "identifiers": ["lw:tides123"], "date_precision": "year"},
    {"work_id": "general", "title": "Ocean Intelligence", "identifiers": ["arxiv:2302.00002"]},
    {"work_id": "ships", "title": "How small ships cross large seas in winter without their sails"},
    {"work_id": "boats", "title": "How small boats cross large seas in winter without their oars"},
]
ALIASES = [
    {"alias": "WSM", "kind": "work", "target": "arxiv:2301.00001", "is_case_sensitive": True},
    {"alias": "unknown paper", "kind": "work", "target": "arxiv:9999.99999", "is_case_sensitive": False},
    {"alias": "buoyancy", "kind": "topic", "target": "buoyancy", "is_case_sensitive": False},
    {"alias": "buoyancy aid", "kind": "none", "target": "another meaning", "is_case_sensitive": False},
    {"alias": "MIRI", "kind": "lab", "target": "Machine Intelligence Research Institute", "is_case_sensitive": True},
]
# each comment with what it mentions: kind of target, target, rule
COMMENTS: dict[str, tuple[str, list[tuple[str, str, str]]]] = {
    "link": ("See https://arxiv.org/pdf/2301.00001v3.", [("work", "seas", "link")]),
    "two links": (
        "https://www.anthropic.com/research/weighing-seas and https://www.lesswrong.com/posts/tides123/x",
        [("work", "seas", "link"), ("work", "tides", "link")],
    ),
    "title": ("In Weighing small models of large seas: a study, …", [("work", "seas", "title")]),
    "quoted title": (
        "In “Weighing small models of large seas: a study”, …",
        [("work", "seas", "quoted fragment"), ("work", "seas", "title")],
    ),
    "part of a title": ("Weighing Small Models of Large Seas is hard.", []),
    "short title": ("I like Tides of Deep Oceans.", [("work", "tides", "short title")]),
    "words of the language": ("the tides of deep oceans", [("work", "tides", "title in small letters")]),
    "generic title": ("Ocean Intelligence is far away.", []),
    "generic title with its link": (
        "Ocean Intelligence: https://example.org/papers/ocean-intelligence.pdf",
        [("work", "general", "title as link")],
    ),
    "page about a subject": ("Ocean Intelligence: https://en.wikipedia.org/wiki/Ocean_Intelligence", []),
    "long title as link": (
        "https://blog.example.org/2023/tides-of-deep-oceans/?utm_source=x",
        [("work", "tides", "title as link")],
    ),
    "alias": ("The WSM result holds.", [("work", "seas", "alias of a work")]),
    "alias in small letters": ("The wsm result holds.", []),
    "alias in a link": ("https://example.org/WSM/buoyancy", []),
    "alias in a longer word": ("WSMs and unbuoyancy", []),
    "alias of an unknown work": ("the unknown paper", []),
    "topic and lab": (
        "MIRI on buoyancy",
        [("lab", "Machine Intelligence Research Institute", "alias"), ("topic", "buoyancy", "alias")],
    ),
    "another meaning": ("a buoyancy aid", []),
    "names of labs": ("DeepMind and OpenAI", [("lab", "Google DeepMind", "alias"), ("lab", "OpenAI", "alias")]),
    "author": ("As Ada B. Stone wrote", [("person", "Ada B. Stone", "name")]),
    "author without initial": ("As Ada Stone wrote", [("person", "Ada B. Stone", "name")]),
    "author in small letters": ("a stone, ada stone, J. Reed, Vale et al", []),
    "quoted fragment": ('It says "weighing models of large seas" there.', [("work", "seas", "quoted fragment")]),
    "fragment in another order": ('It says "large seas of small models" there.', []),
    "fragment with another word": ('It says "weighing heavy models of large seas" there.', []),
    "fragment of two titles": ('It says "small cross large seas in winter without their" there.', []),
    "short fragment": ('It says "models of large seas" there.', [("work", "seas", "quoted fragment")]),
    "fragment of few words": ('It says "in winter without their" there.', []),
    "abstract": (
        f"My summary.\n{ABSTRACT.replace('Those which', 'Those that')}\nMy view.",
        [("work", "seas", "abstract")],
    ),
    "abstract that is cut short": (f"Abstract: {ABSTRACT[:250]}", [("work", "seas", "abstract")]),
    "few words of an abstract": (ABSTRACT[:100], []),
    "author line": ("Author(s): Bo Reed, Ocean Research blog.", [("person", "Bo Reed", "author line")]),
    "nothing": ("Nothing is here.", []),
    "empty": ("", []),
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    made = Lake(tmp_path_factory.mktemp("mentions"))
    comment = {"site": "lw", "is_withdrawn": False, "author": "Bo", "posted_at": dt.datetime(2023, 2, 1, tzinfo=dt.UTC)}
    feed_item = {"feed": "a blog", "versions": 1, "published_at": dt.datetime(2023, 3, 1, tzinfo=dt.UTC)}
    episode = {"entry": 1, "is_repeat": False, "summary_sha256": "0" * 64, "publisher": "Course"}
    make_mentions(
        made,
        WORKS,
        (*TABLES, *MARTS),
        reference__aliases=ALIASES,
        reference__feed_scopes=[{"feed": "cooking", "scope": "other", "basis": "It is about cooking."}],
        clean__forum_comments=[
            {**comment, "forum_comment_id": name, "text": text} for name, (text, _) in COMMENTS.items()
        ],
        clean__forum_posts=[
            {**comment, "forum_post_id": "post", "title": "On Tides of Deep Oceans", "text": "Hidden. WSM"},
            {**comment, "forum_post_id": "withdrawn", "title": "WSM", "text": None, "is_withdrawn": True},
            {**comment, "forum_post_id": "link post", "text": None, "linked_url": "https://arxiv.org/abs/2301.00001"},
        ],
        clean__segments=[
            {"segment_id": "segment", "kind": "quick_take", "page_owner": "Cy", "text": "buoyancy of WSM", "segment": 1}
            | {"page_sha256": "0" * 64, "confidence": "high", "is_truncated": False, "is_text_repeated": False}
        ],
        clean__episodes=[
            {**episode, "episode_id": "e-1", "summary": "We read it.", "linked_url": "https://arxiv.org/abs/2301.00001"}
            | {"authors": "Ada Stone, Ocean Research blog", "narrator": "Cy Vale"},
            {**episode, "episode_id": "e-2", "summary": "WSM", "is_repeat": True},
        ],
        clean__feed_items=[
            {
                **feed_item,
                "feed_item_id": "feed item of seas",
                "title": WORKS[0]["title"],
                "text": "Here it is.",
                "url": "https://arxiv.org/abs/2301.00001",
            },
            {
                **feed_item,
                "feed_item_id": "news",
                "title": "News",
                "text": "A summary.",
                "url": "https://www.anthropic.com/research/weighing-seas",
            },
            {
                **feed_item,
                "feed_item_id": "podcast",
                "audio_url": "https://example.org/1.mp3",
                "text": "On WSM.",
                "people": '[{"name": "Di Vale", "role": "host"}]',
            },
            {
                **feed_item,
                "feed_item_id": "cooking",
                "feed": "cooking",
                "audio_url": "https://example.org/2.mp3",
                "text": "WSM with buoyancy",
            },
        ],
    )
    return made


def list_mentions(lake: Lake, item_kind: str, item_id: str) -> list[tuple[str, str, str]]:
    query = f"""
        select target_kind, target_id, mention_rule from clean.mentions
        where item_kind = '{item_kind}' and item_id = '{item_id}' order by all
    """
    return query_lake(lake, query, "clean.mentions").rows()


@pytest.mark.parametrize("name", COMMENTS)
def test_comment_mentions_exactly(lake: Lake, name: str) -> None:
    assert list_mentions(lake, "comment", name) == COMMENTS[name][1]


def test_places_point_to_the_text(lake: Lake) -> None:
    query = "select item_id, place, fragment from clean.mentions where item_kind = 'comment' and place is not null"
    rows = query_lake(lake, query, "clean.mentions").rows()
    assert len(rows) > 15
    for name, place, fragment in rows:
        assert COMMENTS[name][0][place - 1 :].startswith(fragment), name


def test_a_title_of_a_post_is_a_part_of_its_text(lake: Lake) -> None:
    assert list_mentions(lake, "post", "post") == [
        ("work", "seas", "alias of a work"),
        ("work", "tides", "short title"),
    ]
    query = "select place from clean.mentions where item_id = 'post' order by target_id"
    assert query_lake(lake, query, "clean.mentions")["place"].to_list() == [9, None]


def test_fields_with_links_and_names_are_read(lake: Lake) -> None:
    assert list_mentions(lake, "post", "link post") == [("work", "seas", "link")]
    assert list_mentions(lake, "episode", "e-1") == [
        ("person", "Ada Stone", "author line"),
        ("person", "Cy Vale", "author line"),
        ("work", "seas", "link"),
    ]
    assert ("person", "Di Vale", "author line") in list_mentions(lake, "feed item", "podcast")


def test_a_record_of_a_work_does_not_mention_it_but_news_do(lake: Lake) -> None:
    assert list_mentions(lake, "feed item", "feed item of seas") == []
    assert list_mentions(lake, "feed item", "news") == [("work", "seas", "link")]


def test_withdrawn_posts_and_repeated_episodes_mention_nothing(lake: Lake) -> None:
    assert list_mentions(lake, "post", "withdrawn") == list_mentions(lake, "episode", "e-2") == []


def test_entries_of_feeds_with_a_recording_are_episodes(lake: Lake) -> None:
    query = "select item_id, kind from clean.texts where item_kind in ('episode', 'feed item') order by all"
    assert query_lake(lake, query, "clean.texts").rows() == [
        ("cooking", "episode"),
        ("e-1", "episode"),
        ("feed item of seas", "feed item"),
        ("news", "feed item"),
        ("podcast", "episode"),
    ]


def test_marts_count_texts_of_the_field_once(lake: Lake) -> None:
    query = "select work_id, mentions, posts, segments, feed_items, dated_mentions from mart.most_discussed_works"
    discussed = {row[0]: row[1:] for row in query_lake(lake, query, "mart.most_discussed_works").rows()}
    # nine comments, two posts, a segment without a date, and the news
    assert discussed["seas"] == (13, 2, 1, 1, 12)
    assert discussed["tides"] == (4, 1, 0, 0, 4), "words of the language are not counted"
    taught = query_lake(lake, "from mart.most_taught_works", "mart.most_taught_works")
    assert taught.select("work_id", "episodes", "podcasts", "dated_episodes").rows() == [("seas", 2, 2, 1)]


def test_days_need_a_day_of_publication(lake: Lake) -> None:
    rows = query_lake(lake, "from mart.days_from_paper_to_discussion", "mart.days_from_paper_to_discussion")
    assert rows.select("work_id", "days", "first_kind", "undated_mentions").rows() == [("seas", 22, "comment", 2)]


def test_texts_without_a_date_are_apart(lake: Lake) -> None:
    query = "select kind, mentioned_month, texts from mart.topics_by_month where topic = 'buoyancy' order by kind"
    assert query_lake(lake, query, "mart.topics_by_month").rows() == [
        ("comment", dt.date(2023, 2, 1), 1),
        ("segment", None, 1),
    ]
    rows = query_lake(
        lake, "select author, texts, dated_texts from mart.author_topics order by 1", "mart.author_topics"
    )
    assert rows.rows() == [("Bo", 1, 1), ("Cy", 1, 0)]


def test_the_scope_of_other_feeds_follows_from_what_they_mention(lake: Lake) -> None:
    query = "select feed, scope, is_declared, items_with_mentions from clean.feed_scopes order by feed"
    assert query_lake(lake, query, "clean.feed_scopes").rows() == [
        ("a blog", "field", False, 2),
        ("cooking", "other", True, 1),
    ]
