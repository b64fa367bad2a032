"""The sources: how fresh each is, under which licence, what it covers, and what became of its records."""

import datetime as dt
from functools import partial

import streamlit as st

from dashboards import text
from dashboards.charts import palette
from dashboards.figures import figure
from dashboards.queries import data
from dashboards.queries import release as read

release = read.chosen()
st.title("Sources and their coverage", anchor=False)
st.caption(f"What each source holds, claims to cover, and how fresh it is. Data as of {text.dated(release)}.")

sources = data.sources(release, dt.datetime.now(dt.UTC).date())
if sources.is_empty():
    st.info(
        "This release holds no source. Add a file with `aisle add`, then run `aisle run`.", icon=":material/add_circle:"
    )
else:
    told = palette.columns(
        sources, {**read.meanings(release, "clean.coverage"), **read.meanings(release, "raw.parses")}
    )
    told["newest_at"] = st.column_config.DatetimeColumn(
        "Newest snapshot",
        format="D MMM YYYY, HH:mm",
        timezone="UTC",
        help="When its newest bytes were fetched, in UTC.",
    )
    told["days_since"] = st.column_config.NumberColumn("Days since", help="Days from the newest snapshot until today.")
    told["licence"] = st.column_config.TextColumn("Licence", width="large")
    palette.table(sources, column_config=told, key="sources")
    st.caption(
        "Records read are kept, repeated from another snapshot, or rejected; the three add up to those read, for every "
        "source and every snapshot."
    )
    st.page_link("app_pages/rejects.py", label="Rejected records, with reasons", icon=":material/rule:")

for source in sources["source"]:
    months = figure.asked(release, data.MONTHS, {"source": source})
    frame = months["frame"]
    if frame.is_empty():
        continue
    part = frame.filter("is_part_period").height
    finding = f"{int(frame['records'].sum()):,} dated records in {frame.height:,} months"
    figure.show(
        figure.Figure(
            **months,
            title=f"Records of {text.plain(source)} per month of publication",
            unit="records",
            rule="record",
            source=source,
            finding=finding + (f", of which {part} are covered only in part." if part else "."),
            name=f"records_{source}_{release.name}",
            alt=f"Records of {source} per month of publication.",
            key=f"months {source}",
            draw=partial(palette.records_by_month, frame),
            meanings=read.meanings(release, "mart.coverage_by_source_month"),
        )
    )
for source, records in data.undated(release).items():
    st.caption(f"**{text.plain(source)}**: {records:,} records without a date, in no chart over time.")

for heading, table, empty in (
    ("Silences", "mart.source_silences", "No source claims to cover a span of time."),
    ("Snapshots beside earlier ones", "mart.snapshot_yields", "No snapshot yet."),
    ("Overlapping lists: what both miss", "mart.list_overlaps", "No two lists of publications overlap yet."),
    (
        "The newest months",
        "mart.publication_nowcasts",
        "No source has been followed for long enough: a list taken in once tells no delays.",
    ),
):
    st.header(heading, anchor=False)
    if table == "mart.list_overlaps":
        st.caption("Told only if the lists were made independently: two copies of one list seem to miss nothing.")
    rows = read.ask(release, f"from {table} order by all")
    if rows.is_empty():
        st.info(empty)
    else:
        palette.table(rows, column_config=palette.columns(rows, read.meanings(release, table)), key=table)
st.markdown(f"[Permanent link to this view]({text.permanent_link(release)})")
