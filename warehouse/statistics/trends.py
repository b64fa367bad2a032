"""Statistics of series and tables of counts that SQL cannot compute itself.

A series is a list of counts in successive periods of equal length, zeros included. Random draws are seeded, so that
every run gives the same result.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DRAWS = 9_999
_SEED = 20_240_731
_MAX_DRAWN_CELLS = 50_000_000  # cells, or events, in all draws of a table
_BLOCK_CELLS = 2_000_000  # held at once


def normal_two_sided_p_value(z: float) -> float:
    """Two-sided p-value of a standard normal statistic."""
    from scipy import special

    return float(special.erfc(abs(z) / 2**0.5))


def normal_quantile(probability: float) -> float:
    """Quantile of the standard normal distribution."""
    from scipy import special

    return float(special.ndtri(probability))


def chi_square_p_value(statistic: float, degrees: float) -> float | None:
    """Upper tail of the chi-square distribution; missing without degrees of freedom."""
    from scipy import special

    return None if degrees <= 0 else float(special.chdtrc(degrees, statistic))


def dispersion_p_value(counts: list[float]) -> float | None:
    """p-value of counts that vary no more than Poisson counts: upper tail of (n - 1) s² / x̄ in χ²(n - 1).

    Fisher, Statistical Methods for Research Workers (1925). Missing for a series without events.
    """
    import numpy as np
    from scipy import special

    series = np.asarray(counts, dtype=float)
    if series.size < 2 or series.sum() == 0:
        return None
    return float(special.chdtrc(series.size - 1, ((series - series.mean()) ** 2).sum() / series.mean()))


def _fit_poisson(series: NDArray[np.floating], design: NDArray[np.floating]) -> tuple[NDArray[np.floating], bool]:
    """Coefficients of the Poisson regression ln E(n) = design · β by Newton's method, and whether they are finite.

    McCullagh and Nelder, Generalized Linear Models (1989), chapter 6.
    """
    import numpy as np

    beta = np.linalg.lstsq(design, np.full(series.size, np.log(series.mean())))[0]
    for _ in range(200):
        mean = np.exp(design @ beta)
        step = np.linalg.lstsq(design.T @ (design * mean[:, None]), design.T @ (series - mean))[0]
        beta = beta + np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-12:
            return beta, True
        if beta.min() < -30:  # a coefficient of a part without events diverges; the fit no longer changes
            break
    return beta, False


def _fit_growth(counts: list[float]) -> tuple[float, float] | None:
    """Slope per period and its standard error in the Poisson regression ln E(n) = a + b·t.

    The error is multiplied by the root of the dispersion (Pearson χ² / degrees of freedom) where that exceeds 1
    (McCullagh and Nelder, chapter 9).
    """
    import numpy as np

    series = np.asarray(counts, dtype=float)
    if series.size < 3 or np.count_nonzero(series) < 2:
        return None
    design = np.column_stack([np.ones(series.size), np.arange(series.size) - (series.size - 1) / 2])
    beta, is_finite = _fit_poisson(series, design)
    if not is_finite:
        return None  # all events are at one end
    mean = np.exp(design @ beta)
    covariance = np.linalg.inv(design.T @ (design * mean[:, None]))
    dispersion = max(1.0, float(((series - mean) ** 2 / mean).sum() / (series.size - 2)))
    return float(beta[1]), float((dispersion * covariance[1, 1]) ** 0.5)


def growth_per_period(counts: list[float]) -> float | None:
    """Growth of the expected count from one period to the next, as a ratio less 1.

    Missing without two periods with events, and where all events are at one end of the series.
    """
    import math

    fit = _fit_growth(counts)
    return None if fit is None else math.expm1(fit[0])


def log_growth_error(counts: list[float]) -> float | None:
    """Standard error of the logarithm of the growth ratio per period, at least that of a Poisson series."""
    fit = _fit_growth(counts)
    return None if fit is None else fit[1]


def mann_kendall_s(counts: list[float]) -> float | None:
    """Mann-Kendall S: the rising pairs of periods less the falling ones; missing without a pair.

    Mann, Econometrica 13 (1945) 245. The pairs of one series are compared here, not joined in SQL for all series at
    once, so that memory does not grow with series times pairs.
    """
    import numpy as np

    series = np.asarray(counts, dtype=float)
    if series.size < 2:
        return None
    return float(sum(np.sign(series[k:] - series[:-k]).sum() for k in range(1, series.size)))


def theil_sen_slope(counts: list[float]) -> float | None:
    """Theil-Sen slope per period: the median slope of all pairs of periods; missing without a pair.

    Sen, J. Am. Stat. Assoc. 63 (1968) 1379.
    """
    import numpy as np

    series = np.asarray(counts, dtype=float)
    if series.size < 2:
        return None
    return float(np.median(np.concatenate([(series[k:] - series[:-k]) / k for k in range(1, series.size)])))


def _find_largest_ratios(series: NDArray[np.floating]) -> NDArray[np.floating]:
    """Largest likelihood ratio over all change points, for each row of counts.

    2 [k1 ln(k1/T1) + k2 ln(k2/T2) - k ln(k/T)], with 0 ln 0 = 0.
    """
    import numpy as np
    from scipy import special

    periods = series.shape[1]
    before = np.cumsum(series, axis=1)[:, :-1]
    total = series.sum(axis=1, keepdims=True)
    length = np.arange(1, periods)
    after = total - before
    ratios = special.xlogy(before, before / length) + special.xlogy(after, after / (periods - length))
    return 2 * (ratios - special.xlogy(total, total / periods)).max(axis=1)


def change_point_p_value(counts: list[float]) -> float | None:
    """Permutation p-value of the best change point: how often a random order of the counts has as large a ratio.

    The observed order counts as one of the draws (Phipson and Smyth, Stat. Appl. Genet. Mol. Biol. 9 (2010) 39).
    """
    return _compute_change_point_p_values(tuple(counts))[0]


def change_point_poisson_p_value(counts: list[float]) -> float | None:
    """p-value of the best change point against draws of as many events at a constant Poisson rate."""
    return _compute_change_point_p_values(tuple(counts))[1]


@lru_cache(maxsize=4096)  # both p-values are computed at once, for two columns of the table
def _compute_change_point_p_values(counts: tuple[float, ...]) -> tuple[float | None, float | None]:
    import numpy as np

    series = np.asarray(counts, dtype=float)
    if series.size < 4 or series.sum() == 0:
        return None, None
    random = np.random.default_rng(_SEED)
    observed = _find_largest_ratios(series[None, :])[0] - 1e-9  # ties count as equal
    orders = random.permuted(np.broadcast_to(series, (DRAWS, series.size)), axis=1)
    events = random.multinomial(round(series.sum()), np.full(series.size, 1 / series.size), size=DRAWS).astype(float)
    permuted, poisson = (int((_find_largest_ratios(sample) >= observed).sum()) for sample in (orders, events))
    return (permuted + 1) / (DRAWS + 1), (poisson + 1) / (DRAWS + 1)


def seasonal_p_value(counts: list[float], first_month: float) -> float | None:
    """Likelihood-ratio p-value of month-of-year effects in monthly counts, with steady growth (Poisson regression).

    Args:
        counts: Counts of successive months.
        first_month: Month of the year of the first count, 1 to 12.
    """
    import numpy as np
    from scipy import special

    series = np.asarray(counts, dtype=float)
    if series.size < 24 or np.count_nonzero(series) < 2:
        return None
    index = np.arange(series.size)
    growth = (index - index.mean())[:, None] / 12
    month = (index + int(first_month) - 1) % 12
    steady = np.column_stack([np.ones(series.size), growth])
    seasonal = np.column_stack([month[:, None] == np.arange(12), growth]).astype(float)
    likelihoods = [
        special.xlogy(series, mean).sum() - mean.sum()
        for design in (steady, seasonal)
        for mean in [np.exp(design @ _fit_poisson(series, design)[0])]
    ]
    return float(special.chdtrc(11, max(0.0, 2 * (likelihoods[1] - likelihoods[0]))))


def association_p_value(first: list[float], second: list[float], counts: list[float]) -> float | None:
    """Monte Carlo p-value of independence in a table of counts: χ² of random tables with the same margins.

    Missing unless two rows and two columns have events. A table with at most as many cells as events is drawn whole
    (Patefield, Appl. Stat. 30 (1981) 91, in scipy); in a larger one the events are permuted (Boyett, Appl. Stat. 28
    (1979) 329), which draws the same distribution. So the cost grows with the events, never with the cells; beyond
    `_MAX_DRAWN_CELLS` there are fewer draws, at least 999.

    Args:
        first: Row of each cell with events, from 0.
        second: Column of each cell with events, from 0.
        counts: Events of each of these cells.
    """
    import numpy as np
    from scipy import stats

    events = np.asarray(counts, dtype=np.int64)
    cells = events > 0
    events = events[cells]
    rows, columns = (np.unique(np.asarray(codes)[cells], return_inverse=True)[1] for codes in (first, second))
    if events.size == 0 or min(rows.max(), columns.max()) < 1:
        return None
    row_totals, column_totals = (np.bincount(codes, events).astype(np.int64) for codes in (rows, columns))
    total, is_small = int(events.sum()), row_totals.size * column_totals.size <= events.sum()
    size = row_totals.size * column_totals.size if is_small else total
    draws = min(DRAWS, max(999, _MAX_DRAWN_CELLS // size))
    block = max(1, _BLOCK_CELLS // size)
    # Σ o² / (r · c) is χ² / n + 1, and has no terms for empty cells
    observed = (events**2 / (row_totals[rows] * column_totals[columns])).sum()
    random = np.random.RandomState(_SEED)
    margins = stats.random_table(row_totals, column_totals) if is_small else None
    by_event = np.repeat(rows, events), np.repeat(columns, events)
    as_large = 0
    for start in range(0, draws, block):
        drawn = min(block, draws - start)
        if margins is not None:
            samples = margins.rvs(size=drawn, random_state=random)
            statistics = (samples**2 / (row_totals[:, None] * column_totals)).sum(axis=(1, 2))
        else:
            statistics = np.array([_sum_permuted(*by_event, row_totals, column_totals, random) for _ in range(drawn)])
        as_large += int((statistics >= observed * (1 - 1e-12)).sum())  # ties count as equal
    return (as_large + 1) / (draws + 1)


def _sum_permuted(
    rows: NDArray[np.integer],
    columns: NDArray[np.integer],
    row_totals: NDArray[np.integer],
    column_totals: NDArray[np.integer],
    random: np.random.RandomState,
) -> float:
    """Σ o² / (r · c) over the cells of a table whose events have their columns permuted."""
    import numpy as np

    cells, observed = np.unique(rows * column_totals.size + random.permutation(columns), return_counts=True)
    expected = row_totals[cells // column_totals.size] * column_totals[cells % column_totals.size]
    return float((observed**2 / expected).sum())


def nowcast_low(reported: float, completeness: float) -> float | None:
    """Lower end of the 95 % interval of the final count: reported count plus the 0.025 quantile of the unreported one.

    The unreported count is negative binomial with k + ½ successes at probability F, for k reported and completeness F.
    Missing if the completeness is 0.
    """
    return _compute_nowcast_limit(reported, completeness, 0.025)


def nowcast_high(reported: float, completeness: float) -> float | None:
    """Upper end of the 95 % interval of the final count, with the 0.975 quantile."""
    return _compute_nowcast_limit(reported, completeness, 0.975)


def _compute_nowcast_limit(reported: float, completeness: float, quantile: float) -> float | None:
    from scipy import stats

    if completeness <= 0:
        return None
    return reported + float(stats.nbinom.ppf(quantile, reported + 0.5, min(completeness, 1.0)))


def list_overlap_low(first: float, second: float, both: float) -> float:
    """Lower end of the exact 95 % interval of the size of a population that two independent lists sample.

    The smallest N at which so small an overlap is not improbable; given N, the overlap is hypergeometric.
    """
    return _compute_population_interval(int(first), int(second), int(both))[0]


def list_overlap_high(first: float, second: float, both: float) -> float | None:
    """Upper end of the interval; missing (unbounded) where the lists do not overlap."""
    return _compute_population_interval(int(first), int(second), int(both))[1]


@lru_cache(maxsize=256)
def _compute_population_interval(first: int, second: int, both: int) -> tuple[float, float | None]:
    from scipy import stats

    seen = first + second - both

    def is_too_small(population: int) -> bool:  # so small an overlap would be improbable
        return stats.hypergeom.cdf(both, population, first, second) < 0.025

    def is_too_large(population: int) -> bool:  # so large an overlap would be improbable
        return stats.hypergeom.sf(both - 1, population, first, second) < 0.025

    def find_smallest(start: int, is_met: Callable[[int], bool]) -> int:  # both conditions are monotonic
        low, high = start, start * 2 + 2
        while not is_met(high):
            low, high = high, high * 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if is_met(middle) else (middle, high)
        return low if is_met(low) else high

    lower = find_smallest(seen, lambda population: not is_too_small(population))
    return float(lower), None if both == 0 else float(find_smallest(lower, is_too_large) - 1)
