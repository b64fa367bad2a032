"""Explains the changes of a counting table between two releases, cell by cell.

Each publication whose cells changed has exactly one cause; the part of a change that no publication explains is a
change of the counting rule. So the causes of a cell add up exactly to its change.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager

import duckdb
import polars as pl

from warehouse import corpus_diff
from warehouse.release import DamagedRelease, Release
from warehouse.sql import configure_connection, quote_literal

CAUSES = (
    "new work",
    "found late",
    "source withdrawn",
    "exclusion decided",
    "merged or split",
    "merge or split decided",
    "relabelled",
    "label decided",
    "label suggested",
    "suggestion changed",
    "lab decided",
    "date corrected",
    "date decided",
    "mapping decided",
    "rule changed",
)
_TITLES_SHOWN = 20  # titles listed per cell and cause
MEASURES = ("publication_rows", "works", "publications", "expected_publications")
_BY_RULE = {"publications", "expected_publications"}  # measures of tables with every counting rule and taxonomy
_ROUNDING = 0.5e-6  # of each number of expected publications
_CELL_EXPRESSIONS = {
    "corpus": "corpus",
    "lab": "lab",
    "category": "category",
    "published_month": "cast(date_trunc('month', published_on) as date)",
    "published_year": "cast(date_trunc('year', published_on) as date)",
    "counting_rule": "counting_rule",
    "taxonomy": "taxonomy",
}

# one row per publication, for measures that need no counting rule
_COUNT_PUBLICATIONS = """
select publication_id, {cell}, {sign} * cast({measure} as bigint) as amount
from {side}.clean.publications
where published_on is not null
"""

# one row per publication, rule and taxonomy, as in mart.publication_counts_by_month
_COUNT_BY_RULE = """
select publication_id, {cell}, {sign} * weight as amount
from (
    select
        labelled.publication_id,
        labelled.published_on,
        rules.counting_rule,
        taxonomies.taxonomy,
        case
            when rules.attribution != 'whole' and labelled.fractional_weight is null then '(authors not known)'
            else labelled.lab
        end as lab,
        coalesce(
            crosswalk.to_category, if(taxonomies.is_own, labelled.label, taxonomies.unmapped_category)
        ) as category,
        least(1.0, sum(labelled.label_weight * coalesce(crosswalk.weight, 1.0)))
        * any_value(case rules.attribution
            when 'whole' then labelled.whole_weight
            when 'fractional' then coalesce(labelled.fractional_weight, labelled.whole_weight)
            else coalesce(labelled.first_author_weight, labelled.whole_weight)
        end) as weight
    from (
        select *, category as label, 1.0 as label_weight, 'first' as category_attribution
        from {side}.mart.counted_publications
        union all
        select
            *,
            unnest(string_split(categories, '; ')) as label,
            1.0 / len(string_split(categories, '; ')) as label_weight,
            'shared' as category_attribution
        from {side}.mart.counted_publications
        union all
        select *, unnest(string_split(categories, '; ')) as label, 1.0 as label_weight, 'each' as category_attribution
        from {side}.mart.counted_publications
    ) as labelled
    inner join {side}.reference.counting_rules as rules on labelled.category_attribution = rules.category_attribution
    inner join {taxonomies} as taxonomies on taxonomies.corpus = 'iaps_mapping'
    inner join {side}.reference.taxonomies as defaults on defaults.is_default
    left join {crosswalk} as crosswalk
        on
            defaults.taxonomy = crosswalk.from_taxonomy
            and labelled.label = crosswalk.from_category
            and taxonomies.taxonomy = crosswalk.to_taxonomy
    where labelled.published_on is not null and (rules.counts_marked_duplicates or not labelled.is_duplicate)
    group by 1, 2, 3, 4, 5, 6, labelled.lab
)
"""
_MEASURES = {
    "publication_rows": (_COUNT_PUBLICATIONS, "1"),
    "works": (_COUNT_PUBLICATIONS, "not is_duplicate"),
    "publications": (_COUNT_BY_RULE, "weight"),
}

_CORPUS_MEASURES = {
    "works": (corpus_diff.COUNT_WORKS, "whole_weight * cast(not is_duplicate as integer)"),
    "publications": (corpus_diff.COUNT_BY_RULE, "weight"),
    "expected_publications": (corpus_diff.COUNT_EXPECTED, "expected"),
}

_CAUSES_BY_CELL = """
with old as (from old.clean.publications),
new as (from new.clean.publications),
-- day of the last snapshot in the old release: later works could not be in it
last_seen as (select coalesce(max(cast(last_seen_at as date)), date '1900-01-01') as until from old.clean.publications),
causes as (
    select
        publication_id,
        coalesce(new.title, old.title) as title,
        case
            when old.publication_id is null and new.published_on > last_seen.until then 'new work'
            when old.publication_id is null then 'found late'
            when new.publication_id is null then 'source withdrawn'
            when old.is_duplicate != new.is_duplicate then 'merged or split'
            when old.lab != new.lab or old.category != new.category then 'relabelled'
            when old.published_on is distinct from new.published_on then 'date corrected'
            {when_otherwise}
        end as cause
    from old full join new using (publication_id) cross join last_seen
),
amounts as (from ({after} union all {before}) where {filters}),
moves as (
    select {names}, publication_id, sum(amount) as amount
    from amounts
    group by all
    having abs(sum(amount)) > 1e-9
)
select
    {names},
    coalesce(cause, 'rule changed') as cause,
    sum(amount) as amount,
    array_to_string(min(title, {shown}), '; ')
        || case when count(*) > {shown} then printf('; and %d more', count(*) - {shown}) else '' end as publications
from moves inner join causes using (publication_id)
group by all
"""

# new authors or labs of authors move a publication without changing its own row
_WHEN_ATTRIBUTION_CHANGED = """
            when exists (
                from (from old.mart.counted_publications except from new.mart.counted_publications) as changed
                where changed.publication_id = old.publication_id
            ) then 'relabelled'
"""

_WHEN_MAPPING_DECIDED = """
            when 'iaps_mapping' in (select corpus from {remapped}) then 'mapping decided'
"""

_COMPARE_CELLS = """
with old as (select {names}, {measure} as value from old.{table} where {filters}),
new as (select {names}, {measure} as value from new.{table} where {filters})
select {names}, coalesce(old.value, 0) as old_value, coalesce(new.value, 0) as new_value
from old full join new using ({names})
"""

_EXPLAIN_CHANGES = """
with cells as ({cells}),
causes_by_cell as ({causes_by_cell}),
explained as (
    select {names}, sum(amount) as amount from causes_by_cell group by all
),
causes as (
    select {names}, cause, amount, publications from causes_by_cell
    union all
    select {names}, 'rule changed' as cause, new_value - old_value - coalesce(amount, 0) as amount, null as publications
    from cells left join explained using ({names})
    where abs(new_value - old_value - coalesce(amount, 0)) > {tolerance}
)
select
    {names},
    '{measure}' as measure,
    cast(cells.old_value as {kind}) as old_value,
    cast(cells.new_value as {kind}) as new_value,
    causes.cause,
    cast(causes.amount as {kind}) as amount,
    causes.publications
from causes inner join cells using ({names})
order by all
"""


def list_counting_tables(release: Release) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """The tables of a release that count publications, with their key columns and measures."""
    with release.connect() as connection:
        tables = connection.execute(
            "select table_name, list(column_name order by column_ordinal) filter (where is_key), list(column_name)"
            " from reference.dictionary where table_name like 'mart.%' group by table_name order by table_name"
        ).fetchall()
    return {
        name: (tuple(key), tuple(measure for measure in MEASURES if measure in columns))
        for name, key, columns in tables
        if set(key) <= set(_CELL_EXPRESSIONS)
        and set(MEASURES) & set(columns)
        and ("taxonomy" in key) == bool(_BY_RULE & set(columns))
        and (
            "corpus" not in key or "published_month" in key
        )  # a table of all works of a corpus counts undated ones too
    }


def _list_last_causes(template: str) -> str:
    """SQL of the cause of a publication that moves without a change of its own row."""
    if template is corpus_diff.COUNT_EXPECTED:
        return corpus_diff.WHEN_SUGGESTION_CHANGED + corpus_diff.WHEN_MAPPING_DECIDED
    if template is corpus_diff.COUNT_BY_RULE:
        return corpus_diff.WHEN_ATTRIBUTION_CHANGED + corpus_diff.WHEN_MAPPING_DECIDED
    return _WHEN_ATTRIBUTION_CHANGED + _WHEN_MAPPING_DECIDED if template is _COUNT_BY_RULE else ""


@contextmanager
def _attach_both(old: Release, new: Release) -> Generator[duckdb.DuckDBPyConnection]:
    """A connection to two releases as ``old`` and ``new``.

    Raises:
        DamagedRelease: One of them cannot be read.
    """
    with duckdb.connect() as connection:
        configure_connection(connection)
        release = old
        try:
            for alias, release in (("old", old), ("new", new)):
                connection.execute(f"attach {quote_literal(str(release.bring()))} as {alias} (read_only)")
            yield connection
        except (duckdb.CatalogException, duckdb.BinderException):  # it lacks a table or column, and is whole
            raise
        except duckdb.Error as error:
            damaged = next((other for other in (old, new) if other.path.name in str(error)), release)
            raise DamagedRelease(damaged.path, error) from error


def _find_corpora_table(connection: duckdb.DuckDBPyConnection, side: str) -> str:
    """The table of corpora of a release; those of earlier versions have no corpora of lists."""
    return "clean.corpora" if _has_clean_table(connection, side, "corpora") else "reference.corpora"


def _select_decisions(connection: duckdb.DuckDBPyConnection, side: str) -> str:
    """The decisions that hold in a release, as SQL; those of earlier versions have none."""
    has_some = _has_clean_table(connection, side, "decisions")
    return corpus_diff.DECISIONS.format(side=side) if has_some else corpus_diff.NO_DECISIONS


def _select_crosswalk(connection: duckdb.DuckDBPyConnection, side: str) -> str:
    """The table by which a release counts categories in other taxonomies; none of earlier versions is decided."""
    layer = "clean" if _has_clean_table(connection, side, "category_crosswalk") else "reference"
    return f"{side}.{layer}.category_crosswalk"


def _select_taxonomies(connection: duckdb.DuckDBPyConnection, side: str) -> str:
    """The taxonomies in which a release counts each corpus, as SQL."""
    if _has_clean_table(connection, side, "corpus_taxonomies"):
        return f"{side}.clean.corpus_taxonomies"
    return corpus_diff.TAXONOMIES.format(side=side, corpora=_find_corpora_table(connection, side))


def _has_clean_table(connection: duckdb.DuckDBPyConnection, side: str, name: str) -> bool:
    query = "from information_schema.tables where table_catalog = ? and table_schema = 'clean' and table_name = ?"
    return bool(connection.execute(query, [side, name]).fetchall())


def explain_changes(old: Release, new: Release, table: str, cells: Mapping[str, str] | None = None) -> pl.DataFrame:
    """The changes of a counting table between two releases, with their causes.

    Args:
        old: The earlier release.
        new: The later one.
        table: Name of a counting table of both releases.
        cells: Values of key columns, such as one counting rule, to which the comparison is limited.

    Returns:
        One row per changed cell, measure and cause: the key columns, ``measure``, ``old_value``, ``new_value``,
        ``cause`` (one of `CAUSES`), ``amount`` (those of a cell add up to ``new_value - old_value``) and
        ``publications``, up to twenty titles in one text. A publication that moves between cells is in both.

    Raises:
        KeyError: The table is not a counting table of both releases; the message lists those that are.
        DamagedRelease: A release cannot be read.
    """
    old_tables, new_tables = list_counting_tables(old), list_counting_tables(new)
    keys = {name: key for name, (key, _) in new_tables.items() if name in old_tables and old_tables[name][0] == key}
    if table not in keys:
        raise KeyError(f"{table} counts no publications in both releases; these do: {', '.join(keys) or 'none'}")
    names = ", ".join(keys[table])
    cell = ", ".join(f"{_CELL_EXPRESSIONS[name]} as {name}" for name in keys[table])
    selection = " and ".join(f"{name} = {quote_literal(value)}" for name, value in (cells or {}).items()) or "true"
    filters = "lab != 'all'" if "lab" in keys[table] else "true"  # a row for all labs is the sum of the others
    if "published_month" in keys[table]:
        filters += " and published_month is not null"
    has_corpora = "corpus" in keys[table]
    measures = _CORPUS_MEASURES if has_corpora else _MEASURES
    frames = []
    with _attach_both(old, new) as connection:
        remapped = corpus_diff.REMAPPED.format(
            old=_select_crosswalk(connection, "old"),
            new=_select_crosswalk(connection, "new"),
            corpora=f"new.{_find_corpora_table(connection, 'new')}",
        )
        for measure in new_tables[table][1]:
            if measure not in old_tables[table][1]:
                continue
            template, weight = measures[measure]
            after, before = (
                template.format(
                    cell=cell,
                    measure=weight,
                    side=side,
                    sign=sign,
                    crosswalk=_select_crosswalk(connection, side),
                    taxonomies=_select_taxonomies(connection, side),
                )
                for side, sign in (("new", 1), ("old", -1))
            )
            causes = (corpus_diff.CAUSES_BY_CELL if has_corpora else _CAUSES_BY_CELL).format(
                names=names,
                after=after,
                before=before,
                when_otherwise=_list_last_causes(template).replace("{remapped}", remapped),
                filters=selection,
                shown=_TITLES_SHOWN,
                old_decisions=_select_decisions(connection, "old"),
                new_decisions=_select_decisions(connection, "new"),
            )
            compared = _COMPARE_CELLS.format(
                names=names, measure=measure, table=table, filters=f"{filters} and {selection}"
            )
            query = _EXPLAIN_CHANGES.format(
                cells=compared,
                causes_by_cell=causes,
                names=names,
                measure=measure,
                kind="double" if measure in _BY_RULE else "bigint",
                # two rounded numbers are compared, and sums of numbers that are not
                tolerance=2.1 * _ROUNDING if measure == "expected_publications" else 1e-9,
            )
            frames.append(connection.sql(query).pl())
    return pl.concat(frames)
