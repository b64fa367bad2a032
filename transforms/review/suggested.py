"""What the models suggest for a work, and the terms of its text that speak for it."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

MAX_TERMS = 6
_SUGGESTIONS = """
select model, category, probability, is_in_set from clean.suggestions
where work_id = $work_id and taxonomy = $taxonomy
order by model desc, category_position, category
"""
# as the models read a text: its words, and pairs of neighbours
_REASONS = """
with texts as (
    select words_of(concat_ws(' ', title, abstract)) as words from clean.works where work_id = $work_id
),
neighbours as (
    select unnest(words) as word, unnest(words[2:]) as next_word from texts
),
frequencies as (
    select term, count(*) as occurrences
    from (
        select word as term from neighbours
        union all
        select word || ' ' || next_word as term from neighbours where next_word is not null
    )
    group by term
),
scores as (
    select
        terms.model,
        terms.category,
        terms.term,
        frequencies.occurrences * terms.inverse_document_frequency * terms.term_weight as score
    from frequencies inner join clean.model_terms as terms on frequencies.term = terms.term
    where terms.taxonomy = $taxonomy and terms.term_weight > 0
)
select model, category, list(term order by score desc, term) from scores group by model, category
"""


@dataclass(frozen=True)
class Suggestion:
    """A suggested category of a work.

    Args:
        model: What it is about: ``category`` or ``relevance``.
        category: The category.
        probability: Its probability.
        is_in_set: Whether it is in the set that is to hold the right one for nine of ten works.
        terms: The terms of its text that speak most for the category.
    """

    model: str
    category: str
    probability: float
    is_in_set: bool
    terms: tuple[str, ...] = ()


def list_suggestions(connection: duckdb.DuckDBPyConnection, work_id: str, taxonomy: str) -> list[Suggestion]:
    """The suggested categories of a work, the most probable first; none where a release has no suggestions."""
    if not has_suggestions(connection):
        return []
    values = {"work_id": work_id, "taxonomy": taxonomy}
    rows = connection.execute(_SUGGESTIONS, values).fetchall()
    if not rows:
        return []
    reasons = {
        (model, category): tuple(terms[:MAX_TERMS])
        for model, category, terms in connection.execute(_REASONS, values).fetchall()
    }
    return [Suggestion(*row, reasons.get((row[0], row[1]), ())) for row in rows]


def has_suggestions(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether a release has suggestions; those of earlier versions have none."""
    query = "from duckdb_tables() where schema_name = 'clean' and table_name = 'suggestions'"
    return bool(connection.execute(query).fetchall())
