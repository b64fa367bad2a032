"""What is expected by suggestions does not depend on the order in which an engine adds it up."""

from __future__ import annotations

import random

import duckdb
import pytest

from orchestration.defs.catalog import load_transforms

_TABLES = """
create schema reference; create schema mart; create schema clean;
create table reference.taxonomies as select 'iaps' as taxonomy, true as is_default;
create table clean.category_crosswalk as
    select 'iaps' as from_taxonomy, 'A' as from_category, 'other' as to_taxonomy, 'B' as to_category, 1.0::double as weight
    limit 0;
create table reference.corpora as select 'all_works' as corpus, 'living' as kind;
create table reference.counting_rules as
    select 'works' as counting_rule, 'whole' as attribution, false as counts_marked_duplicates;
create table clean.suggestions
    (work_id varchar, taxonomy varchar, model varchar, category varchar, probability double);
create table mart.counted_works as
    select
        'all_works' as corpus, work_id, date '2024-03-01' as published_on, 'a lab' as lab, false as is_duplicate,
        1.0::double as whole_weight, 1.0::double as fractional_weight, 1.0::double as first_author_weight
    from (select printf('%03d', number) as work_id from range(60) as numbers (number));
"""


def make_counts(probabilities: list[tuple[str, float]]) -> list[float]:
    with duckdb.connect() as connection:
        connection.execute(f"set threads = 1; {_TABLES}")
        for model, category in (("category", "A"), ("relevance", "in scope")):
            works = [work for work, _ in probabilities]
            values = [probability if model == "category" else 0.5 for _, probability in probabilities]
            connection.execute(
                "insert into clean.suggestions select unnest(?), 'iaps', ?, ?, unnest(?)",
                [works, model, category, values],
            )
        query = load_transforms()["mart.suggested_counts_by_month"].query
        columns = "expected_publications, expected_variance, expected_low, expected_high"
        ((*found,),) = connection.execute(f"select {columns} from ({query})").fetchall()
    return found


@pytest.mark.parametrize("seed", [0, 2])
def test_halves_of_a_digit_are_rounded_alike_in_any_order(seed: int) -> None:
    rng = random.Random(seed)
    parts = [rng.randrange(1, 10**6) for _ in range(59)]
    parts.append(500_001 - sum(parts) % 2)  # an odd sum: half of it ends on half a digit
    probabilities = [(f"{number:03}", part / 1e6) for number, part in enumerate(parts)]
    assert sum(parts) % 2 == 1
    expected = (sum(parts) + 1) // 2 / 1e6
    first = make_counts(probabilities)
    assert first[0] == expected
    for _ in range(5):
        rng.shuffle(probabilities)
        assert make_counts(probabilities) == first
