"""Full-text search: results for any text, and the index beside a release, even when damaged."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboards.queries.search import remove_title
from tests.support.builders import NOW, build_release, make_publication
from transforms.linking.members import name_work
from warehouse.lake import PROJECT, Lake
from warehouse.release import Release, publish_release
from warehouse.scratch import open_scratch
from warehouse.search import documents
from warehouse.search.build import IndexUnavailable, build_index, get_index_folder, is_built
from warehouse.search.index import SearchIndex, SearchQuery
from warehouse.search.items import ITEM_KINDS, list_available_kinds, select_items

TEXTS = {
    "a": ("Training honest models", "We reward a model for honesty. Rewards can be hacked.", dt.date(2021, 3, 1)),
    "b": ("Interpretability of circuits", "Circuits in GPT-4 and how they tell the truth.", dt.date(2022, 3, 1)),
    "c": ("A zoo of sycophancy", "Sycophantic answers, naïve answers; 🎉 reward hacking.", None),
    "d": ("Benchmarks", "Hacking the reward of others is <b>not</b> reward hacking?", dt.date(2020, 1, 1)),
}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    papers = [
        make_publication(
            key, title=title, abstract=text, published_on=day, lab="OpenAI" if key in "ab" else "Anthropic"
        )
        for key, (title, text, day) in TEXTS.items()
    ]
    seen = {"first_seen_at": NOW, "last_seen_at": NOW}
    episode = {"entry": 1, "linked_url": "https://example.org/x", "linked_site": "example.org", **seen}
    episode |= {
        "authors": "Ada Example",
        "narrator": None,
        "publisher": None,
        "summary": "About honest speech.",
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
    new_release = build_release(
        Lake(tmp_path_factory.mktemp("lake")),
        papers,
        [("a", 1, None), ("a", 2, None)],
        only=["clean.works", "clean.work_labels"],
        clean__episodes=[
            {**episode, "episode_id": "e-1", "is_repeat": False},
            {**episode, "episode_id": "e-2", "is_repeat": True},
        ],
        clean__segments=[{**segment, "segment_id": "s", "text": "An honest quick take."}],
    )
    assert build_index(new_release) == 6
    return new_release


@pytest.fixture(scope="module")
def index(release: Release) -> SearchIndex:
    return SearchIndex(release)


RECORDS = {name_work(key): key for key in TEXTS}


def find_ids(index: SearchIndex, words: str, order: str = "relevance", **facets: list[str]) -> list[str]:
    """The items that are found, works by their only record."""
    return [RECORDS.get(identity, identity) for _, identity in index.find(SearchQuery(words, facets), order).items]


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
def test_search_text_finds_the_expected_items(index: SearchIndex, typed: str, expected: set[str]) -> None:
    assert set(find_ids(index, typed)) == expected


def test_matches_in_titles_rank_first(index: SearchIndex) -> None:
    assert find_ids(index, "benchmarks reward")[0] == "d"
    assert find_ids(index, "honest")[0] == "a"


def test_notes_explain_how_words_were_interpreted(index: SearchIndex) -> None:
    assert index.find(SearchQuery("honest")).notes == ()
    assert "“circuuits” is rare or missing here" in index.find(SearchQuery("circuuits")).notes[0]
    some = index.find(SearchQuery("sycophancy benchmarks"))
    assert some.notes == ("No item has all these words; these have some of them.",)
    assert {RECORDS[identity] for _, identity in some.items} == {"c", "d"}
    assert "There is no word in this" in index.find(SearchQuery("?!")).notes[0]
    assert index.find(SearchQuery(" ".join(["reward"] * 40))).notes == ("Only the first 32 words are searched for.",)
    long = index.find(SearchQuery("x" * 3000))
    assert (long.total, len(long.notes)) == (0, 1)
    assert "a word of 3,000 letters" in long.notes[0]
    assert "honest" in " ".join(index.find(SearchQuery("é" * 60 + " honest")).stems)  # 120 bytes
    assert "a word of 60 letters" in index.find(SearchQuery("é" * 60 + " honest")).notes[0]
    assert "first 32 words of “reward-reward" in index.find(SearchQuery("reward-" * 40)).notes[0]
    # facets that exclude every match do not lead to a search for some of the words
    assert index.find(SearchQuery("reward hacking", {"lab": ["nobody"]})).total == 0


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60) | st.text(alphabet='"-+*():^~[]{}\\ aAND', max_size=60))
def test_any_text_is_accepted(index: SearchIndex, typed: str) -> None:
    found = index.find(SearchQuery(typed))
    assert found.total == len(found.items) <= 6
    for _, text, _ in TEXTS.values():
        pieces = "".join(piece for piece, _ in index.extract_snippet(text, found))
        assert pieces.rstrip("…") in text


@pytest.mark.parametrize(
    "typed", ["x" * 10_000, "a-" * 5_000, '"' * 10_000, "word " * 2_000, "🎉" * 10_000, "\x00\ud800"]
)
def test_long_and_odd_texts_raise_no_error(index: SearchIndex, typed: str) -> None:
    assert index.find(SearchQuery(typed)).total <= 6


@pytest.mark.parametrize(
    ("title", "text", "rest"),
    [
        ("A zoo", "A zoo", ""),
        ("A  zoo", "a\nzoo: of answers", "of answers"),
        ("A zoo", "A zoological garden", "A zoological garden"),
        ("A (zoo)", "A (zoo) of", "of"),
        ("", "A zoo", "A zoo"),
        ("C++", "C++ and C", "and C"),
    ],
)
def test_snippet_does_not_repeat_the_title(title: str, text: str, rest: str) -> None:
    assert remove_title(text, title) == rest


def test_orders_put_undated_items_last(index: SearchIndex) -> None:
    assert find_ids(index, "reward", "newest") == ["a", "d", "c"]
    assert find_ids(index, "reward", "oldest") == ["d", "a", "c"]
    assert find_ids(index, "reward", "title") == ["c", "d", "a"]
    assert find_ids(index, "")[:3] == ["b", "a", "d"]


def test_pages_cover_all_results(index: SearchIndex) -> None:
    pages = [index.find(SearchQuery(), "title", limit=2, offset=offset) for offset in (0, 2, 4, 6)]
    assert [page.total for page in pages] == [6] * 4
    assert sorted(item for page in pages for item in page.items) == sorted(index.find(SearchQuery(), "title").items)


def test_facet_counts_ignore_values_chosen_in_the_facet(index: SearchIndex) -> None:
    counts = index.count_facets(SearchQuery("", {"lab": ["OpenAI"]}))
    assert counts["lab"] == {"OpenAI": 2, "Anthropic": 2, "(none)": 2}
    assert counts["kind"] == {"work": 2}
    assert counts["year"] == {"2021": 1, "2022": 1}
    assert index.count_facets(SearchQuery("reward hacking"))["year"] == {"2020": 1, "2021": 1, "undated": 1}
    for value, count in counts["lab"].items():
        assert index.find(SearchQuery("", {"lab": [value]})).total == count
    assert index.find(SearchQuery("", {"lab": ["OpenAI", "Anthropic"], "year": ["undated", "2022"]})).total == 2
    assert index.find(SearchQuery("", {"year": ["nonsense"]})).total == 0


def test_snippets_highlight_words_even_if_misspelled(index: SearchIndex) -> None:
    text = TEXTS["c"][1]
    for typed in ("naïve", "naive", "answqers"):
        found = index.find(SearchQuery(typed))
        highlighted = [piece for piece, is_highlighted in index.extract_snippet(text, found) if is_highlighted]
        assert highlighted == (["answers", "answers"] if typed == "answqers" else ["naïve"])
    long = "word " * 200 + "honesty at last"
    pieces = index.extract_snippet(long, index.find(SearchQuery("honesty")), length=60)
    assert ("honesty", True) in pieces
    assert len("".join(piece for piece, _ in pieces)) <= 60
    assert index.extract_snippet(long, index.find(SearchQuery()), length=20) == [(long[:20] + "…", False)]


def test_items_cover_the_kinds_of_a_release(release: Release) -> None:
    with release.connect() as connection:
        assert connection.execute(
            f"select count(*) from ({select_items(list_available_kinds(['clean.episodes']))})"
        ).fetchall() == [(1,)]
        assert connection.execute(select_items([])).fetchall() == []
    assert len({kind.kind for kind in ITEM_KINDS}) == len({kind.table for kind in ITEM_KINDS}) == len(ITEM_KINDS)


def test_index_of_other_content_is_replaced(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    first = build_release(lake, [make_publication("a", title="Old words")], only=[])
    assert build_index(first) == 1
    assert build_index(first) is None
    old = SearchIndex(first)
    lake.releases.rename(lake.root / "gone")  # not deleted: it is still open
    (lake.root / "aisle.duckdb").unlink()
    second = build_release(lake, [make_publication("a", title="New words")], only=[])
    assert second.number == first.number
    shutil.copytree(
        lake.root / "gone" / get_index_folder(first).name, get_index_folder(second)
    )  # as a deleted lake may leave it
    assert get_index_folder(second).exists()
    assert not is_built(second)
    assert build_index(second) == 1
    assert SearchIndex(second).find(SearchQuery("new")).total == 1
    assert old.find(SearchQuery("old")).total == 1  # the open index still works


def test_damaged_index_is_reported_and_can_be_rebuilt(tmp_path: Path) -> None:
    release = build_release(Lake(tmp_path), [make_publication("a")], only=[])
    with pytest.raises(IndexUnavailable, match="v1 cannot be read"):
        SearchIndex(release)
    build_index(release)
    for file in get_index_folder(release).glob("*.term"):
        file.write_bytes(b"harm")
    (get_index_folder(release) / "meta.json").write_text("{")
    with pytest.raises(IndexUnavailable, match="v1 cannot be read"):
        SearchIndex(release)
    shutil.rmtree(get_index_folder(release))
    assert build_index(release) == 1
    # an index folder does not disturb the numbering of releases
    assert publish_release(Lake(tmp_path), [], {})[0].number == 2


def test_items_are_sorted_within_the_memory_budget(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AISLE_MEMORY", "600MB")
    limits, write = list[str](), documents.build_document

    def note_limit(*values: Any) -> Any:
        with open_scratch(tmp_path) as connection:  # of the instance that reads the release
            limits.extend(*connection.execute("select current_setting('memory_limit')").fetchall())
        return write(*values)

    monkeypatch.setattr(documents, "build_document", note_limit)
    folder = tmp_path / "copy"
    folder.mkdir()
    shutil.copy(release.path, folder)
    build_index(replace(release, path=folder / release.path.name), is_damaged=True)
    assert set(limits) == {"222.2 MiB"}  # 600 MB without what Python and its libraries use


def test_killed_build_leaves_no_index(tmp_path: Path) -> None:
    release = build_release(Lake(tmp_path), [make_publication(n) for n in range(50)], only=[])
    leftover = release.path.parent / ".indexing-killed" / "index"
    leftover.mkdir(parents=True)
    (leftover / "meta.json").write_text("{")
    assert not is_built(release)
    assert build_index(release) == 50
    assert not leftover.exists()


def test_concurrent_builds_build_it_once(tmp_path: Path) -> None:
    release = build_release(Lake(tmp_path), [make_publication("a")], only=[])
    counts: list[int | None] = []
    threads = [threading.Thread(target=lambda: counts.append(build_index(release))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts, key=str) == [1, None, None, None]


_SEARCH_AS_READER = """
import os
import sys
from pathlib import Path
from warehouse.lake import Lake
from warehouse.release import read_current_release
from warehouse.scratch import open_scratch
from warehouse.search.build import IndexUnavailable, build_index
from warehouse.search.index import SearchIndex, SearchQuery
if os.getuid() == 0:  # root may write everywhere
    os.setgid(65534)
    os.setuid(65534)
release = read_current_release(Lake(Path(sys.argv[1])))
try:
    build_index(release)
except IndexUnavailable as error:
    print("cannot be built" in str(error))
else:
    print(SearchIndex(release).find(SearchQuery("title")).total)
"""


def test_read_only_lake_can_be_searched() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        release = build_release(Lake(Path(folder)), [make_publication("a")], only=[])
        assert search_as_reader(folder) == "True"
        build_index(release)
        assert search_as_reader(folder) == "1"


def search_as_reader(lake: str) -> str:
    folders = [Path(lake), *(path for path in Path(lake).rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(0o555)
    try:
        done = subprocess.run(
            [sys.executable, "-c", _SEARCH_AS_READER, lake], cwd=PROJECT, capture_output=True, text=True, check=False
        )
    finally:
        for path in folders:
            path.chmod(0o755)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
