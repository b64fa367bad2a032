"""What people should decide next: the works and pairs of works whose decision changes most in the published charts.

The order is uncertainty × effect. Uncertainty is the entropy of the suggested categories, as a share of the largest
possible one; without suggestions every work is as uncertain. The effect halves with each year before the newest work,
and is a quarter for works of no followed lab, which most charts leave out.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

import duckdb

from transforms.review.questions import judge_decisions
from transforms.review.replay import SUPERSEDED, UNDONE
from transforms.review.reports import find_noted_works
from transforms.review.suggested import has_suggestions
from warehouse.decisions.events import NO, Decision

_ALL_WORKS = "all_works"
_EFFECT_WITHOUT_LAB = 0.25
_HALVING_DAYS = 365
_UNDATED_DAYS = 10 * 365  # no chart by month has them

# of each work of the widest living corpus: what a decision on it changes
_EFFECTS = f"""
living as (
    select
        work_id,
        lab,
        coalesce(published_on, published_year) as shown_on
    from mart.counted_works
    where corpus = '{_ALL_WORKS}' and whole_weight = 1 and not is_duplicate {{only}}
),
newest as (
    select max(coalesce(published_on, published_year)) as shown_on
    from mart.counted_works where corpus = '{_ALL_WORKS}'
),
effects as (
    select
        living.work_id,
        nullif(living.lab, '(no followed lab)') as lab,
        living.shown_on,
        if(living.lab = '(no followed lab)', {_EFFECT_WITHOUT_LAB}, 1.0)
            * power(
                0.5, coalesce(date_diff('day', living.shown_on, newest.shown_on), {_UNDATED_DAYS}) / {_HALVING_DAYS}
            ) as effect
    from living cross join newest
)
"""
_UNCERTAINTIES = """
, entropies as (
    select
        work_id,
        coalesce(sum(-probability * ln(probability)) filter (where model = 'category' and probability > 0), 0)
            as category_entropy,
        coalesce(sum(-probability * ln(probability)) filter (where model = 'relevance' and probability > 0), 0)
            as scope_entropy,
        max(probability) filter (where model = 'relevance' and category = 'in scope') as scope_probability
    from clean.suggestions
    where taxonomy = $taxonomy
    group by work_id
),
most as (
    select ln(2) * count(distinct category) filter (where model = 'relevance') / 2
        + ln(greatest(2, count(distinct category) filter (where model = 'category'))) as entropy
    from clean.suggestions where taxonomy = $taxonomy
),
uncertainties as (
    select
        entropies.work_id,
        least(1.0, (scope_entropy + coalesce(scope_probability, 1.0) * category_entropy) / most.entropy) as uncertainty,
        scope_probability
    from entropies cross join most
)
"""
_NO_UNCERTAINTIES = """
, uncertainties as (
    select null::varchar as work_id, null::double as uncertainty, null::double as scope_probability where false
)
"""

_NEXT_WORKS = """
, labelled as (
    select work_id from clean.reviewed_labels where taxonomy = $taxonomy
    union all
    select work_id from clean.reviewed_scopes where taxonomy = $taxonomy and (not is_in_scope or $is_by_relevance)
    union all
    select unnest(cast($left_out as varchar[]))
),
first_works as (
    select unnest(cast($first as varchar[])) as work_id
),
wanted as (
    select * from effects
    where work_id not in (select work_id from labelled) or work_id in (select work_id from first_works)
),
ranked as (
    select
        wanted.*,
        uncertainties.uncertainty,
        wanted.work_id in (select work_id from first_works) as is_first,
        if($is_by_relevance, coalesce(scope_probability, 0.5), coalesce(uncertainty, 1.0) * effect) as priority,
        count(*) over () as works
    from wanted left join uncertainties on wanted.work_id = uncertainties.work_id
    order by is_first desc, priority desc, shown_on desc nulls last, wanted.work_id
    limit $limit offset $offset
)
select ranked.work_id, works.title, ranked.lab, works.published_on, ranked.uncertainty, ranked.effect, ranked.works
from ranked inner join clean.works as works on ranked.work_id = works.work_id
order by ranked.is_first desc, ranked.priority desc, ranked.shown_on desc nulls last, ranked.work_id
"""

# a pair is as uncertain as its similarity is far from certain, and moves the work of the two with the larger effect
_NEXT_PAIRS = """
, pairs as (
    select
        candidates.*,
        candidates.similarity * greatest(coalesce(first.effect, 0), coalesce(second.effect, 0)) as priority,
        count(*) over () as pairs
    from clean.work_candidates as candidates
    left join effects as first on candidates.first_work_id = first.work_id
    left join effects as second on candidates.second_work_id = second.work_id
    where candidates.first_record_id || ' ' || candidates.second_record_id not in (
        select unnest(cast($left_out as varchar[]))
    )
    order by priority desc, candidates.first_work_id, candidates.second_work_id
    limit $limit offset $offset
)
select
    first_work_id, first_record_id, second_work_id, second_record_id, step, similarity, evidence, pairs
from pairs
order by priority desc, first_work_id, second_work_id
"""


@dataclass(frozen=True)
class QueuedWork:
    """A work that waits for a decision.

    Args:
        work_id: The work.
        title: Its title.
        lab: The followed lab that it counts for.
        published_on: When it was published.
        uncertainty: Entropy of its suggested categories, from 0 to 1; None without suggestions.
        effect: What a decision changes, from 0 to 1.
    """

    work_id: str
    title: str | None
    lab: str | None
    published_on: dt.date | None
    uncertainty: float | None
    effect: float


@dataclass(frozen=True)
class QueuedPair:
    """Two works that may be one.

    Args:
        first_work_id: One of them.
        first_record_id: The record of it that is like one of the other.
        second_work_id: The other one.
        second_record_id: Its record.
        step: The step of linking that found them.
        similarity: How alike they are.
        evidence: What they share, and what speaks against it.
    """

    first_work_id: str
    first_record_id: str
    second_work_id: str
    second_record_id: str
    step: str
    similarity: float
    evidence: str


def list_next_works(
    connection: duckdb.DuckDBPyConnection,
    decisions: Iterable[Decision],
    taxonomy: str,
    person: str = "",
    *,
    is_blind: bool = False,
    is_by_relevance: bool = False,
    limit: int = 1,
    offset: int = 0,
) -> tuple[list[QueuedWork], int]:
    """The works that wait for a decision on their category, and how many there are.

    Args:
        connection: A release.
        decisions: All decisions that there are, also those that no run has read.
        taxonomy: The taxonomy.
        person: Who decides.
        is_blind: Whether the works that others decided and this person did not come first, to compare the two.
        is_by_relevance: Whether those that are most probably in scope come first, for screening.
        limit: How many at most.
        offset: How many are skipped.
    """
    left_out, first = find_decided_works(
        connection, decisions, taxonomy, person, is_blind=is_blind, is_by_relevance=is_by_relevance
    )
    values = {
        "taxonomy": taxonomy,
        "left_out": sorted(left_out),
        "first": sorted(first),
        "is_by_relevance": is_by_relevance,
        "limit": limit,
        "offset": offset,
    }
    query = (
        _EFFECTS.format(only="") + (_UNCERTAINTIES if has_suggestions(connection) else _NO_UNCERTAINTIES) + _NEXT_WORKS
    )
    rows = connection.execute(f"with {query}", values).fetchall()
    return [QueuedWork(*row[:-1]) for row in rows], rows[0][-1] if rows else 0


def list_next_pairs(
    connection: duckdb.DuckDBPyConnection,
    decisions: Iterable[Decision],
    person: str = "",
    *,
    is_blind: bool = False,
    limit: int = 1,
    offset: int = 0,
) -> tuple[list[QueuedPair], int]:
    """The pairs of works that may be one and wait for a decision, and how many there are; see `list_next_works`."""
    decisions = list(decisions)
    events, outcomes = judge_decisions(connection, decisions)
    decided = {
        " ".join(events[one.event_id].question[1:3])
        for one in decisions
        if one.kind == "same work"
        and outcomes[one.event_id] not in {SUPERSEDED, UNDONE}
        and (not is_blind or one.decided_by == person)
    }
    only = """
        and work_id in (
            select first_work_id from clean.work_candidates union select second_work_id from clean.work_candidates
        )
    """
    values = {"left_out": sorted(decided), "limit": limit, "offset": offset}
    rows = connection.execute(f"with {_EFFECTS.format(only=only)} {_NEXT_PAIRS}", values).fetchall()
    return [QueuedPair(*row[:-1]) for row in rows], rows[0][-1] if rows else 0


def find_decided_works(
    connection: duckdb.DuckDBPyConnection,
    decisions: Iterable[Decision],
    taxonomy: str,
    person: str,
    *,
    is_blind: bool,
    is_by_relevance: bool = False,
) -> tuple[set[str], set[str]]:
    """The works that are decided for a person, and those that come first: with a note, or that only others decided.

    A work that is in scope waits for its category, unless only the scope is wanted.
    """
    decisions = list(decisions)
    deciders = _list_deciders(connection, decisions, taxonomy, is_by_relevance=is_by_relevance)
    own = {work_id for work_id, people in deciders.items() if person in people}
    if is_blind:
        return own, set(deciders) - own
    noted = find_noted_works(connection, decisions)
    return set(deciders) - noted, noted


def _list_deciders(
    connection: duckdb.DuckDBPyConnection, decisions: Iterable[Decision], taxonomy: str, *, is_by_relevance: bool
) -> dict[str, set[str]]:
    """The people whose decisions on the category or scope of works in a taxonomy hold, by work; or on its exclusion."""
    decisions = list(decisions)
    events, outcomes = judge_decisions(connection, decisions)
    deciders: dict[str, set[str]] = {}
    for one in decisions:
        is_final = one.kind == "category" or (one.kind == "scope" and (one.value == NO or is_by_relevance))
        if (one.kind == "excluded" or (is_final and one.taxonomy == taxonomy)) and outcomes[one.event_id] not in {
            SUPERSEDED,
            UNDONE,
        }:
            deciders.setdefault(events[one.event_id].question[1], set()).add(one.decided_by)
    return deciders


def list_decisions_on(
    connection: duckdb.DuckDBPyConnection, decisions: Iterable[Decision], work_id: str
) -> list[Decision]:
    """The decisions on a work that are neither replaced nor undone, oldest first."""
    decisions = list(decisions)
    events, outcomes = judge_decisions(connection, decisions)
    return [
        one
        for one in decisions
        if events[one.event_id].question[1] == work_id and outcomes[one.event_id] not in {SUPERSEDED, UNDONE}
    ]
