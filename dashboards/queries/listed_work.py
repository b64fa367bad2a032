"""A work as lists have it: its weight by each counting rule, its categories, similar rows of lists, its evidence."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from dashboards.queries.corpora import name_crosswalk
from dashboards.queries.release import query_release
from dashboards.queries.work import has_works
from warehouse.release import Release

_ROWS = """
    select publication_id, is_duplicate
    from clean.publications
    where publication_id in (select record_id from clean.work_members where work_id = $id)
    order by is_duplicate, publication_id
"""
_ROW = "select publication_id, is_duplicate from clean.publications where publication_id = $id"
_WEIGHTS = """
    select
        rules.counting_rule,
        rules.meaning,
        case when counted.weight is null then '(authors not known)' else counted.lab end as lab,
        sum(coalesce(counted.weight, counted.whole_weight)) as weight
    from reference.counting_rules as rules
    cross join lateral (
        select
            lab,
            whole_weight,
            case rules.attribution
                when 'whole' then whole_weight
                when 'fractional' then fractional_weight
                else first_author_weight
            end as weight
        from mart.counted_publications
        where
            publication_id in (select unnest($ids::varchar[]))
            and (rules.counts_marked_duplicates or not is_duplicate)
    ) as counted
    where coalesce(counted.weight, 1) > 0
    group by all
    order by rules.counting_rule, 3
"""
_CATEGORIES = """
    with rows as (
        select defaults.taxonomy, defaults.title, publications.category
        from clean.publications as publications
        inner join reference.taxonomies as defaults on defaults.is_default
        where publications.publication_id in (select unnest($ids::varchar[]))
    ),
    categories as (
        select title as taxonomy, category, 1.0 as weight, 'label of the source' as basis, true as is_own from rows
        union
        select
            coalesce(titles.title, crosswalk.to_taxonomy) as taxonomy,
            crosswalk.to_category as category,
            crosswalk.weight,
            if(
                crosswalk.confidence = 'decided',
                crosswalk.basis,
                'correspondence of ' || crosswalk.confidence || ' confidence'
            ) as basis,
            false as is_own
        from rows
        inner join {crosswalk} as crosswalk
            on rows.taxonomy = crosswalk.from_taxonomy and rows.category = crosswalk.from_category
        left join reference.taxonomies as titles on crosswalk.to_taxonomy = titles.taxonomy
    )
    select taxonomy, category, weight, basis
    from categories
    order by is_own desc, taxonomy, weight desc, category
"""
_SIMILAR = """
    select
        'publication' as kind,
        others.publication_id as item_id,
        publications.title,
        string_agg(distinct others.basis, ', ' order by others.basis desc) as why
    from mart.alike_publications as this
    inner join mart.alike_publications as others
        on
            this.basis = others.basis
            and this.group_sha256 = others.group_sha256
    inner join clean.publications as publications on others.publication_id = publications.publication_id
    where
        this.publication_id in (select unnest($ids::varchar[]))
        and others.publication_id not in (select unnest($ids::varchar[]))
    group by all
    order by publications.title, item_id
    limit 50
"""
_EVIDENCE = """
    select
        is_newest_version,
        fetched_at,
        original_name,
        locator,
        lab_as_written,
        category_as_written,
        basis,
        snapshot_url,
        sha256,
        snapshot_id,
        record_ordinal
    from mart.publication_evidence
    where publication_id in (select unnest($ids::varchar[]))
    order by fetched_at desc, record_ordinal
"""


def list_rows(release: Release, work_id: str) -> pl.DataFrame:
    """The rows of lists that are the work: ``publication_id`` and ``is_duplicate``; those that count come first."""
    query = _ROWS if has_works(release) else _ROW
    return query_release(release, query, {"id": work_id})


def list_weights(release: Release, publication_ids: Sequence[str]) -> pl.DataFrame:
    """Weight of the rows by each counting rule and lab: ``counting_rule``, ``meaning``, ``lab``, ``weight``."""
    return query_release(release, _WEIGHTS, {"ids": list(publication_ids)})


def list_categories(release: Release, publication_ids: Sequence[str]) -> pl.DataFrame:
    """Category of the rows in each taxonomy: ``taxonomy``, ``category``, ``weight``, ``basis``."""
    return query_release(release, _CATEGORIES.format(crosswalk=name_crosswalk(release)), {"ids": list(publication_ids)})


def list_similar_publications(release: Release, publication_ids: Sequence[str]) -> pl.DataFrame:
    """Up to 50 other rows with the same title, abstract or link: ``kind``, ``item_id``, ``title``, ``why``."""
    return query_release(release, _SIMILAR, {"ids": list(publication_ids)})


def list_evidence(release: Release, publication_ids: Sequence[str]) -> pl.DataFrame:
    """The places of all snapshots that contain the rows, the newest snapshot first."""
    return query_release(release, _EVIDENCE, {"ids": list(publication_ids)})
