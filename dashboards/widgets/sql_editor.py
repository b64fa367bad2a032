"""The SQL editor: query text, examples, table schemas, and the query that runs.

Queries run only in the sandbox process, never on the pages' own connections.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import streamlit as st

from dashboards.queries.dictionary import search_columns, search_tables
from dashboards.text import escape_markdown
from dashboards.widgets.tables import configure_columns, show_table
from warehouse.release import Release
from warehouse.sql_box import client
from warehouse.sql_box.client import FailureReason, QueryFailed, RunningQuery

MAX_RUNNING = 4  # on one machine; each takes at most one core and half a gigabyte
_FAILURE_TITLES = {
    FailureReason.refused: ("This is not a query that may run here", ":material/block:"),
    FailureReason.failed: ("The query has an error", ":material/error:"),
    FailureReason.limit: ("The query exceeded a limit", ":material/timer:"),
    FailureReason.cancelled: ("Cancelled", ":material/stop_circle:"),
    FailureReason.broken: ("The query could not be run", ":material/error:"),
}

_running: list[RunningQuery] = []
_lock = threading.Lock()

# from simple to advanced; each runs unchanged on every release
EXAMPLES: dict[str, str] = {
    "Which tables are there?": """\
select table_name, any_value(row_meaning) as row_meaning, count(*) as columns
from reference.dictionary
group by table_name
order by table_name""",
    "Works per lab and year": """\
select lab, published_year, works, works_share, share_low, share_high, is_part_period
from mart.publications_by_lab_year
order by published_year, lab""",
    "Newest publications": """\
select published_on, lab, category, title, url
from clean.publications
where not is_duplicate
order by published_on desc nulls last, title
limit 50""",
    "Counts per quarter, with a chosen rule and taxonomy": """\
select starts_on, lab, sum(publications) as publications, bool_or(is_part_period) as is_part_period
from publication_counts(rule := 'works', grain := 'quarter', in_taxonomy := 'unsolved_problems')
group by starts_on, lab
order by starts_on, lab""",
    "A share with its interval": """\
select
    category,
    count(*) as works,
    share_of(count(*), sum(count(*)) over ()) as share,
    wilson_low(count(*), sum(count(*)) over ()) as low,
    wilson_high(count(*), sum(count(*)) over ()) as high
from clean.publications
where not is_duplicate
group by category
order by works desc, category""",
    "From a number to its snapshots": """\
select title, category_as_written, basis, locator, original_name, sha256, fetched_at
from mart.publication_evidence
where lab = 'OpenAI'
order by title, fetched_at""",
    "Where the values of a column come from": """\
select column_name, from_table, from_column
from reference.lineage
where table_name = 'mart.publications_by_lab_year' and column_name != '*'
order by column_name, from_table, from_column""",
}


def show_editor(release: Release) -> tuple[str, bool]:
    """Show the editor beside the examples and table schemas.

    Returns:
        The query, and whether Run was pressed.
    """
    left, right = st.columns([3, 2], gap="medium")
    with left, st.form("editor", border=False, enter_to_submit=True):
        query = str(
            st.text_area(
                "Query",
                key="query",
                bind="query-params",
                height=260,
                placeholder="select lab, count(*) as works from clean.publications group by lab",
                help="Ctrl+Enter runs it too.",
            )
            or ""
        ).strip()
        is_pressed = st.form_submit_button("Run", icon=":material/play_arrow:")
    with right:
        with st.expander("Examples", expanded=not query):
            for title, example in EXAMPLES.items():
                st.button(title, on_click=_set_query, args=(example,), key=title, type="tertiary")
        _show_schema(release)
    return query, is_pressed


def _show_schema(release: Release) -> None:
    st.header("Tables and columns", anchor=False)
    names = search_tables(release)["table_name"].to_list()
    table = st.selectbox("Table", names, index=None, placeholder="Choose a table", key="looked_up")
    if table is None:
        st.caption(f"{len(names)} tables. Names start with the layer: raw, clean, mart or reference.")
        return
    columns = search_columns(release, table)
    show_table(
        columns.select("column_name", "column_type", "column_meaning"),
        height=260,
        key="schema",
        column_config=configure_columns(columns, {}),
    )
    select_list = ",\n    ".join(columns["column_name"])
    st.button("Query this table", on_click=_set_query, args=(f"select\n    {select_list}\nfrom {table}\nlimit 100",))


def _set_query(query: str) -> None:
    st.session_state["query"] = query
    for name in ("mark", "across", "up", "by"):
        st.session_state.pop(name, None)


def request_query(release: Release, query: str, *, is_rerun: bool) -> RunningQuery | QueryFailed:
    """The session's query, started if it is another one than before; the reason if it cannot be started.

    Args:
        release: The release that it reads.
        query: The query.
        is_rerun: Whether the same query is started again.
    """
    wanted = (str(release.path), str(release.manifest["published_at"]), query)
    previous: tuple[Any, RunningQuery | QueryFailed] | None = st.session_state.get("running_query")
    if previous is not None and previous[0] == wanted and not is_rerun:
        return previous[1]
    if previous is not None and isinstance(previous[1], RunningQuery):
        previous[1].cancel()
    try:
        started: RunningQuery | QueryFailed = start_query(release, query)
    except QueryFailed as error:
        started = error
    st.session_state["running_query"] = (wanted, started)
    return started


def start_query(release: Release, query: str) -> RunningQuery:
    """Start a query in the sandbox.

    Raises:
        QueryFailed: It cannot be started, or `MAX_RUNNING` queries are running.
    """
    with _lock:
        _running[:] = [running for running in _running if running.is_running]
        if len(_running) >= MAX_RUNNING:
            message = f"{MAX_RUNNING} queries are running, the most at once: try again in a few seconds"
            raise QueryFailed(FailureReason.limit, message)
        started = client.start_query(release, query)
        _running.append(started)
        return started


def wait_until_done(running: RunningQuery, timeout_seconds: float) -> bool:
    """Wait for a query; returns whether it is done."""
    until = time.monotonic() + timeout_seconds
    while running.is_running and time.monotonic() < until:
        time.sleep(0.02)
    return not running.is_running


def show_running(running: RunningQuery) -> None:
    """Show that the query runs, with a button to cancel it; rerun the page when it is done."""
    if not running.is_running:
        st.rerun()
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="waiting"):
        st.button("Cancel", on_click=running.cancel, icon=":material/stop_circle:", key="cancel")
        st.markdown("Running the query …")


def show_failure(error: QueryFailed) -> None:
    """Show why a query has no result."""
    title, icon = _FAILURE_TITLES[error.reason]
    show = st.info if error.reason is FailureReason.cancelled else st.warning
    show(f"**{title}.** {escape_markdown(str(error))}", icon=icon)
