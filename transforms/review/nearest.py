"""The labelled works whose words are most like those of a work: what people decided on the like of it."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from transforms.review.suggested import has_suggestions

MAX_WORKS = 3
# the words of a text that the model knows, weighted by how rare they are in labelled works
_NEAREST = """
with known_terms as (
    select term, max(inverse_document_frequency) as rarity
    from clean.model_terms
    where taxonomy = $taxonomy and model = 'category' and not contains(term, ' ')
    group by term
),
labelled as (
    select item_id, category, title, abstract
    from clean.training_labels
    where taxonomy = $taxonomy and model = 'category' and item_id != $work_id
),
texts as (
    select item_id, words_of(concat_ws(' ', title, abstract)) as words from labelled
    union all
    select work_id, words_of(concat_ws(' ', title, abstract)) from clean.works where work_id = $work_id
),
occurrences as (
    select item_id, unnest(words) as term from texts
),
weights as materialized (
    select occurrences.item_id, occurrences.term, count(*) * max(known_terms.rarity) as weight
    from occurrences inner join known_terms on occurrences.term = known_terms.term
    group by all
),
lengths as (
    select item_id, sqrt(sum(weight * weight)) as length from weights group by item_id
),
own as (
    select term, weight from weights where item_id = $work_id
),
products as (
    select weights.item_id, sum(own.weight * weights.weight) as product
    from weights inner join own on weights.term = own.term
    group by weights.item_id
),
similarities as (
    select
        products.item_id,
        round(products.product / lengths.length / own_length.length, 6) as similarity
    from products
    inner join lengths on products.item_id = lengths.item_id
    inner join lengths as own_length on own_length.item_id = $work_id
)
select labelled.title, labelled.category, similarities.similarity
from similarities inner join labelled on similarities.item_id = labelled.item_id
order by similarities.similarity desc, labelled.item_id
limit $limit
"""


@dataclass(frozen=True)
class NearestWork:
    """A labelled work that is like another one.

    Args:
        title: Its title.
        category: Its main category.
        similarity: Cosine of the weighted words of both, 0 to 1.
    """

    title: str
    category: str
    similarity: float


def list_nearest(
    connection: duckdb.DuckDBPyConnection, work_id: str, taxonomy: str, limit: int = MAX_WORKS
) -> list[NearestWork]:
    """The labelled works that are most like a work, the most alike first; none where a release has no suggestions."""
    if not has_suggestions(connection):
        return []
    values = {"work_id": work_id, "taxonomy": taxonomy, "limit": limit}
    return [NearestWork(title or "", *row) for title, *row in connection.execute(_NEAREST, values).fetchall()]
