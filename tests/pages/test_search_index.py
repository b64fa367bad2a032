"""An index that was brought up to date answers as one that was built at once, and uses what it can of the earlier one."""

from __future__ import annotations

import datetime as dt
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.builders import build_release, make_publication
from tests.support.trials import scale_trials
from warehouse.lake import PROJECT, Lake
from warehouse.release import Release
from warehouse.search import build, documents, placing
from warehouse.search.build import build_index, get_index_folder, is_built
from warehouse.search.index import SearchIndex, SearchOrder, SearchQuery

WORDS = (
    "reward",
    "hacking",
    "honest",
    "honesty",
    "circuit",
    "model",
    "the",
    "of",
    "zoo",
    "naïve",
    "gpt-4",
    "sycophancy",
)
DAYS = (None, dt.date(2019, 12, 31), dt.date(2020, 1, 1), dt.date(2024, 5, 5), dt.date(1, 1, 1), dt.date(9999, 12, 31))
QUERIES = (
    "",
    "reward",
    "the",
    "honest model circuit",
    "reward hacking model zoo of",
    '"reward hacking" -zoo',
    "-reward",
    "sycohpancy",
    "circuit zoo quark naive",
    "gpt-4 honesty",
)
ORDERS: tuple[SearchOrder, ...] = ("relevance", "newest", "oldest", "title")


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placing, "_LEAST_ITEMS", 4)


def write_text(choose: random.Random, words: int) -> str:
    return " ".join(choose.choices(WORDS, k=words))


def make_item(choose: random.Random, key: int) -> dict[str, Any]:
    return make_publication(
        key,
        title=write_text(choose, 2),
        abstract=choose.choice([None, write_text(choose, 12)]),
        published_on=choose.choice(DAYS),
        lab=choose.choice(["OpenAI", "Anthropic", None]),
    )


def edit(choose: random.Random, items: dict[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """Some items removed, some replaced by others of the same identity, some added."""
    changed = {key: item for key, item in items.items() if choose.random() > 0.1}
    for key in [key for key in changed if choose.random() < 0.05]:
        changed[key] = make_item(choose, key)
    new = choose.sample(range(1_000), choose.choice([0, 1, 1, 20]))
    return changed | {key: make_item(choose, key) for key in new}


def publish(lake: Lake, items: Mapping[int, dict[str, Any]]) -> Release:
    return build_release(lake, items.values(), only=[])


def list_answers(release: Release) -> list[Any]:
    """What the index of a release answers to each query, in each order, with the counts and the snippets."""
    index, answers = SearchIndex(release), list[Any]()
    for words in QUERIES:
        query = SearchQuery(words)
        for order in ORDERS:
            found = index.find(query, order, limit=1_000)
            answers.append((words, order, found))
        pages = [index.find(query, limit=7, offset=offset).items for offset in range(0, found.total, 7)]
        answers.append(pages)
        answers.append(index.count_facets(query))
        answers.append(index.count_facets(SearchQuery(words, {"lab": ["OpenAI"]})))
        answers.append(index.extract_snippet("An honest model of reward hacking in a zoo. " * 20, found, 60))
    return answers


def copy_alone(release: Release, folder: Path) -> Release:
    """The same release where there is no earlier index."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "releases").mkdir(parents=True)
    for path in (release.path, release.path.with_suffix(".json")):
        shutil.copy(path, folder / "releases")
    return Release(release.number, folder / "releases" / release.path.name, release.manifest)


def read_files(release: Release) -> dict[str, bytes]:
    """The files of an index, without the locks of its readers."""
    return {path.name: path.read_bytes() for path in get_index_folder(release).glob("[!.]*")}


def list_kept_files(release: Release) -> set[str]:
    """Files of the index that it shares with another one."""
    return {path.name for path in get_index_folder(release).glob("*.idx") if path.stat().st_nlink > 1}


@pytest.mark.trials("an index of search brought up to date after random edits", 4 * scale_trials(3, 60))
@settings(max_examples=scale_trials(3, 60), deadline=None)
@given(seed=st.integers(0, 2**32))
def test_index_after_edits_answers_as_one_built_at_once(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    choose, folder = random.Random(seed), tmp_path_factory.mktemp("lake")
    lake, items = Lake(folder / "lake"), dict[int, dict[str, Any]]()
    for _ in range(4):
        items = edit(choose, items)
        shuffled = choose.sample(list(items), len(items))
        release = publish(lake, {key: items[key] for key in shuffled})
        build_index(release)
        alone = copy_alone(release, folder / "alone")
        assert build_index(alone) == len(items)
        assert list_answers(release) == list_answers(alone)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def items() -> dict[int, dict[str, Any]]:
    choose = random.Random(1)
    return {key: make_item(choose, key) for key in range(60)}


def test_one_new_item_keeps_the_other_segments(lake: Lake, items: dict[int, dict[str, Any]]) -> None:
    first = publish(lake, items)
    build_index(first)
    before = read_files(first)
    answers = list_answers(first)
    second = publish(lake, items | {99: make_publication(99, title="zoo", published_on=dt.date(2024, 5, 6))})
    assert build_index(second) == 61
    segments = len(list(get_index_folder(second).glob("*.idx")))
    assert segments - 2 <= len(list_kept_files(second)) < segments
    shutil.rmtree(get_index_folder(second))
    assert read_files(first) == before
    assert list_answers(first) == answers


def test_index_is_rebuilt_where_a_gap_is_used_up(
    lake: Lake, items: dict[int, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    few_ranks = [replace(order, rank_bits=min(order.rank_bits, 10)) for order in placing._ORDERS]
    monkeypatch.setattr(placing, "_ORDERS", few_ranks)
    kept = list[bool]()
    for number in range(8):  # each between the one before and the first of the others
        items[1_000 + number] = make_publication(1_000 + number, title=f"!{number}", published_on=DAYS[2])
        release = publish(lake, items)
        build_index(release)
        kept.append(bool(list_kept_files(release)))
        found = SearchIndex(release).find(SearchQuery(), "title", limit=number + 1).items
        assert [identity for _, identity in found] == [str(1_000 + n) for n in range(number + 1)]
    assert kept[:4] == [False, True, True, True]
    assert False in kept[4:]
    assert True in kept[4:]


def test_index_of_many_segments_is_rebuilt(lake: Lake, items: dict[int, dict[str, Any]], monkeypatch: Any) -> None:
    build_index(publish(lake, items))
    monkeypatch.setattr(placing, "_MOST_TIMES", 0.1)
    release = publish(lake, items | {99: make_publication(99)})
    build_index(release)
    assert list_kept_files(release) == set()


def damage(folder: Path, pattern: str) -> None:
    path = next(folder.glob(pattern))
    path.write_bytes(bytes(len(path.read_bytes())))


@pytest.mark.parametrize("pattern", ["*.idx", "*.fast", "meta.json", "places.parquet", "stamp.json"])
@pytest.mark.parametrize("harm", [damage, lambda folder, pattern: next(folder.glob(pattern)).unlink()])
def test_damaged_index_is_not_reused(
    lake: Lake, items: dict[int, dict[str, Any]], tmp_path: Path, harm: Any, pattern: str
) -> None:
    first = publish(lake, items)
    build_index(first)
    harm(get_index_folder(first), pattern)
    second = publish(lake, items | {99: make_publication(99)})
    assert build_index(second) == 61
    assert list_kept_files(second) == set()
    alone = copy_alone(second, tmp_path / "alone")
    build_index(alone)
    assert list_answers(second) == list_answers(alone)


def test_index_of_other_code_is_not_reused(
    lake: Lake, items: dict[int, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = publish(lake, items)
    build_index(first)
    edited = tmp_path / "documents.py"
    edited.write_text(Path(documents.__file__).read_text() + "# an edit\n")
    monkeypatch.setattr(documents, "__file__", str(edited))
    assert not is_built(first)
    second = publish(lake, items | {99: make_publication(99)})
    build_index(second)
    assert list_kept_files(second) == set()


def test_items_that_fill_the_memory_of_a_writer_keep_their_order(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "_LEAST_ITEMS", 1_000)
    monkeypatch.setattr(build, "_HEAP_BYTES", 15_000_000)  # the least that tantivy takes
    words = iter(range(10**9))
    items = {
        key: make_publication(
            key,
            title=f"zoo {key:03}",
            abstract=" ".join(f"w{next(words)}" for _ in range(30_000)),
            published_on=dt.date(2020, 1, 1) + dt.timedelta(days=key),
        )
        for key in range(12)
    }
    release = publish(lake, items)
    assert build_index(release) == 12
    assert len(list(get_index_folder(release).glob("*.idx"))) > 1
    newest = [str(key) for key in reversed(range(12))]
    for order, expected in (("newest", newest), ("oldest", newest[::-1]), ("relevance", newest)):
        assert [identity for _, identity in SearchIndex(release).find(SearchQuery("zoo"), order).items] == expected
    second = publish(lake, items | {99: make_publication(99, title="zoo", published_on=dt.date(2030, 1, 1))})
    build_index(second)
    assert list_kept_files(second)
    assert [identity for _, identity in SearchIndex(second).find(SearchQuery("zoo"), "newest").items] == ["99", *newest]


_BUILD_AND_DIE = """
import os
import signal
import sys
from pathlib import Path
from warehouse.lake import Lake
from warehouse.release import read_current_release
from warehouse.search import build, placing
placing._LEAST_ITEMS = 4
module, name = {"b": build, "p": placing}[sys.argv[2][0]], sys.argv[2][2:]
unchanged = getattr(module, name)
def die(*arguments, **options):
    unchanged(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(module, name, die)
build.build_index(read_current_release(Lake(Path(sys.argv[1]))))
"""


def list_steps() -> Iterator[str]:
    yield from ("b:_find_earlier_index", "b:place_items", "b:_link_files", "b:_write_meta", "b:_write_stamp")


@pytest.mark.parametrize("step", list_steps())
def test_killed_update_harms_no_index(lake: Lake, items: dict[int, dict[str, Any]], tmp_path: Path, step: str) -> None:
    first = publish(lake, items)
    build_index(first)
    answers = list_answers(first)
    second = publish(lake, items | {99: make_publication(99)})
    done = subprocess.run(
        [sys.executable, "-c", _BUILD_AND_DIE, str(lake.root), step], cwd=PROJECT, check=False, capture_output=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not is_built(second)
    assert list_answers(first) == answers
    assert build_index(second) == 61
    assert list_kept_files(second)
    alone = copy_alone(second, tmp_path / "alone")
    build_index(alone)
    assert list_answers(second) == list_answers(alone)
    assert not list(lake.releases.glob(".indexing-*"))
