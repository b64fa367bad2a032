"""The sources: freshness, licence, coverage and record counts of each."""

import datetime as dt
from functools import partial

import streamlit as st

from dashboards.charts.sources import draw_records_by_month
from dashboards.exports.figure_files import Figure, query_figure_data
from dashboards.figures.figure import show_figure
from dashboards.queries.release import query_column_meanings, query_release, select_release
from dashboards.queries.sources import (
    RECORDS_BY_MONTH_QUERY,
    REMOVED_TABLE,
    count_undated_records,
    list_dated_sources,
    list_refused_estimates,
    query_sources,
)
from dashboards.text import build_permanent_link, escape_markdown, format_count, format_name, format_release
from dashboards.widgets.evidence import show_removed_rows
from dashboards.widgets.parts import needs
from dashboards.widgets.tables import configure_columns, show_table
from warehouse.release import Release


@needs("Contents, coverage and freshness of each source", "raw.snapshots", "raw.parses", "clean.coverage")
def show_sources(release: Release) -> None:
    """Show a table of all sources."""
    sources = query_sources(release, dt.datetime.now(dt.UTC).date())
    if sources.is_empty():
        st.info(
            "This release has no sources. Add a file with `aisle add`, then run `aisle run`.",
            icon=":material/add_circle:",
        )
        return
    column_config = configure_columns(
        sources,
        {**query_column_meanings(release, "clean.coverage"), **query_column_meanings(release, "raw.parses")},
    )
    column_config["newest_at"] = st.column_config.DatetimeColumn(
        "Newest snapshot (UTC)",
        format="D MMM YYYY, HH:mm",
        timezone="UTC",
        help="When the newest snapshot was fetched, in UTC.",
    )
    column_config["days_since"] = st.column_config.NumberColumn(
        "Days since", help="Days from the newest snapshot until today."
    )
    column_config["licence"] = st.column_config.TextColumn("Licence", width="large")
    show_table(sources, column_config=column_config, key="sources")
    st.caption(
        "For every source and snapshot: records read = kept + repeated from another snapshot + rejected. Sources that "
        "claim to cover no span of time have blank cells in “Covers from” and “Covers until”."
    )


@needs("Records per month", "mart.coverage_by_source_month")
def show_months(release: Release) -> None:
    """Show the records per month of each source that has dated records, and the counts of undated ones."""
    for source in list_dated_sources(release):
        months = query_figure_data(release, RECORDS_BY_MONTH_QUERY, {"source": source})
        frame = months.frame
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
        st.caption(
            f"**{escape_markdown(format_name(source))}**: {format_count(records, 'record')} without a date, "
            "not drawn over time."
        )


def show_mart(release: Release, table: str, empty: str, note: str = "") -> None:
    """Show all rows of a table, or why there are none."""
    rows = query_release(release, f"from {table} order by all")
    if rows.is_empty():
        st.info(empty)
        return
    if note:
        st.caption(note)
    show_table(rows, column_config=configure_columns(rows, query_column_meanings(release, table)), key=table)


@needs("Gaps", "mart.source_silences")
def show_gaps(release: Release) -> None:
    """Show the time since the newest record of each source within its coverage."""
    show_mart(release, "mart.source_silences", "No source claims to cover a span of time.")


@needs("Rows removed from lists", REMOVED_TABLE)
def show_removed(release: Release) -> None:
    """Show a message for each list from which rows were removed."""
    show_removed_rows(release)


@needs("Snapshots compared with earlier ones", "mart.snapshot_yields")
def show_snapshots(release: Release) -> None:
    """Show each snapshot compared with earlier ones of the same address or file."""
    show_removed(release)
    show_mart(
        release,
        "mart.snapshot_yields",
        "No snapshot yet.",
        "The first snapshot of an address or file has nothing to be compared with, so its usual records are blank.",
    )


@needs("Overlapping lists", "mart.list_overlaps")
def show_overlaps(release: Release) -> None:
    """Show the pairs of lists that overlap, with an estimate of what both miss where they are independent."""
    show_mart(
        release,
        "mart.list_overlaps",
        "No two lists of publications overlap yet.",
        "An estimate of what both lists miss needs two independent lists. Where one was copied from the other or lies "
        "within it, there is none.",
    )
    for first, second, reason in list_refused_estimates(release):
        names = f"{escape_markdown(first)} and {escape_markdown(second)}"
        st.markdown(f"**No estimate for {names}:** {escape_markdown(reason)}")


@needs("Nowcast of the newest months", "mart.publication_nowcasts")
def show_nowcasts(release: Release) -> None:
    """Show estimates of the final counts of the newest months."""
    show_mart(
        release,
        "mart.publication_nowcasts",
        "No source has been fetched for long enough to estimate reporting delays.",
    )


@needs("Nowcast of the newest months of labs", "mart.lab_nowcasts")
def show_lab_nowcasts(release: Release) -> None:
    """Show estimates of the final counts of the newest months of labs."""
    show_mart(
        release,
        "mart.lab_nowcasts",
        "No work of a lab has appeared since all feeds that bring its works are followed.",
        "Works of labs, from whatever source. There is an estimate from 50 known delays on.",
    )


release = select_release()
st.title("Sources and their coverage", anchor=False)
st.caption(f"Contents, coverage and freshness of each source. Data as of {format_release(release)}.")
show_sources(release)
st.page_link("app_pages/rejects.py", label="Rejected records and reasons", icon=":material/rule:")
show_months(release)
for heading, show in (
    ("Gaps", show_gaps),
    ("Snapshots compared with earlier ones", show_snapshots),
    ("Overlapping lists", show_overlaps),
    ("Nowcast of the newest months", show_nowcasts),
    ("Nowcast of the newest months of labs", show_lab_nowcasts),
):
    st.header(heading, anchor=False)
    show(release)
st.markdown(f"[Permanent link to this view]({build_permanent_link(release)})")
