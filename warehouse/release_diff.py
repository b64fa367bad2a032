"""Why a number changed: from a cell of a counting table in one release to the same cell in a later one.

Every publication that is counted in other cells than before has exactly one cause; what the publications do not
explain is a change of the counting itself. So the causes of a cell add up to its change, by construction and exactly.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import polars as pl

from warehouse.release import Release
from warehouse.sql import make_ready, quoted

CAUSES = (
    "new work",
    "found late",
    "source withdrawn",
    "merged or split",
    "relabelled",
    "date corrected",
    "rule changed",
)
_FEW = 20  # titles behind a change of one cell that are named
MEASURES = ("publication_rows", "works", "publications")
_CELL_OF = {
    "lab": "lab",
    "category": "category",
    "published_month": "cast(date_trunc('month', published_on) as date)",
    "published_year": "cast(date_trunc('year', published_on) as date)",
    "counting_rule": "counting_rule",
    "taxonomy": "taxonomy",
}

# each publication once, by a rule that needs no more than the publication itself
_PLAIN = """
select publication_id, {cell}, {sign} * cast({measure} as bigint) as amount
from {side}.clean.publications
where published_on is not null
"""

# each publication in every rule and taxonomy, as mart.publication_counts_by_month sums them up
_BY_RULE = """
select publication_id, {cell}, {sign} * weight as amount
from (
    select
        counted.publication_id,
        counted.published_on,
        rules.counting_rule,
        taxonomies.taxonomy,
        case
            when rules.attribution != 'whole' and counted.fractional_weight is null then '(authors not known)'
            else counted.lab
        end as lab,
        coalesce(
            crosswalk.to_category, case when taxonomies.is_default then counted.category else '(no counterpart)' end
        ) as category,
        coalesce(crosswalk.weight, 1.0) * case rules.attribution
            when 'whole' then counted.whole_weight
            when 'fractional' then coalesce(counted.fractional_weight, counted.whole_weight)
            else coalesce(counted.first_author_weight, counted.whole_weight)
        end as weight
    from {side}.mart.counted_publications as counted
    cross join {side}.reference.counting_rules as rules
    cross join {side}.reference.taxonomies as taxonomies
    left join {side}.reference.category_crosswalk as crosswalk
        on
            counted.category = crosswalk.from_category
            and taxonomies.taxonomy = crosswalk.to_taxonomy
            and not taxonomies.is_default
    where counted.published_on is not null and (rules.counts_marked_duplicates or not counted.is_duplicate)
)
"""
_AMOUNT = {
    "publication_rows": (_PLAIN, "1"),
    "works": (_PLAIN, "not is_duplicate"),
    "publications": (_BY_RULE, "weight"),
}

_MOVED = """
with old as (from old.clean.publications),
new as (from new.clean.publications),
-- the day on which the old release last looked, up to which it could know of a work
known as (select coalesce(max(cast(last_seen_at as date)), date '1900-01-01') as until from old.clean.publications),
caused as (
    select
        publication_id,
        coalesce(new.title, old.title) as title,
        case
            when old.publication_id is null and new.published_on > known.until then 'new work'
            when old.publication_id is null then 'found late'
            when new.publication_id is null then 'source withdrawn'
            when old.is_duplicate != new.is_duplicate then 'merged or split'
            when old.lab != new.lab or old.category != new.category then 'relabelled'
            when old.published_on is distinct from new.published_on then 'date corrected'
            {otherwise}
        end as cause
    from old full join new using (publication_id) cross join known
),
counted as (from ({after} union all {before}) where {only}),
moved as (
    select {names}, publication_id, sum(amount) as amount
    from counted
    group by all
    having abs(sum(amount)) > 1e-9
)
select
    {names},
    coalesce(cause, 'rule changed') as cause,
    sum(amount) as amount,
    array_to_string(min(title, {few}), '; ')
        || case when count(*) > {few} then printf('; and %d more', count(*) - {few}) else '' end as publications
from moved inner join caused using (publication_id)
group by all
"""

# authors that became known, or moved to another lab, label a publication anew without changing itself
_ATTRIBUTED = """
            when exists (
                from (from old.mart.counted_publications except from new.mart.counted_publications) as gone
                where gone.publication_id = old.publication_id
            ) then 'relabelled'
"""

_CELLS = """
with old as (select {names}, {measure} as value from old.{table} where {only}),
new as (select {names}, {measure} as value from new.{table} where {only})
select {names}, coalesce(old.value, 0) as old_value, coalesce(new.value, 0) as new_value
from old full join new using ({names})
"""

_BRIDGE = """
with cells as ({cells}),
moved as ({moved}),
explained as (
    select {names}, sum(amount) as amount from moved group by all
),
caused as (
    select {names}, cause, amount, publications from moved
    union all
    select {names}, 'rule changed' as cause, new_value - old_value - coalesce(amount, 0) as amount, null as publications
    from cells left join explained using ({names})
    where abs(new_value - old_value - coalesce(amount, 0)) > 1e-9
)
select
    {names},
    '{measure}' as measure,
    cast(cells.old_value as {kind}) as old_value,
    cast(cells.new_value as {kind}) as new_value,
    caused.cause,
    cast(caused.amount as {kind}) as amount,
    caused.publications
from caused inner join cells using ({names})
order by all
"""


def counting_tables(release: Release) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """The tables of a release whose cells count publications: their cell columns and their measures."""
    with release.connect() as connection:
        found = connection.execute(
            "select table_name, list(column_name order by column_ordinal) filter (where is_key), list(column_name)"
            " from reference.dictionary where table_name like 'mart.%' group by table_name order by table_name"
        ).fetchall()
    return {
        name: (tuple(key), tuple(measure for measure in MEASURES if measure in columns))
        for name, key, columns in found
        if set(key) <= set(_CELL_OF)
        and set(MEASURES) & set(columns)
        and ("taxonomy" in key) == ("publications" in columns)
    }


def bridge(old: Release, new: Release, table: str, cells: Mapping[str, str] | None = None) -> pl.DataFrame:
    """What changed in a counting table between two releases, and why.

    Args:
        old: The earlier release.
        new: The later one.
        table: A counting table of both.
        cells: Values of the table's cell columns, such as one counting rule, to look at no other cells.

    Returns:
        One row for each changed cell, measure and cause: the cell's columns, ``measure``, ``old_value``,
        ``new_value``, ``cause`` (one of `CAUSES`), ``amount`` (the amounts of a cell's causes add up to
        ``new_value - old_value``) and the titles of the ``publications`` behind it, the first twenty in one text. A
        publication that leaves one cell for another shows in both.

    Raises:
        KeyError: The table counts no publications in both releases; the text lists those that do.
    """
    held, later = counting_tables(old), counting_tables(new)
    both = {name: key for name, (key, _) in later.items() if name in held and held[name][0] == key}
    if table not in both:
        raise KeyError(f"{table} counts no publications in both releases; these do: {', '.join(both) or 'none'}")
    names = ", ".join(both[table])
    cell = ", ".join(f"{_CELL_OF[name]} as {name}" for name in both[table])
    wanted = " and ".join(f"{name} = {quoted(value)}" for name, value in (cells or {}).items()) or "true"
    only = "lab != 'all'" if "lab" in both[table] else "true"  # a row for all labs is the sum of the others
    if "published_month" in both[table]:
        only += " and published_month is not null"
    frames = []
    with duckdb.connect() as connection:
        make_ready(connection)
        for alias, release in (("old", old), ("new", new)):
            connection.execute(f"attach {quoted(str(release.path))} as {alias} (read_only)")
        for measure in later[table][1]:
            if measure not in held[table][1]:
                continue
            counted, weight = _AMOUNT[measure]
            after, before = (
                counted.format(cell=cell, measure=weight, side=side, sign=sign)
                for side, sign in (("new", 1), ("old", -1))
            )
            otherwise = _ATTRIBUTED if counted is _BY_RULE else ""
            parts = {"names": names, "after": after, "before": before, "otherwise": otherwise}
            moved = _MOVED.format(**parts, only=wanted, few=_FEW)
            compared = _CELLS.format(names=names, measure=measure, table=table, only=f"{only} and {wanted}")
            kind = "double" if measure == "publications" else "bigint"
            query = _BRIDGE.format(cells=compared, moved=moved, names=names, measure=measure, kind=kind)
            frames.append(connection.sql(query).pl())
    return pl.concat(frames)
