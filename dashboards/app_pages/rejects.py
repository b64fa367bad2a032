"""Rejected records and files, with the reasons."""

import streamlit as st

from dashboards.exports import downloads
from dashboards.queries.rejects import MAX_REJECTS, count_reject_reasons, list_refused_files, list_rejects
from dashboards.queries.release import query_column_meanings, select_release
from dashboards.text import format_count, format_release
from dashboards.widgets import filters
from dashboards.widgets.parts import needs
from dashboards.widgets.tables import configure_columns, show_table
from warehouse.release import Release


@needs("Rejected records", "raw.rejects")
def show_rejects(release: Release) -> None:
    """Show the rejected records, with their reasons."""
    reasons = count_reject_reasons(release)
    total = int(reasons["records"].sum())
    st.metric("Rejected records", f"{total:,}")
    if total == 0:
        st.success("No record was rejected.", icon=":material/check_circle:")
    else:
        st.header("Reasons", anchor=False)
        column_config = configure_columns(reasons, query_column_meanings(release, "raw.rejects"))
        show_table(reasons, column_config=column_config, key="reasons")
        st.header("Records", anchor=False)
        with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
            source = filters.select_optional(
                "Source", reasons["source"].unique().sort().to_list(), "source", 220, "All sources"
            )
            reason = filters.select_optional(
                "Reason", reasons["reason"].unique().sort().to_list(), "reason", 420, "All reasons"
            )
        rejects = list_rejects(release, source, reason)
        if rejects.is_empty():
            st.info("No record matches these filters.", icon=":material/search:")
        else:
            column_config = configure_columns(rejects, query_column_meanings(release, "raw.rejects"))
            show_table(rejects, column_config=column_config, key="rejects")
            more = " at most; the downloads have all" if rejects.height == MAX_REJECTS else ""
            st.caption(f"{format_count(rejects.height, 'record')} shown{more}")
            downloads.show_download_buttons(
                f"rejects_{release.name}",
                downloads.build_table_files(lambda: list_rejects(release, source, reason, None)),
            )


@needs("Rejected files", "raw.refused_files")
def show_refused_files(release: Release) -> None:
    """Show the files that no source accepted."""
    refused = list_refused_files(release)
    if refused.is_empty():
        st.success("No file was rejected.", icon=":material/check_circle:")
    else:
        column_config = configure_columns(refused, query_column_meanings(release, "raw.refused_files"))
        show_table(refused, column_config=column_config, key="refused")
        st.caption("The files are kept unchanged in the folder `refused` of the lake.")


release = select_release()
st.title("Rejected records and files", anchor=False)
st.caption(
    "Every record that is read is kept, repeated or rejected. A rejected record keeps its raw text and its "
    f"place in the snapshot. Data as of {format_release(release)}."
)
show_rejects(release)
st.header("Rejected files", anchor=False)
show_refused_files(release)
