"""Which records are one work: what is evidence, what is not, and what is left to people."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.linking import group_records, link_records, list_accepted, make_record
from transforms.linking import limits

ABSTRACT = (
    "We study how models that were trained on one game behave in another game with other rules. "
    "Three of four agents keep the habits that the first game rewarded, even where these lose points. "
    "A small change of the reward removes the effect in all of them, and costs nothing in the first game."
)


def test_records_with_the_same_identifier_are_one_work() -> None:
    records = [
        make_record("a", "Agents that keep their habits", "arxiv:2301.00001"),
        make_record("b", "Habits of agents, revised", "doi:10.1/x", "arxiv:2301.00001"),
        make_record("c", "Something else entirely here", "arxiv:2301.00002"),
    ]
    pairs = link_records(records)
    assert list_accepted(records) == {("a", "b")}
    assert pairs["a", "b"]["evidence"] == "the same arXiv id 2301.00001"


def test_an_identifier_that_stands_at_the_wrong_work_links_nothing() -> None:
    records = [
        make_record("a", "Agents that keep their habits", "doi:10.1/x", surnames="ada; byron"),
        make_record("b", "Cooling of large rotating magnets", "doi:10.1/x", surnames="curie"),
    ]
    assert list_accepted(records) == set()
    assert "neither title nor author in common" in link_records(records)["a", "b"]["evidence"]
    # an author of the same name, or a title that is much the same, is enough
    records[1]["surnames"] = "byron"
    assert list_accepted(records) == {("a", "b")}


@pytest.mark.parametrize(
    ("title", "is_accepted"),
    [
        ("Cooling of large rotating magnets", False),
        ("Why habits outlive their rewards", True),  # a new title of the same work has a word of the old one
        ("Magnets", True),  # too short to speak against an identifier
        ("旋转磁铁的冷却方法的长期研究与应用", True),  # can be a translation
        ("", True),
    ],
)
def test_an_identifier_links_records_without_authors_unless_their_titles_have_nothing_in_common(
    title: str, is_accepted: bool
) -> None:
    records = [
        make_record("a", "Agents that keep their habits", "doi:10.1/x", surnames="ada; byron"),
        make_record("b", title, "doi:10.1/x"),
    ]
    assert list_accepted(records) == ({("a", "b")} if is_accepted else set())
    if not is_accepted:
        assert "no word of the titles in common" in link_records(records)["a", "b"]["evidence"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Agents that keep their habits", "AGENTS that keep their  habits."),
        ("Agents that keep their ﬁrst habits", "Agents that keep their first habits"),
        ("Ａｇｅｎｔｓ that keep their habits", "Agents that keep their habits"),
        ("Agents\u00ad that keep their hab\u200bits", "Agents that keep their habits"),
        ("Multi‑agent games – with “habits”", 'Multi-agent games - with "habits"'),
        ("关于大型语言模型在多智能体博弈中的习惯的长期研究", "关于大型语言模型在多智能体博弈中的习惯的长期研究。"),
    ],
)
def test_titles_of_any_script_and_spelling_are_compared(first: str, second: str) -> None:
    assert list_accepted([make_record("a", first), make_record("b", second)]) == {("a", "b")}


def test_titles_in_scripts_without_a_common_letter_are_different() -> None:
    records = [make_record("a", "агенты которые помнят правила"), make_record("b", "智能体 记住 规则 的 研究")]
    assert link_records([*records, make_record("c", "???"), make_record("d", "!!!")]) == {}


def test_a_short_title_needs_an_author_or_a_lab() -> None:
    def link(**values: Any) -> set[tuple[str, str]]:
        return list_accepted(
            [make_record("a", "Factored Cognition", **values), make_record("b", "Factored cognition", **values)]
        )

    assert link() == set()
    assert link(surnames="ada") == {("a", "b")}
    assert link(lab="Anthropic") == {("a", "b")}


def test_the_same_title_with_other_authors_is_another_work() -> None:
    title = "A survey of very large models"
    records = [
        make_record("a", title, surnames="ada"),
        make_record("b", title, surnames="byron"),
        make_record("c", title),  # of which of the two is not known
        make_record("d", title, surnames="ada; curie"),
    ]
    assert list_accepted(records) == {("a", "d")}
    assert not link_records(records)["b", "c"]["is_accepted"]


def test_the_same_title_years_apart_without_authors_is_left_to_people() -> None:
    records = [
        make_record("a", "Report on the state of the field", published_year=2015),
        make_record("b", "Report on the state of the field", published_year=2024),
    ]
    assert list_accepted(records) == set()
    assert "years apart" in link_records(records)["a", "b"]["evidence"]


def test_the_same_abstract_is_the_same_work_unless_it_is_a_blurb() -> None:
    records = [
        make_record("a", "Agents that keep their habits", abstract=ABSTRACT),
        make_record("b", "Habit formation", abstract=ABSTRACT.replace("four", "five")),
    ]
    assert list_accepted(records) == {("a", "b")}
    chapters = [
        make_record(c, f"Chapter on {c}{c}{c}", f"openalex:W{i}", abstract=ABSTRACT) for i, c in enumerate("abc")
    ]
    assert link_records(chapters) == {}
    assert list_accepted(chapters[:2]) == set()  # a register has them as two works
    assert not link_records(chapters[:2])["a", "b"]["is_accepted"]
    unregistered = [{**chapter, "identifiers": []} for chapter in chapters]
    assert list_accepted(unregistered) == set()  # three works with one text


def test_a_nearly_equal_title_links_with_an_author_and_is_a_candidate_without() -> None:
    def link(**values: Any) -> list[bool]:
        records = [
            make_record("a", "Agents that keep the habits of their first game", **values),
            make_record("b", "Agents that keep the habit of their first game", **values),
        ]
        return [row["is_accepted"] for row in link_records(records).values()]

    assert link(surnames="ada; byron") == [True]
    assert link() == [False]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Updates of the circuits team: July 2024", "Updates of the circuits team: July 2025"),
        ("Updates of the circuits team: July 2024", "Updates of the circuits team: June 2024"),
        ("Scaling the cluster to 2500 nodes", "Scaling the cluster to 7500 nodes"),
        ("How agents state their preferences, Part I", "How agents state their preferences, Part II"),
        ("How agents state their preferences: part one", "How agents state their preferences: part two"),
    ],
)
def test_parts_of_a_series_are_different_works(first: str, second: str) -> None:
    records = [make_record("a", first, surnames="ada"), make_record("b", second, surnames="ada")]
    assert link_records(records) == {}


def test_what_a_register_has_as_two_works_is_not_joined_for_a_similar_title() -> None:
    records = [
        make_record("a", "Offline oversight of agents that play games", "openalex:W1", surnames="ada"),
        make_record("b", "Online oversight of agents that play games", "openalex:W2", surnames="ada"),
    ]
    assert list_accepted(records) == set()
    assert "a register has them as two works" in link_records(records)["a", "b"]["evidence"]


def test_a_subtitle_makes_a_candidate() -> None:
    records = [
        make_record("a", "Agents that keep their habits", surnames="ada"),
        make_record("b", "Agents that keep their habits: what games with other rules can teach us", surnames="ada"),
    ]
    assert link_records(records)["a", "b"] | {"is_accepted": False} == link_records(records)["a", "b"]


def test_similar_titles_make_no_chain() -> None:
    titles = ["aaaa", "aaab", "aabb", "abbb", "bbbb"]
    records = [
        make_record(str(i), f"Agents that keep the habits of their very first game {title}", surnames="ada")
        for i, title in enumerate(titles)
    ]
    assert all(len(work) <= 2 for work in group_records(records))


WORDS = ["agents", "habits", "games", "rules", "rewards", "models", "circuits", "oversight"]
RECORDS = st.lists(
    st.tuples(
        st.lists(st.sampled_from(WORDS), min_size=2, max_size=6),
        st.lists(st.sampled_from(["arxiv:1", "doi:1", "url:x.org/a", "openalex:W1", "arxiv:2"]), max_size=2),
        st.sampled_from([None, "ada", "byron", "ada; byron"]),
        st.sampled_from([None, 2020, 2021, 2024]),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=15, deadline=None)
@given(RECORDS, st.randoms(use_true_random=False))
def test_links_do_not_depend_on_the_order_of_records(rows: list[tuple[Any, ...]], chance: random.Random) -> None:
    records = [
        make_record(f"r{i:02}", " ".join(words), *keys, surnames=surnames, published_year=year, day=day)
        for i, (words, keys, surnames, year, day) in enumerate(rows)
    ]
    assert link_records(records) == link_records(chance.sample(records, len(records)))
    # which record stands for its work depends on when they came; which are one work does not
    moments = [record["first_seen_at"] for record in records]
    chance.shuffle(moments)
    shuffled = [record | {"first_seen_at": moment} for record, moment in zip(records, moments, strict=True)]
    assert group_records(records) == group_records(shuffled)


ORDERS = list(itertools.permutations(range(3)))


@pytest.mark.parametrize("days", ORDERS)
def test_a_wrong_identifier_keeps_no_others_apart(days: tuple[int, ...]) -> None:
    """Whichever of three records with a DOI came first, the two by one author are one work."""
    facts = {
        "a": ("Completely different in everything", "curie"),
        "b": ("Habits of agents in small games", "ada"),
        "c": ("What reward models remember", "ada"),
    }
    records = [
        make_record(key, title, "doi:1", surnames=surname, day=day)
        for (key, (title, surname)), day in zip(facts.items(), days, strict=True)
    ]
    assert group_records(records) == {frozenset("a"), frozenset("bc")}


@pytest.mark.parametrize("days", ORDERS)
def test_equally_similar_titles_are_decided_by_the_records_alone(days: tuple[int, ...]) -> None:
    titles = {
        "a": "Agents that keep habits of the old games",
        "b": "Agents that keep habits of the old game",
        "c": "Agents that keep habit of the old games",
    }
    records = [
        make_record(key, title, surnames="ada", day=day) for (key, title), day in zip(titles.items(), days, strict=True)
    ]
    assert group_records(records) == {frozenset("ab"), frozenset("c")}


def test_very_many_records_with_one_identifier_are_compared_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_SAME_KEY", 3)
    records = [make_record(f"r{i}", f"A title of its own, number {i}", "doi:1") for i in range(6)]
    assert list_accepted(records) == {("r0", f"r{i}") for i in range(1, 6)}
    assert len(list_accepted(records[:3])) == 3
