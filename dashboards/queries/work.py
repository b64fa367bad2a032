"""One publication: its record, its weight by each counting rule, its categories, and its evidence."""

from __future__ import annotations

import polars as pl

from dashboards.queries.release import query_release
from warehouse.release import Release

_WORK = "select * from clean.publications where publication_id = $id"
_WEIGHTS = """
    select
        rules.counting_rule,
        rules.meaning,
        case when counted.weight is null then '(authors not known)' else counted.lab end as lab,
        coalesce(counted.weight, counted.whole_weight) as weight
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
        where publication_id = $id and (rules.counts_marked_duplicates or not is_duplicate)
    ) as counted
    where coalesce(counted.weight, 1) > 0
    order by rules.counting_rule, counted.lab
"""
_CATEGORIES = """
    select taxonomies.title as taxonomy, coalesce(crosswalk.to_category, publications.category) as category,
        coalesce(crosswalk.weight, 1.0) as weight,
        coalesce('correspondence of ' || crosswalk.confidence || ' confidence', 'label of the source') as basis
    from clean.publications as publications
    cross join reference.taxonomies as taxonomies
    left join reference.category_crosswalk as crosswalk
        on
            publications.category = crosswalk.from_category
            and taxonomies.taxonomy = crosswalk.to_taxonomy
            and not taxonomies.is_default
    where publications.publication_id = $id and (taxonomies.is_default or crosswalk.to_category is not null)
    order by taxonomies.is_default desc, weight desc
"""
_SIMILAR = """
    select
        'publication' as kind,
        others.publication_id as item_id,
        publications.title,
        string_agg(others.basis, ', ' order by others.basis desc) as why
    from mart.alike_publications as this
    inner join mart.alike_publications as others
        on
            this.basis = others.basis
            and this.group_sha256 = others.group_sha256
            and this.publication_id != others.publication_id
    inner join clean.publications as publications on others.publication_id = publications.publication_id
    where this.publication_id = $id
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
    where publication_id = $id
    order by fetched_at desc, record_ordinal
"""


def query_work(release: Release, publication_id: str) -> pl.DataFrame:
    """The row of a publication in ``clean.publications``; no row if the release does not have it."""
    return query_release(release, _WORK, {"id": publication_id})


def list_weights(release: Release, publication_id: str) -> pl.DataFrame:
    """Its weight by each counting rule and lab: ``counting_rule``, ``meaning``, ``lab``, ``weight``."""
    return query_release(release, _WEIGHTS, {"id": publication_id})


def list_categories(release: Release, publication_id: str) -> pl.DataFrame:
    """Its category in each taxonomy: ``taxonomy``, ``category``, ``weight``, ``basis``."""
    return query_release(release, _CATEGORIES, {"id": publication_id})


def list_similar_publications(release: Release, publication_id: str) -> pl.DataFrame:
    """Up to 50 publications with the same title, abstract or link: ``kind``, ``item_id``, ``title``, ``why``."""
    return query_release(release, _SIMILAR, {"id": publication_id})


def list_evidence(release: Release, publication_id: str) -> pl.DataFrame:
    """The places of all snapshots that contain it, the newest snapshot first."""
    return query_release(release, _EVIDENCE, {"id": publication_id})
