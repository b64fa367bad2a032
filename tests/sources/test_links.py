"""Link keys: equal in SQL and Python, and used to match links in texts to publications."""

from __future__ import annotations

import csv
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.sources.shared.links import link_key
from tests.pipeline.test_contracts import fetch_rows
from tests.support.builders import NOW, build_release, make_publication
from warehouse.lake import Lake
from warehouse.sql import SCALAR_MACROS

LINKS = [
    "https://arxiv.org/abs/2310.17230v2",
    "http://www.arxiv.org/pdf/2310.17230.pdf",
    "https://export.arxiv.org/abs/cs.AI/0501001",
    "https://www.alphaxiv.org/html/2310.17230",
    "https://huggingface.co/papers/2310.17230",
    "https://doi.org/10.48550/arXiv.2310.17230",
    "arXiv: 2310.17230",
    "https://doi.org/10.1000/ABC.123.",
    "https://dl.acm.org/doi/pdf/10.1145/3290605.3300233?x=1",
    "https://openreview.net/forum?id=Ab_c-9&noteId=1",
    "https://www.lesswrong.com/posts/6Fpvch8RR29qLEWNH/a-title#fn1",
    "https://alignmentforum.org/posts/6Fpvch8RR29qLEWNH",
    "https://forum.effectivealtruism.org/posts/AbC123xyz/x",
    "https://openai.com/index/Extracting-Concepts/",
    "https://openai.com/research/x.",
    "https://www.anthropic.com/news/Some-Work?utm_source=a",
    "https://deepmind.google/research/publications/12345/",
    "https://deepmind.com/blog/A-Post",
    "https://deepmind.google/discover/blog/a-post/",
    "https://proceedings.mlr.press/v97/work19a.html",
    "https://transformer-circuits.pub/2023/Some-Work/index.html",
    "https://transformer-circuits.pub/2023/some-work/",
    "https://openai.com/index/gpt-对齐",
    "https://www.anthropic.com/research/claude-%E5%AF%B9%E9%BD%90/?x=1",
    "https://deepmind.google/discover/blog/агенты-1#part",
    "https://transformer-circuits.pub/2025/нейроны/index.html",
    "https://openai.com/index/some-work…",
    "https://openai.com/index/some-work”。",
    "https://transformer-circuits.pub/2025/attribution-graphs/biology.html",
    "https://transformer-circuits.pub/2025/attribution-graphs/methods.html#part",
    "https://www.anthropic.com/research/team/alignment",
    "https://openai.com/index/some-work/part-2/",
    "https://deepmind.com/blog/article/Some-Article",
    "https://deepmind.google/blog/a/b?x=1",
    "https://web.archive.org/web/2020/https://www.example.org/a/",
    "HTTPS://Example.ORG/Path/?b=1&utm_medium=x&fbclid=2&a=3#part",
    "https://example.org",
    "https://example.org/?ref=x",
    "  https://example.org/x/  ",
]


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(SCALAR_MACROS)
    return connection


def compute_sql_key(connection: duckdb.DuckDBPyConnection, link: str) -> str:
    ((key,),) = connection.execute("select link_key($link)", {"link": link}).fetchall()
    return key


@pytest.mark.parametrize("link", LINKS)
def test_sql_keys_equal_python_keys(connection: duckdb.DuckDBPyConnection, link: str) -> None:
    assert compute_sql_key(connection, link) == link_key(link)


def test_pages_in_one_folder_are_different_works() -> None:
    pages = ("2025/attribution-graphs/biology.html", "2025/attribution-graphs/methods.html", "2025/attribution-graphs/")
    keys = [link_key(f"https://transformer-circuits.pub/{page}") for page in pages]
    assert keys == [
        "tcircuits:2025/attribution-graphs/biology",
        "tcircuits:2025/attribution-graphs/methods",
        "tcircuits:2025/attribution-graphs",
    ]
    articles = ("some-article", "another-article")
    assert len({link_key(f"https://deepmind.com/blog/article/{article}") for article in articles}) == 2
    assert link_key("https://deepmind.com/blog/article/X") == link_key("https://deepmind.google/discover/blog/x/")
    teams = ("alignment", "interpretability")
    assert len({link_key(f"https://www.anthropic.com/research/team/{team}") for team in teams}) == 2


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([link.strip().split("?")[0].split("#")[0] for link in LINKS]),
    st.text("abzABZ019-._", max_size=8),
    st.sampled_from(["", "/", "?a=1", "?ref=z", "?utm_source=q&k=v", "#x", "/x?y=1#z"]),
)
def test_sql_keys_equal_python_keys_for_any_link(
    connection: duckdb.DuckDBPyConnection, link: str, suffix: str, end: str
) -> None:
    assert compute_sql_key(connection, f"{link}{suffix}{end}") == link_key(f"{link}{suffix}{end}")


def test_links_in_texts_are_matched_to_publications(tmp_path: Path) -> None:
    seen = {"first_seen_at": NOW, "last_seen_at": NOW}
    segment = {"page_sha256": "1" * 64, "page_owner": "Bo", "kind": "quick_take", "confidence": "high", **seen}
    segment |= {"first_line": 1, "last_line": 2, "is_truncated": False, "characters": 9, "is_text_repeated": False}
    texts = [
        "See (https://arxiv.org/pdf/2310.17230), and arXiv:2310.17230 again; but not https://example.org/other.",
        "https://openai.com/index/some-work/…",
        "nothing to see: https:// and http://",
    ]
    episode = {"linked_site": "arxiv.org", "authors": None, "narrator": None, "publisher": None, **seen}
    episode |= {"summary": "Also https://example.org/notes", "summary_sha256": "0" * 64, "entry": 1}
    episode |= {"linked_url": "https://arxiv.org/abs/2310.17230v3"}
    release = build_release(
        Lake(tmp_path),
        [
            make_publication("dup", url="https://arxiv.org/abs/2310.17230", is_duplicate=True),
            make_publication("one", url="https://arxiv.org/abs/2310.17230v1"),
            make_publication("two", url="https://openai.com/research/some-work"),
            make_publication("no link", url=None),
        ],
        only=["mart.discussed_links"],
        clean__segments=[
            {**segment, "segment_id": f"s{n}", "segment": n, "text": text} for n, text in enumerate(texts, 1)
        ],
        clean__episodes=[
            {**episode, "episode_id": "e-1", "is_repeat": False},
            {**episode, "episode_id": "e-2", "is_repeat": True},
        ],
    )
    query = "select kind, item_id, linked_key, publication_id, linked_site from mart.discussed_links"
    assert fetch_rows(release, query) == [
        ("episode", "e-1", "arxiv:2310.17230", "one", "arxiv.org"),
        ("episode", "e-1", "url:example.org/notes", None, "example.org"),
        ("segment", "s1", "arxiv:2310.17230", "one", "arxiv.org"),
        ("segment", "s1", "url:example.org/other", None, "example.org"),
        ("segment", "s2", "openai:some-work", "two", "openai.com"),
    ]


def test_alike_publications_are_grouped(tmp_path: Path) -> None:
    release = build_release(
        Lake(tmp_path),
        [
            make_publication("a", title="One  work", abstract="x", url="https://arxiv.org/abs/2310.17230"),
            make_publication("b", title="ONE work", abstract="y", url="https://arxiv.org/pdf/2310.17230v2"),
            make_publication("c", title="Other", abstract="y", url=None),
            make_publication("d", title="Third", abstract=None, url=None),
        ],
        only=["mart.alike_publications"],
    )
    query = "select basis, list(publication_id order by publication_id) from mart.alike_publications group by basis, group_sha256 order by basis"
    assert fetch_rows(release, query) == [
        ("the same abstract", ["b", "c"]),
        ("the same link", ["a", "b"]),
        ("the same title", ["a", "b"]),
    ]


def test_link_keys_equal_the_reference(truth: Path) -> None:
    with (truth / "truth_url_keys.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            assert link_key(row["url"]) == row["key"]


@pytest.mark.parametrize(
    ("link", "key"),
    [
        ("https://arxiv.org/pdf/2406.04093v1", "arxiv:2406.04093"),
        ("HTTP://WWW.Example.org/Path/?utm_source=x&id=7#part", "url:example.org/Path?id=7"),
        ("https://www.lesswrong.com/posts/AbCdEf/slug", "lw:AbCdEf"),
        ("https://forum.effectivealtruism.org/posts/AbCdEf/slug", "eaf:AbCdEf"),
    ],
)
def test_link_key(link: str, key: str) -> None:
    assert link_key(link) == key
