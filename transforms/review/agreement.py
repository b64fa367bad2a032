"""How far people agree on what they decided without seeing each other, and on what they have to settle."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from transforms.review.questions import judge_decisions
from transforms.review.replay import DISPUTED, UNDONE, split_texts
from warehouse.decisions.events import Decision

if TYPE_CHECKING:
    import duckdb

COMPARED = ("category", "scope", "same work")


@dataclass(frozen=True)
class Agreement:
    """How far two people agree.

    Args:
        kind: What they decided on.
        taxonomy: In which taxonomy; empty for pairs of records.
        first: One of them.
        second: The other one.
        label: The class that is compared with all others; empty for all classes.
        both: What both decided.
        agreed: On how much of it they agree.
        kappa: Cohen's kappa; None if chance alone would give agreement.
    """

    kind: str
    taxonomy: str
    first: str
    second: str
    label: str
    both: int
    agreed: int
    kappa: float | None


@dataclass(frozen=True)
class Disagreement:
    """A question on which decisions differ, until somebody who saw them settles it.

    Args:
        question: What was decided on, as of `transforms.review.replay.Event`.
        decisions: The decisions that differ.
    """

    question: tuple[str, ...]
    decisions: tuple[Decision, ...]

    @property
    def title(self) -> str:
        """The title that was shown."""
        return self.decisions[0].title


def compare_people(connection: duckdb.DuckDBPyConnection, decisions: Iterable[Decision]) -> list[Agreement]:
    """The agreement of each two people: of all classes first, then class by class.

    Compared are decisions on one question whose authors saw none before, also if they were settled since. Of several
    categories the main one is compared.
    """
    decisions = list(decisions)
    events, outcomes = judge_decisions(connection, decisions)
    decided = defaultdict[tuple[str, str, str], dict[tuple[str, ...], str]](dict)
    for one in decisions:  # the oldest first
        if one.kind in COMPARED and not one.seen and outcomes[one.event_id] != UNDONE:
            value = next(iter(split_texts(one.value)), "")
            decided[one.kind, one.taxonomy, one.decided_by].setdefault(events[one.event_id].question, value)
    found = []
    for (kind, taxonomy, first), (*other, second) in combinations(sorted(decided), 2):
        questions = sorted(decided[kind, taxonomy, first].keys() & decided[kind, taxonomy, second].keys())
        if other != [kind, taxonomy] or not questions:
            continue
        pairs = [(decided[kind, taxonomy, first][one], decided[kind, taxonomy, second][one]) for one in questions]
        found.append(_build_agreement((kind, taxonomy, first, second), "", pairs))
        labels = sorted({label for pair in pairs for label in pair})
        for label in labels if len(labels) > 2 else ():  # of two classes, one is the reverse of the other
            concerned = [(str(a == label), str(b == label)) for a, b in pairs]
            found.append(_build_agreement((kind, taxonomy, first, second), label, concerned))
    return found


def _build_agreement(names: tuple[str, str, str, str], label: str, pairs: Sequence[tuple[str, str]]) -> Agreement:
    return Agreement(*names, label, len(pairs), sum(a == b for a, b in pairs), compute_kappa(pairs))


def compute_kappa(pairs: Iterable[tuple[str, str]]) -> float | None:
    """Cohen's kappa of pairs of labels; none if chance alone would give agreement.

    Source: J. Cohen, A coefficient of agreement for nominal scales, 1960.
    """
    pairs = list(pairs)
    observed = sum(a == b for a, b in pairs) / len(pairs)
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    expected = sum(first[label] * second[label] for label in first) / len(pairs) ** 2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def list_disagreements(connection: duckdb.DuckDBPyConnection, decisions: Iterable[Decision]) -> list[Disagreement]:
    """The questions on which decisions differ, those that were decided first first."""
    decisions = list(decisions)
    events, outcomes = judge_decisions(connection, decisions)
    disputed = defaultdict[tuple[str, ...], list[Decision]](list)
    for one in decisions:
        if outcomes[one.event_id] == DISPUTED:
            disputed[events[one.event_id].question].append(one)
    return [Disagreement(question, tuple(some)) for question, some in disputed.items()]
