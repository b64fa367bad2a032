"""What every table and column means, with its type, unit and limits, and a search over all of it."""

from urllib.parse import urlencode

import polars as pl
import streamlit as st

from dashboards import text
from dashboards.charts import palette
from dashboards.exports import downloads
from dashboards.queries import data
from dashboards.queries import release as read
from dashboards.widgets import filters


def address(page: str, **asked: str) -> str:
    """The address of another page about the same release as this one."""
    pinned = {"release": st.query_params["release"]} if "release" in st.query_params else {}
    return f"/{page}?{urlencode({**asked, **pinned})}"


release = read.chosen()
st.title("Data dictionary", anchor=False)
st.caption(
    "Made from the declarations that the tables are built and checked by, so it cannot fall behind them. "
    f"Data as of {text.dated(release)}."
)
with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
    wanted = str(
        st.text_input("Search", key="word", bind="query-params", placeholder="works, interval, abstract …", width=360)
    ).strip()
    names = data.tables(release)["table_name"].to_list()
    table = filters.narrow("Table", names, "table", 360, "All tables")
link = st.column_config.LinkColumn

if table is None:
    found = data.tables(release, wanted)
    if found.is_empty():
        st.info(f"No table and no column says “{text.text(wanted)}”. Try a shorter word.", icon=":material/search:")
        st.stop()
    st.header(text.counted(found.height, "table"), anchor=False)
    told = found.select(
        "table_name",
        pl.col("row_meaning").alias("a row is"),
        "rows",
        "columns",
        "key",
        look=pl.Series([address("dictionary", table=name) for name in found["table_name"]], dtype=pl.String),
    )
    palette.table(
        told,
        key="tables",
        column_config={
            **palette.columns(told, {}),
            "rows": st.column_config.NumberColumn("Rows", format="localized"),
            "a row is": st.column_config.TextColumn("A row is", width="large"),
            "look": link("Columns", display_text="columns", width=90),
        },
    )
columns = data.columns(release, table, wanted)
if table is not None:
    (told,) = data.tables(release).filter(pl.col("table_name") == table).iter_rows(named=True)
    rows = f"{told['rows']:,} rows" if told["rows"] is not None else ""
    st.header(table, anchor=False)
    st.markdown(f"{text.text(told['row_meaning'])} {rows} · key: {text.text(told['key'] or 'none')}")
    with st.container(horizontal=True, gap="small"):
        st.link_button("Where it comes from", address("lineage", of_table=table), icon=":material/account_tree:")
if table is not None or wanted:
    if columns.is_empty():
        st.info("None of its columns says that." if table else "No column says that.", icon=":material/search:")
        st.stop()
    st.header(text.counted(columns.height, "column"), anchor=False)
    origins = [
        address("lineage", of_table=name, of_column=column)
        for name, column in columns.select("table_name", "column_name").iter_rows()
    ]
    shown = columns.with_columns(origin=pl.Series(origins, dtype=pl.String))
    palette.table(
        shown.drop("table_name") if table else shown,
        key="columns",
        column_config={
            **palette.columns(shown, read.meanings(release, "reference.dictionary")),
            "origin": link("Origin", display_text="origin", width=80),
        },
    )
everything = data.columns(release, table, wanted)
downloads.offer(f"dictionary_{release.name}", downloads.of_table(lambda: everything))
st.markdown(f"[Permanent link to this view]({text.permanent_link(release)})")
