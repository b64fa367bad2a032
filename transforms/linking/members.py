"""Joins linked records to works, with identifiers that stay as far as they can.

A work is named by the record that came first. It keeps its name when it gains records; when a record connects works
that there were before, the work that they become has a new name, made from theirs. The names depend on the records,
their links and when each was first seen, and on nothing else, so that they are the same in every order of arrival.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import groupby

import duckdb

_ID_LENGTH = 24

_PAIRS = """
create temp table pairs as
select record_id, second_record_id, step, score, evidence from input where second_record_id is not null
"""

# the records of a work in the order in which they came; most works have one record and stay in the engine
_LINKED = """
with linked as (
    select record_id from pairs union distinct select second_record_id from pairs
)
select linked.record_id, epoch_us(min(input.first_seen_at)) as seen_at
from linked inner join input on linked.record_id = input.record_id
group by linked.record_id
order by seen_at, linked.record_id
"""

_RESULT = """
with records as (
    select distinct record_id, source from input
)
select
    records.record_id,
    coalesce(assigned.work_id, left(sha256('work ' || records.record_id), 24)) as work_id,
    records.source,
    coalesce(pairs.step, 'first') as step,
    coalesce(pairs.score, 1.0) as score,
    assigned.linked_record_id,
    coalesce(pairs.evidence, 'the first record of the work') as evidence,
    'rule' as decided_by
from records
left join assigned on records.record_id = assigned.record_id
left join pairs
    on
        least(records.record_id, assigned.linked_record_id) = pairs.record_id
        and greatest(records.record_id, assigned.linked_record_id) = pairs.second_record_id
"""


def name_work(record_id: str) -> str:
    """The identifier of a work whose first record this is."""
    return _hash(f"work {record_id}")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_ID_LENGTH]


def assign_works(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """A query for the work of each record.

    Args:
        connection: A connection; temporary tables are made in it.
        query: The records, each as often as it has accepted pairs in which it comes first: ``record_id``, ``source``,
            ``first_seen_at``, and of the pair ``second_record_id``, ``step``, ``score``, ``evidence``.

    Returns:
        A query with the columns of ``clean.work_members``.
    """
    connection.execute(f"create temp view input as {query.strip().rstrip(';')}")
    connection.execute(_PAIRS)
    pairs = connection.execute("select record_id, second_record_id from pairs order by all").fetchall()
    arrivals = connection.execute(_LINKED).fetchall()
    rows = assign_linked_records(arrivals, pairs)
    connection.execute("create temp table assigned (record_id varchar, work_id varchar, linked_record_id varchar)")
    if rows:
        frame = dict(zip(("record_id", "work_id", "linked_record_id"), map(list, zip(*rows, strict=True)), strict=True))
        import pyarrow as pa

        connection.register("assigned_rows", pa.table({name: pa.array(values, pa.string()) for name, values in frame.items()}))
        connection.execute("insert into assigned select * from assigned_rows")
        connection.unregister("assigned_rows")
    return _RESULT


def assign_linked_records(
    arrivals: Iterable[tuple[str, int]], pairs: Iterable[tuple[str, str]]
) -> list[tuple[str, str, str | None]]:
    """The work of each linked record, and the record of it that it was linked to; none for the first one.

    Args:
        arrivals: The records with the moment when each was first seen, sorted.
        pairs: The linked pairs.
    """
    neighbours: dict[str, list[str]] = defaultdict(list)
    for first, second in pairs:
        neighbours[first].append(second)
        neighbours[second].append(first)
    work_of: dict[str, str] = {}  # the records that have come so far
    members: dict[str, list[str]] = {}
    linked_to: dict[str, str | None] = {}
    for _, batch in groupby(arrivals, key=lambda arrival: arrival[1]):
        arrived = [record for record, _ in batch]
        _add_batch(arrived, neighbours, work_of, members)
        _trace_links(arrived, neighbours, work_of, linked_to)
    return [(record, work, linked_to[record]) for record, work in work_of.items()]


def _add_batch(
    arrived: list[str],
    neighbours: Mapping[str, list[str]],
    work_of: dict[str, str],
    members: dict[str, list[str]],
) -> None:
    """Add records that came at the same moment: each group of them that is connected, also through older works."""
    waiting = set(arrived)
    for start in arrived:
        if start not in waiting:
            continue
        waiting.discard(start)
        group, works, stack = [], dict[str, None](), [start]
        while stack:
            record = stack.pop()
            group.append(record)
            for other in neighbours[record]:
                if other in waiting:
                    waiting.discard(other)
                    stack.append(other)
                elif other in work_of and work_of[other] not in works:
                    works[work_of[other]] = None
                    for member in members[work_of[other]]:  # records of this batch can be linked to any member
                        for further in neighbours[member]:
                            if further in waiting:
                                waiting.discard(further)
                                stack.append(further)
        older = sorted(works)
        if not older:
            name = name_work(min(group))
        elif len(older) == 1:
            name = older[0]
        else:
            name = _hash("merged " + " ".join(older))
        joined = [*group, *(member for work in older for member in members.pop(work))]
        members[name] = joined
        for record in joined:
            work_of[record] = name


def _trace_links(
    arrived: list[str], neighbours: Mapping[str, list[str]], work_of: Mapping[str, str], linked_to: dict[str, str | None]
) -> None:
    """Note for each record of a batch one record that came before it and is linked to it; within a batch, in its order."""
    waiting = set(arrived)
    for start in arrived:
        if start not in waiting:
            continue
        # from the records that are linked to older ones; without any, from the first
        reached = [record for record in _walk(start, neighbours, set(arrived)) if record in waiting]
        waiting.difference_update(reached)
        queue = []
        for record in sorted(reached):
            older = [other for other in neighbours[record] if other in linked_to and other not in waiting]
            if older:
                linked_to[record] = min(older)
                queue.append(record)
        if not queue:
            linked_to[min(reached)] = None
            queue.append(min(reached))
        left = set(reached) - set(queue)
        for record in queue:
            for other in sorted(neighbours[record]):
                if other in left:
                    left.discard(other)
                    linked_to[other] = record
                    queue.append(other)


def _walk(start: str, neighbours: Mapping[str, list[str]], within: set[str]) -> list[str]:
    """The records of a batch that are connected by links within it."""
    seen, stack = {start}, [start]
    while stack:
        for other in neighbours[stack.pop()]:
            if other in within and other not in seen:
                seen.add(other)
                stack.append(other)
    return sorted(seen)
