"""Trends, associations, nowcasts and overlaps equal the reference numbers and libraries, and handle edge cases."""

from __future__ import annotations

import csv
import datetime as dt
import tempfile
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from orchestration.defs.catalog import load_transforms
from tests.pipeline.test_pipeline import query_lake
from tests.support.builders import build_release, make_publication
from tests.support.trials import scale_trials
from transforms import engine
from warehouse.lake import Lake
from warehouse.release_file import open_release_file
from warehouse.sql import SCALAR_MACROS
from warehouse.statistics import trends
from warehouse.statistics.functions import register_statistics

COUNTS = st.lists(st.integers(0, 30).map(float), min_size=4, max_size=40)


@pytest.fixture(scope="module")
def all_months(released_lake: Lake) -> dict:
    with open_release_file(released_lake.root / "aisle.duckdb") as connection:
        return connection.sql("from mart.publication_trends where dimension = 'all'").pl().row(0, named=True)


@pytest.fixture(scope="module")
def monthly(released_lake: Lake) -> list[float]:
    query = "select sum(works)::double from mart.publications_by_lab_category_month group by published_month order by published_month"
    return [n for (n,) in query_lake(released_lake, query)]


def test_trend_of_all_works_equals_reference(all_months: dict) -> None:
    reference = {
        "months": 31,
        "works": 78,
        "works_per_month": 2.52,
        "dispersion_index": 0.95,
        "dispersion_p_value": 0.54,
        "mann_kendall_p_value": 0.033,
        "growth_per_year": 0.40,
        "growth_low": 0.04,
        "growth_high": 0.90,
        "change_likelihood_ratio": 7.79,
    }
    for name, expected in reference.items():
        digits = len(str(expected).partition(".")[2])
        assert round(all_months[name], digits) == expected, name
    assert all_months["change_month"] == dt.date(2023, 5, 1)
    # random draws: the reference has 0.033 and 0.062 from fewer draws
    assert all_months["change_p_value"] == pytest.approx(0.033, abs=0.012)
    assert all_months["change_poisson_p_value"] == pytest.approx(0.062, abs=0.015)
    assert all_months["seasonal_p_value"] is None  # 31 months are fewer than 36


def test_trend_statistics_equal_scipy_and_statsmodels(all_months: dict, monthly: list[float]) -> None:
    import statsmodels.api as sm

    months = np.arange(len(monthly))
    assert all_months["theil_sen_per_year"] == pytest.approx(12 * stats.theilslopes(monthly, months)[0], abs=1e-9)
    fit = sm.GLM(monthly, sm.add_constant(months), family=sm.families.Poisson()).fit(tol=1e-14)
    assert np.log1p(trends.growth_per_period(monthly)) == pytest.approx(fit.params[1], abs=1e-9)
    error = fit.bse[1] * max(1.0, fit.pearson_chi2 / fit.df_resid) ** 0.5
    assert trends.log_growth_error(monthly) == pytest.approx(error, abs=1e-9)
    assert trends.seasonal_p_value(monthly, 1) == pytest.approx(0.74, abs=0.005)


@settings(max_examples=25, deadline=None)
@given(COUNTS)
def test_growth_equals_statsmodels(counts: list[float]) -> None:
    import statsmodels.api as sm

    growth = trends.growth_per_period(counts)
    if growth is None:
        assert np.count_nonzero(counts) < 2
        return
    fit = sm.GLM(counts, sm.add_constant(np.arange(len(counts))), family=sm.families.Poisson()).fit(
        maxiter=300, tol=1e-14
    )
    assert np.log1p(growth) == pytest.approx(fit.params[1], abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(COUNTS)
def test_mann_kendall_in_sql_equals_its_formula(counts: list[float]) -> None:
    n = len(counts)
    s = sum(np.sign(counts[j] - counts[i]) for i in range(n) for j in range(i + 1, n))
    ties = sum(t * (t - 1) * (2 * t + 5) for t in np.unique(counts, return_counts=True)[1])
    variance = (n * (n - 1) * (2 * n + 5) - ties) / 18
    z = (s - np.sign(s)) / variance**0.5 if variance > 0 else None
    assert trends.normal_two_sided_p_value(z or 0.0) == pytest.approx(2 * stats.norm.sf(abs(z or 0.0)))


def test_p_values_are_adjusted_over_all_panels(released_lake: Lake) -> None:
    from statsmodels.stats.multitest import multipletests

    query = """
        select growth_p_value, growth_p_adjusted, finding, corrected_low, corrected_high
        from mart.publication_trends
        where growth_p_value is not null
    """
    tests = query_lake(released_lake, query)
    expected = multipletests([row[0] for row in tests], method="fdr_bh")[1]
    assert [row[1] for row in tests] == pytest.approx(list(expected), abs=1e-12)
    for _, adjusted, finding, low, high in tests:
        assert (finding in {"up", "down"}) == (adjusted < 0.05) == (low > 0 or high < 0)


@pytest.mark.trials("generated sets of publications", scale_trials(3, 30))
@settings(max_examples=scale_trials(3, 30), deadline=None)
@given(st.lists(st.tuples(st.integers(0, 80), st.integers(0, 80), st.integers(0, 80)), min_size=1, max_size=4))
def test_finding_is_a_change_only_if_its_corrected_interval_excludes_none(labs: list[tuple[int, int, int]]) -> None:
    papers = [
        make_publication(f"{lab} {year} {n}", lab=f"Lab {lab}", published_on=dt.date(2022 + year, 1 + n % 7, 5))
        for lab, years in enumerate(labs)
        for year, number in enumerate(years)
        for n in range(number)
    ]
    needed = ["counted_publications", "publication_counts_by_month", "publications_by_lab_category_month"]
    needed += ["publications_by_lab_year", "publication_rates_by_year", "publication_rate_ratios"]
    with tempfile.TemporaryDirectory() as folder:
        release = build_release(Lake(Path(folder)), papers, only=[f"mart.{name}" for name in needed])
        with release.connect() as connection:
            ratios = connection.sql("from mart.publication_rate_ratios").pl()
    for row in ratios.iter_rows(named=True):
        low, high = row["corrected_low"], row["corrected_high"] if row["corrected_high"] is not None else float("inf")
        assert low <= row["ratio_low"] + 1e-9
        assert (row["finding"] == "up") == (low > 1 and min(row["first_works"], row["second_works"]) >= 5)
        assert (row["finding"] == "down") == (high < 1 and min(row["first_works"], row["second_works"]) >= 5)


def test_few_works_have_no_growth(released_lake: Lake) -> None:
    query = (
        "select count(*), count(growth_per_year), count(distinct finding) from mart.publication_trends where works < 10"
    )
    number, grown, findings = query_lake(released_lake, query)[0]
    assert number >= 4
    assert (grown, findings) == (0, 1)


def test_clear_trend_is_found(tmp_path: Path) -> None:
    """Two works a month for 18 months, then six; seasons are tested from 36 months."""
    days = [
        dt.date(2022 + month // 12, month % 12 + 1, 3 + number)
        for month in range(36)
        for number in range(2 if month < 18 else 6)
    ]
    papers = [make_publication(key, published_on=day) for key, day in enumerate(days)]
    last = make_publication("last", published_on=dt.date(2024, 12, 31))
    coverage = {
        "source": "lab_sheet",
        "covers_from": dt.date(2022, 1, 1),
        "covers_until": dt.date(2024, 12, 31),
        "basis": "b",
    }
    release = build_release(
        Lake(tmp_path), [*papers, last], only=["mart.publication_trends"], reference__coverage=[coverage]
    )
    with release.connect() as connection:
        query = "select finding, change_month, change_p_value < 0.001, seasonal_p_value is not null from mart.publication_trends where dimension = 'all'"
        assert connection.execute(query).fetchall() == [("up", dt.date(2023, 7, 1), True, True)]


def test_association_equals_reference(released_lake: Lake) -> None:
    query = "select second_dimension, cramers_v, p_value from mart.publication_associations order by 1"
    (by_lab, by_year) = query_lake(released_lake, query)
    assert round(by_lab[1], 2) == 0.43
    assert by_lab[2] == pytest.approx(0.024, abs=0.006)  # random draws
    assert by_year[2] == pytest.approx(0.12, abs=0.012)


def test_cramers_v_equals_scipy(released_lake: Lake, truth: Path) -> None:
    with (truth / "truth_counts_category_lab.csv").open(encoding="utf-8") as lines:
        table = [
            [int(row[lab]) for lab in ("Anthropic", "Google DeepMind", "OpenAI")]
            for row in csv.DictReader(lines)
            if row["category"] != "All"
        ]
    kept = [row for row in table if sum(row)]
    expected = stats.contingency.association(np.array(kept), method="cramer")
    query = "select cramers_v from mart.publication_associations where second_dimension = 'lab'"
    assert query_lake(released_lake, query)[0][0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("per_month", [3, 30])
def test_nowcast_covers_the_final_count(tmp_path: Path, per_month: int) -> None:
    """300 simulated sources with lognormal delays (median one month), observed for 24 months."""
    random = np.random.default_rng(per_month)
    months, sources = 24, 300
    looked_month = dt.date(2023, 12, 1)
    final: dict[tuple[str, int], int] = {}
    reports = []
    for number in range(sources):
        source = f"source {number}"
        for month, events in enumerate(random.poisson(per_month, months)):
            age = months - 1 - month
            days = random.uniform(0, 30.4, events) + random.lognormal(np.log(30.4), 1.0, events)
            delays = np.floor(days / 30.4).astype(int)
            final[source, age] = int(events)
            published = dt.date(2022 + month // 12, month % 12 + 1, 1)
            reports += [
                {
                    "source": source,
                    "publication_id": f"{number} {month} {index}",
                    "published_month": published,
                    "delay_months": int(delay),
                    "looked_month": looked_month,
                }
                for index, delay in enumerate(delays)
                if delay <= age
            ]
    lake = Lake(tmp_path)
    delays_table = load_transforms()["clean.reporting_delays"].table
    lake.write(delays_table, delays_table.frame(reports))
    nowcasts_transform = load_transforms()["mart.publication_nowcasts"]
    engine.make_table(nowcasts_transform, lake)
    nowcasts = lake.read(nowcasts_transform.table)
    known = nowcasts.filter(pl.col("nowcast_low").is_not_null())
    assert known.height >= (0.5 if per_month == 3 else 1) * nowcasts.height
    assert nowcasts.filter(pl.col("reporting_delays") < 50)["completeness"].is_null().all()
    truth = [
        final[
            row["source"],
            (looked_month.year - row["published_month"].year) * 12 + looked_month.month - row["published_month"].month,
        ]
        for row in known.iter_rows(named=True)
    ]
    covered = [
        low <= n <= high for n, low, high in zip(truth, known["nowcast_low"], known["nowcast_high"], strict=True)
    ]
    assert np.mean(covered) >= 0.93
    if per_month == 30:  # the estimate is close on average, the reported count is far too low
        assert known["nowcast_works"].sum() / sum(truth) == pytest.approx(1, abs=0.08)
        assert known["reported_works"].sum() / sum(truth) < 0.75


@pytest.mark.parametrize(("first", "second", "both"), [(40, 35, 20), (78, 78, 78), (5, 4, 1), (3, 3, 0), (1, 1, 1)])
def test_overlap_interval_is_exact(first: int, second: int, both: int) -> None:
    low, high = (f(first, second, both) for f in (trends.list_overlap_low, trends.list_overlap_high))
    union = first + second - both
    assert low >= union
    if low > union:
        assert (
            stats.hypergeom.cdf(both, int(low) - 1, first, second)
            < 0.025
            <= stats.hypergeom.cdf(both, int(low), first, second)
        )
    if both == 0:
        assert high is None
    else:
        assert stats.hypergeom.sf(both - 1, int(high) + 1, first, second) < 0.025
        assert high == low or stats.hypergeom.sf(both - 1, int(high), first, second) >= 0.025


def test_overlap_interval_covers_the_population() -> None:
    random = np.random.default_rng(1)
    inside = []
    for _ in range(300):
        one, other = random.random(120) < 0.5, random.random(120) < 0.4
        numbers = (one.sum(), other.sum(), (one & other).sum())
        high = trends.list_overlap_high(*numbers)
        inside.append(trends.list_overlap_low(*numbers) <= 120 and (high is None or high >= 120))
    assert np.mean(inside) >= 0.93


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("share_caution(5, 29)", "fewer than 30 in all"),
        ("share_caution(15, 30)", "interval wider than 0.20"),
        ("share_caution(500, 1000)", None),
        ("change_finding(4, 50, 5.0, 20.0, 1)", "too few"),
        ("change_finding(5, 50, 1.01, 20.0, 1)", "up"),
        ("change_finding(50, 5, 0.1, 0.99, 1)", "down"),
        ("change_finding(5, 50, 1.0, 20.0, 1)", "no clear change"),
        ("change_finding(5, 50, 1.5, null, 1)", "up"),
        ("corrected_alpha(0, 12)", 0.05 / 12),
        ("corrected_alpha(3, 12)", 0.05 / 4),
        ("wilson_low(null, 3)", None),
        ("wilson_high(5, 3)", None),
        ("growth_shown(4, 9, 1.25)", None),
        ("growth_shown(5, 9, 0.5)", 0.5),
        ("season_shown(35, 0.5)", None),
        ("season_shown(36, 0.5)", 0.5),
        ("provisional_since(date '2024-07-24', 49)", dt.date(2024, 5, 1)),
        ("provisional_since(date '2024-07-24', 50)", None),
    ],
)
def test_wording_rules_have_the_documented_limits(expression: str, expected: object) -> None:
    with duckdb.connect() as connection:
        connection.execute(SCALAR_MACROS)
        ((value,),) = connection.execute(f"select {expression}").fetchall()
    assert (float(value) if isinstance(expected, float) else value) == (
        pytest.approx(expected) if isinstance(expected, float) else expected
    )


def test_functions_take_lists_and_missing_values() -> None:
    query = "select dispersion_p_value([1.0, 2.0, 3.0]), dispersion_p_value(null), association_p_value([0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0], [5.0, 1.0, 1.0, 5.0])"
    with duckdb.connect() as connection, register_statistics(connection, query):
        ((spread, missing, together),) = connection.execute(query).fetchall()
    assert spread == pytest.approx(stats.chi2.sf(1.0, 2))
    assert missing is None
    assert 0 < together < 0.2
