"""The figure of suggested categories on the trends page: expected counts, apart from the reviewed ones."""

from __future__ import annotations

from functools import partial

from dashboards.charts import palette
from dashboards.charts.suggested import draw_expected_counts
from dashboards.exports.figure_files import Figure, query_figure_data
from dashboards.figures.figure import show_figure
from dashboards.figures.shared import describe_corpus_name, describe_source
from dashboards.queries import comparison, counts
from dashboards.queries.release import query_column_meanings
from dashboards.queries.selection import Dimension, Selection
from dashboards.queries.suggested import SUGGESTED_TABLE, build_expected_query, has_relevance
from dashboards.text import format_name, format_number
from dashboards.widgets.parts import needs
from warehouse.release import Release

_ALL_IN_SCOPE = (
    "**Every work is taken to be in scope**: there is no model of relevance, which needs works that people or lists "
    "judge not in scope."
)


@needs("Suggested categories", SUGGESTED_TABLE)
def show_suggested(release: Release, selection: Selection, series: Dimension) -> None:
    """Show how many works without a reviewed category are expected in each, if any has a suggestion.

    Args:
        release: The release.
        selection: What is counted, of a living corpus.
        series: The dimension shown by colour.
    """
    figure = build_suggested_figure(release, selection, series)
    if figure is not None:
        show_figure(figure)


def build_suggested_figure(release: Release, selection: Selection, series: Dimension) -> Figure | None:
    """The figure of expected counts; None if no work of the selection has a suggestion."""
    data = query_figure_data(release, *build_expected_query(selection, series))
    if data.frame.is_empty():
        return None
    members = counts.list_members(release, series, selection.taxonomy, selection.corpus)
    expected = float(data.frame["expected_publications"].sum())
    per = format_name(selection.grain)
    where = comparison.describe_selection(selection)
    return Figure(
        data,
        title=f"Suggested, not reviewed: expected publications per {per} by {series}: {where}",
        unit="expected publications",
        rule=selection.rule,
        source=describe_source(release, selection),
        corpus=describe_corpus_name(release, selection),
        finding=_describe_expected(expected, selection.grain),
        file_name=f"suggested_by_{series}_{selection.grain}_{selection.counted_by}_{release.name}",
        alt=f"Expected publications per {per} by {series}, by suggested categories, with 95 % intervals.",
        key="suggested",
        draw=partial(draw_expected_counts, data.frame, series=series, colours=palette.assign_colours(series, members)),
        meanings=query_column_meanings(release, SUGGESTED_TABLE),
        cautions=[
            *([] if has_relevance(release, selection.corpus or "") else [_ALL_IN_SCOPE]),
            "No person has reviewed these; they are in no count of reviewed labels. Points are sums of probabilities, "
            "lines 95 % intervals (Poisson-binomial) that hold if the model of the page Models is calibrated for these "
            "works.",
        ],
    )


def _describe_expected(expected: float, grain: str) -> str:
    if grain == "rolling_12_months":
        return "By suggested categories, in windows that overlap."
    number = format_number(round(expected, 1))
    return f"About {number} more publications are expected in these categories by suggestions alone."
