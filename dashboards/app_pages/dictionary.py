"""The data dictionary: meaning, type, unit and limits of every table and column, with a search."""

import polars as pl
import streamlit as st

from dashboards.exports import downloads
from dashboards.queries.dictionary import search_columns, search_tables
from dashboards.queries.release import query_column_meanings, select_release
from dashboards.text import (
    build_page_address,
    build_page_addresses,
    build_permanent_link,
    escape_markdown,
    format_count,
    format_release,
)
from dashboards.widgets import filters
from dashboards.widgets.frame import end_page
from dashboards.widgets.tables import configure_columns, show_table

release = select_release(["reference.dictionary"])
st.title("Data dictionary", anchor=False)
st.caption(
    f"Generated from the declarations that the tables are built and checked by. Data as of {format_release(release)}."
)
with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
    wanted = str(
        st.text_input("Search", key="word", bind="query-params", placeholder="works, interval, abstract …", width=360)
    ).strip()
    names = search_tables(release)["table_name"].to_list()
    table = filters.select_optional("Table", names, "table", 360, "All tables")
link = st.column_config.LinkColumn

if table is None:
    tables = search_tables(release, wanted)
    if tables.is_empty():
        st.info(
            f"No table or column matches “{escape_markdown(wanted)}”. Try a shorter word.",
            icon=":material/search:",
        )
        end_page()
    st.header(format_count(tables.height, "table"), anchor=False)
    rows = tables.select(
        "table_name",
        pl.col("row_meaning").alias("a row is"),
        "rows",
        "columns",
        "key",
        link=pl.Series(build_page_addresses("dictionary", release, {"table": tables["table_name"]}), dtype=pl.String),
    )
    show_table(
        rows,
        key="tables",
        column_config={
            **configure_columns(rows, {}),
            "rows": st.column_config.NumberColumn("Rows", format="localized"),
            "a row is": st.column_config.TextColumn("A row is", width="large"),
            "link": link("Open", display_text="columns", width=90),
        },
    )
columns = search_columns(release, table, wanted)
if table is not None:
    (entry,) = search_tables(release).filter(pl.col("table_name") == table).iter_rows(named=True)
    rows = f"{entry['rows']:,} rows" if entry["rows"] is not None else ""
    st.header(escape_markdown(table), anchor=False)
    st.markdown(f"{escape_markdown(entry['row_meaning'])} {rows} · key: {escape_markdown(entry['key'] or 'none')}")
    with st.container(horizontal=True, gap="small"):
        st.link_button(
            "Lineage",
            build_page_address("lineage", {"of_table": table, "release": release.name}),
            icon=":material/account_tree:",
        )
if table is not None or wanted:
    if columns.is_empty():
        st.info("No column of this table matches." if table else "No column matches.", icon=":material/search:")
        end_page()
    st.header(format_count(columns.height, "column"), anchor=False)
    origins = build_page_addresses(
        "lineage", release, {"of_table": columns["table_name"], "of_column": columns["column_name"]}
    )
    shown = columns.with_columns(origin=pl.Series(origins, dtype=pl.String))
    show_table(
        shown.drop("table_name") if table else shown,
        key="columns",
        column_config={
            **configure_columns(shown, query_column_meanings(release, "reference.dictionary")),
            "origin": link("Origin", display_text="origin", width=80),
        },
    )
everything = search_columns(release, table, wanted)
downloads.show_download_buttons(f"dictionary_{release.name}", downloads.build_table_files(lambda: everything))
st.markdown(f"[Permanent link to this view]({build_permanent_link(release)})")
