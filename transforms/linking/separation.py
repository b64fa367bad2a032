"""Keeps apart what people decided to be different works, whatever links lead from the one to the other."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

_STEPS = ("decided", "key", "title", "abstract", "similar title")


@dataclass(frozen=True)
class Link:
    """Two records that are one work.

    Args:
        first: One of the records.
        second: The other one.
        step: The step that linked them.
        similarity: How alike they are.
    """

    first: str
    second: str
    step: str
    similarity: float


def separate_records(links: Collection[Link], separate: Iterable[tuple[str, str]]) -> list[Link]:
    """The links without those by which two records would be one work that are two.

    The surest links are kept first: those that people decided, then in the order of the steps. Works without such a
    pair of records keep all of theirs, so that a decision changes nothing beyond what it is about.

    Args:
        links: The links.
        separate: Pairs of records that are different works.
    """
    apart = defaultdict[str, set[str]](set)
    for first, second in separate:
        apart[first].add(second)
        apart[second].add(first)
    if not apart:
        return list(links)
    reached = _find_reached(links, apart)
    concerned = [link for link in links if link.first in reached]
    kept = set(_choose_links(concerned, apart))
    return [link for link in links if link.first not in reached or link in kept]


def _find_reached(links: Iterable[Link], starts: Iterable[str]) -> set[str]:
    """The records that links lead to from these."""
    neighbours = defaultdict[str, list[str]](list)
    for link in links:
        neighbours[link.first].append(link.second)
        neighbours[link.second].append(link.first)
    reached, waiting = set(starts), deque(starts)
    while waiting:
        for other in neighbours[waiting.popleft()]:
            if other not in reached:
                reached.add(other)
                waiting.append(other)
    return reached


def _choose_links(links: Iterable[Link], apart: Mapping[str, Collection[str]]) -> Iterable[Link]:
    """The links, the surest first, without those that join what is apart."""
    from scipy.cluster.hierarchy import DisjointSet  # takes a quarter of a second

    works = DisjointSet(apart)
    rivals = {record: set(others) for record, others in apart.items()}  # of each work, by the record that stands for it
    for link in sorted(links, key=lambda one: (_STEPS.index(one.step), -one.similarity, one.first, one.second)):
        works.add(link.first)
        works.add(link.second)
        first, second = works[link.first], works[link.second]
        if any(works[rival] == second for rival in rivals.get(first, ())):
            continue
        if first != second:
            joined = rivals.pop(first, set()) | rivals.pop(second, set())
            works.merge(first, second)
            rivals[works[first]] = joined
        yield link
