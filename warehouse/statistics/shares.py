"""Changes of shares: the difference of two shares with its interval, and the trend of shares over periods."""

from __future__ import annotations

import math
from collections.abc import Sequence

from warehouse.statistics.trends import normal_two_sided_p_value

_Z = 1.959963984540054  # of a 95 % interval


def compute_wilson_interval(successes: float, trials: float) -> tuple[float, float]:
    """Wilson's score interval of a share at 95 %; Wilson, JASA 22 (1927) 209. The trials are more than 0."""
    share, square = successes / trials, _Z * _Z
    centre = (share + square / (2 * trials)) / (1 + square / trials)
    half = _Z / (1 + square / trials) * math.sqrt(share * (1 - share) / trials + square / (4 * trials * trials))
    return centre - half, centre + half


def compute_share_difference_interval(
    successes_a: float, trials_a: float, successes_b: float, trials_b: float
) -> tuple[float, float]:
    """Newcombe's interval at 95 % of share b less share a, from the Wilson intervals of both.

    Newcombe, Stat. Med. 17 (1998) 873, method 10. Each share has trials.
    """
    share_a, share_b = successes_a / trials_a, successes_b / trials_b
    (low_a, high_a), (low_b, high_b) = (
        compute_wilson_interval(successes_a, trials_a),
        compute_wilson_interval(successes_b, trials_b),
    )
    difference = share_b - share_a
    return (
        difference - math.hypot(share_b - low_b, high_a - share_a),
        difference + math.hypot(high_b - share_b, share_a - low_a),
    )


def compute_share_p_value(successes_a: float, trials_a: float, successes_b: float, trials_b: float) -> float:
    """The two-sided p-value of Fisher's exact test that two shares are equal: all tables that are no more probable.

    Fisher, J. R. Stat. Soc. 98 (1935) 39. The numbers are whole.
    """
    from scipy import stats

    table = [[int(successes_a), int(trials_a - successes_a)], [int(successes_b), int(trials_b - successes_b)]]
    return float(stats.fisher_exact(table).pvalue)


def compute_share_trend(successes: Sequence[float], trials: Sequence[float]) -> tuple[float, float] | None:
    """The Cochran-Armitage test of a trend of shares over equally spaced periods: z, and its two-sided p-value.

    The variance is that of all divisions of the successes over the trials, with N - 1 as in tests of linear by linear
    association: Agresti, Categorical Data Analysis (2013) 3.4.1. A positive z is a growing share. None where nothing
    can be tested: fewer than two periods with trials, or the same result in all trials.
    """
    total, hits = sum(trials), sum(successes)
    mean = sum(place * count for place, count in enumerate(trials)) / total if total else 0.0
    spread = sum(count * (place - mean) ** 2 for place, count in enumerate(trials))
    variance = hits * (total - hits) * spread / (total * (total - 1)) if total > 1 else 0.0
    if variance <= 0:
        return None
    z = sum(count * (place - mean) for place, count in enumerate(successes)) / math.sqrt(variance)
    return z, normal_two_sided_p_value(z)


def correct_by_holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for the number of tests, in their order; Holm, Scand. J. Stat. 6 (1979) 65."""
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = largest
    return corrected
