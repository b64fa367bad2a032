"""Publications per lab per category over time, any two selections compared, and the papers behind each number."""

import datetime as dt
from dataclasses import replace
from functools import partial
from typing import cast, get_args

import polars as pl
import streamlit as st

from dashboards import (
    charts,
    comparison,
    counts,
    drawing,
    figure,
    filters,
    frames,
    intervals,
    marks,
    meanwhile,
    read,
    timeline,
    trends,
)
from dashboards.counts import OTHER, PLURAL, Dimension

PANELS_IN_A_ROW = 3
FEW = 30


def listed_anew() -> None:
    """Forget which bar is marked, since another choice was made; its chart then takes a click on it again."""
    panel = st.session_state.pop("marked_panel", None)
    if panel is not None:
        clicks = st.session_state.setdefault("clicks", {})
        clicks[panel] = clicks.get(panel, 0) + 1


def clicked(key: str, panel: str, series: Dimension, panel_of: Dimension | None) -> None:
    """Choose what a click on a chart meant, in the same widgets in which it can be chosen by keyboard."""
    point = charts.picked_of(st.session_state.get(key))
    if st.session_state.get("marked_panel") != panel:
        listed_anew()
    st.session_state["marked_panel"] = panel
    st.session_state["period"] = point.get("period")
    st.session_state[f"of_{series}"] = point.get(series)
    st.session_state[f"of_{OTHER[series]}"] = panel if point and panel_of else None


release = read.chosen()
meanings = read.meanings(release, counts.COUNTS)
st.title("Publications per lab per category over time", anchor=False)

rules = {rule.name: rule for rule in counts.rules(release)}
taxonomies = counts.taxonomies(release)
chosen_filters = filters.bar(release)
with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
    view = cast("trends.View", filters.choice("View", get_args(trends.View), "view"))
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
panel_of = OTHER[series] if is_split else None
dimensions: tuple[Dimension, ...] = ("lab", "category") if is_split else (series,)
selection = replace(chosen_filters, dimensions=dimensions)
rule, taxonomy, labs, categories = rules[selection.rule], selection.taxonomy, selection.labs, selection.categories
if view == "cumulative" and selection.grain == "rolling_12_months":
    st.info(
        "Rolling windows overlap and cannot be added up: the cumulative counts are per month.", icon=":material/search:"
    )
    selection = replace(selection, grain="month")
grain = selection.grain
query, parameters = trends.question(release, selection, view, series, is_ranged=is_ranged)
totals = counts.totals(release, selection)

in_all = f" of {frames.number(totals.dated)}" if totals.selected != totals.dated else ""
st.markdown(f"##### {frames.number(totals.selected)}{in_all} {frames.plain(rule.name)}")
if totals.unattributed:
    st.warning(
        f"The authors of {frames.number(totals.unattributed)} of {frames.number(totals.dated)} publications are not "
        "known, so this rule cannot say which lab they are of. They are counted as “(authors not known)” rather "
        "than guessed.",
        icon=":material/warning:",
    )
newest = f"newest record {frames.written(totals.newest_on)}" if totals.newest_on else "no dated record"
facts = [
    newest,
    f"covers {frames.written(totals.covers_from)} to {frames.written(totals.covers_until)}",
]
if totals.undated:
    facts.append(f"**{frames.number(totals.undated)} more without a date, not drawn**")
st.caption(f"{rule.meaning} Categories of {taxonomies[taxonomy]} · {' · '.join(facts)}")

if selection.since and selection.until and selection.since > selection.until:
    st.warning("“From” is after “Until”: no month is in this span of time.", icon=":material/search:")
    st.stop()
if totals.dated == 0:
    st.info(
        "This release holds no dated publication. Add a sheet with `aisle add`, then run `aisle run`.",
        icon=":material/search:",
    )
    st.stop()
none_found = None
if totals.selected == 0:
    if totals.unattributed:
        st.info(
            "By this rule nothing can be counted here: choose another counting rule above.", icon=":material/search:"
        )
        st.stop()
    # a count of zero is a result: its periods are drawn, and it has an interval as any other
    none_found = counts.none_found(release, selection)
    st.info("No publication fits this choice; what is drawn are its zeros.", icon=":material/search:")

given = figure.asked(release, query, parameters)
frame: pl.DataFrame = given["frame"]
spans = frame.select("period", "starts_on", "ends_on").unique(maintain_order=True)
periods = {row["period"]: row for row in spans.iter_rows(named=True)}
options = {"period": [*periods, *(["undated"] if totals.undated else [])]}
options["of_lab"] = list(labs) or counts.names(release, "lab", taxonomy)
options["of_category"] = list(categories) or counts.names(release, "category", taxonomy)
for key, values in options.items():
    filters.told_unknown(key.removeprefix("of_").capitalize(), values, key)
    # a choice that the filters no longer offer would be an error
    if st.session_state.get(key) not in (None, *values):
        st.session_state[key] = None

chart_area = st.container()

st.subheader("Papers", anchor=False)
with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
    chosen = {
        key: st.selectbox(
            label,
            options[key],
            index=None,
            key=key,
            placeholder=f"All {placeholder}",
            on_change=listed_anew,
            bind="query-params",
            width=width,
        )
        for key, label, placeholder, width in (
            ("period", "Period", "periods", 160),
            ("of_lab", "Lab", "labs", 220),
            ("of_category", "Category", "categories", 300),
        )
    }

colour_of = charts.colours(series, counts.names(release, series, taxonomy))
present = set(frame[series].unique())
drawn = {name: colour for name, colour in colour_of.items() if name in present}
panels = {"": frame}
if panel_of is not None:
    parts = {name: part for (name,), part in frame.partition_by(panel_of, as_dict=True).items()}
    panels = {name: parts[name] for name in counts.names(release, panel_of, taxonomy) if name in parts}
look = marks.Look(
    series=series,
    grain=grain,
    view=view,
    colour_of=drawn,
    highest=counts.highest(release, selection, panel_of) if view == "bars" else marks.highest(frame, view),
    meanings=meanings,
    picked={"period": chosen["period"], "lab": chosen["of_lab"], "category": chosen["of_category"]},
    annotations=meanwhile.annotations(release, selection, frame, panel_of) if is_annotated else None,
)


def draw_panels() -> None:
    """The panels side by side, each taking clicks."""
    if view != "heat map" and (view == "bars" or len(drawn) > 1):
        key_to_colours = partial(timeline.legend_on_page, series, drawn)
        drawing.show(key_to_colours, key="legend", told=f"Colours of each {series}.")
    in_row = 1 if view == "heat map" else min(PANELS_IN_A_ROW, len(panels))
    for place, (panel, part) in enumerate(panels.items()):
        if place % in_row == 0:
            columns = st.columns(in_row, gap="small")
        clicks = st.session_state.get("clicks", {}).get(panel, 0)
        key = f"chart {panel} {series} {view} {grain} {rule.name} {taxonomy} {clicks}"
        height = 270 if len(panels) <= PANELS_IN_A_ROW else 150
        told = f"{marks.axis_title(grain, view)} by {series}, as {view}. {panel}".strip()
        with columns[place % in_row]:
            drawing.show(
                partial(timeline.panel_on_page, part, look, height, panel or None),
                key=key,
                told=f"{told}. The tab Table has the numbers.",
                on_select=lambda key=key, panel=panel: clicked(key, panel, series, panel_of),
            )


source = "lab sheets (lab_sheet)"
if taxonomy != next(iter(taxonomies)):
    source = f"{source}, in the categories of {taxonomies[taxonomy]}"
cautions = trends.of_periods(frame, view)
if marks.has_bands(frame, look):
    of_rules = "Bands go from the lowest to the highest count over all rules that can be applied."
    cautions.append("Bands are Wilson intervals at 95 %." if view == "share" else of_rules)
elif view == "share" or (view == "lines" and is_ranged):
    ends = f"their ends are in the table, and a choice of up to four {PLURAL[series]} shows them"
    cautions.append(f"Bands of so many lines would hide each other: {ends}.")
if 0 < totals.selected < FEW:
    cautions.append(f"**Fewer than {FEW} publications in all**: too few to read a share or a trend from them.")
if view == "share" and (caution := trends.cautions(frame)):
    cautions.append(f"**{caution}**")
if look.annotations is not None:
    cautions.extend(meanwhile.sentences(look.annotations))
unsplit = f", for each {panel_of}" if panel_of else ""
named = comparison.named(selection)
with chart_area:
    figure.show(
        figure.Figure(
            **given,
            title=f"{marks.axis_title(grain, view)} by {series}{unsplit}: {named}",
            unit={"share": "share of publications"}.get(view, "publications"),
            rule=rule.name,
            source=source,
            finding=none_found or " ".join(counts.findings(release, selection)),
            name=f"publications_by_{'_'.join(dimensions)}_{grain}_{rule.name}_{release.name}",
            alt=f"{marks.axis_title(grain, view)} by {series}.",
            key="trends",
            draw=partial(
                timeline.in_picture,
                panels,
                replace(look, is_clickable=False, picked={}),
                1 if view == "heat map" else PANELS_IN_A_ROW,
            ),
            meanings=meanings,
            cautions=cautions,
        ),
        on_page=draw_panels,
    )
    if look.annotations is not None:
        meanwhile.lead_to_causes(look.annotations)
    if is_compared:
        st.subheader("Compared with", anchor=False)
        told = filters.bar(release, ("labs", "categories", "span"), prefix="other_", taxonomy=taxonomy)
        other = replace(told, rule=rule.name, grain=grain)
        found = comparison.compared(release, selection, other)
        rates = comparison.rates(release, found)
        figure.show(
            figure.Figure(
                release=release,
                sql=found.sql,
                parameters=found.parameters,
                frame=rates,
                title=f"{comparison.named(other.by_month)}, compared with {comparison.named(selection.by_month)}",
                unit="publications per covered year",
                rule=rule.name,
                source=source,
                finding=found.sentence,
                name=f"comparison_{rule.name}_{release.name}",
                alt=f"Rates of two selections with exact 95 % intervals. {found.sentence}",
                key="comparison",
                draw=partial(
                    intervals.chart,
                    rates,
                    member="selection",
                    value="publications_per_year",
                    low="rate_low",
                    high="rate_high",
                    title="Publications per covered year",
                    form=".3~g",
                ),
            )
        )
        st.caption(
            "Lines are exact 95 % intervals. The test is of this comparison alone: of twenty made where nothing "
            "differs, about one will look clear. The comparisons of all years, corrected for their number, are in "
            "`mart.publication_rate_ratios`."
        )

span: tuple[dt.date, dt.date] | str = "dated"
if chosen["period"] == "undated":
    span = "undated"
elif chosen["period"]:
    span = (periods[chosen["period"]]["starts_on"], periods[chosen["period"]]["ends_on"])
    if view == "cumulative":  # what is so far, from the first period on
        span = (min(row["starts_on"] for row in periods.values()), span[1])
narrowed = replace(
    selection,
    labs=(chosen["of_lab"],) if chosen["of_lab"] else labs,
    categories=(chosen["of_category"],) if chosen["of_category"] else categories,
)
behind = counts.papers(release, narrowed, span)
of_all = int(behind["in_all"][0]) if behind.height else 0
listed = behind.drop("in_all").with_columns(
    evidence=pl.format("/work?id={}&release={}", "publication_id", pl.lit(release.name))
)
listed_in_words = f"{frames.counted(of_all, 'publication')} listed"
if behind.height != of_all:
    listed_in_words = f"{listed_in_words}, of which the newest {behind.height:,} are shown"
st.caption(f"{listed_in_words}. Click on a bar or a point above to list the papers behind it, or choose here.")
charts.table(
    listed.drop("publication_id", *([] if listed["counted"].n_unique() > 1 else ["counted"])),
    height="auto",
    column_config={
        "counted": st.column_config.NumberColumn("Counted", format="%.2f", help="The part of it that is counted here."),
        "evidence": charts.to_page("evidence"),
        "title": st.column_config.TextColumn("Title", width="large"),
        "lab": st.column_config.TextColumn("Lab", width=140),
        "category": st.column_config.TextColumn("Category", width=220),
        "published_on": st.column_config.DateColumn("Published on", format="D MMM YYYY", width=110),
        "is_duplicate": st.column_config.CheckboxColumn("Marked duplicate", width=130),
        "url": charts.to_site("Link"),
    },
    key="papers",
)
