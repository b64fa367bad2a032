"""Search: what is found, whatever is typed; the index beside a release, however it comes to harm."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.builders import NOW, made, publication
from warehouse.lake import PROJECT, Lake
from warehouse.release import Release, publish
from warehouse.search.index import Asked, Index, NoIndex, build, folder_of, is_built
from warehouse.search.items import THINGS, held, things

TEXTS = {
    "a": ("Training honest models", "We reward a model for honesty. Rewards can be hacked.", dt.date(2021, 3, 1)),
    "b": ("Interpretability of circuits", "Circuits in GPT-4 and how they tell the truth.", dt.date(2022, 3, 1)),
    "c": ("A zoo of sycophancy", "Sycophantic answers, naïve answers; 🎉 reward hacking.", None),
    "d": ("Benchmarks", "Hacking the reward of others is <b>not</b> reward hacking?", dt.date(2020, 1, 1)),
}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    papers = [
        publication(key, title=title, abstract=text, published_on=day, lab="OpenAI" if key in "ab" else "Anthropic")
        for key, (title, text, day) in TEXTS.items()
    ]
    seen = {"first_seen_at": NOW, "last_seen_at": NOW}
    episode = {"entry": 1, "linked_url": "https://example.org/x", "linked_site": "example.org", **seen}
    episode |= {
        "authors": "Ada Example",
        "narrator": None,
        "publisher": None,
        "summary": "About honest talk.",
        "summary_sha256": "0" * 64,
    }
    segment = {"page_sha256": "1" * 64, "page_owner": "Bo", "segment": 4, "kind": "quick_take", "confidence": "high"}
    segment |= {
        "first_line": 1,
        "last_line": 2,
        "is_truncated": False,
        "characters": 9,
        "is_text_repeated": False,
        **seen,
    }
    made_release = made(
        Lake(tmp_path_factory.mktemp("lake")),
        papers,
        [("a", 1, None), ("a", 2, None)],
        only=[],
        clean__episodes=[
            {**episode, "episode_id": "e-1", "is_repeat": False},
            {**episode, "episode_id": "e-2", "is_repeat": True},
        ],
        clean__segments=[{**segment, "segment_id": "s", "text": "An honest quick take."}],
    )
    assert build(made_release) == 6
    return made_release


@pytest.fixture(scope="module")
def index(release: Release) -> Index:
    return Index(release)


def ids(index: Index, words: str, order: str = "relevance", **facets: list[str]) -> list[str]:
    return [identity for _, identity in index.find(Asked(words, facets), order).items]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("honest", {"a", "e-1", "s"}),
        ("HONESTY", {"a"}),
        ("reward hacking", {"a", "c", "d"}),
        ('"reward hacking"', {"c", "d"}),
        ('"reward hacking" -zoo', {"d"}),
        ('reward -"reward hacking"', {"a"}),
        ("-reward", {"b", "e-1", "s"}),
        ("gpt-4", {"b"}),
        ("naive", {"c"}),
        ("ada", {"e-1"}),
        ("openai", {"a", "b"}),
        ("interpretabilty", {"b"}),
        ("intepretability circuuits", {"b"}),
        ("sycohpancy", {"c"}),
        ("benchm", {"d"}),
        ("the reward of", {"a", "c", "d"}),
        ("", {"a", "b", "c", "d", "e-1", "s"}),
        ("   ", {"a", "b", "c", "d", "e-1", "s"}),
        ("quark", set()),
        ("🎉", set()),
        ('"', set()),
        ("- + ( ) :", set()),
    ],
)
def test_what_is_typed_finds_what_is_meant(index: Index, typed: str, expected: set[str]) -> None:
    assert set(ids(index, typed)) == expected


def test_the_title_says_more_than_the_text(index: Index) -> None:
    assert ids(index, "benchmarks reward")[0] == "d"
    assert ids(index, "honest")[0] == "a"


def test_what_was_made_of_the_words_is_said(index: Index) -> None:
    assert index.find(Asked("honest")).said == ()
    assert "“circuuits” is rare or nowhere here" in index.find(Asked("circuuits")).said[0]
    some = index.find(Asked("sycophancy benchmarks"))
    assert some.said == ("Nothing has all these words; these have some of them.",)
    assert {identity for _, identity in some.items} == {"c", "d"}
    assert "There is no word in this" in index.find(Asked("?!")).said[0]
    assert index.find(Asked(" ".join(["reward"] * 40))).said == ("Only the first 32 words are searched for.",)
    # a choice that leaves nothing is not answered with something else
    assert index.find(Asked("reward hacking", {"lab": ["nobody"]})).total == 0


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60) | st.text(alphabet='"-+*():^~[]{}\\ aAND', max_size=60))
def test_anything_may_be_typed(index: Index, typed: str) -> None:
    found = index.find(Asked(typed))
    assert found.total == len(found.items) <= 6
    for _, text, _ in TEXTS.values():
        pieces = "".join(piece for piece, _ in index.snippet(text, found))
        assert pieces.rstrip("…") in text


@pytest.mark.parametrize(
    "typed", ["x" * 10_000, "a-" * 5_000, '"' * 10_000, "word " * 2_000, "🎉" * 10_000, "\x00\ud800"]
)
def test_long_and_odd_texts_do_no_harm(index: Index, typed: str) -> None:
    assert index.find(Asked(typed)).total <= 6


def test_orders_put_undated_things_last(index: Index) -> None:
    assert ids(index, "reward", "newest") == ["a", "d", "c"]
    assert ids(index, "reward", "oldest") == ["d", "a", "c"]
    assert ids(index, "reward", "title") == ["c", "d", "a"]
    assert ids(index, "")[:3] == ["b", "a", "d"]


def test_pages_follow_one_another(index: Index) -> None:
    pages = [index.find(Asked(), "title", limit=2, offset=offset) for offset in (0, 2, 4, 6)]
    assert [page.total for page in pages] == [6] * 4
    assert sorted(item for page in pages for item in page.items) == sorted(index.find(Asked(), "title").items)


def test_facets_count_what_another_choice_would_find(index: Index) -> None:
    found = index.facets(Asked("", {"lab": ["OpenAI"]}))
    assert found["lab"] == {"OpenAI": 2, "Anthropic": 2, "(none)": 2}
    assert found["kind"] == {"publication": 2}
    assert found["year"] == {"2021": 1, "2022": 1}
    assert index.facets(Asked("reward hacking"))["year"] == {"2020": 1, "2021": 1, "undated": 1}
    for value, count in found["lab"].items():
        assert index.find(Asked("", {"lab": [value]})).total == count
    assert index.find(Asked("", {"lab": ["OpenAI", "Anthropic"], "year": ["undated", "2022"]})).total == 2
    assert index.find(Asked("", {"year": ["nonsense"]})).total == 0


def test_snippets_mark_the_words_also_where_they_were_mistyped(index: Index) -> None:
    text = TEXTS["c"][1]
    for typed in ("naïve", "naive", "answqers"):
        found = index.find(Asked(typed))
        marked = [piece for piece, is_marked in index.snippet(text, found) if is_marked]
        assert marked == (["answers", "answers"] if typed == "answqers" else ["naïve"])
    long = "word " * 200 + "honesty at last"
    pieces = index.snippet(long, index.find(Asked("honesty")), length=60)
    assert ("honesty", True) in pieces
    assert len("".join(piece for piece, _ in pieces)) <= 60
    assert index.snippet(long, index.find(Asked()), length=20) == [(long[:20] + "…", False)]


def test_every_kind_of_thing_that_a_release_has_is_told(release: Release) -> None:
    with release.connect() as connection:
        assert connection.execute(f"select count(*) from ({things(held(['clean.episodes']))})").fetchall() == [(1,)]
        assert connection.execute(things([])).fetchall() == []
    assert len({thing.kind for thing in THINGS}) == len({thing.table for thing in THINGS}) == len(THINGS)


def test_an_index_of_another_content_is_replaced(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    first = made(lake, [publication("a", title="Old words")], only=[])
    assert build(first) == 1
    assert build(first) is None
    old = Index(first)
    lake.releases.rename(lake.root / "gone")  # deleted, it could be written to at the same moment by who has it open
    (lake.root / "aisle.duckdb").unlink()
    second = made(lake, [publication("a", title="New words")], only=[])
    assert second.number == first.number
    shutil.copytree(lake.root / "gone" / folder_of(first).name, folder_of(second))  # what a deleted lake may leave
    assert folder_of(second).exists()
    assert not is_built(second)
    assert build(second) == 1
    assert Index(second).find(Asked("new")).total == 1
    assert old.find(Asked("old")).total == 1  # whoever has it open is not disturbed


def test_a_damaged_index_is_told_and_can_be_made_again(tmp_path: Path) -> None:
    release = made(Lake(tmp_path), [publication("a")], only=[])
    with pytest.raises(NoIndex, match="v1 cannot be read"):
        Index(release)
    build(release)
    for file in folder_of(release).glob("*.term"):
        file.write_bytes(b"harm")
    (folder_of(release) / "meta.json").write_text("{")
    with pytest.raises(NoIndex, match="v1 cannot be read"):
        Index(release)
    shutil.rmtree(folder_of(release))
    assert build(release) == 1
    # the next release counts on, though the index lies beside it
    assert publish(Lake(tmp_path), [], {})[0].number == 2


def test_a_build_killed_half_way_leaves_nothing_that_is_read(tmp_path: Path) -> None:
    release = made(Lake(tmp_path), [publication(n) for n in range(50)], only=[])
    left = release.path.parent / ".indexing-killed" / "index"
    left.mkdir(parents=True)
    (left / "meta.json").write_text("{")
    assert not is_built(release)
    assert build(release) == 50
    assert not left.exists()


def test_many_who_need_it_at_once_build_it_once(tmp_path: Path) -> None:
    release = made(Lake(tmp_path), [publication("a")], only=[])
    told: list[int | None] = []
    threads = [threading.Thread(target=lambda: told.append(build(release))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told, key=str) == [1, None, None, None]


_AS_READER = """
import os
import sys
from pathlib import Path
from warehouse.lake import Lake
from warehouse.release import current
from warehouse.search import Asked, Index, NoIndex, build
if os.getuid() == 0:  # to whom no file is closed
    os.setgid(65534)
    os.setuid(65534)
release = current(Lake(Path(sys.argv[1])))
try:
    build(release)
except NoIndex as error:
    print("cannot be made" in str(error))
else:
    print(Index(release).find(Asked("title")).total)
"""


def test_a_lake_that_may_only_be_read_can_be_searched() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        release = made(Lake(Path(folder)), [publication("a")], only=[])
        assert asked_by_a_reader(folder) == "True"
        build(release)
        assert asked_by_a_reader(folder) == "1"


def asked_by_a_reader(lake: str) -> str:
    folders = [Path(lake), *(path for path in Path(lake).rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(0o555)
    try:
        done = subprocess.run(
            [sys.executable, "-c", _AS_READER, lake], cwd=PROJECT, capture_output=True, text=True, check=False
        )
    finally:
        for path in folders:
            path.chmod(0o755)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
