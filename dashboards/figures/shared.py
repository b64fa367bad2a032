"""Figures that several pages show: the history of a selection, and the parts that make up its whole."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import polars as pl

from dashboards import text
from dashboards.charts import intervals, marks, palette, timeline
from dashboards.figures import figure
from dashboards.figures.figure import Figure
from dashboards.queries import counts, trends
from dashboards.queries import release as read
from dashboards.queries.counts import Dimension, Selection
from dashboards.queries.trends import View
from warehouse.release import Release

SOURCE = "lab sheets (lab_sheet)"


def history(
    release: Release,
    selection: Selection,
    series: Dimension,
    *,
    title: str,
    key: str,
    finding: str | None,
    view: View = "bars",
    height: int = 220,
) -> Figure:
    """Publications of a selection over time, in one panel, told by colour.

    Args:
        release: The release.
        selection: What is counted; its dimensions are replaced by the series.
        series: The dimension told by colour.
        title: What the figure shows.
        key: Tells it from others on its page.
        finding: What may be said of it; of shares, what the newest whole period has, if not given.
        view: How it is drawn.
        height: Height of the plot in pixels.
    """
    selection = replace(selection, dimensions=(series,))
    given = figure.asked(release, *trends.question(release, selection, view, series))
    frame: pl.DataFrame = given["frame"]
    # a series without any is left out, unless there is no other: then its zeros are what there is to show
    found = frame.filter(pl.col("publications") > 0)
    present = set((frame if found.is_empty() else found)[series])
    everyone = palette.colours(series, counts.names(release, series, selection.taxonomy))
    colour_of = {name: colour for name, colour in everyone.items() if name in present}
    look = marks.Look(
        series=series,
        grain=selection.grain,
        view=view,
        colour_of=colour_of,
        highest=counts.highest(release, selection, None) if view == "bars" else marks.highest(frame, view),
        meanings=read.meanings(release, counts.COUNTS),
        is_clickable=False,
    )
    drawn = frame.filter(pl.col(series).is_in(list(present)))

    per = text.plain(selection.grain)
    return Figure(
        **given,
        title=title,
        unit="share of publications" if view == "share" else f"publications per {per}",
        rule=selection.rule,
        source=SOURCE,
        finding=_newest_shares(drawn, series) if finding is None and view == "share" else finding,
        name=f"{key}_{selection.grain}_{selection.rule}_{release.name}".replace(" ", "_").lower(),
        alt=f"{title}. Publications per {per} by {series}.",
        key=key,
        draw=partial(timeline.one_panel, drawn, look, height),
        meanings=look.meanings,
        cautions=trends.of_periods(frame, view),
    )


def _newest_shares(frame: pl.DataFrame, series: Dimension) -> str | None:
    """The shares of the newest period that is covered whole, the largest three, with their intervals."""
    whole = frame.filter(~pl.col("is_part_period") & pl.col("share").is_not_null())
    if whole.is_empty():
        return None
    newest = whole.filter(pl.col("starts_on") == whole["starts_on"].max()).sort("share", descending=True).head(3)
    each = (
        f"{row[series]} {row['share']:.0%} ({text.number(row['publications'])} "
        f"of {text.number(row['total_publications'])}, "
        f"95 % interval {row['share_low']:.0%} to {row['share_high']:.0%}"
        + (f"; {row['caution']})" if row["caution"] else ")")
        for row in newest.iter_rows(named=True)
    )
    return f"{newest['period'][0]}, the newest whole period: {', '.join(each)}."


def mix(release: Release, selection: Selection, of: Dimension, *, title: str, key: str) -> Figure:
    """The parts of a selection over its whole span of time: shares of labs or categories with Wilson intervals."""
    conditions, parameters = selection.by_month.conditions("starts_on")
    query = f"""
with counted as (
    select
        {of},
        sum(publications) as publications
    from publication_counts(rule := $rule, grain := 'month', in_taxonomy := $taxonomy)
    where {conditions}
    group by all
),

totalled as (
    select
        *,
        sum(publications) over () as total_publications
    from counted
    where publications > 0
)

select
    *,
    share_of(publications, total_publications) as share,
    wilson_low(publications, total_publications) as share_low,
    wilson_high(publications, total_publications) as share_high,
    share_caution(publications, total_publications) as caution
from totalled
order by publications desc, {of}
"""
    given = figure.asked(release, query, {**selection.counting, **parameters})
    frame: pl.DataFrame = given["frame"]
    colour_of = palette.colours(of, counts.names(release, of, selection.taxonomy))
    finding = None
    for row in frame.head(1).iter_rows(named=True):
        finding = (
            f"{row[of]} is the largest part: {text.number(row['publications'])} "
            f"of {text.number(row['total_publications'])}, {row['share']:.0%} "
            f"(95 % interval {row['share_low']:.0%} to {row['share_high']:.0%})"
            + (f"; {row['caution']}." if row["caution"] else ".")
        )
    return Figure(
        **given,
        title=title,
        unit="share of publications, with Wilson intervals at 95 %",
        rule=selection.rule,
        source=SOURCE,
        finding=finding,
        name=f"{key}_{selection.rule}_{release.name}".replace(" ", "_").lower(),
        alt=f"{title}. {finding or ''}",
        key=key,
        draw=partial(
            intervals.chart,
            frame,
            member=of,
            value="share",
            low="share_low",
            high="share_high",
            title="Share of publications",
            form=".0%",
            colour_of=colour_of,
        ),
    )
