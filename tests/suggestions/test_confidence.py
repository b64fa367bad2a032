"""A warning is due when suggestions for newer works are clearly less often confident than those for earlier ones."""

from __future__ import annotations

import datetime as dt

import pytest

from expectations.cross_table import list_checks
from tests.support.suggestions import create_table, open_tables
from warehouse.sql import select_scalar_macros


def find_falls(*months: tuple[dt.date, int, int]) -> list[tuple[object, ...]]:
    """What the check finds of months with suggested and confident works."""
    (check,) = (one for one in list_checks() if one.name == "suggestions_stay_confident")
    rows = [
        {
            "taxonomy": "animals",
            "model": "category",
            "published_month": month,
            "suggested_works": works,
            "confident_works": confident,
        }
        for month, works, confident in months
    ]
    with open_tables() as tables:
        create_table(tables, "mart.suggestion_confidence_by_month", rows)
        tables.execute(select_scalar_macros(check.query))
        return check.query_violations(tables).rows.rows()


@pytest.mark.parametrize(
    ("confident", "falls"),
    [
        (90, []),  # as before
        (75, []),  # less, but not clearly
        (40, [("animals", "category", 0.4, 0.8)]),
    ],
)
def test_a_clear_fall_is_found(confident: int, falls: list[tuple[object, ...]]) -> None:
    earlier = [(dt.date(2022, month, 1), 20, 16) for month in range(1, 11)]
    newer = [(dt.date(2024, 1, 1), 50, confident - confident // 2), (dt.date(2024, 11, 1), 50, confident // 2)]
    assert find_falls(*earlier, *newer) == falls


def test_of_few_works_nothing_is_concluded() -> None:
    assert find_falls((dt.date(2022, 1, 1), 100, 90), (dt.date(2024, 1, 1), 29, 0)) == []
