"""Queries on suggested categories: how many publications are expected by them, and the cards of models."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl

from dashboards.queries.release import query_release
from dashboards.queries.selection import Dimension, Selection
from warehouse.release import Release

SUGGESTED_TABLE = "mart.suggested_counts_by_month"
SUGGESTED_TABLES = (SUGGESTED_TABLE, "clean.suggestions", "clean.models")
"""What the figure of expected counts reads besides the tables of corpora; releases of earlier versions lack them."""

_PERIODS = {
    "month": "strftime(starts_on, '%Y-%m')",
    "quarter": "strftime(starts_on, '%Y Q') || quarter(starts_on)",
    "year": "strftime(starts_on, '%Y')",
    "rolling_12_months": "strftime(ends_on, '%Y-%m')",
}


def build_expected_query(selection: Selection, series: Dimension) -> tuple[str, dict[str, Any]]:
    """The query for the expected publications per period and series of a selection of a corpus, and its parameters.

    Its columns are ``period``, ``starts_on``, ``ends_on``, the series, ``suggested_works``, ``expected_publications``,
    ``expected_low`` and ``expected_high``, with zeros between the first period and the last. Variances are added as if
    all were independent: over categories, of which a work has one, that makes the interval too wide; over the labs of a
    work that a rule divides, too narrow.
    """
    days = "ends_on" if selection.grain == "rolling_12_months" else "starts_on"
    of_periods, period_parameters = replace(selection, labs=(), categories=()).build_conditions(days)
    of_members, member_parameters = replace(selection, since=None, until=None).build_conditions("")
    query = f"""
with periods as (
    select starts_on, ends_on
    from publication_periods(grain := $grain, in_corpus := $corpus)
    where {of_periods}
),

expected as (
    select
        starts_on,
        {series},
        cast(sum(suggested_works) as bigint) as suggested_works,
        sum(expected_publications) as publications,
        1.959963984540054 * sqrt(sum(expected_variance)) as half_width
    from {SUGGESTED_TABLE}
    inner join periods on published_month between starts_on and ends_on
    where corpus = $corpus and counting_rule = $rule and taxonomy = $taxonomy and {of_members}
    group by starts_on, {series}
)

select
    {_PERIODS[selection.grain]} as period,
    starts_on,
    ends_on,
    {series},
    coalesce(suggested_works, 0) as suggested_works,
    round(coalesce(publications, 0.0), 3) as expected_publications,
    round(coalesce(greatest(0, publications - half_width), 0.0), 3) as expected_low,
    round(coalesce(publications + half_width, 0.0), 3) as expected_high
from periods
cross join (select distinct {series} from expected)
left join expected using (starts_on, {series})
where
    starts_on between (select min(starts_on) from expected) and (select max(starts_on) from expected)
order by starts_on, {series}
"""
    parameters = {**selection.counting_parameters, "grain": selection.grain}
    return query, parameters | period_parameters | member_parameters


def count_suggested_works(release: Release, corpus: str) -> int:
    """Number of works of a corpus that a category is suggested for."""
    query = """
        select count(distinct counted.work_id)
        from mart.counted_works as counted
        inner join clean.suggestions as suggestions on counted.work_id = suggestions.work_id
        inner join clean.corpora as corpora
            on counted.corpus = corpora.corpus and suggestions.taxonomy = corpora.taxonomy
        where counted.corpus = $corpus and suggestions.model = 'category'
    """
    return int(query_release(release, query, {"corpus": corpus}).item())


def has_relevance(release: Release, corpus: str) -> bool:
    """Whether a model suggests if works are in scope of the taxonomy of a corpus."""
    query = """
        select exists(
            select 1
            from clean.models as models
            inner join clean.corpora as corpora on models.taxonomy = corpora.taxonomy
            where models.model = 'relevance' and corpora.corpus = $corpus
        )
    """
    return bool(query_release(release, query, {"corpus": corpus}).item())


def query_model_cards(release: Release) -> pl.DataFrame:
    """The cards of all models, those that could not be trained last."""
    query = "from mart.model_cards order by model_version is null, taxonomy != 'iaps', taxonomy, model"
    return query_release(release, query)


def query_model_classes(release: Release, taxonomy: str, model: str) -> pl.DataFrame:
    """The categories of a model with precision, recall and F1, those with the most works first."""
    query = """
        select category, works, is_trained, precision, recall, f1
        from mart.model_card_classes
        where taxonomy = $taxonomy and model = $model
        order by works desc, category
    """
    return query_release(release, query, {"taxonomy": taxonomy, "model": model})


def query_confidence(release: Release, taxonomy: str, model: str) -> pl.DataFrame:
    """How many suggestions of a model are confident, by year of publication, the newest first."""
    query = """
        select
            strftime(published_month, '%Y') as period,
            cast(sum(suggested_works) as bigint) as suggested_works,
            cast(sum(confident_works) as bigint) as confident_works,
            sum(confident_works) / sum(suggested_works) as confident_share,
            wilson_low(sum(confident_works), sum(suggested_works)) as confident_share_low,
            wilson_high(sum(confident_works), sum(suggested_works)) as confident_share_high
        from mart.suggestion_confidence_by_month
        where taxonomy = $taxonomy and model = $model
        group by all
        order by period desc
    """
    return query_release(release, query, {"taxonomy": taxonomy, "model": model})
