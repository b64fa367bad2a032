"""Counting rules, taxonomies and periods: what is counted where, and that counts are complete."""

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

from tests.pipeline.test_pipeline import query_lake, read_truth
from tests.support.builders import CORPORA, build_release, fetch_rows, make_publication
from tests.support.trials import scale_trials
from warehouse import reference
from warehouse.lake import Lake
from warehouse.release import Release

RULES = [row["counting_rule"] for row in reference.read_rows("counting_rules")]
GRAINS = ["month", "quarter", "year", "rolling_12_months"]
COUNTED = [
    "mart.counted_publications",
    "mart.publication_counts_by_month",
    "mart.publications_by_lab_category_month",
    *CORPORA,
]
DAY = dt.date(2023, 5, 1)


def count_by_lab(release: Release, rule: str) -> dict[str, float]:
    query = f"select lab, sum(publications) from publication_counts(rule := '{rule}') group by lab having sum(publications) > 0"
    return dict(fetch_rows(release, query))


@pytest.mark.parametrize(("rule", "suffix"), [("rows", "_with_duplicates"), ("works", "")])
def test_both_rules_equal_truth(released_lake: Lake, truth: Path, rule: str, suffix: str) -> None:
    for dimension in ("lab", "category"):
        query = f"""
            select {dimension}, year(starts_on)::varchar, sum(publications)
            from publication_counts(rule := '{rule}', grain := 'year')
            group by all
        """
        got = {(name, year): n for name, year, n in query_lake(released_lake, query) if n}
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
    assert query_lake(released_lake, query) == expected


def test_attribution_follows_the_authors(tmp_path: Path) -> None:
    papers = [
        make_publication(1, lab="OpenAI"),
        make_publication(2, lab="OpenAI"),
        make_publication(3, lab="Anthropic"),
    ]
    authors = [(1, 1, "Anthropic"), (1, 2, "OpenAI"), (1, 3, "OpenAI"), (1, 4, None), (3, 1, "Anthropic")]
    release = build_release(Lake(tmp_path), papers, authors, only=[*COUNTED, "mart.counting_rule_totals"])
    assert count_by_lab(release, "works") == {"OpenAI": 2, "Anthropic": 1}
    unknown = {"(authors not known)": 1}
    assert (
        count_by_lab(release, "works_fractional")
        == {"Anthropic": 1.25, "OpenAI": 0.5, "(no followed lab)": 0.25} | unknown
    )
    assert count_by_lab(release, "works_first_author") == {"Anthropic": 2} | unknown
    totals = dict(fetch_rows(release, "select counting_rule, is_applicable from mart.counting_rule_totals"))
    assert totals["works"]
    assert not totals["works_fractional"]


def test_marked_duplicates_count_only_by_rules_that_count_rows(tmp_path: Path) -> None:
    papers = [make_publication(1), make_publication(2, is_duplicate=True)]
    release = build_release(Lake(tmp_path), papers, [(1, 1, "OpenAI"), (2, 1, "OpenAI")], only=COUNTED)
    for rule in RULES:
        assert count_by_lab(release, rule) == {"OpenAI": 2 if rule.startswith("rows") else 1}


def test_rule_or_taxonomy_is_added_without_sql(tmp_path: Path) -> None:
    rule = {
        "counting_rule": "duplicates_too",
        "counts": "works",
        "attribution": "whole",
        "category_attribution": "first",
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

    def read_reference(name: str) -> list[dict[str, Any]]:
        (table,) = (table for table in reference.list_reference_tables() if table.name == name)
        return reference.read_table(table).to_dicts()

    release = build_release(
        Lake(tmp_path),
        [make_publication(1), make_publication(2, is_duplicate=True), make_publication(3, category="Honest AI")],
        only=COUNTED,
        reference__counting_rules=[*read_reference("reference.counting_rules"), rule | {"meaning": "m"}],
        reference__taxonomies=[*read_reference("reference.taxonomies"), taxonomy],
        reference__categories=[*read_reference("reference.categories"), *kinds],
        reference__category_crosswalk=[*read_reference("reference.category_crosswalk"), *halves],
    )
    query = """
        select category, sum(publications)
        from publication_counts(rule := 'duplicates_too', in_taxonomy := 'two_kinds')
        group by category
        order by category
    """
    assert fetch_rows(release, query) == [("(no counterpart)", 1.0), ("one", 0.5), ("other", 1.5)]


def test_nascent_categories_have_zeros_at_every_grain(released_lake: Lake) -> None:
    for grain in GRAINS:
        query = f"""
            select category, sum(publications), count(*)
            from publication_counts(grain := '{grain}')
            where category in ('Multi-agent safety', 'Controlling untrusted AIs')
            group by category
        """
        totals = query_lake(released_lake, query)
        assert len(totals) == 2
        assert all(total == 0 and number > 0 for _, total, number in totals)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("publication_counts(rule := 'works_twice')", "no counting rule works_twice"),
        ("publication_counts(grain := 'week')", "no grain week"),
        ("publication_counts(grain := null)", "no grain null"),
        ("publications_behind(rule := 'ROWS')", "no counting rule ROWS"),
        ("publication_counts(in_taxonomy := 'other')", "no taxonomy other"),
        ("publications_behind(in_taxonomy := 'other')", "no taxonomy other"),
        ("publication_shares(dimension := 'country')", "no dimension country"),
    ],
)
def test_unknown_parameters_are_reported(released_lake: Lake, source: str, message: str) -> None:
    with pytest.raises(duckdb.InvalidInputException, match=message):
        query_lake(released_lake, f"from {source}")


def test_periods_of_every_length_are_complete_and_adjacent(tmp_path: Path) -> None:
    days = [
        dt.date(2024, 2, 29),
        dt.date(2022, 12, 31),
        dt.date(2023, 1, 1),
        dt.date(2023, 12, 31),
        dt.date(2024, 1, 1),
    ]
    papers = [make_publication(key, published_on=day) for key, day in enumerate(days)]
    release = build_release(Lake(tmp_path), papers, only=COUNTED)
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
        periods = fetch_rows(release, query)
        assert {start: n for start, _, n in periods if n} == expected
        for (_, end, _), (start, _, _) in pairwise(periods):
            assert dt.date.fromisoformat(end) + dt.timedelta(days=1) == dt.date.fromisoformat(start)
    february = fetch_rows(
        release, "select distinct ends_on from publication_counts(grain := 'month') where starts_on = '2024-02-01'"
    )
    assert february == [(dt.date(2024, 2, 29),)]


def test_exposure_counts_days_with_leap_years(released_lake: Lake) -> None:
    query = (
        "select year(starts_on), round(max(exposure_years) * 365.25, 9) from publication_counts() group by 1 order by 1"
    )
    assert query_lake(released_lake, query) == [(2022, 365), (2023, 365), (2024, 213)]


def test_newest_three_months_are_provisional_until_fifty_delays_are_known(tmp_path: Path) -> None:
    def list_provisional_months(publications: list[dict[str, Any]], name: str) -> list[str]:
        release = build_release(Lake(tmp_path / name), publications, only=COUNTED)
        query = "select distinct strftime(starts_on, '%Y-%m') from publication_counts(grain := 'month') where is_provisional"
        return sorted(month for (month,) in fetch_rows(release, query))

    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    publications = [
        make_publication(
            key,
            published_on=dt.date(2024, 1, 1) + dt.timedelta(days=5 * key),
            first_seen_at=start + dt.timedelta(days=5 * key + 20),
        )
        for key in range(60)
    ]
    first = make_publication("first", first_seen_at=start)
    few = list_provisional_months([first, *publications[:40]], "fewer")
    assert len(few) == 3
    assert list_provisional_months([first, *publications], "many") == []


def test_undated_publications_are_counted_as_undated(tmp_path: Path) -> None:
    release = build_release(
        Lake(tmp_path),
        [make_publication(1), make_publication(2, published_on=None)],
        only=[*COUNTED, "mart.counting_rule_totals", "mart.coverage_by_source_month"],
    )
    totals = fetch_rows(
        release,
        "select publications, undated_publications from mart.counting_rule_totals where counting_rule = 'works'",
    )
    assert totals == [(2.0, 1.0)]
    assert fetch_rows(release, "select sum(publications) from publication_counts()") == [(1.0,)]
    assert fetch_rows(
        release, "select records, is_covered from mart.coverage_by_source_month where published_month is null"
    ) == [(1, False)]


def test_limit_of_a_query_is_respected(released_lake: Lake) -> None:
    for macro in ("publications_behind()", "publication_counts()", "publication_shares()"):
        assert len(query_lake(released_lake, f"from {macro} limit 2")) == 2
    query_that_loses_its_limit = (
        "select * from mart.counted_publications left join (from reference.labs where kind = 'x') using (lab) limit 2"
    )
    assert len(query_lake(released_lake, query_that_loses_its_limit)) == 2


def test_later_records_do_not_extend_the_coverage(tmp_path: Path) -> None:
    papers = [make_publication(1), make_publication(2, published_on=dt.date(2025, 3, 5))]
    only = [*COUNTED, "mart.publication_trends", "mart.lab_watch_scores"]
    release = build_release(Lake(tmp_path), papers, only=only)
    query = "select starts_on::varchar, sum(publications)::int, bool_or(is_part_period), max(exposure_years) from publication_counts() group by 1 order by 1"
    years = fetch_rows(release, query)
    assert [(start[:4], n, part) for start, n, part, _ in years] == [
        ("2022", 0, False),
        ("2023", 1, False),
        ("2024", 0, True),
        ("2025", 1, True),
    ]
    assert years[-1][3] == 0
    assert fetch_rows(release, "select months from mart.publication_trends where dimension = 'all'") == [(31,)]
    assert fetch_rows(release, "select newest_year from mart.lab_watch_scores limit 1") == [(2024,)]


def test_lake_without_publications_has_zeros(tmp_path: Path) -> None:
    release = build_release(Lake(tmp_path), [], only=COUNTED)
    assert fetch_rows(release, "select sum(publications), count(*) > 0 from publication_counts()") == [(0.0, True)]
    assert fetch_rows(release, "select count(*) from publication_shares() where share is not null") == [(0,)]


def test_times_near_midnight_keep_their_utc_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late = dt.datetime(2024, 7, 1, 0, 30, tzinfo=dt.timezone(dt.timedelta(hours=9)))  # 30 June, 15:30 UTC
    for zone in ("UTC", "Asia/Tokyo", "America/Los_Angeles"):
        monkeypatch.setenv("TZ", zone)
        papers = [
            make_publication(1, first_seen_at=late),
            make_publication(2, published_on=dt.date(2024, 6, 30), first_seen_at=late),
        ]
        release = build_release(Lake(tmp_path / zone), papers, only=COUNTED)
        assert fetch_rows(release, "select reporting_delays from clean.coverage") == [(1,)]
        assert fetch_rows(release, "select first_seen_at::varchar from clean.publications limit 1") == [
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


@pytest.mark.trials("generated sets of publications", scale_trials(2, 30))
@settings(max_examples=scale_trials(2, 30), deadline=None)
@given(st.lists(st.tuples(FACTS, AUTHORS), max_size=12))
def test_counts_are_complete_for_every_rule_taxonomy_and_grain(
    papers: list[tuple[dict[str, Any], list[str | None]]],
) -> None:
    """Sums equal the number of publications, shares sum to 1, filters do not change counts, no period is missing."""
    with tempfile.TemporaryDirectory() as folder:
        facts = [make_publication(key, **values) for key, (values, _) in enumerate(papers)]
        authors = [(key, position, lab) for key, (_, labs) in enumerate(papers) for position, lab in enumerate(labs, 1)]
        release = build_release(Lake(Path(folder)), facts, authors, only=COUNTED)
        with release.connect() as connection:
            for rule in RULES:
                counted = [f for f in facts if rule.startswith("rows") or not f["is_duplicate"]]
                dated = [f for f in counted if f["published_on"]]
                for taxonomy in ("iaps", "unsolved_problems"):
                    for grain in ("month", "year"):
                        macro = f"publication_counts(rule := '{rule}', grain := '{grain}', in_taxonomy := '{taxonomy}')"
                        counts = connection.sql(f"from {macro}").pl()
                        assert counts["publications"].sum() == pytest.approx(len(dated))
                        panels = counts.select("lab", "category").unique().height
                        assert counts.height == panels * counts["starts_on"].n_unique()
                        one = connection.sql(f"from {macro} where lab = 'OpenAI'").pl()
                        assert one.equals(counts.filter(pl.col("lab") == "OpenAI"))
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
