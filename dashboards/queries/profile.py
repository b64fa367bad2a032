"""What a profile of a lab or a category asks: how much, how concentrated, how defined, what it rests on."""

from __future__ import annotations

import polars as pl

from dashboards.figures import shared
from dashboards.figures.figure import Figure
from dashboards.queries import counts
from dashboards.queries.counts import OTHER, PLURAL, Dimension, Selection
from dashboards.queries.release import ask
from warehouse.release import Release

NEWEST = 15  # publications listed


def names(release: Release, dimension: Dimension) -> list[str]:
    """The labs, or the categories of the default taxonomy, those with most works first."""
    known = {
        "lab": "select lab as name from reference.labs",
        "category": "select category as name from reference.categories inner join reference.taxonomies using (taxonomy)"
        " where is_default",
    }[dimension]
    query = f"""
        select name
        from ({known} union select {dimension} from clean.publications)
        left join clean.publications on name = {dimension}
        group by name
        order by count(publication_id) filter (where not is_duplicate) desc, name
    """
    return ask(release, query)["name"].to_list()


def selection(dimension: Dimension, name: str, rule: str) -> Selection:
    """All publications of a lab or a category."""
    if dimension == "lab":
        return Selection(labs=(name,), rule=rule, grain="quarter")
    return Selection(categories=(name,), rule=rule, grain="quarter")


def rests_on(release: Release, dimension: Dimension, name: str) -> dict[str, int]:
    """What the counts rest on: rows, works, rows marked as duplicates, rows without a date, snapshots, labels."""
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
    return ask(release, query, {"name": name}).row(0, named=True)


def bases(release: Release, dimension: Dimension, name: str) -> pl.DataFrame:
    """By which labels or rules publications were put here: ``basis``, ``written_as``, ``publications``."""
    query = f"""
        select basis, {dimension}_as_written as written_as, count(distinct publication_id) as publications
        from mart.publication_evidence
        where {dimension} = $name and is_newest_version
        group by all
        order by publications desc, basis, written_as
    """
    return ask(release, query, {"name": name})


def definitions(release: Release, dimension: Dimension, name: str) -> pl.DataFrame:
    """How a lab is known, or what a category means here and what answers to it in other taxonomies."""
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
        "category": """
            select taxonomies.title as taxonomy, categories.category, categories.definition, '' as correspondence
            from reference.categories as categories
            inner join reference.taxonomies as taxonomies on categories.taxonomy = taxonomies.taxonomy
            where categories.category = $name and taxonomies.is_default
            union all
            select
                taxonomies.title,
                crosswalk.to_category,
                categories.definition,
                concat(crosswalk.confidence, ': ', crosswalk.basis)
            from reference.category_crosswalk as crosswalk
            inner join reference.taxonomies as taxonomies on crosswalk.to_taxonomy = taxonomies.taxonomy
            left join reference.categories as categories
                on crosswalk.to_taxonomy = categories.taxonomy and crosswalk.to_category = categories.category
            where crosswalk.from_category = $name
            order by correspondence, taxonomy
        """,
    }[dimension]
    return ask(release, query, {"name": name})


def concentration(release: Release, dimension: Dimension, name: str) -> str | None:
    """How concentrated its works are over categories (or labs), as a sentence; none without works."""
    other = OTHER[dimension]
    query = f"""
        with spread as (
            select {other}, count(*) as k, sum(count(*)) over () as n
            from clean.publications
            where {dimension} = $name and not is_duplicate
            group by {other}
        )

        select
            max(n) as works,
            count(*) as groups,
            exp(-sum(k / n * ln(k / n))) as effective_number,
            sum(k * k) / max(n * n) as hhi
        from spread
    """
    for row in ask(release, query, {"name": name}).iter_rows(named=True):
        if row["works"]:
            many = {"lab": "come from {:,} labs", "category": "lie in {:,} categories"}[other]
            return (
                f"Its {row['works']:,.0f} works {many.format(row['groups'])}, as spread as over "
                f"{row['effective_number']:.1f} equally large ones (e to the entropy; Herfindahl-Hirschman index "
                f"{row['hhi']:.2f})."
            )
    return None


def finding(release: Release, dimension: Dimension, name: str) -> str | None:
    """What the statistics say of its trend."""
    query = "select sentence from mart.publication_trends where dimension = $dimension and member = $name"
    said = ask(release, query, {"dimension": dimension, "name": name})["sentence"].to_list()
    return said[0] if said else None


def figures(release: Release, dimension: Dimension, chosen: Selection, name: str) -> list[Figure]:
    """The charts of a profile: its history, its share in all, and its mix if there is anything to mix."""
    other = OTHER[dimension]
    parts = PLURAL[other]
    history = shared.history(
        release,
        chosen,
        other,
        title=f"{name}: publications per {chosen.grain.replace('_', ' ')}, by {other}",
        key=f"{dimension} history",
        finding=finding(release, dimension, name)
        if counts.totals(release, chosen).selected
        else counts.none_found(release, chosen),
    )
    share = shared.history(
        release,
        Selection(chosen.labs, chosen.categories, chosen.rule, chosen.taxonomy, "year"),
        dimension,
        title=f"{name}: share in the publications of each year",
        key=f"{dimension} share",
        finding=None,
        view="share",
    )
    mix = shared.mix(release, chosen, other, title=f"{name}: over which {parts}", key=f"{dimension} mix")
    return [history, share, *([] if mix.frame.is_empty() else [mix])]
