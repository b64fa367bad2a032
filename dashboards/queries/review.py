"""Decisions of people from a page: what waits for one, and how it is recorded.

Without a name in ``AISLE_EDITOR``, which `aisle dashboard --edit` sets, the log is neither read nor written here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from dashboards.queries.release import connect_release
from transforms.review import agreement, choices, mappings, nearest, questions, queue, stopping, suggested
from warehouse.decisions.events import Decision
from warehouse.decisions.store import add_decisions, list_decisions
from warehouse.lake import Lake
from warehouse.origin import need_state
from warehouse.release import Release

VARIABLE = "AISLE_EDITOR"
TABLES = (
    "mart.counted_works",
    "clean.works",
    "clean.work_members",
    "clean.work_records",
    "clean.work_candidates",
    "clean.work_labs",
    "clean.reviewed_labels",
    "clean.reviewed_scopes",
)
MAPPING_TABLES = ("mart.crosswalk_proposals", "clean.categories", "clean.category_overlaps", "clean.work_members")
OPTIONAL_TABLES = (
    *("clean.suggestions", "clean.model_terms", "clean.work_labels", "clean.work_identifiers", "clean.work_history"),
    *("clean.record_identifiers", "clean.corpora", "reference.categories", "reference.taxonomies"),
    *("reference.labs", "reference.lab_aliases", "clean.training_labels"),
)


class ReadOnly(PermissionError):
    """The dashboards were not started to edit."""


def get_editor() -> str | None:
    """The name that `aisle dashboard --edit --as` was given; None if the dashboards are read only."""
    return os.environ.get(VARIABLE, "").strip() or None


def read_log() -> list[Decision]:
    """All decisions, oldest first.

    Raises:
        ReadOnly: The dashboards were not started to edit.
        DecisionsUnavailable: The database cannot be read.
    """
    _require_editor()
    return list_decisions(Lake.from_environment().open_for_reading(need_state, is_tolerant=True))


def record_choice(release: Release, work: str, choice: choices.Choice, shown: Iterable[Decision]) -> list[Decision]:
    """Record what a person has chosen; returns the events.

    Args:
        release: The release that was shown.
        work: What means the work, see `transforms.review.questions.find_work`.
        choice: What was chosen.
        shown: The decisions that were there when the work was shown. One that somebody else made since was not seen, so
            that it is not replaced: the two differ until they are settled.

    Raises:
        ReadOnly: The dashboards were not started to edit.
        InvalidDecision: It cannot be decided so.
        UnknownWork: No work is meant.
        OSError: The log cannot be written.
    """
    seen = _list_seen(shown, choice.decided_by)
    with connect_release(release) as connection:
        events = choices.build_choices(connection, seen, work, choice)
    _add(events)
    return events


def record_mapping(
    release: Release,
    question: mappings.MappingQuestion,
    weights: Mapping[str, float],
    decided_by: str,
    shown: Iterable[Decision],
    *,
    reason: str = "",
    is_blind: bool = False,
) -> Decision:
    """Record what a category stands for, see `transforms.review.mappings.build_mapping`; returns the event.

    Raises:
        ReadOnly: The dashboards were not started to edit.
        InvalidDecision: It cannot be decided so.
        OSError: The log cannot be written.
    """
    seen = _list_seen(shown, decided_by)
    with connect_release(release) as connection:
        event = mappings.build_mapping(
            connection, seen, question, weights, decided_by, reason=reason, is_blind=is_blind
        )
    _add([event])
    return event


def record_mapping_again(release: Release, decision: Decision, decided_by: str, shown: Iterable[Decision]) -> Decision:
    """Record a mapping again, made by somebody who has seen those that differ from it; returns the event."""
    seen = _list_seen(shown, decided_by)
    with connect_release(release) as connection:
        event = mappings.build_mapping_again(connection, seen, decision, decided_by)
    _add([event])
    return event


def _list_seen(shown: Iterable[Decision], decided_by: str) -> list[Decision]:
    """The decisions that a person can have seen: those that were shown, and their own."""
    own = [one for one in read_log() if one.decided_by == decided_by]
    return list({one.event_id: one for one in (*shown, *own)}.values())


def record_undo(event_id: str, decided_by: str) -> None:
    """Undo a decision.

    Raises:
        ReadOnly: The dashboards were not started to edit.
        LookupError: There is no such decision.
        OSError: The log cannot be written.
    """
    _add([choices.build_undo(read_log(), event_id, decided_by, "")])


def _add(events: Sequence[Decision]) -> None:
    _require_editor()
    lake = Lake.from_environment()
    with lake.hold(need_state, print):
        add_decisions(lake, events)


def _require_editor() -> None:
    if get_editor() is None:
        raise ReadOnly("these dashboards are read only: start them with `aisle dashboard --edit --as NAME`")


def list_works(
    release: Release, log: Sequence[Decision], taxonomy: str, person: str, *, is_blind: bool, limit: int
) -> tuple[list[queue.QueuedWork], int]:
    """The works that wait for a decision, see `transforms.review.queue.list_next_works`."""
    with connect_release(release) as connection:
        return queue.list_next_works(connection, log, taxonomy, person, is_blind=is_blind, limit=limit)


def find_decided_works(
    release: Release, log: Sequence[Decision], taxonomy: str, person: str, *, is_blind: bool
) -> set[str]:
    """The works that are decided for a person, also since the release."""
    with connect_release(release) as connection:
        return queue.find_decided_works(connection, log, taxonomy, person, is_blind=is_blind)[0]


def list_pairs(
    release: Release, log: Sequence[Decision], person: str, *, is_blind: bool, limit: int
) -> tuple[list[queue.QueuedPair], int]:
    """The pairs of works that wait for a decision."""
    with connect_release(release) as connection:
        return queue.list_next_pairs(connection, log, person, is_blind=is_blind, limit=limit)


def read_work(release: Release, work_id: str, record_id: str | None = None) -> questions.ShownWork:
    """A work as a person sees it who decides on it."""
    with connect_release(release) as connection:
        return questions.read_work(connection, work_id, record_id)


def list_decisions_on(release: Release, log: Sequence[Decision], work_id: str) -> list[Decision]:
    """The decisions on a work that hold, or that differ."""
    with connect_release(release) as connection:
        return queue.list_decisions_on(connection, log, work_id)


def list_suggestions(release: Release, work_id: str, taxonomy: str) -> list[suggested.Suggestion]:
    """The suggested categories of a work."""
    with connect_release(release) as connection:
        return suggested.list_suggestions(connection, work_id, taxonomy)


def list_nearest(release: Release, work_id: str, taxonomy: str) -> list[nearest.NearestWork]:
    """The labelled works that are most like a work."""
    with connect_release(release) as connection:
        return nearest.list_nearest(connection, work_id, taxonomy)


def list_mappings(
    release: Release, log: Sequence[Decision], taxonomy: str, blind_person: str = ""
) -> list[mappings.MappingQuestion]:
    """The categories of a taxonomy that can be mapped into others, what waits for a decision first."""
    with connect_release(release) as connection:
        return mappings.list_questions(connection, log, taxonomy, blind_person=blind_person)


def list_mapping_targets(release: Release, question: mappings.MappingQuestion) -> list[mappings.MappingTarget]:
    """The categories to which one can be mapped."""
    with connect_release(release) as connection:
        return mappings.list_targets(connection, question)


def list_taxonomies(release: Release) -> list[str]:
    """The taxonomies of the lake, the default one first."""
    with connect_release(release) as connection:
        return questions.list_taxonomies(connection)


def list_categories(release: Release, taxonomy: str) -> dict[str, str | None]:
    """The categories of a taxonomy with their definitions."""
    with connect_release(release) as connection:
        return questions.list_categories(connection, taxonomy)


def list_labs(release: Release) -> list[str]:
    """The labs that a work can count for."""
    with connect_release(release) as connection:
        return sorted(set(questions.list_labs(connection).values()))


def compare_people(release: Release, log: Sequence[Decision]) -> list[agreement.Agreement]:
    """How far each two people agree."""
    with connect_release(release) as connection:
        return agreement.compare_people(connection, log)


def describe_stopping(release: Release, log: Sequence[Decision], taxonomy: str) -> str:
    """Whether another hour would find much, in a sentence."""
    with connect_release(release) as connection:
        _, waiting = queue.list_next_works(connection, log, taxonomy, is_by_relevance=True)
        return stopping.describe_stopping(list(stopping.list_screened(connection, log, taxonomy).values()), waiting)


def list_disagreements(release: Release, log: Sequence[Decision]) -> list[agreement.Disagreement]:
    """What people have to settle."""
    with connect_release(release) as connection:
        return agreement.list_disagreements(connection, log)
