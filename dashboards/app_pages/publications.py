"""Publications per lab per category over time, and the papers behind each number."""

import datetime as dt
from dataclasses import replace
from typing import cast, get_args

import polars as pl
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboards import charts, counts, frames, read
from dashboards.counts import Dimension, Selection

PANELS_IN_A_ROW = 3
FEW = 30
OTHER: dict[Dimension, Dimension] = {"lab": "category", "category": "lab"}


def choice(label: str, options: tuple[str, ...], key: str, explained: str | None = None) -> str:
    """One of a few; the first unless chosen otherwise, in the URL or here."""
    chosen = st.segmented_control(
        label, options, key=key, default=options[0], required=True, help=explained, bind="query-params"
    )
    return str(chosen)


def pick(label: str, names: list[str], key: str, width: int, first: str | None = None) -> str:
    """One of several, by the name that it has in SQL and in the URL too; the first unless chosen otherwise."""
    index = names.index(first) if first else 0
    return str(st.selectbox(label, names, index=index, key=key, width=width, bind="query-params"))


def many(place: DeltaGenerator, label: str, options: list[str], key: str) -> tuple[str, ...]:
    """Any of many; none chosen means all."""
    chosen = place.multiselect(label, options, key=key, placeholder=f"All {label.lower()}", bind="query-params")
    return tuple(chosen)


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
taxonomy = st.session_state.get("taxonomy") or st.query_params.get("taxonomy") or next(iter(taxonomies))
taxonomy = taxonomy if taxonomy in taxonomies else next(iter(taxonomies))
of_labs, of_categories = st.columns([2, 3], gap="small")
labs = many(of_labs, "Labs", counts.names(release, "lab", taxonomy), "labs")
categories = many(of_categories, "Categories", counts.names(release, "category", taxonomy), "categories")
with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
    rule = rules[pick("Counting rule", list(rules), "count", 200)]
    taxonomy = pick("Taxonomy", list(taxonomies), "taxonomy", 190)
    grain = cast("counts.Grain", pick("Per", list(get_args(counts.Grain)), "per", 190, "year"))
    view = cast("charts.View", choice("View", get_args(charts.View), "view"))
    series = cast("Dimension", choice("Colour", ("category", "lab"), "colour"))
    is_split = st.toggle(f"One panel per {OTHER[series]}", value=True, key="panels", bind="query-params")
    is_ranged = st.toggle(
        "Range over rules",
        key="range",
        bind="query-params",
        disabled=view != "lines",
        help="With lines: a band from the lowest to the highest count over all rules that can be applied.",
    )
panel_of = OTHER[series] if is_split else None
selection = Selection(labs, categories, rule.name, taxonomy, grain, ("lab", "category") if is_split else (series,))
frame = counts.publications_over_time(release, selection)
if is_ranged and view == "lines":
    frame = counts.with_range_over_rules(release, selection, frame)
totals = counts.totals(release, selection)

in_all = f" of {totals.dated:,g}" if totals.selected != totals.dated else ""
st.markdown(f"##### {totals.selected:,g}{in_all} {frames.plain(rule.name)}")
st.caption(f"{rule.meaning} Categories of {taxonomies[taxonomy]}.")
if totals.unattributed:
    st.warning(
        f"The authors of {totals.unattributed:,g} of {totals.dated:,g} publications are not known, so this rule cannot "
        "say which lab they are of. They are counted as “(authors not known)” rather than guessed.",
        icon="⚠️",
    )
newest = f"newest record {frames.written(totals.newest_on)}" if totals.newest_on else "no dated record"
facts = [
    f"Data as of {frames.dated(release)}",
    newest,
    f"covers {frames.written(totals.covers_from)} to {frames.written(totals.covers_until)}",
]
if totals.undated:
    facts.append(f"**{totals.undated:,g} more without a date, not drawn**")
st.caption(" · ".join(facts))

if totals.dated == 0:
    st.info("This release holds no dated publication. Add a sheet with `aisle add`, then run `aisle run`.", icon="🔎")
    st.stop()
if totals.selected == 0:
    st.info("No publication fits this choice. Take away a lab or a category above, or choose another lab.", icon="🔎")
    st.stop()

periods = {row["period"]: row for row in frame.iter_rows(named=True)}
options = {"period": [*periods, *(["undated"] if totals.undated else [])]}
options["of_lab"] = list(labs) or counts.names(release, "lab", taxonomy)
options["of_category"] = list(categories) or counts.names(release, "category", taxonomy)
for key, values in options.items():
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
drawn = {name: colour for name, colour in colour_of.items() if name in frame[series].unique()}
picked = {"period": chosen["period"], "lab": chosen["of_lab"], "category": chosen["of_category"]}
panels = {"": frame}
if panel_of is not None:
    parts = {name: part for (name,), part in frame.partition_by(panel_of, as_dict=True).items()}
    panels = {name: parts[name] for name in counts.names(release, panel_of, taxonomy) if name in parts}
ink = charts.ink(st.context.theme.type)
highest = counts.highest(release, selection, panel_of, is_stacked=view == "bars")

with chart_area:
    if view == "bars" or len(drawn) > 1:
        st.altair_chart(charts.legend(series, drawn, ink), key="legend")
    in_row = min(PANELS_IN_A_ROW, len(panels))
    for place, (panel, part) in enumerate(panels.items()):
        if place % in_row == 0:
            columns = st.columns(in_row, gap="small")
        clicks = st.session_state.get("clicks", {}).get(panel, 0)
        key = f"chart {panel} {series} {view} {grain} {rule.name} {taxonomy} {clicks}"
        chart = charts.over_time(
            part,
            heading=panel or None,
            series=series,
            grain=grain,
            view=view,
            colour_of=drawn,
            highest=highest,
            picked=picked,
            meanings=meanings,
            height=270 if len(panels) <= PANELS_IN_A_ROW else 150,
            ink=ink,
        )
        told = f"Publications per {frames.plain(grain)} by {series}, as {view}. {panel}".strip()
        with columns[place % in_row]:
            st.altair_chart(
                chart,
                key=key,
                on_select=lambda key=key, panel=panel: clicked(key, panel, series, panel_of),
                alt=f"{told}. The table below has the numbers.",
            )
    in_part = [f"{period} ({row['covered_part']})" for period, row in periods.items() if row["is_part_period"]]
    if in_part:
        st.caption(
            f"**{' and '.join(in_part)}: covered only in part**, so drawn pale and in broken lines. "
            "A smaller number there must not be read as a decline."
        )
    provisional = [period for period, row in periods.items() if row["is_provisional"]]
    if provisional:
        until = f" to {provisional[-1]}" if len(provisional) > 1 else ""
        st.caption(
            f"**{provisional[0]}{until}: the newest three months may still be filling up**, "
            "so drawn pale, until 50 reporting delays have been seen."
        )
    if totals.selected < FEW:
        st.caption(f"**Fewer than {FEW} publications in all**: too few to read a share or a trend from them.")
    for sentence in counts.findings(release, selection).values():
        st.markdown(f"**Finding** · {frames.text(sentence)}")

span: tuple[dt.date, dt.date] | str = "dated"
if chosen["period"] == "undated":
    span = "undated"
elif chosen["period"]:
    span = (periods[chosen["period"]]["starts_on"], periods[chosen["period"]]["ends_on"])
narrowed = replace(
    selection,
    labs=(chosen["of_lab"],) if chosen["of_lab"] else labs,
    categories=(chosen["of_category"],) if chosen["of_category"] else categories,
)
listed = counts.papers(release, narrowed, span).with_columns(
    evidence=pl.format("/work?id={}&release={}", "publication_id", pl.lit(release.name))
)
listed_in_words = f"{listed.height:,} {'publication' if listed.height == 1 else 'publications'} listed"
st.caption(f"{listed_in_words}. Click on a bar or a point above to list the papers behind it, or choose here.")
st.dataframe(
    listed.drop("publication_id", *([] if listed["counted"].n_unique() > 1 else ["counted"])),
    hide_index=True,
    height="auto",
    column_config={
        "counted": st.column_config.NumberColumn("Counted", format="%.2f", help="The part of it that is counted here."),
        "evidence": st.column_config.LinkColumn("Evidence", display_text="evidence", width=90),
        "title": st.column_config.TextColumn("Title", width="large"),
        "lab": st.column_config.TextColumn("Lab", width=140),
        "category": st.column_config.TextColumn("Category", width=220),
        "published_on": st.column_config.DateColumn("Published on", format="D MMM YYYY", width=110),
        "is_duplicate": st.column_config.CheckboxColumn("Marked duplicate", width=130),
        "url": st.column_config.LinkColumn("Link", display_text=r"^https?://(?:www\.)?([^/?#]+)", width=140),
    },
    key="papers",
)

st.subheader("Numbers drawn", anchor=False)
name = f"publications_by_{'_'.join(selection.dimensions)}_{grain}_{rule.name}_{release.name}"
with st.container(horizontal=True, gap="small", vertical_alignment="center"):
    # made only when asked for: a file made in advance can be gone again before the browser has looked for it
    st.download_button(
        "CSV",
        lambda: charts.csv(frame),
        f"{name}.csv",
        "text/csv",
        on_click="ignore",
        icon="⬇️",
        help="For spreadsheets; text that one would run as a formula gets an apostrophe in front.",
    )
    st.download_button(
        "Parquet",
        lambda: charts.parquet(frame),
        f"{name}.parquet",
        "application/vnd.apache.parquet",
        on_click="ignore",
        icon="⬇️",
        help="Exactly the rows below.",
    )
    st.caption(f"{frame.height:,} rows, zeros included")
    st.markdown(f"[Permanent link to this figure]({frames.permanent_link(release)})")
st.dataframe(frame, hide_index=True, column_config=charts.columns(frame, meanings), key="numbers")
