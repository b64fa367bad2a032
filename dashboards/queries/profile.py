"""Queries of a profile of a lab or category: counts, concentration, definition and evidence."""

from __future__ import annotations

import polars as pl

from dashboards.queries.corpora import name_crosswalk
from dashboards.queries.finding import CHANGE_HEADLINES, Finding
from dashboards.queries.release import query_release
from dashboards.queries.selection import OTHER_DIMENSION, Dimension, Selection
from warehouse.release import Release

MAX_NEWEST_PAPERS = 15


def list_members_by_works(release: Release, dimension: Dimension, corpus: str | None = None) -> list[str]:
    """The labs, or the categories of the default taxonomy, those with the most works in a corpus first."""
    counted, parameters = _select_counted(corpus)
    known = {
        "lab": "select lab as name from reference.labs",
        "category": "select category as name from reference.categories inner join reference.taxonomies using (taxonomy)"
        " where is_default",
    }[dimension]
    query = f"""
        select name
        from ({known} union select {dimension} from {counted})
        left join {counted} as counted on name = {dimension}
        group by name
        order by name like '(%', count(item_id) filter (where not is_duplicate) desc, name
    """
    return query_release(release, query, parameters)["name"].to_list()


def _select_counted(corpus: str | None) -> tuple[str, dict[str, str]]:
    """What a corpus counts, each item at the one lab and category of whole counting, as a relation; its parameters."""
    if corpus is None:
        return "(select *, publication_id as item_id from clean.publications)", {}
    return "(select * from mart.counted_works where corpus = $corpus and whole_weight > 0)", {"corpus": corpus}


def select_member(dimension: Dimension, name: str, rule: str, taxonomy: str, corpus: str | None = None) -> Selection:
    """All publications of a lab or a category in a corpus."""
    return Selection(rule=rule, taxonomy=taxonomy, grain="quarter", corpus=corpus).choose(dimension, [name])


def query_work_counts(release: Release, dimension: Dimension, name: str, corpus: str) -> dict[str, int]:
    """``works`` of a member, those ``undated`` and ``unlabelled``, and in how many ``sources``.

    Not for the mapping, which has rows: see `query_evidence_counts`.
    """
    query = f"""
        with works as (
            select item_id, work_id, published_on, category
            from mart.counted_works
            where corpus = $corpus and whole_weight > 0 and not is_duplicate and {dimension} = $name
        )

        select
            count(*) as works,
            count(*) filter (where published_on is null) as undated,
            count(*) filter (where category in ('(unlabelled)', '(no category)')) as unlabelled,
            (
                select count(distinct members.source)
                from clean.work_members as members
                where members.work_id in (select work_id from works)
            ) as sources
        from works
    """
    return query_release(release, query, {"name": name, "corpus": corpus}).row(0, named=True)


def list_work_bases(release: Release, dimension: Dimension, name: str, corpus: str) -> pl.DataFrame:
    """What assigns works to a lab, or the list that gives them a category: ``basis``, ``works``.

    A work can have several bases. Not for the mapping, which has rows: see `list_label_bases`.
    """
    bases = {
        "lab": "select work_id, lab as member, basis from clean.work_labs",
        "category": "select work_id, category as member, 'label of ' || list as basis from clean.work_labels",
    }[dimension]
    query = f"""
        select bases.basis, count(distinct bases.work_id) as works
        from ({bases}) as bases
        inner join (
            select work_id
            from mart.counted_works
            where corpus = $corpus and whole_weight > 0 and not is_duplicate and {dimension} = $name
        ) as counted on bases.work_id = counted.work_id
        where bases.member = $name
        group by bases.basis
        order by works desc, basis
    """
    return query_release(release, query, {"name": name, "corpus": corpus})


def query_evidence_counts(release: Release, dimension: Dimension, name: str) -> dict[str, int]:
    """``rows``, ``works``, ``marked_duplicates``, ``undated``, ``with_abstract`` and ``snapshots`` of a member."""
    query = f"""
        select
            count(*) as rows,
            count(*) filter (where not is_duplicate) as works,
            count(*) filter (where is_duplicate) as marked_duplicates,
            count(*) filter (where published_on is null) as undated,
            count(*) filter (where abstract is not null) as with_abstract,
            (select count(distinct snapshot_id) from mart.publication_evidence where {dimension} = $name) as snapshots
        from clean.publications
        where {dimension} = $name
    """
    return query_release(release, query, {"name": name}).row(0, named=True)


def list_label_bases(release: Release, dimension: Dimension, name: str) -> pl.DataFrame:
    """The labels or rules by which publications were assigned: ``basis``, ``written_as`` and ``publications``."""
    query = f"""
        select basis, {dimension}_as_written as written_as, count(distinct publication_id) as publications
        from mart.publication_evidence
        where {dimension} = $name and is_newest_version
        group by all
        order by publications desc, basis, written_as
    """
    return query_release(release, query, {"name": name})


def list_definitions(release: Release, dimension: Dimension, name: str) -> pl.DataFrame:
    """A lab's kind, website and aliases; or a category's definition, and its equivalents in other taxonomies."""
    query = {
        "lab": """
            select
                labs.kind,
                labs.website,
                string_agg(aliases.alias, '; ' order by aliases.alias) as also_written
            from reference.labs as labs
            left join reference.lab_aliases as aliases on labs.lab = aliases.lab
            where labs.lab = $name
            group by all
        """,
        "category": f"""
            select taxonomies.title as taxonomy, categories.category, categories.definition, '' as correspondence
            from reference.categories as categories
            inner join reference.taxonomies as taxonomies on categories.taxonomy = taxonomies.taxonomy
            where categories.category = $name and taxonomies.is_default
            union all
            select
                coalesce(taxonomies.title, crosswalk.to_taxonomy),
                crosswalk.to_category,
                categories.definition,
                if(crosswalk.confidence = 'decided', '', crosswalk.confidence || ' confidence: ') || crosswalk.basis
            from {name_crosswalk(release)} as crosswalk
            inner join reference.taxonomies as defaults
                on crosswalk.from_taxonomy = defaults.taxonomy and defaults.is_default
            left join reference.taxonomies as taxonomies on crosswalk.to_taxonomy = taxonomies.taxonomy
            left join reference.categories as categories
                on crosswalk.to_taxonomy = categories.taxonomy and crosswalk.to_category = categories.category
            where crosswalk.from_category = $name
            order by correspondence, taxonomy
        """,
    }[dimension]
    return query_release(release, query, {"name": name})


def describe_concentration(release: Release, dimension: Dimension, name: str, corpus: str | None = None) -> str | None:
    """A sentence on how a lab's works spread over categories, or a category's over labs; None without works.

    In a living corpus, of those works that have one.
    """
    other = OTHER_DIMENSION[dimension]
    counted, parameters = _select_counted(corpus)
    query = f"""
        with members as (
            select {other}, count(*) as k, sum(count(*)) over () as n
            from {counted}
            where {dimension} = $name and not is_duplicate and {other} not in ('(unlabelled)', '(no followed lab)')
            group by {other}
        )

        select
            max(n) as works,
            count(*) as groups,
            exp(-sum(k / n * ln(k / n))) as effective_number,
            sum(k * k) / max(n * n) as hhi
        from members
    """
    for row in query_release(release, query, {"name": name, **parameters}).iter_rows(named=True):
        if row["works"]:
            phrase = {"lab": "come from {:,} labs", "category": "lie in {:,} categories"}[other]
            return (
                f"Its {row['works']:,.0f} works {phrase.format(row['groups'])}, as evenly spread as over "
                f"{row['effective_number']:.1f} equally large ones: two works drawn at random are of the same "
                f"{other} in {row['hhi']:.0%} of all draws."
            )
    return None


def query_trend(release: Release, dimension: Dimension, name: str) -> Finding | None:
    """The trend of a lab or category in the published mapping; None if none is tested."""
    query = """
        select sentence, finding
        from mart.publication_trends
        where dimension = $dimension and member = $name
    """
    rows = query_release(release, query, {"dimension": dimension, "name": name}).rows()
    return Finding(rows[0][0], f"{name}: {CHANGE_HEADLINES[rows[0][1]]}") if rows else None
