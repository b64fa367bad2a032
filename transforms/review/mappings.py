"""What a category of one taxonomy stands for in another: what shared works say, and what people decide on it."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import duckdb

from transforms.review.questions import find_seen, hash_part, join_ids, judge_decisions
from transforms.review.replay import DISPUTED, HOLDS, MAPPING
from warehouse.decisions.events import (
    NO_COUNTERPART,
    SEPARATOR,
    Decision,
    InvalidDecision,
    build_decision,
    join_weights,
    order_weights,
    split_weights,
)

NO_PROPOSAL = "(none)"
OPEN, DECIDED, DECLARED, CHANGED = "open", "decided", "declared", "ground changed"
WAITING = frozenset({OPEN, DISPUTED, CHANGED})
"""States of what nobody has decided, or not for good."""

_QUESTIONS = """
select
    from_taxonomy, from_category, to_taxonomy, listed_works, from_works, finding, to_category, shared_works,
    share, share_low, share_high, state, used_categories, decided_by
from mart.crosswalk_proposals
where
    ($from_taxonomy = '' or from_taxonomy = $from_taxonomy)
    and ($to_taxonomy = '' or to_taxonomy = $to_taxonomy)
    and ($category = '' or from_category = $category)
order by from_works desc, listed_works desc, from_taxonomy, from_category, to_taxonomy
"""
_TARGETS = """
select
    categories.category, categories.definition, coalesce(shared.shared_works, 0) as shared_works,
    coalesce(shared.to_works, 0) as to_works, shared.share, shared.share_low, shared.share_high
from clean.categories as categories
left join clean.category_overlaps as shared
    on
        categories.taxonomy = shared.to_taxonomy
        and categories.category = shared.to_category
        and shared.from_taxonomy = $from_taxonomy
        and shared.from_category = $category
where categories.taxonomy = $to_taxonomy
order by shared_works desc, categories.category
"""


@dataclass(frozen=True)
class MappingQuestion:
    """A category and another taxonomy: a row of ``mart.crosswalk_proposals``, with decisions since the release.

    Args:
        from_taxonomy: The taxonomy of the category.
        from_category: The category.
        to_taxonomy: The other taxonomy.
        listed_works: Works to which lists give the category.
        from_works: Those of them that have a category of the other taxonomy too.
        finding: Whether they name one category: ``clear``, ``no clear category`` or ``too few``.
        to_category: The category that most of them have; None without any.
        shared_works: Works that have both.
        share: Their share.
        share_low: Lower end of its interval.
        share_high: Upper end of its interval.
        state: Whether it is decided.
        used_categories: The categories in which its works are counted.
        decided_by: Who decided it.
    """

    from_taxonomy: str
    from_category: str
    to_taxonomy: str
    listed_works: int
    from_works: int
    finding: str
    to_category: str | None
    shared_works: int
    share: float | None
    share_low: float | None
    share_high: float | None
    state: str
    used_categories: str | None
    decided_by: str | None

    @property
    def key(self) -> str:
        """Its name in a list."""
        return f"{self.from_taxonomy} / {self.from_category} / {self.to_taxonomy}"

    @property
    def proposed(self) -> str | None:
        """The category that is proposed; None without a clear one."""
        return self.to_category if self.finding == "clear" else None

    @property
    def sentence(self) -> str:
        """What the shared works say."""
        if not self.from_works:
            return "No work has categories of both: too few to propose one."
        works = f"{self.from_works:,} {'work has' if self.from_works == 1 else 'works have'} categories of both"
        shared = f"{self.shared_works:,} of them “{self.to_category}”"
        if self.finding == "too few":
            return f"{works}, {shared}: too few to propose one."
        share, low, high = (100 * (one or 0.0) for one in (self.share, self.share_low, self.share_high))
        interval = f"{share:.0f} %, 95 % interval {low:.0f} % to {high:.0f} %"
        return f"{works}, {shared} ({interval})" + ("." if self.proposed else ": no category is clear.")


@dataclass(frozen=True)
class MappingTarget:
    """A category to which another can be mapped.

    Args:
        category: The category.
        definition: What belongs to it; None for a category that only lists have.
        shared_works: Works that have both categories.
        to_works: Works of it that have any category of the other taxonomy.
        share: Share of the works of the other category that have it; None without any.
        share_low: Lower end of its interval.
        share_high: Upper end of its interval.
    """

    category: str
    definition: str | None
    shared_works: int
    to_works: int
    share: float | None
    share_low: float | None
    share_high: float | None


def list_questions(
    connection: duckdb.DuckDBPyConnection,
    decisions: Iterable[Decision],
    from_taxonomy: str = "",
    to_taxonomy: str = "",
    category: str = "",
    blind_person: str = "",
) -> list[MappingQuestion]:
    """The categories that can be mapped into another taxonomy, what waits for a decision first; most works first.

    Args:
        connection: A release.
        decisions: All decisions that there are, also those that no run has read.
        from_taxonomy: The taxonomy of the category; any if empty.
        to_taxonomy: The taxonomy into which it is mapped; any if empty.
        category: The category; any if empty.
        blind_person: Who decides without seeing what others decided, to whom their decisions are not shown.
    """
    values = {"from_taxonomy": from_taxonomy, "to_taxonomy": to_taxonomy, "category": category}
    found = [MappingQuestion(*row) for row in connection.execute(_QUESTIONS, values).fetchall()]
    mappings = [one for one in decisions if one.kind in {MAPPING, "undo"}]
    events, outcomes = judge_decisions(connection, mappings)
    released = {event_id for (event_id,) in connection.execute("select event_id from raw.decisions").fetchall()}
    changed = {events[one.event_id].question for one in mappings if one.event_id not in released}
    undone = {one.undone_event_id for one in mappings if one.event_id not in released}
    changed |= {events[one.event_id].question for one in mappings if one.event_id in undone}
    decided = dict[tuple[str, ...], list[Decision]]()
    for one in mappings:
        if one.kind == MAPPING and outcomes[one.event_id] in {HOLDS, DISPUTED}:
            decided.setdefault(events[one.event_id].question, []).append(one)
    questions = []
    for one in found:
        question = (MAPPING, one.from_taxonomy, one.from_category, one.to_taxonomy, "")
        made = decided.get(question, [])
        if blind_person:
            made = [each for each in made if each.decided_by == blind_person]
        is_ours = question in changed or (blind_person and one.state != DECLARED)
        questions.append(_decide(one, made) if is_ours else one)
    return sorted(questions, key=lambda one: one.state not in WAITING)


def _decide(question: MappingQuestion, decisions: list[Decision]) -> MappingQuestion:
    """A question as decisions that no run has read leave it."""
    if not decisions:  # what the package has is seen again after the next run
        return replace(question, state=OPEN, used_categories=None, decided_by=None)
    people = SEPARATOR.join(sorted({one.decided_by for one in decisions}))
    if len({order_weights(one.value) for one in decisions}) > 1:
        return replace(question, state=DISPUTED, used_categories=None, decided_by=people)
    return replace(
        question,
        state=DECIDED,
        used_categories=describe_weights(min(one.value for one in decisions)),
        decided_by=people,
    )


def list_targets(connection: duckdb.DuckDBPyConnection, question: MappingQuestion) -> list[MappingTarget]:
    """The categories to which one can be mapped, those with the most shared works first."""
    values = {
        "from_taxonomy": question.from_taxonomy,
        "category": question.from_category,
        "to_taxonomy": question.to_taxonomy,
    }
    return [MappingTarget(*row) for row in connection.execute(_TARGETS, values).fetchall()]


def describe_weights(value: str) -> str:
    """The value of a mapping as people read it: Monitoring (75 %); Robustness (25 %)."""
    return SEPARATOR.join(
        category if weight == 1 else f"{category} ({100 * weight:.0f} %)"
        for category, weight in split_weights(value).items()
    )


def describe_value(decision: Decision) -> str:
    """What was decided, as people read it."""
    return describe_weights(decision.value) if decision.kind == MAPPING else decision.value


def find_question(
    connection: duckdb.DuckDBPyConnection, decisions: Iterable[Decision], category: str, source: str, target: str
) -> MappingQuestion:
    """The question that a person means.

    Raises:
        InvalidDecision: The release has no such category, or no such taxonomy; the message names what is near.
    """
    found = list_questions(connection, decisions, source, target)
    if not found:
        pairs = connection.execute(
            "select distinct from_taxonomy, to_taxonomy from mart.crosswalk_proposals order by all"
        ).fetchall()
        known = ", ".join(f"{one} into {other}" for one, other in pairs) or "none"
        raise InvalidDecision(f"nothing of {source!r} can be mapped into {target!r}; there are {known}")
    for one in found:
        if one.from_category.casefold() == category.casefold():
            return one
    names = [one.from_category for one in found]
    near = difflib.get_close_matches(category, names, n=3, cutoff=0.3) or names
    raise InvalidDecision(f"{source} has no category {category!r}: did you mean {', '.join(near)}?")


def build_mapping(
    connection: duckdb.DuckDBPyConnection,
    decisions: Iterable[Decision],
    question: MappingQuestion,
    weights: Mapping[str, float],
    decided_by: str,
    *,
    reason: str = "",
    is_blind: bool = False,
) -> Decision:
    """The event of what a person decided that a category stands for.

    Args:
        connection: A release.
        decisions: All decisions that there are, or those that its author could see.
        question: The category and the other taxonomy.
        weights: Categories of the other taxonomy with their shares, which add up to 1; `NO_COUNTERPART` for none.
        decided_by: Who decided.
        reason: Why.
        is_blind: Whether earlier decisions were not shown.

    Raises:
        InvalidDecision: The other taxonomy has no such category, or the shares do not add up to 1.
    """
    targets = {one.category: one for one in list_targets(connection, question)}
    for category in weights:
        if category not in targets and category != NO_COUNTERPART:
            near = difflib.get_close_matches(category, targets, n=3, cutoff=0.3) or list(targets)
            raise InvalidDecision(
                f"{question.to_taxonomy} has no category {category!r}: did you mean {', '.join(near)}?"
            )
    draft = build_decision(
        {
            "kind": MAPPING,
            "decided_by": decided_by,
            "decided_at": dt.datetime.now(dt.UTC),
            "value": join_weights(weights),
            "taxonomy": question.to_taxonomy,
            "from_taxonomy": question.from_taxonomy,
            "from_category": question.from_category,
            "reason": reason,
            "title": f"{question.from_category} ({question.from_taxonomy}) in {question.to_taxonomy}",
            "ground": SEPARATOR.join(
                _list_ground(connection, question, [targets[one] for one in weights if one in targets])
            ),
        }
    )
    return draft if is_blind else replace(draft, seen_event_ids=join_ids(find_seen(draft, connection, decisions)))


def build_mapping_again(
    connection: duckdb.DuckDBPyConnection, decisions: Iterable[Decision], decision: Decision, decided_by: str
) -> Decision:
    """The mapping that a decision stands for, made by another person, such as one who settles a disagreement."""
    question = find_question(connection, decisions, decision.from_category, decision.from_taxonomy, decision.taxonomy)
    return build_mapping(connection, decisions, question, split_weights(decision.value), decided_by)


def _list_ground(
    connection: duckdb.DuckDBPyConnection, question: MappingQuestion, targets: Iterable[MappingTarget]
) -> list[str]:
    """The hashes of what was shown, as ``clean.decisions`` computes them."""
    definition = connection.execute(
        "select definition from clean.categories where taxonomy = $taxonomy and category = $category",
        {"taxonomy": question.from_taxonomy, "category": question.from_category},
    ).fetchall()
    shown = [(question.from_category, definition[0][0] if definition else None)]
    parts = [hash_part("proposal", question.proposed or NO_PROPOSAL)]
    for one in targets:
        parts.append(hash_part("category", one.category))
        shown.append((one.category, one.definition))
    return parts + [hash_part("definition", f"{category}: {text}") for category, text in shown if text]
