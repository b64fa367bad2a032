"""When another hour of screening would find little: a test of how many relevant works may be left.

Source: M. Callaghan, F. Müller-Hansen, Statistical stopping criteria for automated screening in systematic reviews,
Systematic Reviews 9, 273 (2020), https://doi.org/10.1186/s13643-020-01521-4 (BUSCAR).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from transforms.review.questions import judge_decisions
from transforms.review.replay import SUPERSEDED, UNDONE
from warehouse.decisions.events import NO, YES, Decision

if TYPE_CHECKING:
    import duckdb

RECALL = 0.95
MAX_ERROR = 0.05


def compute_missed_probability(labels: Sequence[bool], works: int, recall: float = RECALL) -> float | None:
    """How probable what was seen would be at most, if less than a share of the relevant works had been found.

    For each place in the order, the works that were decided since are taken as a random sample of those that were left
    there, and the probability of as few relevant ones among them follows from the hypergeometric distribution; the
    smallest counts. It holds if works that come later are not more often relevant than those that come earlier.

    Args:
        labels: Whether each decided work is relevant, in the order of the decisions.
        works: How many works there are, decided or not.
        recall: The share of the relevant works that is to be found.

    Returns:
        The probability; None if nothing was decided or nothing is relevant.
    """
    from scipy.stats import hypergeom

    if not labels or not any(labels):
        return None
    found = sum(labels)
    drawn = np.arange(1, len(labels) + 1)  # of the newest decisions
    relevant = np.cumsum(np.asarray(labels[::-1], dtype=np.int64))
    left = works - (len(labels) - drawn)
    missed = np.floor(found / recall + 1 - (found - relevant)).astype(np.int64)
    possible = missed <= left
    chances = hypergeom.cdf(relevant, left, np.where(possible, missed, 0), drawn)
    return float(np.min(np.where(possible, chances, 0.0)))


def list_screened(
    connection: duckdb.DuckDBPyConnection, decisions: Iterable[Decision], taxonomy: str
) -> dict[str, bool]:
    """Whether each decided work is in scope of a taxonomy, in the order in which the works were decided first.

    Which decision replaced which follows from what its author saw, not from moments, which can be the same.
    """
    decisions = list(decisions)
    events, outcomes = judge_decisions(connection, decisions)
    screened: dict[str, bool] = {}
    for one in decisions:
        is_meant = one.kind == "excluded" or (one.kind in {"category", "scope"} and one.taxonomy == taxonomy)
        if is_meant and outcomes[one.event_id] != UNDONE:
            is_in_scope = one.value == NO if one.kind == "excluded" else one.kind == "category" or one.value == YES
            work = events[one.event_id].question[1]
            if outcomes[one.event_id] == SUPERSEDED:
                screened.setdefault(work, is_in_scope)  # it only has the place
            else:
                screened[work] = is_in_scope
    return screened


def describe_stopping(labels: Sequence[bool], waiting: int) -> str:
    """What the test states of the works that wait, in a sentence; empty if nothing relevant was decided."""
    probability = compute_missed_probability(labels, len(labels) + waiting)
    if probability is None:
        return ""
    found = f"{sum(labels):,} of {len(labels):,} decided works are in scope"
    if probability < MAX_ERROR:
        return (
            f"{found}: at least {RECALL:.0%} of all are found, with an error of {probability:.2g} at most. Another hour"
            " would find little."
        )
    return f"{found}: that fewer than {RECALL:.0%} of all are found is not ruled out (p = {probability:.2g})."
