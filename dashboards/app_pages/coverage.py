"""The sources: freshness, licence, coverage and record counts of each."""

import datetime as dt
from functools import partial

import streamlit as st

from dashboards.charts.sources import draw_records_by_month
from dashboards.exports.figure_files import Figure, query_figure_data
from dashboards.figures.figure import show_figure
from dashboards.queries.release import query_column_meanings, query_release, select_release
from dashboards.queries.sources import RECORDS_BY_MONTH_QUERY, count_undated_records, query_sources
from dashboards.text import build_permanent_link, format_name, format_release
from dashboards.widgets.tables import configure_columns, show_table

release = select_release()
st.title("Sources and their coverage", anchor=False)
st.caption(f"Contents, coverage and freshness of each source. Data as of {format_release(release)}.")

sources = query_sources(release, dt.datetime.now(dt.UTC).date())
if sources.is_empty():
    st.info(
        "This release has no sources. Add a file with `aisle add`, then run `aisle run`.", icon=":material/add_circle:"
    )
else:
    column_config = configure_columns(
        sources,
        {**query_column_meanings(release, "clean.coverage"), **query_column_meanings(release, "raw.parses")},
    )
    column_config["newest_at"] = st.column_config.DatetimeColumn(
        "Newest snapshot",
        format="D MMM YYYY, HH:mm",
        timezone="UTC",
        help="When the newest snapshot was fetched, in UTC.",
    )
    column_config["days_since"] = st.column_config.NumberColumn(
        "Days since", help="Days from the newest snapshot until today."
    )
    column_config["licence"] = st.column_config.TextColumn("Licence", width="large")
    show_table(sources, column_config=column_config, key="sources")
    st.caption("For every source and snapshot: records read = kept + repeated from another snapshot + rejected.")
    st.page_link("app_pages/rejects.py", label="Rejected records and reasons", icon=":material/rule:")

for source in sources["source"]:
    months = query_figure_data(release, RECORDS_BY_MONTH_QUERY, {"source": source})
    frame = months.frame
    if frame.is_empty():
        continue
    part_months = frame.filter("is_part_period").height
    finding = f"{int(frame['records'].sum()):,} dated records in {frame.height:,} months"
    show_figure(
        Figure(
            months,
            title=f"Records of {format_name(source)} per month of publication",
            unit="records",
            rule="record",
            source=source,
            finding=finding + (f", of which {part_months} are covered only in part." if part_months else "."),
            file_name=f"records_{source}_{release.name}",
            alt=f"Records of {source} per month of publication.",
            key=f"months {source}",
            draw=partial(draw_records_by_month, frame),
            meanings=query_column_meanings(release, "mart.coverage_by_source_month"),
        )
    )
for source, records in count_undated_records(release).items():
    st.caption(f"**{format_name(source)}**: {records:,} records without a date, not drawn over time.")

for heading, table, empty in (
    ("Gaps", "mart.source_silences", "No source claims to cover a span of time."),
    ("Snapshots compared with earlier ones", "mart.snapshot_yields", "No snapshot yet."),
    ("Overlapping lists", "mart.list_overlaps", "No two lists of publications overlap yet."),
    (
        "Nowcast of the newest months",
        "mart.publication_nowcasts",
        "No source has been fetched for long enough to estimate reporting delays.",
    ),
):
    st.header(heading, anchor=False)
    if table == "mart.list_overlaps":
        st.caption(
            "Estimates what both lists miss. Valid only for independent lists: two copies of one list seem complete."
        )
    rows = query_release(release, f"from {table} order by all")
    if rows.is_empty():
        st.info(empty)
    else:
        show_table(rows, column_config=configure_columns(rows, query_column_meanings(release, table)), key=table)
st.markdown(f"[Permanent link to this view]({build_permanent_link(release)})")
