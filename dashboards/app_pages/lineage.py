"""Lineage of tables and columns: what they are built from, down to the sources, and what uses them."""

import polars as pl
import streamlit as st

from dashboards.charts import lineage, palette
from dashboards.queries.dictionary import search_columns, search_tables
from dashboards.queries.lineage import list_lineage_edges, list_origins, list_steps, list_uses
from dashboards.queries.release import query_column_meanings, select_release
from dashboards.text import build_permanent_link, escape_markdown, format_count, format_release
from dashboards.widgets import filters
from dashboards.widgets.frame import end_page
from dashboards.widgets.tables import configure_columns, show_table

# a graph of so many tables cannot be read on a phone; there it is a list
NARROW_STYLE = """<style>
[data-testid="stLayoutWrapper"]:has(> .st-key-lineage_steps) { display: none; }
@media (max-width: 640px) {
    [data-testid="stLayoutWrapper"]:has(> .st-key-lineage_steps) { display: flex; }
    [data-testid="stLayoutWrapper"]:has(> .st-key-lineage_graph) { display: none; }
}
</style>"""
DEFAULT_TABLE = "mart.publications_by_lab_year"

release = select_release(["reference.dictionary", "reference.lineage"])
st.title("Lineage", anchor=False)
st.caption(
    f"Derived from the queries that build the tables. Data as of {format_release(release)}, "
    f"code {release.manifest.get('code_version', 'unknown')}."
)

names = search_tables(release)["table_name"].to_list()
with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
    table = filters.select_one("Table", names, "of_table", 420, DEFAULT_TABLE)
    columns = search_columns(release, table)["column_name"].to_list()
    column = filters.select_optional("Column", columns, "of_column", 320, "All columns")

edges = list_lineage_edges(release, table)
if not edges:
    st.info(
        "No query builds or reads this table: it is a reference table or comes from a source.",
        icon=":material/add_circle:",
    )
else:
    below = sorted({source for source, target in edges if target == table})
    above = sorted({target for source, target in edges if source == table})
    st.markdown(
        f"**{escape_markdown(table)}** is built from "
        + (", ".join(f"`{name}`" for name in below) or "a source or a reference file")
        + (f"; it is used by {', '.join(f'`{name}`' for name in above)}." if above else "; no table uses it.")
    )
    st.html(NARROW_STYLE)
    with st.container(key="lineage_graph", height="content"):
        st.graphviz_chart(
            lineage.build_lineage_graph(edges, table, palette.get_text_colour(st.context.theme.type)), width="content"
        )
        st.caption("Grey: raw records. Brown: reference tables. Blue: clean tables. Green: marts.")
    with st.container(key="lineage_steps"):
        for direction, heading in (("upstream", "Built from"), ("downstream", "Used by")):
            for number, tables in enumerate(list_steps(edges, table)[direction], 1):
                distance = format_count(number, "step")
                st.markdown(f"**{heading}, {distance} away**\n" + "".join(f"\n- `{name}`" for name in tables))
    with st.expander("The graph as a table"):
        show_table(pl.DataFrame(edges, ["from_table", "table_name"], orient="row"), key="edges")

if column is None:
    st.info("Choose a column to trace its values back to the sources.", icon=":material/account_tree:")
    end_page()
for heading, rows, empty_message in (
    (
        f"{column}: inputs",
        list_origins(release, table, column),
        "No input columns: it is a constant, or comes from a source or a reference file.",
    ),
    (f"{column}: uses", list_uses(release, table, column), "No column of another table uses it."),
):
    st.header(escape_markdown(heading), anchor=False)
    if rows.is_empty():
        st.info(empty_message, icon=":material/add_circle:")
    else:
        meanings = query_column_meanings(release, "reference.lineage")
        show_table(rows, column_config=configure_columns(rows, meanings), key=heading)
st.caption(
    "Column lineage has the inputs of values. Columns that a query only joins, filters or groups by are part of the "
    "table lineage. A star stands for the number or presence of rows."
)
st.markdown(f"[Permanent link to this view]({build_permanent_link(release)})")
