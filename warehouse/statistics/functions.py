"""Statistical functions for queries: what SQL cannot compute itself, made available to DuckDB under plain names.

Exact intervals need quantiles of the chi-square and beta distributions, exact tests need the binomial one;
they come from scipy. A query gets just the functions that it calls, and scipy is loaded only then.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import wraps
from typing import Any, get_type_hints

import duckdb
from duckdb.func import FunctionNullHandling
from duckdb.sqltypes import DOUBLE, DuckDBPyType

from warehouse.statistics import trends

_SQL_TYPES = {float: DOUBLE, list[float]: DuckDBPyType(list[float])}
_TAIL = 0.025  # on each side of a 95 % interval


def poisson_rate_low(events: float, exposure: float) -> float:
    """Lower end of the exact (Garwood) 95 % interval of a Poisson rate: χ²(0.025; 2k) / 2T.

    Garwood, Biometrika 28 (1936) 437. The unit is events per unit of exposure.
    """
    from scipy import special

    return 0.0 if events == 0 else float(special.gammaincinv(events, _TAIL)) / exposure


def poisson_rate_high(events: float, exposure: float) -> float:
    """Upper end of the exact (Garwood) 95 % interval of a Poisson rate: χ²(0.975; 2k + 2) / 2T."""
    from scipy import special

    return float(special.gammaincinv(events + 1, 1 - _TAIL)) / exposure


def rate_ratio_low(events_a: float, exposure_a: float, events_b: float, exposure_b: float) -> float:
    """Lower end of the exact 95 % interval of rate b over rate a.

    Given their sum, the events of b are binomial; the Clopper-Pearson interval [p] of their share gives that
    of the ratio as p / (1 - p) · T_a / T_b. Clopper and Pearson, Biometrika 26 (1934) 404.
    """
    return corrected_ratio_low(events_a, exposure_a, events_b, exposure_b, 2 * _TAIL)


def rate_ratio_high(events_a: float, exposure_a: float, events_b: float, exposure_b: float) -> float | None:
    """Upper end of the exact 95 % interval of rate b over rate a; missing (unbounded) if a has no events."""
    return corrected_ratio_high(events_a, exposure_a, events_b, exposure_b, 2 * _TAIL)


def corrected_ratio_low(events_a: float, exposure_a: float, events_b: float, exposure_b: float, alpha: float) -> float:
    """Lower end of the exact interval of rate b over rate a at the level 1 - alpha, as `rate_ratio_low`."""
    from scipy import special

    if events_b == 0:
        return 0.0
    share = float(special.betaincinv(events_b, events_a + 1, alpha / 2))
    return share / (1 - share) * exposure_a / exposure_b


def corrected_ratio_high(
    events_a: float, exposure_a: float, events_b: float, exposure_b: float, alpha: float
) -> float | None:
    """Upper end of the exact interval of rate b over rate a at the level 1 - alpha, as `rate_ratio_high`."""
    from scipy import special

    if events_a == 0:
        return None
    share = float(special.betaincinv(events_b + 1, events_a, 1 - alpha / 2))
    return share / (1 - share) * exposure_a / exposure_b


def rate_ratio_p_value(events_a: float, exposure_a: float, events_b: float, exposure_b: float) -> float:
    """Exact two-sided p-value of equal rates: the binomial test of b's events among all, by likelihood."""
    from scipy import stats

    total = int(events_a + events_b)
    if total == 0:
        return 1.0
    return float(stats.binomtest(int(events_b), total, exposure_b / (exposure_a + exposure_b)).pvalue)


def jeffreys_low(successes: float, trials: float) -> float | None:
    """Lower end of the Jeffreys 95 % interval of a share: the 0.025 quantile of Beta(k + ½, n - k + ½), 0 for k = 0.

    Brown, Cai and DasGupta, Stat. Sci. 16 (2001) 101. Missing where there are no trials.
    """
    from scipy import special

    if trials == 0:
        return None
    return 0.0 if successes == 0 else float(special.betaincinv(successes + 0.5, trials - successes + 0.5, _TAIL))


def jeffreys_high(successes: float, trials: float) -> float | None:
    """Upper end of the Jeffreys 95 % interval of a share; 1 for k = n. Missing where there are no trials."""
    below = jeffreys_low(trials - successes, trials)
    return None if below is None else 1 - below


_FUNCTIONS: dict[str, Callable[..., float | None]] = {
    function.__name__: function
    for function in (
        poisson_rate_low,
        poisson_rate_high,
        rate_ratio_low,
        rate_ratio_high,
        corrected_ratio_low,
        corrected_ratio_high,
        rate_ratio_p_value,
        jeffreys_low,
        jeffreys_high,
        trends.normal_two_sided_p_value,
        trends.normal_quantile,
        trends.chi_square_p_value,
        trends.dispersion_p_value,
        trends.growth_per_period,
        trends.log_growth_error,
        trends.change_point_p_value,
        trends.change_point_poisson_p_value,
        trends.seasonal_p_value,
        trends.association_p_value,
        trends.nowcast_low,
        trends.nowcast_high,
        trends.list_overlap_low,
        trends.list_overlap_high,
    )
}


def _missing_from_missing(function: Callable[..., float | None]) -> Callable[..., float | None]:
    """The function over values of which any may be missing; then the result is."""

    @wraps(function)  # DuckDB counts the parameters
    def over_missing(*values: Any) -> float | None:
        return None if None in values else function(*values)

    return over_missing


@contextmanager
def available(connection: duckdb.DuckDBPyConnection, query: str) -> Generator[None]:
    """Give a connection the statistical functions that a query calls, for as long as it runs.

    All arguments are doubles or lists of them, all results are doubles; a missing argument gives a missing result.
    """
    called = [name for name in _FUNCTIONS if f"{name}(" in query]
    for name in called:
        function = _FUNCTIONS[name]
        connection.create_function(
            name,
            _missing_from_missing(function),
            [_SQL_TYPES[kind] for name, kind in get_type_hints(function).items() if name != "return"],
            DOUBLE,
            null_handling=FunctionNullHandling.SPECIAL,  # a value may have a missing result
        )
    try:
        yield
    finally:
        for name in called:  # left in place, they would outlive the connection and be told of at exit
            connection.remove_function(name)
