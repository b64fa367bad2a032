"""A query of one's own on a release, in the closed box: shared by its address, shown as a table and as a chart."""

from functools import partial
from typing import Any

import polars as pl
import streamlit as st

from dashboards import text as frames
from dashboards.charts import palette
from dashboards.exports import downloads
from dashboards.figures import figure
from dashboards.queries import data
from dashboards.queries import release as read
from dashboards.widgets import filters, sql_editor
from dashboards.widgets.sql_editor import Drawing
from warehouse.release import Release
from warehouse.sql_box.client import DEFAULT_LIMITS, Answer, Asked, Reason, Unanswered

PATIENCE_SECONDS = 0.6  # most answers come before the page would have to say that it waits
LOOK_SECONDS = 0.4
_TOLD = {
    Reason.refused: ("This is not a query that may run here", ":material/block:"),
    Reason.failed: ("The query has an error", ":material/error:"),
    Reason.limit: ("The query wanted too much", ":material/timer:"),
    Reason.cancelled: ("Cancelled", ":material/stop_circle:"),
    Reason.broken: ("The query could not be run", ":material/error:"),
}

release = read.chosen()
st.title("Ask in SQL", anchor=False)
st.caption(
    f"DuckDB’s SQL on {frames.dated(release)}. One query at a time; it can read the released tables and do nothing "
    f"else. At most {DEFAULT_LIMITS.wall_seconds:g} s, {DEFAULT_LIMITS.memory_bytes // 2**20} MB and "
    f"{DEFAULT_LIMITS.rows:,} rows."
)


def put(query: str) -> None:
    """Make this the query."""
    st.session_state["query"] = query
    for name in ("mark", "across", "up", "by"):
        st.session_state.pop(name, None)


def asked_for(release: Release, query: str, *, is_anew: bool) -> Asked | Unanswered:
    """The query at work, started if it is another than before or wanted anew; why not, if it cannot be started."""
    wanted = (str(release.path), str(release.manifest["published_at"]), query)
    held: tuple[Any, Asked | Unanswered] | None = st.session_state.get("asked")
    if held is not None and held[0] == wanted and not is_anew:
        return held[1]
    if held is not None and isinstance(held[1], Asked):
        held[1].cancel()
    try:
        started: Asked | Unanswered = sql_editor.start(release, query)
    except Unanswered as why:
        started = why
    st.session_state["asked"] = (wanted, started)
    return started


def awaited(asked: Asked) -> None:
    """Say that the query runs, and look for its end; runs again and again while the rest of the page stands still."""
    if not asked.is_running:
        st.rerun()
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="waiting"):
        st.button("Cancel", on_click=asked.cancel, icon=":material/stop_circle:", key="cancel")
        st.markdown("The query runs …")


def refusal(why: Unanswered) -> None:
    """Say why there is no answer."""
    title, icon = _TOLD[why.reason]
    show = st.info if why.reason is Reason.cancelled else st.warning
    show(f"**{title}.** {frames.text(str(why))}", icon=icon)


def chart_of(frame: pl.DataFrame, query: str) -> None:
    """A chart of the answer, with everything that belongs to a figure."""
    st.header("Chart", anchor=False)
    numbers = sql_editor.numeric(frame)
    if frame.is_empty() or not numbers or len(frame.columns) < 2:
        st.info("A chart needs rows, a column of numbers and one more column.", icon=":material/bar_chart:")
        return
    others = [name for name in frame.columns if name not in numbers] or frame.columns
    for key, names in (("across", frame.columns), ("up", numbers)):
        if st.session_state.get(key) not in (None, *names):  # a column of the query before
            del st.session_state[key]
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        mark = filters.choice("Draw", sql_editor.MARKS, "mark")
        if mark == "none":
            return
        across = filters.pick("Across", frame.columns, "across", 220, others[0])
        up = filters.pick("Up", numbers, "up", 220)
        colour = filters.narrow("Colour", frame.columns, "by", 220, "One colour")
    drawing = Drawing(mark, across, up, colour)
    if frame.height > sql_editor.MOST_DRAWN:
        st.caption(f"Drawn are the first {sql_editor.MOST_DRAWN:,} rows.")
    figure.show(
        figure.Figure(
            release=release,
            title=f"{up} by {across}" + (f" and {colour}" if colour else ""),
            unit=up,
            rule="the query under SQL",
            source="the tables of the query",
            finding=None,
            sql=query,
            frame=frame,
            name=f"query_{release.name}",
            alt=f"A chart of {up} by {across}.",
            key="answer",
            draw=partial(sql_editor.drawn, frame, drawing),
        )
    )


def answered(answer: Answer, query: str) -> None:
    """Show the rows of an answer, and what can be done with them."""
    try:
        frame = sql_editor.showable(answer.frame)
    except Unanswered as why:
        refusal(why)
        return
    more = f", the first of more: at most {DEFAULT_LIMITS.rows:,} are given" if answer.is_truncated else ""
    size = frames.counted(frame.height, "row")
    st.header("Answer", anchor=False)
    wide = frames.counted(len(frame.columns), "column")
    st.caption(f"{size} of {wide} in {answer.seconds:.2f} s{more}")
    if frame.is_empty():
        st.info("The query ran and found no row.", icon=":material/search:")
    dates = {name: st.column_config.DateColumn() for name, kind in frame.schema.items() if kind == pl.Date}
    palette.table(frame, column_config=dates, key="rows")
    exact = answer.frame
    downloads.offer(f"query_{release.name}", downloads.of_table(lambda: exact, lambda: sql_editor.flat(exact)))
    st.markdown(f"[Permanent link to this answer]({frames.permanent_link(release)})")
    chart_of(frame, query)


def schema() -> None:
    """The tables and their columns, to look up and to start from."""
    st.header("Tables and columns", anchor=False)
    names = data.tables(release)["table_name"].to_list()
    table = st.selectbox("Table", names, index=None, placeholder="Look up a table", key="looked_up")
    if table is None:
        st.caption(f"{len(names)} tables. Each is named with its layer: raw, clean, mart or reference.")
        return
    columns = data.columns(release, table)
    palette.table(
        columns.select("column_name", "column_type", "column_meaning"),
        height=260,
        key="schema",
        column_config=palette.columns(columns, {}),
    )
    listed = ",\n    ".join(columns["column_name"])
    st.button("Ask for this table", on_click=put, args=(f"select\n    {listed}\nfrom {table}\nlimit 100",))


typed, beside = st.columns([3, 2], gap="medium")
with typed, st.form("ask", border=False, enter_to_submit=True):
    query = str(
        st.text_area(
            "Query",
            key="query",
            bind="query-params",
            height=260,
            placeholder="select lab, count(*) as works from clean.publications group by lab",
            help="Ctrl and Enter together run it too.",
        )
        or ""
    ).strip()
    is_pressed = st.form_submit_button("Run", icon=":material/play_arrow:")
with beside:
    with st.expander("Examples", expanded=not query):
        for told, text in sql_editor.EXAMPLES.items():
            st.button(told, on_click=put, args=(text,), key=told, type="tertiary")
    schema()

if not query:
    st.info("Type a query, or start from an example.", icon=":material/terminal:")
    st.stop()
asked = asked_for(release, query, is_anew=is_pressed)
if isinstance(asked, Unanswered):
    refusal(asked)
elif not sql_editor.waited(asked, PATIENCE_SECONDS):
    st.fragment(awaited, run_every=LOOK_SECONDS)(asked)
else:
    try:
        answer = asked.wait()
    except Unanswered as why:
        refusal(why)
    else:
        answered(answer, query)
