"""Statistical functions that SQL cannot compute itself, registered in DuckDB for the queries that call them.

Exact intervals and tests use scipy, which is loaded only when a query calls such a function.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, get_type_hints

import duckdb
from duckdb.func import FunctionNullHandling
from duckdb.sqltypes import DOUBLE, DuckDBPyType

from warehouse.statistics import trends

_SQL_TYPES = {float: DOUBLE, list[float]: DuckDBPyType(list[float])}
_TAIL = 0.025  # probability on each side of a 95 % interval


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
    """Exact two-sided p-value of equal rates: the binomial test of the events of b among all events."""
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
        trends.mann_kendall_s,
        trends.theil_sen_slope,
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
RESULT_TYPES = dict.fromkeys(_FUNCTIONS, "double")
"""The type that each function returns, as DuckDB writes it."""


def load_function(name: str) -> Callable[..., float | None]:
    """The function of that name on single values, which must be there."""
    function = _FUNCTIONS[name]
    return lambda *values: function(*(value if isinstance(value, list) else float(value) for value in values))


def _propagate_missing(function: Callable[..., float | None]) -> Callable[..., float | None]:
    """Wrap a function so that it returns a missing value if any argument is missing."""

    @wraps(function)  # DuckDB inspects the parameters
    def wrapper(*values: Any) -> float | None:
        return None if None in values else function(*values)

    return wrapper


def read_statistics_code(query: str) -> list[str]:
    """The code of the statistical functions, if a query calls one."""
    if not any(f"{name}(" in query for name in _FUNCTIONS):
        return []
    return [file.read_text(encoding="utf-8") for file in sorted(Path(__file__).parent.glob("*.py"))]


@contextmanager
def register_statistics(connection: duckdb.DuckDBPyConnection, query: str) -> Generator[None]:
    """Register the statistical functions that a query calls, and remove them afterwards.

    Arguments are doubles or lists of doubles, results are doubles; a missing argument gives a missing result.
    """
    names = [name for name in _FUNCTIONS if f"{name}(" in query]
    for name in names:
        function = _FUNCTIONS[name]
        connection.create_function(
            name,
            _propagate_missing(function),
            [_SQL_TYPES[kind] for name, kind in get_type_hints(function).items() if name != "return"],
            DOUBLE,
            null_handling=FunctionNullHandling.SPECIAL,  # a function may return a missing value
        )
    try:
        yield
    finally:
        for name in names:  # they would outlive the connection and cause warnings at exit
            connection.remove_function(name)
