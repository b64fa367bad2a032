"""Which decisions hold follows from the set of events alone, in whatever order and however often they arrive."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from tests.support.decisions import make_decision, make_undo
from transforms.review.replay import Event, build_event, replay_events
from warehouse.decisions.csv_files import read_csv, write_csv
from warehouse.decisions.events import Decision

SHOWN = "title:aa; definition:bb"


def replay(*decisions: Decision, present: str | None = SHOWN, works: dict[str, str] | None = None) -> dict[str, str]:
    works = {"r1": "w1", "r2": "w2"} if works is None else works
    events = [
        build_event(one.to_row(), works.get(one.record_id), works.get(one.second_record_id), present)
        for one in decisions
    ]
    return replay_events(events)


def test_a_later_decision_replaces_what_its_author_saw() -> None:
    first = make_decision("Wolves")
    second = make_decision("Foxes", decided_by="Bo", seen=(first,))
    assert replay(first, second) == {first.event_id: "superseded", second.event_id: "holds"}


def test_two_who_decide_differently_without_seeing_each_other_disagree_until_a_third_settles_it() -> None:
    first, second = make_decision("Wolves"), make_decision("Foxes", decided_by="Bo")
    assert set(replay(first, second).values()) == {"disputed"}
    third = make_decision("Foxes", decided_by="Cy", seen=(first, second))
    assert replay(first, second, third)[third.event_id] == "holds"


def test_two_who_decide_the_same_agree() -> None:
    assert set(replay(make_decision("Wolves"), make_decision("Wolves", decided_by="Bo")).values()) == {"holds"}


def test_an_undo_brings_back_what_was_replaced_and_can_be_undone() -> None:
    first = make_decision("Wolves")
    second = make_decision("Foxes", seen=(first,))
    undo = make_undo(second)
    assert replay(first, second, undo) == {
        first.event_id: "holds",
        second.event_id: "undone",
        undo.event_id: "holds",
    }
    redo = make_undo(undo, seconds=1)
    assert replay(first, second, undo, redo)[second.event_id] == "holds"
    assert replay(first, second, undo, redo)[first.event_id] == "superseded"


def test_a_decision_whose_ground_changed_is_not_applied() -> None:
    decision = make_decision(ground="title:aa; abstract:cc")
    assert replay(decision) == {decision.event_id: "ground changed"}
    # more records and texts than were shown change nothing
    assert replay(decision, present="abstract:cc; title:aa; title:zz") == {decision.event_id: "holds"}
    # nor does the one that it replaced hold again
    later = make_decision("Foxes", seen=(decision,), ground="title:old")
    assert replay(decision, later, present="title:aa; abstract:cc") == {
        decision.event_id: "superseded",
        later.event_id: "ground changed",
    }


def pair_up(value: str, first: str, second: str) -> Decision:
    return make_decision(value, kind="same work", taxonomy="", record_id=first, second_record_id=second)


def test_decisions_on_pairs_that_cannot_all_hold_are_disputed() -> None:
    works = {f"r{number}": f"w{number}" for number in range(1, 7)}
    chain = [pair_up("yes", "r1", "r2"), pair_up("yes", "r3", "r2"), pair_up("no", "r1", "r3")]
    others = [pair_up("yes", "r4", "r5"), pair_up("no", "r5", "r6")]
    outcomes = replay(*chain, *others, works=works)
    assert {outcomes[one.event_id] for one in chain} == {"disputed"}
    assert {outcomes[one.event_id] for one in others} == {"holds"}
    assert set(replay(*chain, make_undo(chain[2]), works=works).values()) == {"holds", "undone"}


def test_a_decision_waits_for_a_record_that_no_work_has() -> None:
    decision = make_decision()
    assert replay(decision, works={}) == {decision.event_id: "record missing"}
    assert replay(decision) == {decision.event_id: "holds"}


def test_decisions_on_works_that_are_merged_meet_and_part_again() -> None:
    one, other = make_decision("Wolves"), make_decision("Foxes", record_id="r2")
    assert set(replay(one, other).values()) == {"holds"}
    assert set(replay(one, other, works={"r1": "w", "r2": "w"}).values()) == {"disputed"}


def test_a_pair_is_the_same_question_in_both_directions() -> None:
    pair = {"kind": "same work", "taxonomy": ""}
    one = make_decision("yes", **pair, record_id="r1", second_record_id="r2")
    other = make_decision("no", **pair, record_id="r2", second_record_id="r1", decided_by="Bo")
    assert set(replay(one, other).values()) == {"disputed"}


def make_history(choices: Sequence[tuple[int, int, bool, bool]]) -> list[Decision]:
    """A history of decisions of three people on three records; some are blind, some undo an earlier event."""
    history: list[Decision] = []
    for number, (person, value, is_blind, is_undo) in enumerate(choices):
        if is_undo and history:
            history.append(make_undo(history[value % len(history)], seconds=number))
            continue
        record = f"r{value % 3 + 1}"
        seen = tuple(one for one in history if one.kind == "category" and one.record_id == record and not is_blind)
        history.append(
            make_decision(f"C{value % 4}", decided_by=f"P{person}", record_id=record, seconds=number, seen=seen)
        )
    return history


HISTORIES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30), st.booleans(), st.booleans()), max_size=14).map(
    make_history
)


def list_labels(decisions: Sequence[Decision], works: dict[str, str]) -> set[tuple[str, str]]:
    outcomes = replay(*decisions, works=works)
    return {
        (works[one.record_id], one.value)
        for one in decisions
        if one.kind == "category" and outcomes[one.event_id] == "holds"
    }


@given(HISTORIES, st.randoms(use_true_random=False))
def test_any_order_and_any_repetition_gives_the_same_labels(history: list[Decision], random) -> None:
    works = {"r1": "w1", "r2": "w2", "r3": "w2"}
    expected = list_labels(history, works)
    shuffled = [*history, *random.choices(history, k=3)] if history else []
    random.shuffle(shuffled)
    assert list_labels(shuffled, works) == expected


@given(HISTORIES, st.integers(0, 14))
def test_the_union_of_an_old_export_and_the_log_is_the_log(history: list[Decision], length: int) -> None:
    works = {"r1": "w1", "r2": "w2", "r3": "w3"}
    later, old = write_csv(history), write_csv(history[:length])
    logs = [read_csv(text, {}, "log.csv") if "\n" in text.rstrip() else [] for text in (old, later)]
    union = {one.event_id: one for log in reversed(logs) for one in log}
    assert set(union.values()) == set(history)
    assert list_labels(list(union.values()), works) == list_labels(history, works)


@given(HISTORIES)
def test_labels_are_those_of_a_person_who_applies_one_event_after_the_other(history: list[Decision]) -> None:
    """An independent model without undo: of each record, the newest decisions that no later author saw."""
    history = [one for one in history if one.kind == "category"]
    works = {"r1": "w1", "r2": "w2", "r3": "w3"}
    standing: dict[str, dict[str, str]] = {"r1": {}, "r2": {}, "r3": {}}
    for one in history:
        present = standing[one.record_id]
        for seen in one.seen:
            present.pop(seen, None)
        present[one.event_id] = one.value
    expected = {
        (works[record], value)
        for record, values in standing.items()
        for value in values.values()
        if len(set(values.values())) == 1
    }
    assert list_labels(history, works) == expected


def test_a_long_chain_of_undoing_is_followed_to_its_end() -> None:
    events = [Event("0", ("q",), "v")]
    events += [Event(str(n), ("undo",), "", str(n - 1), decides=False) for n in range(1, 3001)]
    assert replay_events(events)["0"] == "holds"  # undone by 1, which 2 undoes, and so on to 3,000
    assert replay_events(events[:-1])["0"] == "undone"
