"""Statistics equal the reference tables, statsmodels and scipy, and handle edge cases."""

from __future__ import annotations

import csv
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pipeline.test_pipeline import query_lake, read_truth
from warehouse.lake import Lake
from warehouse.statistics import functions

COUNTS, EXPOSURES = st.integers(0, 500), st.floats(0.05, 20)


def convert_lab(name: str) -> str:
    return "all" if name == "ALL" else name


def round_like(values: tuple[float | None, ...], texts: list[str]) -> list[float | None]:
    """Values rounded to as many digits as the reference texts."""
    return [None if v is None else round(v, len(text.partition(".")[2])) for v, text in zip(values, texts, strict=True)]


def test_rates_equal_truth(released_lake: Lake, truth: Path) -> None:
    query = """
        select lab, year(published_year)::varchar, works, exposure_years, works_per_year, rate_low, rate_high
        from mart.publication_rates_by_year
    """
    got = {(name, year): values for name, year, *values in query_lake(released_lake, query)}
    table = read_truth(truth / "truth_rates.csv")
    assert len(got) == len(table)
    for row in table:
        expected = [row[name] for name in ("k", "exposure_y", "rate", "lo", "hi")]
        assert round_like(tuple(got[convert_lab(row["lab"]), row["year"]]), expected) == [
            float(text) for text in expected
        ]


def test_rate_ratios_equal_truth(released_lake: Lake, truth: Path) -> None:
    query = """
        select lab, year(first_year)::varchar, year(second_year)::varchar,
            first_works, second_works, rate_ratio, ratio_low, ratio_high, p_value
        from mart.publication_rate_ratios
    """
    got = {
        tuple(key): values
        for *key, k1, k2, r, lo, hi, p in query_lake(released_lake, query)
        if (values := (k1, k2, r, lo, hi, p))
    }
    table = read_truth(truth / "truth_rate_ratios.csv")
    assert len(got) == len(table)
    for row in table:
        expected = [row[name] for name in ("k1", "k2", "rate_ratio", "exact_lo", "exact_hi", "p_exact")]
        assert round_like(got[convert_lab(row["lab"]), row["a"], row["b"]], expected) == [
            float(text) for text in expected
        ]


def test_change_that_fails_the_correction_is_not_claimed(released_lake: Lake) -> None:
    query = "select lab, p_value, p_adjusted, finding from mart.publication_rate_ratios order by p_value limit 1"
    ((name, p_value, p_adjusted, finding),) = query_lake(released_lake, query)
    assert (name, finding) == ("Google DeepMind", "no clear change")
    assert p_value < 0.05 < p_adjusted
    assert query_lake(
        released_lake,
        "select distinct finding from mart.publication_rate_ratios where least(first_works, second_works) < 5",
    ) == [("too few",)]


def test_adjusted_p_values_equal_statsmodels(released_lake: Lake) -> None:
    from statsmodels.stats.multitest import multipletests

    p_values = query_lake(released_lake, "select p_value, p_adjusted from mart.publication_rate_ratios")
    expected = multipletests([p for p, _ in p_values], method="fdr_bh")[1]
    assert [adjusted for _, adjusted in p_values] == pytest.approx(list(expected), abs=1e-12)


def test_concentration_equals_truth(released_lake: Lake, truth: Path) -> None:
    query = """
        select scope, over_dimension, works, groups, hhi, hhi_normalised, hhi_unbiased, entropy_nats, effective_number, largest_share
        from mart.concentration
    """
    got = {(scope, over): tuple(values) for scope, over, *values in query_lake(released_lake, query)}
    table = read_truth(truth / "truth_concentration.csv")
    assert len(got) == len(table)
    names = ("n", "K", "HHI", "HHI_norm", "HHI_unbiased", "entropy_nats", "eff_number_q1", "CR1")
    for row in table:
        expected = [row[name] for name in names]
        assert round_like(got[row["scope"], row["over"]], expected) == [float(text) for text in expected]


@pytest.mark.parametrize("dimension", ["lab", "category"])
def test_share_intervals_equal_truth(released_lake: Lake, truth: Path, dimension: str) -> None:
    columns = "works, total_works, works_share, share_low, share_high, jeffreys_low, jeffreys_high"
    query = f"select {dimension}, year(published_year)::varchar, {columns} from mart.{dimension}_share_by_year"
    got = {(name, year): tuple(values) for name, year, *values in query_lake(released_lake, query)}
    names = ("k", "n", "share", "wilson_lo", "wilson_hi", "jeffreys_lo", "jeffreys_hi")
    compared = 0
    with (truth / f"truth_share_{dimension}_year.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if row["year"] != "all":
                compared += 1
                assert got[row["dim"], row["year"]] == pytest.approx([float(row[name]) for name in names], abs=5.1e-5)
    assert compared >= 9


@pytest.mark.parametrize("dimension", ["lab", "category"])
def test_shares_sum_to_one_and_lie_within_their_intervals(released_lake: Lake, dimension: str) -> None:
    table = f"mart.{dimension}_share_by_year"
    assert {
        round(total, 12)
        for (total,) in query_lake(released_lake, f"select sum(works_share) from {table} group by published_year")
    } == {1.0}
    outside = f"select count(*) from {table} where not works_share between share_low - 1e-12 and share_high + 1e-12"
    assert query_lake(released_lake, outside) == [(0,)]
    cautions = dict(query_lake(released_lake, f"select year(published_year), min(caution) from {table} group by 1"))
    assert cautions[2022] == "fewer than 30 in all"
    assert cautions[2023] in (None, "interval wider than 0.20")


@settings(max_examples=200, deadline=None)
@given(COUNTS, EXPOSURES)
def test_rate_interval_equals_scipy_and_contains_the_rate(events: int, exposure: float) -> None:
    from scipy import stats

    low, high = functions.poisson_rate_low(events, exposure), functions.poisson_rate_high(events, exposure)
    expected_low = stats.chi2.ppf(0.025, 2 * events) / 2 / exposure if events else 0
    assert low == pytest.approx(expected_low, rel=1e-9)
    assert high == pytest.approx(stats.chi2.ppf(0.975, 2 * events + 2) / 2 / exposure, rel=1e-9)
    assert low <= events / exposure <= high


@settings(max_examples=200, deadline=None)
@given(COUNTS, EXPOSURES, COUNTS, EXPOSURES)
def test_reversed_rate_ratio_is_the_inverse(a: int, t_a: float, b: int, t_b: float) -> None:
    low, high = functions.rate_ratio_low(a, t_a, b, t_b), functions.rate_ratio_high(a, t_a, b, t_b)
    reversed_low, reversed_high = functions.rate_ratio_low(b, t_b, a, t_a), functions.rate_ratio_high(b, t_b, a, t_a)
    assert (reversed_high is None) == (low == 0)
    if reversed_high is not None:
        assert low == pytest.approx(1 / reversed_high, rel=1e-6)
    if high is not None:
        assert reversed_low == pytest.approx(1 / high, rel=1e-6)
    p_value = functions.rate_ratio_p_value(a, t_a, b, t_b)
    assert 0 <= p_value <= 1
    assert p_value == pytest.approx(functions.rate_ratio_p_value(b, t_b, a, t_a), rel=1e-6)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_jeffreys_interval_equals_statsmodels(counts: tuple[int, int]) -> None:
    from statsmodels.stats.proportion import proportion_confint

    successes, trials = counts
    low, high = proportion_confint(successes, trials, method="jeffreys")
    got = functions.jeffreys_low(successes, trials), functions.jeffreys_high(successes, trials)
    # unlike Brown, Cai and DasGupta, statsmodels does not set the ends to 0 and 1
    assert got == pytest.approx((0 if successes == 0 else low, 1 if successes == trials else high), abs=1e-9)
    assert functions.jeffreys_low(0, 0) is None


def test_functions_are_removed_from_the_connection() -> None:
    with duckdb.connect() as connection:
        query = "select poisson_rate_low(0, 2.0), poisson_rate_low(3, null), rate_ratio_high(0, 1, 5, 1)"
        with functions.register_statistics(connection, query):
            assert connection.execute(query).fetchall() == [(0.0, None, None)]
        with pytest.raises(duckdb.CatalogException):
            connection.execute(query)
