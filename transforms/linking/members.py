"""Joins linked records to works, with identifiers that stay as far as they can.

A work is named by the record that came first. It keeps its name when it gains records; when a record connects works
that there were before, the work that they become has a new name, made from theirs. The names depend on the records,
their links and when each was first seen, and on nothing else, so that they are the same in every order of arrival.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from itertools import groupby

import duckdb
import pyarrow as pa

from transforms.linking.separation import Link, separate_records

_ID_LENGTH = 24

_PAIRS = """
create temp table pairs as
select record_id, second_record_id, step, similarity, evidence, decided_by
from input where second_record_id is not null and is_same_work
"""

_LINKS = "select record_id, second_record_id, step, similarity from pairs order by record_id, second_record_id"
_SEPARATE = "select record_id, second_record_id from input where not is_same_work order by record_id, second_record_id"

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
    coalesce(pairs.similarity, 1.0) as similarity,
    assigned.linked_record_id,
    coalesce(pairs.evidence, 'the first record of the work') as evidence,
    coalesce(pairs.decided_by, 'rule') as decided_by
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
            ``first_seen_at``, and of the pair ``second_record_id``, ``step``, ``similarity``, ``evidence``,
            ``decided_by``, ``is_same_work``; the last is false for a pair that people decided to be two works.

    Returns:
        A query with the columns of ``clean.work_members``.
    """
    connection.execute(f"create temp view input as {query.strip().rstrip(';')}")
    connection.execute(_PAIRS)
    links = [Link(*row) for row in connection.execute(_LINKS).fetchall()]
    separate = connection.execute(_SEPARATE).fetchall()
    pairs = [(link.first, link.second) for link in separate_records(links, separate)]
    arrivals = connection.execute(_LINKED).fetchall()
    rows = assign_linked_records(arrivals, pairs)
    connection.execute("create temp table assigned (record_id varchar, work_id varchar, linked_record_id varchar)")
    if rows:
        frame = dict(zip(("record_id", "work_id", "linked_record_id"), map(list, zip(*rows, strict=True)), strict=True))
        connection.register(
            "assigned_rows", pa.table({name: pa.array(values, pa.string()) for name, values in frame.items()})
        )
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
    arrivals = list(arrivals)
    neighbours: dict[str, list[str]] = defaultdict(list)
    for first, second in pairs:
        neighbours[first].append(second)
        neighbours[second].append(first)
    works = _name_works(arrivals, neighbours)
    linked = _trace_links([record for record, _ in arrivals], neighbours)
    return [(record, works[record], linked[record]) for record, _ in arrivals]


def _name_works(arrivals: list[tuple[str, int]], neighbours: Mapping[str, list[str]]) -> dict[str, str]:
    """The name of the work of each record; records of one moment come together."""
    parents: dict[str, str] = {}
    names: dict[str, set[str]] = {}  # of the works that were there before, by the root of their records
    for _, batch in groupby(arrivals, key=lambda arrival: arrival[1]):
        arrived = [record for record, _ in batch]
        for record in arrived:
            parents[record], names[record] = record, set()
        for record in arrived:
            for other in (other for other in neighbours[record] if other in parents):
                first, second = _find_root(parents, record), _find_root(parents, other)
                if first != second:
                    parents[second] = first
                    names[first] |= names.pop(second)
        first_records: dict[str, str] = {}
        for record in arrived:
            root = _find_root(parents, record)
            first_records[root] = min(record, first_records.get(root, record))
        for root, first_record in first_records.items():
            names[root] = {_name_again(names[root], first_record)}
    return {record: next(iter(names[_find_root(parents, record)])) for record, _ in arrivals}


def _find_root(parents: dict[str, str], record: str) -> str:
    """The record that stands for all that are joined with a record."""
    while (parent := parents[record]) != record:
        parents[record] = record = parents[parent]
    return record


def _name_again(names: set[str], first_record: str) -> str:
    """The name of a work that was made from those with these names, if any."""
    if len(names) > 1:
        return _hash("merged " + " ".join(sorted(names)))
    return next(iter(names), name_work(first_record))


def _trace_links(records: list[str], neighbours: Mapping[str, list[str]]) -> dict[str, str | None]:
    """For each record the linked one through which it is reached from the first record of its work; none for that."""
    places = {record: place for place, record in enumerate(records)}
    linked: dict[str, str | None] = {}
    for start in records:
        if start in linked:
            continue
        linked[start] = None
        queue = deque([start])
        while queue:
            record = queue.popleft()
            for other in sorted(neighbours[record], key=places.__getitem__):
                if other not in linked:
                    linked[other] = record
                    queue.append(other)
    return linked
