"""Statistics of a series of counts and of a table of counts: what SQL cannot compute itself.

A series is the list of a panel's counts in successive periods of equal length, zeros included. Random draws are
seeded, so that a number is the same at every run.
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
    """p-value of counts that vary no more than Poisson ones: (n - 1) s² / x̄ in the upper tail of χ²(n - 1).

    Fisher, Statistical Methods for Research Workers (1925). Missing for a series without events.
    """
    import numpy as np
    from scipy import special

    series = np.asarray(counts, dtype=float)
    if series.size < 2 or series.sum() == 0:
        return None
    return float(special.chdtrc(series.size - 1, ((series - series.mean()) ** 2).sum() / series.mean()))


def _regressed(series: NDArray[np.floating], design: NDArray[np.floating]) -> tuple[NDArray[np.floating], bool]:
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
        if beta.min() < -30:  # a part without events: its coefficient runs away, the fit no longer changes
            break
    return beta, False


def _growth(counts: list[float]) -> tuple[float, float] | None:
    """Slope per period and its standard error in the Poisson regression ln E(n) = a + b·t.

    The error is multiplied by the root of the dispersion (Pearson χ² by degrees of freedom) where that exceeds 1
    (McCullagh and Nelder, chapter 9).
    """
    import numpy as np

    series = np.asarray(counts, dtype=float)
    if series.size < 3 or np.count_nonzero(series) < 2:
        return None
    design = np.column_stack([np.ones(series.size), np.arange(series.size) - (series.size - 1) / 2])
    beta, is_finite = _regressed(series, design)
    if not is_finite:
        return None  # all events lie at one end
    mean = np.exp(design @ beta)
    covariance = np.linalg.inv(design.T @ (design * mean[:, None]))
    dispersion = max(1.0, float(((series - mean) ** 2 / mean).sum() / (series.size - 2)))
    return float(beta[1]), float((dispersion * covariance[1, 1]) ** 0.5)


def growth_per_period(counts: list[float]) -> float | None:
    """Growth of the expected count from a period to the next, as a ratio less 1.

    Missing without two periods with events, and where all of them lie at one end of the series.
    """
    import math

    fitted = _growth(counts)
    return None if fitted is None else math.expm1(fitted[0])


def log_growth_error(counts: list[float]) -> float | None:
    """Standard error of the logarithm of the growth ratio per period, never below that of a Poisson series."""
    fitted = _growth(counts)
    return None if fitted is None else fitted[1]


def _change_point_ratios(series: NDArray[np.floating]) -> NDArray[np.floating]:
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
    """Permutation p-value of the best change point: how often a random order of the same counts does as well.

    The observed order counts as one of the draws (Phipson and Smyth, Stat. Appl. Genet. Mol. Biol. 9 (2010) 39).
    """
    return _p_values(tuple(counts))[0]


def change_point_poisson_p_value(counts: list[float]) -> float | None:
    """The same with draws of as many events at a constant Poisson rate instead of random orders."""
    return _p_values(tuple(counts))[1]


@lru_cache(maxsize=256)
def _p_values(counts: tuple[float, ...]) -> tuple[float | None, float | None]:
    import numpy as np

    series = np.asarray(counts, dtype=float)
    if series.size < 4 or series.sum() == 0:
        return None, None
    random = np.random.default_rng(_SEED)
    observed = _change_point_ratios(series[None, :])[0] - 1e-9  # ties count as doing as well
    orders = random.permuted(np.broadcast_to(series, (DRAWS, series.size)), axis=1)
    events = random.multinomial(round(series.sum()), np.full(series.size, 1 / series.size), size=DRAWS).astype(float)
    permuted, poisson = (int((_change_point_ratios(drawn) >= observed).sum()) for drawn in (orders, events))
    return (permuted + 1) / (DRAWS + 1), (poisson + 1) / (DRAWS + 1)


def seasonal_p_value(counts: list[float], first_month: float) -> float | None:
    """Likelihood-ratio p-value of month-of-year effects in monthly counts, beside a steady growth (Poisson regression).

    Args:
        counts: Counts of successive months.
        first_month: Month of the year of the first, 1 to 12.
    """
    import numpy as np
    from scipy import special

    series = np.asarray(counts, dtype=float)
    if series.size < 24 or np.count_nonzero(series) < 2:
        return None
    place = np.arange(series.size)
    growth = (place - place.mean())[:, None] / 12
    month = (place + int(first_month) - 1) % 12
    steady = np.column_stack([np.ones(series.size), growth])
    seasonal = np.column_stack([month[:, None] == np.arange(12), growth]).astype(float)
    likelihoods = [
        special.xlogy(series, mean).sum() - mean.sum()
        for design in (steady, seasonal)
        for mean in [np.exp(design @ _regressed(series, design)[0])]
    ]
    return float(special.chdtrc(11, max(0.0, 2 * (likelihoods[1] - likelihoods[0]))))


def association_p_value(counts: list[float], columns: float) -> float | None:
    """Monte-Carlo p-value of independence in a table of counts: random tables with the same margins, by χ².

    Patefield, Appl. Stat. 30 (1981) 91, in scipy. Missing unless two rows and two columns have events.

    Args:
        counts: The cells row by row.
        columns: Number of columns.
    """
    import numpy as np
    from scipy import stats

    table = np.asarray(counts, dtype=float).reshape(-1, int(columns))
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    if min(table.shape) < 2:
        return None
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    observed = ((table - expected) ** 2 / expected).sum() - 1e-9
    margins = stats.random_table(table.sum(axis=1).astype(int), table.sum(axis=0).astype(int), seed=_SEED)
    drawn = margins.rvs(size=DRAWS)
    as_large = (((drawn - expected) ** 2 / expected).sum(axis=(1, 2)) >= observed).sum()
    return (int(as_large) + 1) / (DRAWS + 1)


def nowcast_low(reported: float, completeness: float) -> float | None:
    """Lower end of the 95 % interval of the final count: reported plus the 0.025 quantile of what is still to come.

    What is to come is negative binomial with k + ½ successes at probability F, k reported and a share F of reports
    in. Missing while nothing can be in yet.
    """
    return _nowcast(reported, completeness, 0.025)


def nowcast_high(reported: float, completeness: float) -> float | None:
    """Upper end of the 95 % interval of the final count, with the 0.975 quantile."""
    return _nowcast(reported, completeness, 0.975)


def _nowcast(reported: float, completeness: float, quantile: float) -> float | None:
    from scipy import stats

    if completeness <= 0:
        return None
    return reported + float(stats.nbinom.ppf(quantile, reported + 0.5, min(completeness, 1.0)))


def list_overlap_low(first: float, second: float, both: float) -> float:
    """Lower end of the exact 95 % interval of a population of which two independent lists hold parts.

    The smallest N at which so large an overlap is not surprising: given N, the overlap is hypergeometric.
    """
    return _population(int(first), int(second), int(both))[0]


def list_overlap_high(first: float, second: float, both: float) -> float | None:
    """Upper end of the interval; missing (unbounded) where the lists have nothing in common."""
    return _population(int(first), int(second), int(both))[1]


@lru_cache(maxsize=256)
def _population(first: int, second: int, both: int) -> tuple[float, float | None]:
    from scipy import stats

    seen = first + second - both

    def is_too_small(population: int) -> bool:  # so small an overlap would be surprising
        return stats.hypergeom.cdf(both, population, first, second) < 0.025

    def is_too_large(population: int) -> bool:  # so large an overlap would be surprising
        return stats.hypergeom.sf(both - 1, population, first, second) < 0.025

    def smallest(start: int, is_so: Callable[[int], bool]) -> int:  # both conditions are monotonic
        low, high = start, start * 2 + 2
        while not is_so(high):
            low, high = high, high * 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if is_so(middle) else (middle, high)
        return low if is_so(low) else high

    lower = smallest(seen, lambda population: not is_too_small(population))
    return float(lower), None if both == 0 else float(smallest(lower, is_too_large) - 1)
