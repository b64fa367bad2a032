"""Counting rules, taxonomies and periods: what is counted, where, and that nothing is lost or made up."""

from __future__ import annotations

import datetime as dt
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pipeline.test_pipeline import read_truth, rows
from tests.support.builders import made, publication
from warehouse import reference
from warehouse.lake import Lake
from warehouse.release import Release

RULES = [row["counting_rule"] for row in reference.rows_of("counting_rules")]
GRAINS = ["month", "quarter", "year", "rolling_12_months"]
COUNTED = ["mart.counted_publications", "mart.publication_counts_by_month", "mart.publications_by_lab_category_month"]
DAY = dt.date(2023, 5, 1)


def asked(release: Release, query: str) -> list[tuple]:
    with release.connect() as connection:
        return connection.execute(query).fetchall()


def by_lab(release: Release, rule: str) -> dict[str, float]:
    query = f"select lab, sum(publications) from publication_counts(rule := '{rule}') group by lab having sum(publications) > 0"
    return dict(asked(release, query))


@pytest.mark.parametrize(("rule", "suffix"), [("rows", "_with_duplicates"), ("works", "")])
def test_both_rules_equal_truth_in_the_same_question(released_lake: Lake, truth: Path, rule: str, suffix: str) -> None:
    for dimension in ("lab", "category"):
        query = f"""
            select {dimension}, year(starts_on)::varchar, sum(publications)
            from publication_counts(rule := '{rule}', grain := 'year')
            group by all
        """
        got = {(name, year): n for name, year, n in rows(released_lake, query) if n}
        table = read_truth(truth / f"truth_counts_{dimension}_year{suffix}.csv")
        expected = {
            (r[dimension], y): float(r[y])
            for r in table
            for y in ("2022", "2023", "2024")
            if r[dimension] != "All" and int(r[y])
        }
        assert got == expected


def test_rolling_windows_equal_truth(released_lake: Lake, truth: Path) -> None:
    query = """
        select strftime(ends_on, '%Y-%m'), sum(publications)
        from publication_counts(grain := 'rolling_12_months')
        group by 1
        order by 1
    """
    expected = [(r["month"], float(r["roll12"])) for r in read_truth(truth / "truth_monthly.csv") if r["roll12"]]
    assert rows(released_lake, query) == expected


def test_attribution_follows_the_authors(tmp_path: Path) -> None:
    papers = [publication(1, lab="OpenAI"), publication(2, lab="OpenAI"), publication(3, lab="Anthropic")]
    authors = [(1, 1, "Anthropic"), (1, 2, "OpenAI"), (1, 3, "OpenAI"), (1, 4, None), (3, 1, "Anthropic")]
    release = made(Lake(tmp_path), papers, authors)
    assert by_lab(release, "works") == {"OpenAI": 2, "Anthropic": 1}
    unknown = {"(authors not known)": 1}
    assert (
        by_lab(release, "works_fractional") == {"Anthropic": 1.25, "OpenAI": 0.5, "(no followed lab)": 0.25} | unknown
    )
    assert by_lab(release, "works_first_author") == {"Anthropic": 2} | unknown
    totals = dict(asked(release, "select counting_rule, is_applicable from mart.counting_rule_totals"))
    assert totals["works"]
    assert not totals["works_fractional"]


def test_marked_duplicates_count_only_by_rules_that_count_rows(tmp_path: Path) -> None:
    papers = [publication(1), publication(2, is_duplicate=True)]
    release = made(Lake(tmp_path), papers, [(1, 1, "OpenAI"), (2, 1, "OpenAI")], only=COUNTED)
    for rule in RULES:
        assert by_lab(release, rule) == {"OpenAI": 2 if rule.startswith("rows") else 1}


def test_a_rule_or_taxonomy_is_added_without_sql(tmp_path: Path) -> None:
    rule = {
        "counting_rule": "duplicates_too",
        "counts": "works",
        "attribution": "whole",
        "counts_marked_duplicates": True,
    }
    taxonomy = {
        "taxonomy": "two_kinds",
        "version": "1",
        "title": "t",
        "source": "s",
        "appeared_in": 2026,
        "is_default": False,
    }
    kinds = [
        {"taxonomy": "two_kinds", "category": kind, "is_nascent": False, "definition": "d"} for kind in ("one", "other")
    ]
    halves = [
        {
            "from_taxonomy": "iaps",
            "from_category": "Robustness",
            "to_taxonomy": "two_kinds",
            "to_category": kind,
            "weight": weight,
            "confidence": "low",
            "basis": "b",
        }
        for kind, weight in (("one", 0.25), ("other", 0.75))
    ]

    def held(name: str) -> list[dict[str, Any]]:
        (table,) = (table for table in reference.tables() if table.name == name)
        return reference.frame_of(table).to_dicts()

    release = made(
        Lake(tmp_path),
        [publication(1), publication(2, is_duplicate=True), publication(3, category="Honest AI")],
        only=COUNTED,
        reference__counting_rules=[*held("reference.counting_rules"), rule | {"meaning": "m"}],
        reference__taxonomies=[*held("reference.taxonomies"), taxonomy],
        reference__categories=[*held("reference.categories"), *kinds],
        reference__category_crosswalk=[*held("reference.category_crosswalk"), *halves],
    )
    query = """
        select category, sum(publications)
        from publication_counts(rule := 'duplicates_too', in_taxonomy := 'two_kinds')
        group by category
        order by category
    """
    assert asked(release, query) == [("(no counterpart)", 1.0), ("one", 0.5), ("other", 1.5)]


def test_nascent_categories_are_zeros_in_every_question(released_lake: Lake) -> None:
    for grain in GRAINS:
        query = f"""
            select category, sum(publications), count(*)
            from publication_counts(grain := '{grain}')
            where category in ('Multi-agent safety', 'Controlling untrusted AIs')
            group by category
        """
        found = rows(released_lake, query)
        assert len(found) == 2
        assert all(total == 0 and number > 0 for _, total, number in found)


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("publication_counts(rule := 'works_twice')", "no counting rule works_twice"),
        ("publication_counts(grain := 'week')", "no grain week"),
        ("publication_counts(grain := null)", "no grain null"),
        ("publications_behind(rule := 'ROWS')", "no counting rule ROWS"),
        ("publication_counts(in_taxonomy := 'other')", "no taxonomy other"),
        ("publication_shares(dimension := 'country')", "no dimension country"),
    ],
)
def test_unknown_parameters_are_told(released_lake: Lake, question: str, told: str) -> None:
    with pytest.raises(duckdb.InvalidInputException, match=told):
        rows(released_lake, f"from {question}")


def test_periods_of_every_length_hold_all_and_lie_side_by_side(tmp_path: Path) -> None:
    days = [
        dt.date(2024, 2, 29),
        dt.date(2022, 12, 31),
        dt.date(2023, 1, 1),
        dt.date(2023, 12, 31),
        dt.date(2024, 1, 1),
    ]
    papers = [publication(key, published_on=day) for key, day in enumerate(days)]
    release = made(Lake(tmp_path), papers, only=COUNTED)
    for grain, expected in (
        ("month", {"2022-12-01": 1, "2023-01-01": 1, "2023-12-01": 1, "2024-01-01": 1, "2024-02-01": 1}),
        ("quarter", {"2022-10-01": 1, "2023-01-01": 1, "2023-10-01": 1, "2024-01-01": 2}),
        ("year", {"2022-01-01": 1, "2023-01-01": 2, "2024-01-01": 2}),
    ):
        query = f"""
            select starts_on::varchar, ends_on::varchar, sum(publications)::int
            from publication_counts(grain := '{grain}')
            group by all
            order by all
        """
        found = asked(release, query)
        assert {start: n for start, _, n in found if n} == expected
        for (_, end, _), (start, _, _) in pairwise(found):
            assert dt.date.fromisoformat(end) + dt.timedelta(days=1) == dt.date.fromisoformat(start)
    leap = asked(
        release, "select distinct ends_on from publication_counts(grain := 'month') where starts_on = '2024-02-01'"
    )
    assert leap == [(dt.date(2024, 2, 29),)]


def test_exposure_counts_days_with_leap_years(released_lake: Lake) -> None:
    query = (
        "select year(starts_on), round(max(exposure_years) * 365.25, 9) from publication_counts() group by 1 order by 1"
    )
    assert rows(released_lake, query) == [(2022, 365), (2023, 365), (2024, 213)]


def test_newest_three_months_are_provisional_until_fifty_delays_are_known(tmp_path: Path) -> None:
    def provisional(papers: list[dict[str, Any]], name: str) -> list[str]:
        release = made(Lake(tmp_path / name), papers, only=COUNTED)
        query = "select distinct strftime(starts_on, '%Y-%m') from publication_counts(grain := 'month') where is_provisional"
        return sorted(month for (month,) in asked(release, query))

    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    seen = [
        publication(
            key,
            published_on=dt.date(2024, 1, 1) + dt.timedelta(days=5 * key),
            first_seen_at=start + dt.timedelta(days=5 * key + 20),
        )
        for key in range(60)
    ]
    first = publication("first", first_seen_at=start)
    few = provisional([first, *seen[:40]], "fewer")
    assert len(few) == 3
    assert provisional([first, *seen], "many") == []


def test_undated_publications_are_kept_and_counted_as_such(tmp_path: Path) -> None:
    release = made(Lake(tmp_path), [publication(1), publication(2, published_on=None)])
    found = asked(
        release,
        "select publications, undated_publications from mart.counting_rule_totals where counting_rule = 'works'",
    )
    assert found == [(2.0, 1.0)]
    assert asked(release, "select sum(publications) from publication_counts()") == [(1.0,)]
    assert asked(
        release, "select records, is_covered from mart.coverage_by_source_month where published_month is null"
    ) == [(1, False)]


def test_a_limit_is_kept(released_lake: Lake) -> None:
    for question in ("publications_behind()", "publication_counts()", "publication_shares()"):
        assert len(rows(released_lake, f"from {question} limit 2")) == 2
    lost_by_the_engine = (
        "select * from mart.counted_publications left join (from reference.labs where kind = 'x') using (lab) limit 2"
    )
    assert len(rows(released_lake, lost_by_the_engine)) == 2


def test_later_records_do_not_prove_the_months_between_covered(tmp_path: Path) -> None:
    papers = [publication(1), publication(2, published_on=dt.date(2025, 3, 5))]
    release = made(Lake(tmp_path), papers)
    query = "select starts_on::varchar, sum(publications)::int, bool_or(is_part_period), max(exposure_years) from publication_counts() group by 1 order by 1"
    years = asked(release, query)
    assert [(start[:4], n, part) for start, n, part, _ in years] == [
        ("2022", 0, False),
        ("2023", 1, False),
        ("2024", 0, True),
        ("2025", 1, True),
    ]
    assert years[-1][3] == 0
    assert asked(release, "select months from mart.publication_trends where dimension = 'all'") == [(31,)]
    assert asked(release, "select newest_year from mart.lab_watch_scores limit 1") == [(2024,)]


def test_lake_without_publications_answers_with_zeros(tmp_path: Path) -> None:
    release = made(Lake(tmp_path), [])
    assert asked(release, "select sum(publications), count(*) > 0 from publication_counts()") == [(0.0, True)]
    assert asked(release, "select count(*) from publication_shares() where share is not null") == [(0,)]


def test_moments_near_midnight_keep_their_utc_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late = dt.datetime(2024, 7, 1, 0, 30, tzinfo=dt.timezone(dt.timedelta(hours=9)))  # 30 June, 15:30 UTC
    for zone in ("UTC", "Asia/Tokyo", "America/Los_Angeles"):
        monkeypatch.setenv("TZ", zone)
        papers = [
            publication(1, first_seen_at=late),
            publication(2, published_on=dt.date(2024, 6, 30), first_seen_at=late),
        ]
        release = made(Lake(tmp_path / zone), papers, only=COUNTED)
        assert asked(release, "select reporting_delays from clean.coverage") == [(1,)]
        assert asked(release, "select first_seen_at::varchar from clean.publications limit 1") == [
            ("2024-06-30 15:30:00+00",)
        ]


LABS = st.sampled_from(["Anthropic", "OpenAI", "Google DeepMind", "A new lab"])
FACTS = st.fixed_dictionaries(
    {
        "lab": LABS,
        "category": st.sampled_from(["Robustness", "Honest AI", "Safety evaluations", "A new category"]),
        "published_on": st.dates(dt.date(2022, 1, 1), dt.date(2024, 12, 31)) | st.none(),
        "is_duplicate": st.booleans(),
    }
)
AUTHORS = st.lists(st.none() | LABS, max_size=4)


@settings(max_examples=6, deadline=None)
@given(st.lists(st.tuples(FACTS, AUTHORS), max_size=12))
def test_counts_are_whole_in_every_rule_taxonomy_and_grain(
    papers: list[tuple[dict[str, Any], list[str | None]]],
) -> None:
    """Nothing is lost or doubled, shares sum to 1, filters commute with rules, and every period is there."""
    with tempfile.TemporaryDirectory() as folder:
        facts = [publication(key, **told) for key, (told, _) in enumerate(papers)]
        authors = [(key, place, lab) for key, (_, labs) in enumerate(papers) for place, lab in enumerate(labs, 1)]
        release = made(Lake(Path(folder)), facts, authors, only=COUNTED)
        with release.connect() as connection:
            for rule in RULES:
                counted = [f for f in facts if rule.startswith("rows") or not f["is_duplicate"]]
                dated = [f for f in counted if f["published_on"]]
                for taxonomy in ("iaps", "unsolved_problems"):
                    for grain in ("month", "year"):
                        question = (
                            f"publication_counts(rule := '{rule}', grain := '{grain}', in_taxonomy := '{taxonomy}')"
                        )
                        found = connection.sql(f"from {question}").pl()
                        assert found["publications"].sum() == pytest.approx(len(dated))
                        panels = found.select("lab", "category").unique().height
                        assert found.height == panels * found["starts_on"].n_unique()
                        one = connection.sql(f"from {question} where lab = 'OpenAI'").pl()
                        assert one.equals(found.filter(pl.col("lab") == "OpenAI"))
                    shares = connection.sql(
                        f"from publication_shares(dimension := 'category', rule := '{rule}', in_taxonomy := '{taxonomy}')"
                    ).pl()
                    for (_,), part in shares.filter(pl.col("total_publications") > 0).group_by("starts_on"):
                        assert part["share"].sum() == pytest.approx(1)
                    inside = shares.filter(pl.col("share").is_not_null()).select(
                        (pl.col("share_low") <= pl.col("share") + 1e-12)
                        & (pl.col("share") <= pl.col("share_high") + 1e-12)
                    )
                    assert inside.to_series().all()
