"""What people decided to be one work or two stands above the rules, and reaches no further than what was decided."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.linking import group_records, join_records, make_record
from transforms.linking.members import name_work
from transforms.linking.separation import Link, separate_records

OTHER = [
    make_record("a", "How foxes learn to hide", day=0),
    make_record("b", "A study of very old wolves", day=1),
    make_record("c", "Sheep that count one another", day=2),
]


def make_alike() -> list[dict]:
    """Three records of one arXiv id."""
    return [make_record(name, f"Title number {name} of them", "arxiv:1", day=day) for day, name in enumerate("abc")]


def test_a_decision_joins_works_that_no_rule_joins() -> None:
    assert len(group_records(OTHER)) == 3
    joined = join_records(OTHER, [("a", "c", True)])
    assert {row["work_id"] for name, row in joined.items() if name in "ac"} == {name_work("a")}
    assert joined["b"]["work_id"] == name_work("b")
    assert (joined["c"]["step"], joined["c"]["decided_by"], joined["a"]["decided_by"]) == ("decided", "Ada", "rule")


def test_a_joined_work_is_linked_with_nothing_else_for_that() -> None:
    title = "A survey of very large models"
    records = [
        make_record("a", "Notes on a model", surnames="ada"),
        make_record("b", title, surnames="byron"),
        make_record("c", title, surnames="ada"),  # had a and b the rules' work, c would have an author in common
    ]
    assert group_records(records, [("a", "b", True)]) == {frozenset("ab"), frozenset("c")}


def test_a_decision_separates_what_rules_join_also_by_a_third_record() -> None:
    assert group_records(make_alike()) == {frozenset("abc")}
    assert group_records(make_alike(), [("a", "b", False)]) == {frozenset("ac"), frozenset("b")}
    apart = [("a", "b", False), ("a", "c", False), ("b", "c", False)]
    assert group_records(make_alike(), apart) == {frozenset("a"), frozenset("b"), frozenset("c")}


def test_a_work_that_was_joined_or_separated_has_its_name_again_after_an_undo() -> None:
    for records, pair in ((OTHER, ("a", "b", True)), (make_alike(), ("a", "b", False))):
        before = {name: row["work_id"] for name, row in join_records(records).items()}
        decided = {name: row["work_id"] for name, row in join_records(records, [pair]).items()}
        assert decided["a"] == before["a"]
        assert decided["b"] != before["b"]


def test_the_surest_links_of_a_separated_work_are_kept() -> None:
    links = [Link("a", "m", "title", 1.0), Link("b", "m", "key", 1.0), Link("x", "y", "title", 1.0)]
    assert separate_records(links, [("a", "b")]) == [links[1], links[2]]
    decided = [Link("a", "m", "decided", 1.0), *links[1:]]
    assert separate_records(decided, [("a", "b")]) == [decided[0], links[2]]


RECORDS = st.sampled_from("abcdefgh")
PAIRS = st.tuples(RECORDS, RECORDS).filter(lambda pair: pair[0] < pair[1])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(PAIRS, st.sampled_from(["key", "title"])), unique_by=lambda one: one[0]), st.sets(PAIRS))
def test_no_work_has_two_records_that_are_apart_and_no_link_is_dropped_without_need(pairs, apart) -> None:
    links = [Link(*pair, step, 1.0) for pair, step in pairs if pair not in apart]
    kept = separate_records(links, apart)

    def reach(start: str, some: list[Link]) -> set[str]:
        found = {start}
        while True:
            more = {name for link in some for name in (link.first, link.second) if {link.first, link.second} & found}
            if more <= found:
                return found
            found |= more

    assert all(second not in reach(first, kept) for first, second in apart)
    for link in set(links) - set(kept):
        more = [*kept, link]
        assert any(second in reach(first, more) for first, second in apart)
    concerned = {name for pair in apart for name in pair}
    assert all(link in kept for link in links if not reach(link.first, links) & concerned)
