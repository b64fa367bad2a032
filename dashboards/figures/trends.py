"""The figure of the trends page: counts of a selection over time, in panels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import polars as pl
import streamlit as st

from dashboards.charts import drawing, marks, palette, timeline
from dashboards.charts.marks import ChartStyle
from dashboards.exports.figure_files import Figure, FigureData
from dashboards.figures.annotations import describe_annotations
from dashboards.figures.shared import describe_corpus_name, describe_source, list_source_cautions
from dashboards.figures.trend_options import TrendOptions
from dashboards.queries import comparison, counts
from dashboards.queries.annotations import find_annotations
from dashboards.queries.corpora import CORPUS_TABLES, describe_sources, find_corpus, list_taxonomies
from dashboards.queries.counting_rules import describe_rule
from dashboards.queries.data_age import query_data_age, settle_periods
from dashboards.queries.finding import Finding, join_findings, list_names
from dashboards.queries.findings import (
    describe_period_cautions,
    describe_share_cautions,
    describe_trends,
    describe_zero_count,
)
from dashboards.queries.lab_findings import count_by_lab, describe_rate_differences, describe_share_differences
from dashboards.queries.release import query_column_meanings
from dashboards.queries.selection import DIMENSION_PLURALS, Dimension, Selection
from dashboards.queries.share_findings import describe_share_changes
from dashboards.text import escape_markdown, format_date, format_name, format_number
from warehouse.release import Release

_PANELS_PER_ROW = 3
_FEW_PUBLICATIONS = 30


@dataclass(frozen=True)
class TrendPanels:
    """The panels of a figure.

    Args:
        selection: What is counted, by which dimensions.
        options: How it is drawn.
        frames: The rows of each panel by its name; the only panel has an empty name.
        look: What all panels share.
        left_out: Sentences on what is selected but not drawn.
    """

    selection: Selection
    options: TrendOptions
    frames: Mapping[str, pl.DataFrame]
    look: ChartStyle
    left_out: Sequence[str] = ()

    @property
    def panels_per_row(self) -> int:
        """Number of panels side by side."""
        return 1 if self.options.view == "heat map" else min(_PANELS_PER_ROW, len(self.frames))


def build_panels(
    release: Release,
    selection: Selection,
    options: TrendOptions,
    frame: pl.DataFrame,
    picked: Mapping[str, str | None],
    left_out: Sequence[str] = (),
) -> TrendPanels:
    """Split the rows of a trends query into panels.

    Args:
        release: The release.
        selection: What is counted.
        options: How it is drawn.
        frame: Rows of `trends.build_query`.
        picked: The period, lab and category that are marked.
        left_out: Sentences on what is selected but not drawn.
    """
    view, series, panel_dimension = options.view, options.series, options.panel_dimension
    frame = settle_periods(frame, query_data_age(release, corpus=selection.corpus))
    members = counts.list_members(release, series, selection.taxonomy, selection.corpus)
    colours = palette.assign_colours(series, members)
    present = set(frame[series].unique())
    frames = {"": frame}
    if panel_dimension is not None:
        parts = {name: part for (name,), part in frame.partition_by(panel_dimension, as_dict=True).items()}
        members = counts.list_members(release, panel_dimension, selection.taxonomy, selection.corpus)
        frames = {name: parts[name] for name in members if name in parts}
    look = ChartStyle(
        series=series,
        grain=selection.grain,
        view=view,
        colours={name: colour for name, colour in colours.items() if name in present},
        axis_maximum=marks.find_axis_maximum(frame, view, panel_dimension),
        meanings=query_column_meanings(release, counts.COUNTS_TABLE),
        highlighted=picked,
        annotations=find_annotations(release, selection, frame, panel_dimension) if options.has_events else None,
    )
    return TrendPanels(selection, options, frames, look, left_out)


def draw_panels(panels: TrendPanels, on_click: Callable[[str, str], None]) -> None:
    """Draw the panels side by side below a shared legend.

    Args:
        panels: The panels.
        on_click: Called after a click on a chart, with its key in the session and the name of its panel.
    """
    view, series, look = panels.options.view, panels.options.series, panels.look
    if view != "heat map" and (view == "bars" or len(look.colours) > 1):
        draw_legend = partial(timeline.draw_page_legend, series, look.colours)
        drawing.show_chart(draw_legend, key="legend", description=f"Colours of each {series}.")
    height = 270 if len(panels.frames) <= _PANELS_PER_ROW else 150
    for place, (panel, frame) in enumerate(panels.frames.items()):
        if place % panels.panels_per_row == 0:
            columns = st.columns(panels.panels_per_row, gap="small")
        clicks = st.session_state.get("clicks", {}).get(panel, 0)
        counted_by = f"{look.grain} {panels.selection.counted_by} {panels.selection.taxonomy}"
        key = f"chart {panel} {series} {view} {counted_by} {clicks}"
        description = f"{marks.format_axis_title(look.grain, view)} by {series}, as {view}. {panel}".strip()
        with columns[place % panels.panels_per_row]:
            drawing.show_chart(
                partial(timeline.draw_page_panel, frame, look, height, panel or None),
                key=key,
                description=f"{description}. The tab Table has the numbers.",
                on_select=partial(on_click, key, panel),
            )


def build_trend_figure(panels: TrendPanels, data: FigureData) -> Figure:
    """The panels with title, finding and cautions.

    Args:
        panels: The panels.
        data: The query and its rows.
    """
    release, selection, look, options = data.release, panels.selection, panels.look, panels.options
    measure = f"{marks.format_axis_title(look.grain, options.view)} by {options.series}"
    per_panel = f", for each {options.panel_dimension}" if options.panel_dimension else ""
    finding = _find(panels, data)
    return Figure(
        data,
        title=f"{measure}{per_panel}: {comparison.describe_selection(selection)}",
        unit={"share": "share of publications"}.get(options.view, "publications"),
        rule=selection.rule,
        source=describe_source(release, selection),
        corpus=describe_corpus_name(release, selection),
        finding=finding.sentence,
        headline=finding.headline or None,
        file_name=f"publications_by_{'_'.join(selection.dimensions)}_{look.grain}_{selection.counted_by}_{release.name}",
        alt=f"{measure}.",
        key="trends",
        draw=partial(
            timeline.draw_picture,
            panels.frames,
            replace(look, is_clickable=False, highlighted={}),
            panels.panels_per_row,
        ),
        meanings=look.meanings,
        cautions=_list_cautions(panels, data),
    )


def _find(panels: TrendPanels, data: FigureData) -> Finding:
    """What answers the question of the chart: differences between its labs, and changes of shares or of the rate."""
    release, selection, options = data.release, panels.selection, panels.options
    # a count of zero is a result, with an interval like any other
    if counts.query_totals(release, selection).selected == 0 and (zero := describe_zero_count(release, selection)):
        return Finding(zero, f"No publications: {comparison.describe_selection(selection)}")
    if options.view == "share":
        age = query_data_age(release, corpus=selection.corpus)
        changes = [describe_share_changes(settle_periods(data.frame, age), options.series, options.panel_dimension)]
    else:
        changes = describe_trends(release, selection)
    labs, categories = (_list_drawn(data.frame, name) for name in ("lab", "category"))
    # what two labs publish together is counted by a macro, which reads the corpora of this version
    can_compare = len(labs) > 1 and all(name in data.release.manifest["tables"] for name in CORPUS_TABLES)
    differences = [_find_differences(panels, data.release, labs, categories)] if can_compare else []
    return join_findings([*differences, *changes])


def _find_differences(panels: TrendPanels, release: Release, labs: Sequence[str], categories: Sequence[str]) -> Finding:
    """Differences between the labs of the chart: in each category if there are panels of them, in shares if drawn."""
    selection, options = panels.selection, panels.options
    corpus = find_corpus(release, selection.corpus)
    # the sentence is quoted without the cautions of its figure
    is_of_sources = corpus is not None and describe_sources(release, corpus) is not None
    if options.view == "share" and options.panel_dimension == "lab":
        # a category that is chosen is a part of all publications of its lab
        counted = count_by_lab(release, replace(selection, categories=()), labs, has_categories=True)
        return describe_share_differences(counted, labs, categories, is_of_sources=is_of_sources)
    is_split = options.panel_dimension == "category"
    counted = count_by_lab(release, selection, labs, has_categories=is_split)
    return describe_rate_differences(
        counted,
        labs,
        categories if is_split else ("",),
        scope=list_names(selection.categories) if selection.categories and not is_split else "",
        is_of_sources=is_of_sources,
    )


def _list_drawn(frame: pl.DataFrame, dimension: Dimension) -> list[str]:
    """The labs or categories of a chart, without what is counted apart, such as “(no followed lab)”."""
    names = frame[dimension].unique(maintain_order=True).to_list() if dimension in frame.columns else []
    return sorted(name for name in names if not name.startswith("("))


def _list_cautions(panels: TrendPanels, data: FigureData) -> list[str]:
    age = query_data_age(data.release, corpus=panels.selection.corpus)
    view, frame = panels.options.view, settle_periods(data.frame, age)
    left_out = [f"**{sentence}**" for sentence in panels.left_out]
    cautions = [*left_out, *describe_period_cautions(frame, view), *_list_absent(frame, panels.options.series)]
    if marks.has_bands(frame, panels.look):
        rule_range = "Bands go from the lowest to the highest count over all applicable counting rules."
        cautions.append("Bands are Wilson intervals at 95 %." if view == "share" else rule_range)
    elif view == "share" or (view == "lines" and panels.options.has_rule_range):
        members = DIMENSION_PLURALS[panels.options.series]
        cautions.append(f"Bands are drawn for up to four {members}; the table has the intervals of all.")
    if 0 < counts.query_totals(data.release, panels.selection).selected < _FEW_PUBLICATIONS:
        cautions.append(f"**Fewer than {_FEW_PUBLICATIONS} publications in all**: too few for a share or a trend.")
    if view == "share" and (caution := describe_share_cautions(frame)):
        cautions.append(f"**{caution}**")
    cautions.extend(list_source_cautions(data.release, panels.selection))
    if panels.look.annotations is not None:
        cautions.extend(describe_annotations(panels.look.annotations))
    return cautions


def _list_absent(frame: pl.DataFrame, series: Dimension) -> list[str]:
    """The sentence on the labs or categories of a chart that have no publications, where others have some."""
    sums = frame.group_by(series).agg(pl.col("publications").sum()).sort(series)
    absent = sums.filter(pl.col("publications") == 0)[series].to_list()
    if not absent or len(absent) == sums.height:
        return []
    return [f"Without publications here: {escape_markdown(', '.join(absent))}."]


def show_totals(release: Release, selection: Selection) -> bool:
    """Show how many publications are selected, by which rule, in which covered time; whether they can be drawn."""
    rule = next(rule for rule in counts.list_counting_rules(release, selection.corpus) if rule.name == selection.rule)
    totals = counts.query_totals(release, selection)
    dated = format_number(totals.dated)

    of_all = f" of {dated}" if totals.selected != totals.dated else ""
    date = "date" if selection.grain == "year" else "known month"  # of some, only the year is known
    undated = f", and {format_number(totals.undated)} more without a {date}, not drawn" if totals.undated else ""
    with_date = f" with a {date}" if totals.undated else ""
    st.markdown(f"##### {format_number(totals.selected)}{of_all} {format_name(rule.name)}{with_date}{undated}")
    if totals.unattributed:
        st.warning(
            f"The authors of {format_number(totals.unattributed)} of {dated} publications are not known, so this rule "
            "cannot assign them to a lab. They are counted as “(authors not known)”.",
            icon=":material/warning:",
        )
    facts = [
        f"newest record {format_date(totals.newest_on)}" if totals.newest_on else "no dated record",
        *(
            [f"covers {format_date(totals.covers_from)} to {format_date(totals.covers_until)}"]
            if totals.covers_from and totals.covers_until
            else []
        ),
    ]
    taxonomy = list_taxonomies(release, selection.corpus)[selection.taxonomy]
    corpus = find_corpus(release, selection.corpus)
    meaning = describe_rule(release, rule.name) if corpus and corpus.is_living else rule.meaning
    st.caption(f"{meaning} Categories of {taxonomy} · {' · '.join(facts)}")

    if selection.since and selection.until and selection.since > selection.until:
        st.warning("“From” is after “Until”: choose an earlier month for “From”.", icon=":material/search:")
        return False
    if totals.dated == 0:
        st.info(
            "This release has no dated publication. Add a sheet with `aisle add`, then run `aisle run`.",
            icon=":material/search:",
        )
        return False
    if totals.selected == 0:
        if totals.unattributed:
            st.info(
                "Nothing can be counted by this rule. Choose another counting rule above.", icon=":material/search:"
            )
            return False
        st.info("No publication matches these filters. The charts show zeros.", icon=":material/search:")
    return True
