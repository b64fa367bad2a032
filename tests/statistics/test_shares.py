"""Changes of shares equal statsmodels 0.15's values; corrections and edge cases."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse.statistics.shares import (
    compute_share_difference_interval,
    compute_share_p_value,
    compute_share_trend,
    correct_by_holm,
)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [  # confint_proportions_2indep(…, method="newcomb"); the first is Newcombe's own example
        ((48, 80, 56, 70), 0.05243147240236498, 0.33387265403690614),
        ((3, 10, 9, 10), 0.1705227239345029, 0.809017973535488),
        ((0, 20, 0, 10), -0.1611251580528194, 0.27753279986288926),
        ((12, 24, 18, 32), -0.18877198949633323, 0.3049504930787478),
    ],
)
def test_difference_of_shares_has_newcombes_interval(
    counts: tuple[int, int, int, int], low: float, high: float
) -> None:
    assert compute_share_difference_interval(*counts) == pytest.approx((low, high), abs=1e-12)


@pytest.mark.parametrize(
    ("successes", "trials", "z", "p_value"),
    [  # Table(…).test_ordinal_association()
        ([3, 8, 12], [24, 32, 22], 3.082603713125305, 0.0020519821278918095),
        ([5, 5, 5, 5], [10, 20, 30, 40], -2.48746859276655, 0.012865581294556078),
        ([0, 4, 9], [10, 10, 10], 3.992923604832323, 6.526359975999468e-05),
    ],
)
def test_trend_of_shares_is_tested_as_by_statsmodels(
    successes: list[float], trials: list[float], z: float, p_value: float
) -> None:
    assert compute_share_trend(successes, trials) == pytest.approx((z, p_value), rel=1e-9)


@pytest.mark.parametrize(
    ("successes", "trials"), [([], []), ([3], [5]), ([0, 0], [5, 5]), ([5, 5], [5, 5]), ([1, 0], [4, 0])]
)
def test_no_trend_is_tested_where_nothing_can_differ(successes: list[float], trials: list[float]) -> None:
    assert compute_share_trend(successes, trials) is None


def test_p_values_are_corrected_by_holm() -> None:
    assert correct_by_holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert correct_by_holm([]) == []


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=2, max_size=6))
def test_trend_turns_with_the_order_of_periods(pairs: list[tuple[int, int]]) -> None:
    successes, trials = [min(pair) for pair in pairs], [max(pair) for pair in pairs]
    forward, backward = compute_share_trend(successes, trials), compute_share_trend(successes[::-1], trials[::-1])
    assert (forward is None) == (backward is None)
    if forward and backward:
        assert math.isclose(forward[0], -backward[0], abs_tol=1e-9)


@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_interval_of_a_difference_holds_the_difference(a: int, b: int, data: st.DataObject) -> None:
    k, m = data.draw(st.integers(0, a)), data.draw(st.integers(0, b))
    low, high = compute_share_difference_interval(k, a, m, b)
    assert -1 - 1e-9 <= low <= m / b - k / a <= high <= 1 + 1e-9


@pytest.mark.parametrize(
    ("counts", "p_value"),
    [  # Fisher's tea (The Design of Experiments, 1935): 34 of 70 tables; and by hand with whole numbers
        ((3, 4, 1, 4), 34 / 70),
        ((0, 5, 5, 5), 2 / math.comb(10, 5)),
        ((5, 10, 5, 10), 1.0),
    ],
)
def test_equal_shares_are_tested_exactly(counts: tuple[int, int, int, int], p_value: float) -> None:
    assert compute_share_p_value(*counts) == pytest.approx(p_value, rel=1e-12)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))
def test_exact_test_sums_the_tables_that_are_no_more_probable(
    hits_a: int, rest_a: int, hits_b: int, rest_b: int
) -> None:
    of_a, of_b, hits = hits_a + rest_a, hits_b + rest_b, hits_a + hits_b

    def count_ways(of_first: int) -> int:
        return math.comb(of_a, of_first) * math.comb(of_b, hits - of_first)

    ways = [count_ways(number) for number in range(max(0, hits - of_b), min(hits, of_a) + 1)]
    expected = sum(number for number in ways if number <= count_ways(hits_a)) / sum(ways)
    assert compute_share_p_value(hits_a, of_a, hits_b, of_b) == pytest.approx(expected, rel=1e-9)
