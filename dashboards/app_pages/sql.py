"""SQL on a release: a query that can be shared by its URL, its result as a table and as a chart."""

import polars as pl
import streamlit as st

from dashboards.exports import downloads
from dashboards.exports.figure_files import FigureData
from dashboards.exports.query_rows import simplify_types
from dashboards.figures.query_chart import show_query_chart
from dashboards.queries.release import select_release
from dashboards.text import build_permanent_link, format_count, format_release
from dashboards.widgets import sql_editor
from dashboards.widgets.frame import end_page
from dashboards.widgets.tables import show_table
from warehouse.release import Release
from warehouse.sql_box.client import DEFAULT_LIMITS, QueryFailed, QueryResult

WAIT_SECONDS = 0.6  # most queries are done before a progress message is needed
POLL_SECONDS = 0.4


def show_result(release: Release, query: str, result: QueryResult) -> None:
    """Show the rows of a result, with downloads and a chart."""
    rows = result.frame
    frame = simplify_types(rows)
    more = f", cut off at the limit of {DEFAULT_LIMITS.rows:,} rows" if result.is_truncated else ""
    size = f"{format_count(frame.height, 'row')} of {format_count(len(frame.columns), 'column')}"
    st.header("Result", anchor=False)
    st.caption(f"{size} in {result.seconds:.2f} s{more}")
    if frame.is_empty():
        st.info("The query returned no rows.", icon=":material/search:")
    dates = {name: st.column_config.DateColumn() for name, kind in frame.schema.items() if kind == pl.Date}
    show_table(frame, column_config=dates, key="rows")
    files = downloads.build_table_files(lambda: rows)
    downloads.show_download_buttons(f"query_{release.name}", files)
    st.markdown(f"[Permanent link to this result]({build_permanent_link(release)})")
    show_query_chart(FigureData(release, query, frame))


release = select_release(["reference.dictionary"])
st.title("SQL", anchor=False)
st.caption(
    f"DuckDB SQL on {format_release(release)}. One read-only query at a time on the released tables: at most "
    f"{DEFAULT_LIMITS.wall_seconds:g} s, {DEFAULT_LIMITS.memory_bytes // 2**20} MB and {DEFAULT_LIMITS.rows:,} rows."
)
query, is_pressed = sql_editor.show_editor(release)
if not query:
    st.info("Type a query, or start from an example.", icon=":material/terminal:")
    end_page()
running = sql_editor.request_query(release, query, is_rerun=is_pressed)
if isinstance(running, QueryFailed):
    sql_editor.show_failure(running)
elif not sql_editor.wait_until_done(running, WAIT_SECONDS):
    st.fragment(sql_editor.show_running, run_every=POLL_SECONDS)(running)
else:
    try:
        result = running.wait()
    except QueryFailed as error:
        sql_editor.show_failure(error)
    else:
        show_result(release, query, result)
