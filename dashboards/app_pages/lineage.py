"""Where a table and each of its columns come from, down to what a source says, and what is made from them."""

import polars as pl
import streamlit as st

from dashboards import text as frames
from dashboards.charts import lineage, palette
from dashboards.queries import data
from dashboards.queries import release as read
from dashboards.widgets import filters

FIRST = "mart.publications_by_lab_year"

release = read.chosen()
st.title("Lineage: where a number comes from", anchor=False)
st.caption(
    f"Read from the queries that make the tables. Data as of {frames.dated(release)}, "
    f"code {release.manifest.get('code_version', 'unknown')}."
)
if not data.has_lineage(release):
    st.info("This release was made before lineage was written down; a newer one has it.", icon=":material/history:")
    st.stop()

names = data.tables(release)["table_name"].to_list()
with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
    table = filters.pick("Table", names, "of_table", 420, FIRST)
    columns = data.columns(release, table)["column_name"].to_list()
    column = filters.narrow("Column", columns, "of_column", 320, "All columns")

edges = data.tables_around(release, table)
if not edges:
    st.info(
        "No query makes this table, and none reads it: it is kept by hand or comes from a source.",
        icon=":material/add_circle:",
    )
else:
    below = sorted({source for source, made in edges if made == table})
    above = sorted({made for source, made in edges if source == table})
    st.markdown(
        f"**{frames.text(table)}** is made from "
        + (", ".join(f"`{name}`" for name in below) or "what a source says or what is kept by hand")
        + (
            f"; from it are made {', '.join(f'`{name}`' for name in above)}."
            if above
            else "; no table is made from it."
        )
    )
    with st.container(key="lineage graph", height="content"):
        st.graphviz_chart(lineage.lineage_graph(edges, table, palette.ink(st.context.theme.type)), width="content")
    st.caption("Grey: what a source says. Brown: kept by hand. Blue: one row per thing. Green: answers.")
    with st.expander("The graph as a table"):
        palette.table(pl.DataFrame(edges, ["from_table", "table_name"], orient="row"), key="edges")

if column is None:
    st.info("Choose a column to follow its values back to what a source says.", icon=":material/account_tree:")
    st.stop()
for heading, found, none in (
    (
        f"{column}: what its values are made from",
        data.origins(release, table, column),
        "No column: it is a constant, or comes as it is from a source or from what is kept by hand.",
    ),
    (f"{column}: what is made from its values", data.uses(release, table, column), "No column of another table."),
):
    st.header(frames.text(heading), anchor=False)
    if found.is_empty():
        st.info(none, icon=":material/add_circle:")
    else:
        meanings = read.meanings(release, "reference.lineage")
        palette.table(found, column_config=palette.columns(found, meanings), key=heading)
st.caption(
    "Told is what values are made from. What a query joins, filters or groups by decides which rows there are, "
    "and is told only for tables as a whole. A star stands for the number or the presence of rows."
)
st.markdown(f"[Permanent link to this view]({frames.permanent_link(release)})")
