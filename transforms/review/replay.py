"""Which decisions hold: a function of the set of events, so that the order in which they arrive changes nothing.

An event names the earlier ones that its author saw. From these names alone follows what replaces what: no clock is
compared. Two people who decided without seeing each other disagree, unless they decided the same. An undo takes an
event away, and what it had replaced is there again. A decision is applied only while what was shown to its author is
still among what the records of the work state.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from warehouse.decisions.events import NO_COUNTERPART, order_weights, split_weights

_SEPARATOR = "; "
HOLDS, SUPERSEDED, UNDONE = "holds", "superseded", "undone"
DISPUTED, GROUND_CHANGED, RECORD_MISSING = "disputed", "ground changed", "record missing"
SAME_WORK, MAPPING, YES = "same work", "mapping", "yes"
_UNQUESTIONED = {"note", "undo"}  # they decide nothing, so that none replaces another
_READ = (
    *("event_id", "kind", "value", "record_id", "second_record_id", "taxonomy", "field"),
    *("undone_event_id", "seen_event_ids", "ground", "from_taxonomy", "from_category"),
)
_OUTCOMES = "create temp table outcomes (event_id varchar, outcome varchar)"


@dataclass(frozen=True)
class Event:
    """What matters of an event for whether it holds.

    Args:
        event_id: Its identifier.
        question: What it decides on, such as the categories of a work in a taxonomy; decisions on different questions
            do not touch each other.
        value: What was decided; empty for an undo.
        undone_event_id: The event that it undoes, if it does.
        seen: The earlier decisions on the question that its author saw.
        ground: Hashes of what was shown to its author.
        present: Such hashes of what the records state now; none if a record is not there.
        decides: Whether it decides something: a note and an undo do not.
    """

    event_id: str
    question: tuple[str, ...]
    value: str
    undone_event_id: str | None = None
    seen: tuple[str, ...] = ()
    ground: frozenset[str] = frozenset()
    present: frozenset[str] | None = frozenset()
    decides: bool = True


def replay_events(events: Iterable[Event]) -> dict[str, str]:
    """What became of each event: one of ``HOLDS`` and the other outcomes, by its identifier."""
    known = {event.event_id: event for event in events}
    active = _find_active(known)
    replaced = _find_replaced(known, active)
    outcomes, heads = dict[str, str](), defaultdict[tuple[str, ...], list[Event]](list)
    for event_id, event in known.items():
        if event_id not in active:
            outcomes[event_id] = UNDONE
        elif not event.decides:
            outcomes[event_id] = HOLDS
        elif event_id in replaced:
            outcomes[event_id] = SUPERSEDED
        elif event.present is None:
            outcomes[event_id] = RECORD_MISSING
        elif not event.ground <= event.present:
            outcomes[event_id] = GROUND_CHANGED
        else:
            heads[event.question].append(event)
    for rivals in heads.values():
        outcome = HOLDS if len({event.value for event in rivals}) == 1 else DISPUTED
        outcomes |= {event.event_id: outcome for event in rivals}
    pairs = [known[event_id] for event_id, outcome in outcomes.items() if outcome == HOLDS]
    return outcomes | dict.fromkeys(_find_contradictions(pairs), DISPUTED)


def _find_contradictions(events: Iterable[Event]) -> set[str]:
    """The decisions on pairs of records that cannot all hold: that some are one work, though two of them are not."""
    pairs = [event for event in events if event.question[0] == SAME_WORK]
    if not pairs:
        return set()
    from scipy.cluster.hierarchy import DisjointSet  # takes a quarter of a second

    groups = DisjointSet()
    for event in pairs:
        for record_id in event.question[1:3]:
            groups.add(record_id)
        if event.value == YES:
            groups.merge(*event.question[1:3])
    contradicted = {
        groups[event.question[1]] for event in pairs if event.value != YES and groups.connected(*event.question[1:3])
    }
    return {
        event.event_id
        for event in pairs
        if groups[event.question[1]] in contradicted and groups.connected(*event.question[1:3])
    }


def _find_active(known: Mapping[str, Event]) -> set[str]:
    """The events that no active event undoes. An identifier is a hash of what it undoes: there is no circle."""
    undoing = defaultdict[str, list[str]](list)
    for event in known.values():
        if event.undone_event_id:
            undoing[event.undone_event_id].append(event.event_id)
    is_active = dict[str, bool]()
    for start in known:
        waiting = [start]
        while waiting:
            event_id = waiting[-1]
            unknown = [one for one in undoing[event_id] if one not in is_active]
            if event_id in is_active or not unknown:
                waiting.pop()
                is_active.setdefault(event_id, not any(is_active[one] for one in undoing[event_id]))
            else:
                waiting += unknown
    return {event_id for event_id, active in is_active.items() if active}


def _find_replaced(known: Mapping[str, Event], active: Collection[str]) -> set[str]:
    """The events that an active one on the same question has replaced, directly or through others that it saw."""
    replaced = set[str]()
    for event_id in active:
        event, waiting, reached = known[event_id], list(known[event_id].seen), set[str]()
        while waiting:
            earlier = waiting.pop()
            if earlier in known and earlier not in reached:
                reached.add(earlier)
                waiting += known[earlier].seen
        replaced |= {one for one in reached if known[one].question == event.question}
    return replaced


def replay_decisions(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """A query for the decisions with what became of each.

    Args:
        connection: A connection; temporary tables are made in it.
        query: The decisions with ``work_id`` and ``second_work_id``, the works that have the records now, and
            ``present``, the hashes of what these state, separated by semicolons.

    Returns:
        A query with the columns of ``clean.decisions``.
    """
    connection.execute(f"create temp table input as {query.strip().rstrip(';')}")
    names = (*_READ, "work_id", "second_work_id", "present")
    rows = connection.execute(f"select {', '.join(names)} from input").fetchall()
    outcomes = replay_events(build_event(dict(zip(_READ, row, strict=False)), *row[-3:]) for row in rows)
    connection.execute(_OUTCOMES)
    if outcomes:
        columns = {"event_id": list(outcomes), "outcome": list(outcomes.values())}
        connection.register("outcome_rows", pa.table({n: pa.array(v, pa.string()) for n, v in columns.items()}))
        connection.execute("insert into outcomes select * from outcome_rows")
        connection.unregister("outcome_rows")
    return """
        select
            input.event_id, input.kind, input.decided_by, input.decided_at, input.value, input.record_id,
            input.second_record_id, input.work_id, input.second_work_id, input.taxonomy, input.field,
            input.undone_event_id, input.reason, input.title, input.ground, input.seen_event_ids, input.from_taxonomy,
            input.from_category, outcomes.outcome
        from input inner join outcomes on input.event_id = outcomes.event_id
    """


def list_decided_pairs(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """A query for the pairs of records on which a decision holds; see `replay_decisions` for its parameters."""
    return f"""
        select
            least(record_id, second_record_id) as first_record_id,
            greatest(record_id, second_record_id) as second_record_id,
            min(value) = '{YES}' as is_same_work,
            string_agg(distinct decided_by, '; ' order by decided_by) as decided_by,
            max(decided_at) as decided_at,
            string_agg(distinct reason, '; ' order by reason) as reason
        from ({replay_decisions(connection, query)})
        where kind = '{SAME_WORK}' and outcome = '{HOLDS}'
        group by least(record_id, second_record_id), greatest(record_id, second_record_id)
    """


def build_event(
    decision: Mapping[str, Any], work_id: str | None, second_work_id: str | None, present: str | None
) -> Event:
    """What matters of a decision.

    Args:
        decision: Its fields.
        work_id: The work that has its record.
        second_work_id: The work that has its other record.
        present: Hashes of what the records state now, separated by semicolons; for a mapping, of what is known of its
            category, None if no list has it.
    """
    record_id, second_record_id = decision["record_id"], decision["second_record_id"]
    # records, not works, of a pair: which works there are follows from the decision
    subject = sorted([record_id, second_record_id]) if second_record_id else [work_id or record_id or ""]
    value, ground = decision["value"] or "", frozenset(split_texts(decision["ground"]))
    is_there = work_id is not None and (not second_record_id or second_work_id is not None)
    if decision["kind"] == MAPPING:
        subject, is_there = [decision["from_taxonomy"], decision["from_category"]], present is not None
        value = order_weights(value)
        # what it is mapped to must be there, also if the decision comes from a file that names no ground
        ground |= {hash_part("category", name) for name in split_weights(value) if name != NO_COUNTERPART}
    return Event(
        event_id=decision["event_id"],
        question=(decision["kind"], *subject, decision["taxonomy"] or "", decision["field"] or ""),
        value=value,
        undone_event_id=decision["undone_event_id"],
        seen=tuple(split_texts(decision["seen_event_ids"])),
        ground=ground,
        present=frozenset(split_texts(present)) if is_there else None,
        decides=decision["kind"] not in _UNQUESTIONED,
    )


def hash_part(kind: str, text: str) -> str:
    """The hash of something that was shown, as ``clean.decisions`` computes it."""
    return f"{kind}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def split_texts(joined: str | None) -> list[str]:
    """The parts of a text with semicolons; none of a missing one."""
    return [part for part in (joined or "").split(_SEPARATOR) if part]
