"""The charts of the page of trends: how its counts are told apart and drawn, and what they are compared with.

They are a part of the page of its own: when one of its choices is made, this part alone is run and sent anew, without
the filters above it and the list of papers below it, unless others are to be listed.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, cast, get_args

import polars as pl
import streamlit as st

from dashboards import text
from dashboards.charts import marks, palette
from dashboards.charts.marks import Look
from dashboards.figures import annotations as meanwhile
from dashboards.figures import figure
from dashboards.figures.panels import Shown, compare, figure_of
from dashboards.queries import counts, trends
from dashboards.queries import release as read
from dashboards.queries.counts import OTHER, Dimension, Grain, Selection
from dashboards.queries.trends import View
from dashboards.widgets import filters
from warehouse.release import Release

_OF_PAPERS = (
    ("period", "Period", "All periods", 160),
    ("of_lab", "Lab", "All labs", 220),
    ("of_category", "Category", "All categories", 300),
)


@dataclass(frozen=True)
class Listed:
    """Of what the papers are listed.

    Args:
        selection: Which ones, by which rule.
        span: First and last day of a period, or all that have a date, or those that have none.
    """

    selection: Selection
    span: tuple[dt.date, dt.date] | Literal["dated", "undated"]


def _listed_anew() -> None:
    """Forget which bar is marked, since another choice was made; its chart then takes a click on it again."""
    panel = st.session_state.pop("marked_panel", None)
    if panel is not None:
        clicks = st.session_state.setdefault("clicks", {})
        clicks[panel] = clicks.get(panel, 0) + 1


def _clicked(series: Dimension, panel_of: Dimension | None, key: str, panel: str) -> None:
    """Choose what a click on a chart meant, in the same widgets in which it can be chosen by keyboard."""
    point = palette.picked_of(st.session_state.get(key))
    if st.session_state.get("marked_panel") != panel:
        _listed_anew()
    st.session_state["marked_panel"] = panel
    st.session_state["period"] = point.get("period")
    st.session_state[f"of_{series}"] = point.get(series)
    st.session_state[f"of_{OTHER[series]}"] = panel if point and panel_of else None


@st.fragment
def explored(release: Release, selection: Selection, listed: list[Listed]) -> None:
    """Choose how the counts of a selection are drawn, draw them, compare them, and choose what papers to list.

    Args:
        release: The release.
        selection: What is counted; by what it is told apart and per what time is chosen here.
        listed: Empty when the whole page is run, and given what it is to list then; run alone, this part has the whole
            page run again as soon as something else is to be listed.
    """
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        grain = cast("Grain", filters.pick("Per", get_args(Grain), "per", 180, "year"))
        view = cast("View", filters.choice("View", get_args(View), "view"))
        series = cast("Dimension", filters.choice("Colour", ("category", "lab"), "colour"))
        is_split = filters.switch(f"One panel per {OTHER[series]}", "panels", value=True)
        is_ranged = filters.switch(
            "Range over rules",
            "range",
            disabled=view != "lines",
            explained="With lines: a band from the lowest to the highest count over all rules that can be applied.",
        )
        is_annotated = filters.switch(
            "Meanwhile",
            "meanwhile",
            explained="Marks releases of models and other events in time, and numbers that were corrected since.",
        )
        is_compared = filters.switch("Compare", "compare", explained="With another selection, by their rates.")
    # messages have places of their own: a choice below that is moved by one that comes and goes loses its address
    notice, said = st.container(), st.container()
    if view == "cumulative" and grain == "rolling_12_months":
        notice.info(
            "Rolling windows overlap and cannot be added up: the cumulative counts are per month.",
            icon=":material/search:",
        )
        grain = "month"
    panel_of = OTHER[series] if is_split else None
    selection = replace(selection, grain=grain, dimensions=("lab", "category") if is_split else (series,))
    with said:
        _counted(release, selection)
    query, parameters = trends.question(release, selection, view, series, is_ranged=is_ranged)
    given = figure.asked(release, query, parameters)
    frame: pl.DataFrame = given["frame"]
    above = st.container()
    picked, asked = _listed(release, selection, view, frame)
    if not listed:
        listed.append(asked)
    elif listed != [asked]:
        st.rerun()

    colour_of = palette.colours(series, counts.names(release, series, selection.taxonomy))
    present = set(frame[series].unique())
    panels = {"": frame}
    if panel_of is not None:
        parts = {name: part for (name,), part in frame.partition_by(panel_of, as_dict=True).items()}
        panels = {name: parts[name] for name in counts.names(release, panel_of, selection.taxonomy) if name in parts}
    look = Look(
        series=series,
        grain=selection.grain,
        view=view,
        colour_of={name: colour for name, colour in colour_of.items() if name in present},
        highest=counts.highest(release, selection, panel_of) if view == "bars" else marks.highest(frame, view),
        meanings=read.meanings(release, counts.COUNTS),
        picked=picked,
        annotations=meanwhile.annotations(release, selection, frame, panel_of) if is_annotated else None,
    )
    shown = Shown(release, selection, view, series, panel_of, panels, look)
    with above:
        on_page = partial(shown.draw, partial(_clicked, series, panel_of))
        figure.show(figure_of(shown, given, is_ranged=is_ranged), on_page=on_page)
        if look.annotations is not None:
            meanwhile.lead_to_causes(look.annotations)
        if is_compared:
            compare(release, selection)


def _counted(release: Release, selection: Selection) -> None:
    """Say how many there are, by which rule, over what time; nothing follows where there can be no chart."""
    rule = next(rule for rule in counts.rules(release) if rule.name == selection.rule)
    totals = counts.totals(release, selection)

    in_all = f" of {text.number(totals.dated)}" if totals.selected != totals.dated else ""
    st.markdown(f"##### {text.number(totals.selected)}{in_all} {text.plain(rule.name)}")
    if totals.unattributed:
        unknown = f"{text.number(totals.unattributed)} of {text.number(totals.dated)} publications"
        st.warning(
            f"The authors of {unknown} are not known, so this rule cannot say which lab they are of. They are counted "
            "as “(authors not known)” rather than guessed.",
            icon=":material/warning:",
        )
    newest = f"newest record {text.written(totals.newest_on)}" if totals.newest_on else "no dated record"
    facts = [
        newest,
        f"covers {text.written(totals.covers_from)} to {text.written(totals.covers_until)}",
    ]
    if totals.undated:
        facts.append(f"**{text.number(totals.undated)} more without a date, not drawn**")
    st.caption(f"{rule.meaning} Categories of {counts.taxonomies(release)[selection.taxonomy]} · {' · '.join(facts)}")

    if selection.since and selection.until and selection.since > selection.until:
        st.warning("“From” is after “Until”: no month is in this span of time.", icon=":material/search:")
        st.stop()
    if totals.dated == 0:
        st.info(
            "This release holds no dated publication. Add a sheet with `aisle add`, then run `aisle run`.",
            icon=":material/search:",
        )
        st.stop()
    if totals.selected == 0:
        if totals.unattributed:
            st.info(
                "By this rule nothing can be counted here: choose another counting rule above.",
                icon=":material/search:",
            )
            st.stop()
        st.info("No publication fits this choice; what is drawn are its zeros.", icon=":material/search:")


def _listed(
    release: Release, selection: Selection, view: View, frame: pl.DataFrame
) -> tuple[dict[str, str | None], Listed]:
    """Choose what papers to list: as values of the columns of the charts, and as they are asked for."""
    spans = frame.select("period", "starts_on", "ends_on").unique(maintain_order=True)
    periods = {name: (start, end) for name, start, end in spans.iter_rows()}
    is_any_undated = counts.totals(release, selection).undated > 0
    options = {
        "period": [*periods, *(["undated"] if is_any_undated else [])],
        "of_lab": list(selection.labs) or counts.names(release, "lab", selection.taxonomy),
        "of_category": list(selection.categories) or counts.names(release, "category", selection.taxonomy),
    }
    st.subheader("Papers", anchor=False)
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        period, lab, category = (
            filters.narrow(label, options[key], key, width, placeholder, _listed_anew)
            for key, label, placeholder, width in _OF_PAPERS
        )
    span: Any = "dated"
    if period == "undated":
        span = "undated"
    elif period:
        span = periods[period]
        if view == "cumulative":  # what is so far, from the first period on
            span = (min(start for start, _ in periods.values()), span[1])
    narrowed = replace(
        selection,
        labs=(lab,) if lab else selection.labs,
        categories=(category,) if category else selection.categories,
        # how they are told apart makes no others; the length of periods does, as a span of time is one of whole periods
        dimensions=(),
        grain=selection.grain if selection.since or selection.until else "year",
    )
    return {"period": period, "lab": lab, "category": category}, Listed(narrowed, span)
