"""One work: the address that leads to it, its records in all sources, and what they state about it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from dashboards.queries.release import query_release
from warehouse.release import Release

WORK_TABLES = ("clean.works", "clean.work_members", "clean.work_records")
HISTORY_TABLE = "clean.work_history"
FORMER_KINDS = ("publication", "paper", "feed item", "post")
"""Kinds of items whose records can be members of works."""

# a work with this identity, the work that a record with it belongs to, or the works that one with it became
_PRESENT = """
    select work_id, 'work' as found_by from clean.works where work_id = $id
    union all
    select work_id, 'record' as found_by from clean.work_members where record_id = $id
"""
_SUCCESSORS = """
    with recursive successors as (
        select work_id from clean.work_history where old_work_id = $id
        union
        select history.work_id
        from successors
        inner join clean.work_history as history on successors.work_id = history.old_work_id
    )

    select works.work_id, 'history' as found_by
    from clean.works as works
    where works.work_id in (select work_id from successors)
    order by works.work_id
"""
_WORK = "select * from clean.works where work_id = $id"
_PUBLICATION = """
    select
        publication_id as work_id,
        title,
        abstract,
        (
            select string_agg(author, '; ' order by author_position)
            from clean.authorships
            where publication_id = $id
        ) as authors,
        published_on,
        cast(null as varchar) as date_precision,
        cast(null as varchar) as date_kind,
        cast(null as varchar) as date_rule,
        lab as labs,
        url,
        1 as members,
        false as is_withdrawn
    from clean.publications
    where publication_id = $id
"""
_MEMBERS = """
    select
        members.record_id,
        records.found_in,
        members.source,
        records.title,
        records.published_on,
        records.date_precision,
        records.date_kind,
        records.url,
        members.step,
        members.evidence,
        members.similarity,
        members.decided_by,
        records.venue,
        records.citations,
        records.first_seen_at
    from clean.work_members as members
    inner join clean.work_records as records on members.record_id = records.record_id
    where members.work_id = $id
    order by members.linked_record_id is not null, members.source, records.found_in, members.record_id
"""
_DATES = """
    select is_shown, date_kind, published_on, date_precision, source, date_rule
    from clean.work_dates
    where work_id = $id
    order by is_shown desc, published_on nulls last, source
"""
_VERSIONS = """
    select arxiv_id, version_number, submitted_on, version_basis, source, is_newest, url
    from clean.work_versions
    where work_id = $id
    order by arxiv_id, version_number
    limit 500
"""
_AUTHORS = """
    select author_position, author, lab, lab_basis
    from clean.work_authors
    where work_id = $id
    order by author_position
    limit 500
"""
_LABS = """
    select lab, basis, author_positions, is_primary
    from clean.work_labs
    where work_id = $id
    order by is_primary desc, lab
"""
_LABELS = """
    select list, taxonomy, category_position, category
    from clean.work_labels
    where work_id = $id
    order by list, taxonomy, category_position, category
"""
_IDENTIFIERS = """
    select identifier_kind, identifier, records
    from clean.work_identifiers
    where work_id = $id
    order by identifier_kind, identifier
    limit 500
"""
_CONFLICTS = "select field, statements from clean.work_conflicts where work_id = $id order by field"
_HISTORY = """
    select old_work_id, work_id, cause, evidence, changed_at
    from clean.work_history
    where work_id = $id or old_work_id = $id
    order by changed_at desc, old_work_id
    limit 500
"""
_CANDIDATES = """
    with others as (
        select second_work_id as work_id, similarity, evidence
        from clean.work_candidates
        where first_work_id = $id
        union all
        select first_work_id as work_id, similarity, evidence
        from clean.work_candidates
        where second_work_id = $id
    )

    select
        'work' as kind,
        works.work_id as item_id,
        works.title,
        others.similarity,
        others.evidence as why
    from others
    inner join clean.works as works on others.work_id = works.work_id
    order by others.similarity desc, works.title, item_id
    limit 20
"""


@dataclass(frozen=True)
class FoundWorks:
    """The works that an identity in an address leads to.

    Args:
        work_ids: The works: none, one, or the parts of one that was split.
        found_by: Whose identity it is: that of a ``work``, a ``record``, or in the ``history`` of works.
    """

    work_ids: tuple[str, ...] = ()
    found_by: str = "work"


def has_works(release: Release) -> bool:
    """Whether a release has works; those of older versions have publications only."""
    return set(WORK_TABLES) <= set(release.manifest["tables"])


def find_works(release: Release, identity: str) -> FoundWorks:
    """The works that hold an identity now: their own, one of their records, or one of a work of an earlier release."""
    if not identity:
        return FoundWorks()
    if not has_works(release):
        found = query_release(release, _PUBLICATION, {"id": identity})
        return FoundWorks(tuple(found["work_id"]))
    queries = [_PRESENT, *([_SUCCESSORS] if HISTORY_TABLE in release.manifest["tables"] else [])]
    for query in queries:
        found = query_release(release, query, {"id": identity})
        if not found.is_empty():
            by = "work" if "work" in found["found_by"] else found["found_by"][0]
            return FoundWorks(tuple(found.filter(pl.col("found_by") == by)["work_id"]), by)
    return FoundWorks()


def query_work(release: Release, work_id: str) -> pl.DataFrame:
    """The row of a work in ``clean.works``, or of a publication in a release without works; no row if there is none."""
    return query_release(release, _WORK if has_works(release) else _PUBLICATION, {"id": work_id})


def list_titles(release: Release, work_ids: Collection[str]) -> pl.DataFrame:
    """``kind``, ``item_id`` and ``title`` of works."""
    query = """
        select 'work' as kind, work_id as item_id, title
        from clean.works
        where work_id in (select unnest($ids::varchar[]))
        order by title, item_id
    """
    return query_release(release, query, {"ids": list(work_ids)})


def list_members(release: Release, work_id: str) -> pl.DataFrame:
    """Each record of the work, with its place, its date and link, and how and by whom it was linked."""
    return query_release(release, _MEMBERS, {"id": work_id})


def list_dates(release: Release, work_id: str) -> pl.DataFrame:
    """Each date that a record states, what it is of, and whether it is the one shown."""
    return query_release(release, _DATES, {"id": work_id})


def list_versions(release: Release, work_id: str) -> pl.DataFrame:
    """Its versions on arXiv that its records have, each with its day and what it is known from; at most 500."""
    return query_release(release, _VERSIONS, {"id": work_id})


def list_authors(release: Release, work_id: str) -> pl.DataFrame:
    """Its authors in order, each with a followed lab and the basis of that, where known; at most 500."""
    return query_release(release, _AUTHORS, {"id": work_id})


def list_labs(release: Release, work_id: str) -> pl.DataFrame:
    """Its labs, and on what basis."""
    return query_release(release, _LABS, {"id": work_id})


def list_labels(release: Release, work_id: str) -> pl.DataFrame:
    """Its categories in each list that labels it."""
    return query_release(release, _LABELS, {"id": work_id})


def list_identifiers(release: Release, work_id: str) -> pl.DataFrame:
    """Its identifiers and canonical links by kind; at most 500."""
    return query_release(release, _IDENTIFIERS, {"id": work_id})


def list_conflicts(release: Release, work_id: str) -> pl.DataFrame:
    """Fields that its records state differently, each with the statements."""
    return query_release(release, _CONFLICTS, {"id": work_id})


def list_history(release: Release, work_id: str) -> pl.DataFrame:
    """The works that this one was made of, or that were split off, and why; the newest change first, at most 500."""
    return query_release(release, _HISTORY, {"id": work_id})


def list_candidates(release: Release, work_id: str) -> pl.DataFrame:
    """Up to 20 works that may be the same: ``kind``, ``item_id``, ``title``, ``similarity`` and ``why``."""
    return query_release(release, _CANDIDATES, {"id": work_id})
