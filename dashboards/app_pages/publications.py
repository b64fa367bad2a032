"""Publications per lab per category over time, and the papers behind each number."""

import datetime as dt
from dataclasses import replace
from typing import cast, get_args

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboards import charts, read
from dashboards.read import Dimension, Selection

PANELS_IN_A_ROW = 3
MEASURES: dict[str, read.Measure] = {"rows": "publication_rows", "works": "works"}
RULES = {"rows": "rows, marked duplicates counted", "works": "works, marked duplicates not counted"}
OTHER: dict[Dimension, Dimension] = {"lab": "category", "category": "lab"}


def written(date: dt.date) -> str:
    """A date as the pages write it: 31 Jul 2024."""
    return f"{date.day} {date:%b %Y}"


def choice(label: str, options: tuple[str, ...], key: str, explained: str | None = None) -> str:
    """One of a few; the first unless chosen otherwise, in the URL or here."""
    chosen = st.segmented_control(
        label, options, key=key, default=options[0], required=True, help=explained, bind="query-params"
    )
    return str(chosen)


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


release = read.newest()
meanings = read.meanings(release, read.BY_MONTH)
st.title("Publications per lab per category over time", anchor=False)

of_labs, of_categories = st.columns([2, 3], gap="small")
labs = many(of_labs, "Labs", read.names(release, "lab"), "labs")
categories = many(of_categories, "Categories", read.names(release, "category"), "categories")
with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
    count = choice("Count", tuple(MEASURES), "count", "Rows count marked duplicates too; works do not.")
    grain = cast("read.Grain", choice("Per", ("year", "quarter", "month"), "per"))
    view = cast("charts.View", choice("View", get_args(charts.View), "view"))
    series = cast("Dimension", choice("Colour", ("category", "lab"), "colour"))
    is_split = st.toggle(f"One panel per {OTHER[series]}", value=True, key="panels", bind="query-params")
panel_of = OTHER[series] if is_split else None
selection = Selection(labs, categories, MEASURES[count], grain, ("lab", "category") if is_split else (series,))
frame = read.publications_over_time(release, selection)
totals = read.totals(release, selection)

in_all = f" of {totals.dated:,}" if totals.selected != totals.dated else ""
st.markdown(f"##### {totals.selected:,}{in_all} {RULES[count]}")
published_at = dt.datetime.fromisoformat(release.manifest["published_at"])
newest = f"newest record {written(totals.newest_on)}" if totals.newest_on else "no dated record"
facts = [
    f"Data as of release {release.name}, {written(published_at)}, {published_at:%H:%M} UTC",
    newest,
    f"covers {written(totals.covers_from)} to {written(totals.covers_until)}",
]
if totals.undated:
    facts.append(f"**{totals.undated:,} more without a date, not drawn**")
st.caption(" · ".join(facts))

if totals.dated == 0:
    st.info("This release holds no dated publication. Add a sheet with `aisle add`, then run `aisle run`.", icon="🔎")
    st.stop()
if totals.selected == 0:
    st.info("No publication fits this choice. Take away a lab or a category above, or choose another lab.", icon="🔎")
    st.stop()

periods = {row["period"]: row for row in frame.iter_rows(named=True)}
options = {"period": [*periods, *(["undated"] if totals.undated else [])]}
options["of_lab"] = list(labs) or read.names(release, "lab")
options["of_category"] = list(categories) or read.names(release, "category")
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

colour_of = charts.colours(series, read.names(release, series))
drawn = {name: colour for name, colour in colour_of.items() if name in frame[series].unique()}
picked = {"period": chosen["period"], "lab": chosen["of_lab"], "category": chosen["of_category"]}
panels = {"": frame}
if panel_of is not None:
    parts = {name: part for (name,), part in frame.partition_by(panel_of, as_dict=True).items()}
    panels = {name: parts[name] for name in read.names(release, panel_of) if name in parts}
ink = charts.ink(st.context.theme.type)
highest = read.highest(release, selection, panel_of, is_stacked=view == "bars")

with chart_area:
    if view == "bars" or len(drawn) > 1:
        st.altair_chart(charts.legend(series, drawn, ink), key="legend")
    in_row = min(PANELS_IN_A_ROW, len(panels))
    for place, (panel, part) in enumerate(panels.items()):
        if place % in_row == 0:
            columns = st.columns(in_row, gap="small")
        clicks = st.session_state.get("clicks", {}).get(panel, 0)
        key = f"chart {panel} {series} {view} {grain} {count} {clicks}"
        chart = charts.over_time(
            part,
            heading=panel or None,
            series=series,
            measure=selection.measure,
            grain=grain,
            view=view,
            colour_of=drawn,
            highest=highest,
            picked=picked,
            meanings=meanings,
            height=270 if len(panels) <= PANELS_IN_A_ROW else 150,
            ink=ink,
        )
        told = f"{charts.title(selection.measure, meanings)} per {grain} by {series}, as {view}. {panel}".strip()
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
listed = read.papers(release, narrowed, span)
listed_in_words = f"{listed.height:,} {count if listed.height != 1 else count.removesuffix('s')} listed"
st.caption(f"{listed_in_words}. Click on a bar or a point above to list the papers behind it, or choose here.")
st.dataframe(
    listed,
    hide_index=True,
    height="auto",
    column_config={
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
name = f"publications_by_{'_'.join(selection.dimensions)}_{grain}_{count}_{release.name}"
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
st.dataframe(frame, hide_index=True, column_config=charts.columns(frame, meanings), key="numbers")
