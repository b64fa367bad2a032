"""How the odd cells of a sheet count: dates of a month or a year, several categories, no lab, no category."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from dashboards.queries import counts
from dashboards.queries.selection import Grain, Selection
from tests.support.builders import CORPORA, build_release, fetch_rows
from tests.support.two_lists import make_list_snapshot, make_row
from warehouse.lake import Lake
from warehouse.release import Release

FIRST, SECOND = "1" * 16, "2" * 16
SEEN_AT = {FIRST: dt.datetime(2026, 1, 1, tzinfo=dt.UTC), SECOND: dt.datetime(2026, 2, 1, tzinfo=dt.UTC)}
MARTS = (
    "mart.counted_publications",
    "mart.counting_rule_totals",
    "mart.publication_evidence",
    "mart.publication_counts_by_month",
    *CORPORA,
)


def make_version(key: str, snapshot_id: str = FIRST, place: int = 1, **values: Any) -> dict[str, Any]:
    facts = {"title": key, "lab": "OpenAI", "category": "Robustness", "is_duplicate": False, "snapshot_id": snapshot_id}
    facts |= {"record_id": key, "version_id": f"{key} {snapshot_id} {place}", "record_ordinal": place}
    facts |= {"first_seen_at": SEEN_AT[snapshot_id], "last_seen_at": SEEN_AT[snapshot_id]}
    return make_row("raw.lab_sheet_publications", **facts | values)


def build_from_sheet(lake: Lake, *versions: dict[str, Any]) -> Release:
    names = ("snapshot_id", "record_ordinal", "record_id", "version_id")
    return build_release(
        lake,
        None,
        only=MARTS,
        raw__snapshots=[make_list_snapshot(name, f"{name}.csv", seen_at) for name, seen_at in SEEN_AT.items()],
        raw__lab_sheet_publications=versions,
        raw__sightings=[
            make_row(
                "raw.sightings", **{name: v[name] for name in names}, source="lab_sheet", occurrence=1, locator="r"
            )
            for v in versions
        ],
    )


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    march, year_2025 = dt.date(2023, 3, 1), dt.date(2025, 1, 1)
    both = {"categories": "Agenda One; Agenda Two", "published_on": dt.date(2023, 3, 5), "date_precision": "day"}
    return build_from_sheet(
        Lake(tmp_path_factory.mktemp("sheet")),
        make_version("of a month", published_on=march, date_precision="month"),
        make_version("of a year", published_on=year_2025, date_precision="year", lab="Anthropic"),
        make_version("marked", published_on=year_2025, date_precision="year", is_duplicate=True),
        make_version("undated", lab=None, category=None),
        make_version("in two agendas", place=1, category="Agenda One", **both),
        make_version("in two agendas", place=2, category="Agenda Two", **both),
        make_version("day then month", FIRST, published_on=dt.date(2023, 3, 9), date_precision="day"),
        make_version("day then month", SECOND, published_on=march, date_precision="month"),
        make_version("day then other year", FIRST, published_on=dt.date(2023, 3, 9), date_precision="day"),
        make_version("day then other year", SECOND, published_on=dt.date(2024, 1, 1), date_precision="year"),
    )


def test_most_precise_date_that_agrees_with_the_newest_one_is_kept(release: Release) -> None:
    query = "select title, published_on::varchar, date_precision, year(published_year) from clean.publications"
    assert {title: rest for title, *rest in fetch_rows(release, query)} == {
        "of a month": ["2023-03-01", "month", 2023],
        "of a year": [None, "year", 2025],
        "marked": [None, "year", 2025],
        "undated": [None, None, None],
        "in two agendas": ["2023-03-05", "day", 2023],
        "day then month": ["2023-03-09", "day", 2023],
        "day then other year": [None, "year", 2024],
    }


@pytest.mark.parametrize(
    ("grain", "expected"),
    [
        ("year", {"2023-01-01": 3, "2024-01-01": 1, "2025-01-01": 1}),
        ("quarter", {"2023-01-01": 3}),
        ("month", {"2023-03-01": 3}),
    ],
)
def test_year_alone_counts_in_its_year_and_in_no_month(release: Release, grain: str, expected: dict[str, int]) -> None:
    query = f"""
        select starts_on::varchar, sum(publications)
        from publication_counts(rule := 'works', grain := '{grain}')
        group by starts_on
        having sum(publications) > 0
    """
    assert dict(fetch_rows(release, query)) == expected


def test_publications_known_only_by_year_are_reported(release: Release) -> None:
    query = "select counting_rule, publications, undated_publications, year_only_publications from mart.counting_rule_totals"
    totals = {rule: rest for rule, *rest in fetch_rows(release, query)}
    assert totals["works"] == totals["works_shared_categories"] == [6, 3, 2]
    assert totals["rows"] == [7, 4, 3]


def test_publication_of_two_categories_is_kept_in_both_and_counts_by_a_declared_rule(release: Release) -> None:
    query = "select category_position, category, weight from clean.publication_categories where publication_id = 'in two agendas'"
    assert sorted(fetch_rows(release, query)) == [(1, "Agenda One", 0.5), (2, "Agenda Two", 0.5)]

    def count(rule: str) -> dict[str, float]:
        query = f"""
            select category, sum(publications)
            from publication_counts(rule := '{rule}')
            where category like 'Agenda%'
            group by category
            having sum(publications) > 0
        """
        return dict(fetch_rows(release, query))

    assert count("works") == count("rows") == {"Agenda One": 1}
    assert count("works_shared_categories") == {"Agenda One": 0.5, "Agenda Two": 0.5}
    query = "select sum(weight) from publications_behind(rule := 'works_shared_categories') where publication_id = 'in two agendas'"
    assert fetch_rows(release, query) == [(1.0,)]
    query = "select distinct basis from mart.publication_evidence where publication_id = 'in two agendas'"
    assert fetch_rows(release, query) == [("label of the source; one of several categories: Agenda One; Agenda Two",)]


def test_missing_lab_and_category_are_counted_under_their_own_names(release: Release) -> None:
    query = "select lab, category, lab_as_written, category_as_written from mart.publication_evidence where publication_id = 'undated'"
    assert fetch_rows(release, query) == [("(no lab)", "(no category)", "(no lab)", "(no category)")]


def test_former_lakes_without_precision_have_days(tmp_path: Path) -> None:
    release = build_from_sheet(Lake(tmp_path), make_version("old", published_on=dt.date(2023, 1, 1)))
    query = "select published_on::varchar, date_precision, category from clean.publications"
    assert fetch_rows(release, query) == [("2023-01-01", "day", "Robustness")]


@pytest.mark.parametrize(("grain", "dated", "undated"), [("year", 5, 1), ("quarter", 3, 3), ("month", 3, 3)])
def test_page_counts_and_lists_a_year_alone_in_its_year(
    release: Release, grain: Grain, dated: int, undated: int
) -> None:
    selection = Selection(rule="works", grain=grain)
    totals = counts.query_totals(release, selection)
    assert (totals.selected, totals.dated, totals.undated) == (dated, dated, undated)
    assert counts.query_counts(release, selection)["publications"].sum() == dated
    assert counts.list_papers(release, selection, "dated").height == dated
    assert counts.list_papers(release, selection, "undated").height == undated
    span = dt.date(2025, 1, 1), dt.date(2025, 12, 31)
    assert counts.list_papers(release, selection, span)["title"].to_list() == ["of a year"][: dated == 5]


def test_page_lists_a_publication_of_two_categories_once(release: Release) -> None:
    papers = counts.list_papers(release, Selection(rule="works_shared_categories", grain="month"), "dated")
    assert papers["in_all"].to_list() == [3] * 3
    assert papers["counted"].to_list() == [1.0] * 3
