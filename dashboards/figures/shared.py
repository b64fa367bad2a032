"""Figures that several pages show: the history of a selection, and its mix of labs or categories."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from functools import partial

import polars as pl

from dashboards.charts import intervals, marks, palette, timeline
from dashboards.exports.figure_files import Figure, query_figure_data
from dashboards.queries import counts, trends
from dashboards.queries.corpora import MAPPING, describe_sources, find_corpus, list_taxonomies
from dashboards.queries.counting_rules import REPEATS, list_repeating_rules
from dashboards.queries.data_age import query_data_age, settle_periods
from dashboards.queries.findings import describe_period_cautions
from dashboards.queries.lab_freshness import describe_late_works
from dashboards.queries.release import query_column_meanings
from dashboards.queries.selection import DIMENSION_PLURALS, Dimension, Selection
from dashboards.queries.trends import View
from dashboards.text import format_date, format_name, format_number
from warehouse.release import Release


def describe_source(release: Release, selection: Selection) -> str:
    """Where the counts come from, until when if the data are stale, and the taxonomy if it is not the source's own."""
    titles, age = list_taxonomies(release, selection.corpus), query_data_age(release, corpus=selection.corpus)
    corpus = find_corpus(release, selection.corpus)
    source = "lab sheets (lab_sheet)"
    if corpus is not None and corpus.kind == "list" and corpus.name != MAPPING:
        source = f"the list {corpus.title} ({corpus.name})"
    if corpus is not None and corpus.is_living:
        source = (corpus.source_names or "none").replace("; ", ", ")
    if age.is_stale and age.ends_on:
        source = f"{source}, stale: they end on {format_date(age.ends_on)}"
    is_default = selection.taxonomy == next(iter(titles))
    return source if is_default else f"{source}, in the categories of {titles[selection.taxonomy]}"


def describe_corpus_name(release: Release, selection: Selection) -> str | None:
    """The corpus of a selection by title and name; None in a release that has only one."""
    corpus = find_corpus(release, selection.corpus)
    return corpus.label if corpus else None


def describe_span(release: Release, selection: Selection) -> str | None:
    """The time in which publications of a selection are counted: the chosen one, else what the corpus covers."""
    totals, (since, until) = counts.query_totals(release, selection), selection.by_month.span
    first, last = since or totals.covers_from, until or totals.covers_until
    return f"{format_date(first)} to {format_date(last)}" if first and last else None


def list_source_cautions(release: Release, selection: Selection) -> list[str]:
    """The cautions on the time of the sources of a living corpus, and on a rule that counts works more than once."""
    corpus = find_corpus(release, selection.corpus)
    cautions = [describe_sources(release, corpus) if corpus else None]
    if selection.rule in list_repeating_rules(release):
        cautions.append(f"A work counts once in each of its categories. {REPEATS}")
    cautions += describe_late_works(release, selection, dt.datetime.now(dt.UTC).date())
    return [one for one in cautions if one]


def list_remainders(release: Release, selection: Selection) -> list[str]:
    """The caution that publications of a selection have no date, so that no figure over time has them."""
    undated = counts.query_totals(release, selection).undated
    date = "date" if selection.grain == "year" else "known month"  # of some, only the year is known
    return [f"**{format_number(undated)} more without a {date}** are not drawn."] if undated else []


def build_history_figure(
    release: Release,
    selection: Selection,
    series: Dimension,
    *,
    title: str,
    key: str,
    finding: str | None,
    headline: str | None = None,
    view: View = "bars",
    height: int = 220,
) -> Figure:
    """Publications of a selection over time, in one panel.

    Args:
        release: The release.
        selection: What is counted; its dimensions are replaced by the series.
        series: The dimension shown by colour.
        title: Title of the figure.
        key: Identifies the figure on its page.
        finding: Its finding; for shares, those of the newest whole period by default.
        headline: The finding as the title of its pictures.
        view: Kind of chart.
        height: Height of the plot in pixels.
    """
    remainders = list_remainders(release, selection)
    selection, left_out = counts.limit_members(release, replace(selection, dimensions=(series,)))
    data = query_figure_data(release, *trends.build_query(release, selection, view, series))
    frame = settle_periods(data.frame, query_data_age(release, corpus=selection.corpus))
    # members without publications are left out, unless all are: then their zeros are drawn
    counted = frame.filter(pl.col("publications") > 0)
    present = set((frame if counted.is_empty() else counted)[series])
    members = counts.list_members(release, series, selection.taxonomy, selection.corpus)
    all_colours = palette.assign_colours(series, members)
    colours = {name: colour for name, colour in all_colours.items() if name in present}
    look = marks.ChartStyle(
        series=series,
        grain=selection.grain,
        view=view,
        colours=colours,
        axis_maximum=marks.find_axis_maximum(frame, view),
        meanings=query_column_meanings(release, counts.COUNTS_TABLE),
        is_clickable=False,
    )
    drawn = frame.filter(pl.col(series).is_in(list(present)))

    per = format_name(selection.grain)
    return Figure(
        data,
        title=title,
        unit="share of publications" if view == "share" else f"publications per {per}",
        rule=selection.rule,
        source=describe_source(release, selection),
        corpus=describe_corpus_name(release, selection),
        finding=_describe_newest_shares(drawn, series) if finding is None and view == "share" else finding,
        headline=headline,
        file_name=f"{key}_{selection.grain}_{selection.counted_by}_{release.name}".replace(" ", "_").lower(),
        alt=f"{title}. Publications per {per} by {series}.",
        key=key,
        draw=partial(timeline.draw_single_panel, drawn, look, height),
        picture=partial(timeline.draw_picture, {"": drawn}, look, 1),
        meanings=look.meanings,
        cautions=[
            *remainders,
            *left_out,
            *describe_period_cautions(frame, view),
            *list_source_cautions(release, selection),
        ],
    )


def _describe_newest_shares(frame: pl.DataFrame, series: Dimension) -> str | None:
    """The three largest shares of the newest fully covered period, with their intervals."""
    whole = frame.filter(~pl.col("is_part_period") & pl.col("share").is_not_null())
    if whole.is_empty():
        return None
    newest = whole.filter(pl.col("starts_on") == whole["starts_on"].max()).sort("share", descending=True).head(3)
    shares = (
        f"{row[series]} {row['share']:.0%} ({format_number(row['publications'])} "
        f"of {format_number(row['total_publications'])}, "
        f"95 % interval {row['share_low']:.0%} to {row['share_high']:.0%}"
        + (f"; {row['caution']})" if row["caution"] else ")")
        for row in newest.iter_rows(named=True)
    )
    return f"{newest['period'][0]}, the newest whole period: {', '.join(shares)}."


def build_mix_figure(release: Release, selection: Selection, of: Dimension, *, title: str, key: str) -> Figure:
    """Shares of labs or categories in a selection, over its whole span of time, with Wilson intervals.

    Args:
        release: The release.
        selection: What is counted.
        of: The dimension whose members have the shares.
        title: Title of the figure.
        key: Identifies the figure on its page.
    """
    data = query_figure_data(release, *trends.build_mix_query(selection, of))
    frame = data.frame
    drawn = frame.head(counts.MAX_MEMBERS)
    cautions = []
    if drawn.height < frame.height:
        others = frame[drawn.height :]["publications"].sum()
        cautions = [
            f"Drawn are the {drawn.height} largest; the other {frame.height - drawn.height:,} {DIMENSION_PLURALS[of]} "
            f"have {format_number(float(others))} publications together and are in the table."
        ]
    members = counts.list_members(release, of, selection.taxonomy, selection.corpus)
    colours = palette.assign_colours(of, members)
    finding, headline = None, None
    for row in frame.head(1).iter_rows(named=True):
        finding = (
            f"{row[of]} has the largest share: {format_number(row['publications'])} "
            f"of {format_number(row['total_publications'])}, {row['share']:.0%} "
            f"(95 % interval {row['share_low']:.0%} to {row['share_high']:.0%})"
            + (f"; {row['caution']}." if row["caution"] else ".")
        )
        headline = f"{row[of]} has the largest share: {row['share']:.0%}"
    return Figure(
        data,
        title=title,
        unit="share of publications, with Wilson intervals at 95 %",
        rule=selection.rule,
        source=describe_source(release, selection),
        corpus=describe_corpus_name(release, selection),
        finding=finding,
        headline=headline,
        file_name=f"{key}_{selection.counted_by}_{release.name}".replace(" ", "_").lower(),
        alt=f"{title}. {finding or ''}",
        key=key,
        draw=partial(
            intervals.draw_intervals,
            drawn,
            member=of,
            value="share",
            low="share_low",
            high="share_high",
            title="Share of publications",
            form=".0%",
            colours=colours,
        ),
        span=describe_span(release, selection),
        cautions=[*list_remainders(release, selection), *cautions],
    )
