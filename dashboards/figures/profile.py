"""The figures of a lab or category: history, share and mix."""

from __future__ import annotations

from dataclasses import replace

from dashboards.exports.figure_files import Figure
from dashboards.figures import shared
from dashboards.queries import counts
from dashboards.queries.corpora import MAPPING
from dashboards.queries.finding import Finding, join_findings
from dashboards.queries.findings import describe_trends, describe_zero_count
from dashboards.queries.profile import query_trend
from dashboards.queries.selection import DIMENSION_PLURALS, OTHER_DIMENSION, Dimension, Selection
from warehouse.release import Release


def build_profile_figures(release: Release, dimension: Dimension, chosen: Selection, name: str) -> list[Figure]:
    """History, share of all publications, and mix of a lab or category; no mix if nothing is counted.

    Args:
        release: The release.
        dimension: Whether it is a lab or a category.
        chosen: Its publications, and the counting rule.
        name: Its name.
    """
    other = OTHER_DIMENSION[dimension]
    parts = DIMENSION_PLURALS[other]
    found = _find_trend(release, dimension, chosen, name)
    history = shared.build_history_figure(
        release,
        chosen,
        other,
        title=f"{name}: publications per {chosen.grain.replace('_', ' ')}, by {other}",
        key=f"{dimension} history",
        finding=found.sentence if found else None,
        headline=found.headline if found else None,
    )
    share = shared.build_history_figure(
        release,
        replace(chosen, grain="year"),
        dimension,
        title=f"{name}: share of all publications per year",
        key=f"{dimension} share",
        finding=None,
        view="share",
    )
    mix = shared.build_mix_figure(release, chosen, other, title=f"{name}: mix of {parts}", key=f"{dimension} mix")
    return [history, share, *([] if mix.data.frame.is_empty() else [mix])]


def _find_trend(release: Release, dimension: Dimension, chosen: Selection, name: str) -> Finding | None:
    """The trend in the published mapping as the release has it, that in another corpus as tested here."""
    if not counts.query_totals(release, chosen).selected:
        zero = describe_zero_count(release, chosen)
        return Finding(zero, f"{name}: no publications") if zero else None
    if chosen.corpus in (None, MAPPING):
        return query_trend(release, dimension, name)
    return join_findings(describe_trends(release, chosen))
