"""The figure of works that are expected to arrive late, apart from those that are counted."""

from __future__ import annotations

from functools import partial

from dashboards.charts import palette
from dashboards.charts.suggested import draw_expected_counts
from dashboards.exports.figure_files import Figure, query_figure_data
from dashboards.figures.figure import show_figure
from dashboards.figures.shared import describe_corpus_name, describe_source
from dashboards.queries import counts
from dashboards.queries.lab_freshness import (
    CORPUS,
    LAB_NOWCASTS_TABLE,
    build_late_query,
    describe_late_total,
)
from dashboards.queries.release import query_column_meanings
from dashboards.queries.selection import Selection
from warehouse.release import Release


def show_late_works(release: Release, selection: Selection) -> None:
    """Show how many works the newest months of labs will have, where their delays are known; else nothing."""
    figure = build_late_figure(release, selection)
    if figure is not None:
        show_figure(figure)


def build_late_figure(release: Release, selection: Selection) -> Figure | None:
    """The figure of the expected works of the newest months; None where no delays are known."""
    if selection.corpus != CORPUS or LAB_NOWCASTS_TABLE not in release.manifest["tables"]:
        return None
    data = query_figure_data(release, *build_late_query(selection))
    if data.frame.is_empty():
        return None
    labs = [*counts.list_members(release, "lab", selection.taxonomy, selection.corpus), "all"]
    return Figure(
        data,
        title="Expected, not counted: works of the newest months by lab",
        unit="expected publications",
        rule="works",
        source=describe_source(release, selection),
        corpus=describe_corpus_name(release, selection),
        finding=describe_late_total(data.frame.to_dicts()),
        file_name=f"expected_late_by_lab_{release.name}",
        alt="Expected final number of works of the newest months by lab, with 95 % intervals.",
        key="late",
        draw=partial(draw_expected_counts, data.frame, series="lab", colours=palette.assign_colours("lab", labs)),
        meanings=query_column_meanings(release, LAB_NOWCASTS_TABLE),
        cautions=[
            "None of these is in a count. Points are seen works divided by the share that is seen by now, lines 95 % "
            "intervals (negative binomial); they hold if works come as late as the 50 or more of known delay."
        ],
    )
