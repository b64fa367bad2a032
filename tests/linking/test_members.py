"""Records joined to works: every record in one work, every link with evidence, names that stay."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings

from tests.linking.test_links import RECORDS
from tests.support.linking import group_records, join_records, link_records, make_record
from transforms.linking.members import assign_linked_records, name_work


def make_named(record_id: str, day: int, *keys: str) -> dict[str, Any]:
    return make_record(record_id, f"Title number {record_id} of them", *keys, day=day)


def test_a_work_keeps_its_name_when_it_gains_records() -> None:
    first = make_named("m", 0, "arxiv:1")
    before = join_records([first])["m"]["work_id"]
    after = join_records([first, make_named("a", 1, "arxiv:1", "doi:1"), make_named("z", 2, "doi:1")])
    assert {row["work_id"] for row in after.values()} == {before} == {name_work("m")}
    assert after["m"]["step"] == "first"
    assert (after["z"]["linked_record_id"], after["z"]["evidence"]) == ("a", "the same DOI 1")


def test_works_that_a_record_connects_become_one_with_a_name_of_its_own() -> None:
    two = [make_named("a", 0, "arxiv:1"), make_named("b", 0, "doi:1")]
    before = {row["work_id"] for row in join_records(two).values()}
    bridge = make_named("c", 1, "arxiv:1", "doi:1")
    (after,) = {row["work_id"] for row in join_records([*two, bridge]).values()}
    assert len(before) == 2
    assert after not in before
    # had all three come at once, there would have been one work from the start
    at_once = join_records([{**record, "first_seen_at": two[0]["first_seen_at"]} for record in [*two, bridge]])
    assert {row["work_id"] for row in at_once.values()} == {name_work("a")}


def test_a_record_that_is_linked_in_another_way_too_renames_nothing() -> None:
    title = "Agents that keep the habits of games"
    two = [make_record("z", title, "arxiv:1", day=0), make_record("m", title, "url:x.org/a", day=1)]
    before = {row["work_id"] for row in join_records(two).values()}
    new = make_record("a", title, "url:x.org/a", day=2)  # by its address with m, which is by its title with z
    after = {row["work_id"] for row in join_records([*two, new]).values()}
    assert after == before == {name_work("z")}


def test_names_do_not_depend_on_the_order_of_pairs() -> None:
    arrivals = [("a", 0), ("b", 1), ("c", 2), ("d", 3)]
    pairs = [("a", "c"), ("b", "c"), ("c", "d")]
    assert assign_linked_records(arrivals, pairs) == assign_linked_records(arrivals, pairs[::-1])


@settings(max_examples=15, deadline=None)
@given(RECORDS)
def test_every_record_is_in_one_work_and_linked_by_an_accepted_pair(rows: list[tuple[Any, ...]]) -> None:
    records = [
        make_record(f"r{i:02}", " ".join(words), *keys, surnames=surnames, published_year=year, day=day)
        for i, (words, keys, surnames, year, day) in enumerate(rows)
    ]
    pairs, members = link_records(records), join_records(records)
    assert set(members) == {record["record_id"] for record in records}
    for record_id, row in members.items():
        if row["linked_record_id"] is None:
            assert row["step"] == "first"
        else:
            pair = pairs[min(record_id, row["linked_record_id"]), max(record_id, row["linked_record_id"])]
            assert pair["is_accepted"]
            assert (row["step"], row["evidence"]) == (pair["step"], pair["evidence"])
            assert members[row["linked_record_id"]]["work_id"] == row["work_id"]
    firsts = [row["work_id"] for row in members.values() if row["step"] == "first"]
    assert len(firsts) == len(set(firsts)) == len(group_records(records))


def test_a_work_falls_apart_only_where_new_records_contradict_its_evidence() -> None:
    title = "A survey of very large models"
    two = [make_record("a", title, surnames="ada"), make_record("b", title)]
    assert len(group_records(two)) == 1
    unrelated = [make_record("c", "Cooling of large rotating magnets", surnames="curie", day=1)]
    assert frozenset("ab") in group_records([*two, *unrelated])
    # there is another work with this title: whose b is, is not known any more, and the pair names the cause
    namesake = [make_record("d", title, surnames="byron", day=1)]
    assert group_records([*two, *namesake]) == {frozenset("a"), frozenset("b"), frozenset("d")}
    assert "which works of other authors have too" in link_records([*two, *namesake])["a", "b"]["evidence"]
