"""Publications per lab per category over time, any two selections compared, and the papers behind each number."""

import polars as pl
import streamlit as st

from dashboards import text
from dashboards.charts import palette
from dashboards.figures import explorer
from dashboards.queries import counts
from dashboards.queries import release as read
from dashboards.widgets import filters

release = read.chosen()
st.title("Publications per lab per category over time", anchor=False)

selection = filters.bar(release)
asked: list[explorer.Listed] = []
explorer.explored(release, selection, asked)
behind = counts.papers(release, asked[0].selection, asked[0].span)
of_all = int(behind["in_all"][0]) if behind.height else 0
listed = behind.drop("in_all").with_columns(
    evidence=pl.format("/work?id={}&release={}", "publication_id", pl.lit(release.name))
)
listed_in_words = f"{text.counted(of_all, 'publication')} listed"
if behind.height != of_all:
    listed_in_words = f"{listed_in_words}, of which the newest {behind.height:,} are shown"
st.caption(f"{listed_in_words}. Click on a bar or a point above to list the papers behind it, or choose here.")
palette.table(
    listed.drop("publication_id", *([] if listed["counted"].n_unique() > 1 else ["counted"])),
    height="auto",
    column_config={
        "counted": st.column_config.NumberColumn("Counted", format="%.2f", help="The part of it that is counted here."),
        "evidence": palette.to_page("evidence"),
        "title": st.column_config.TextColumn("Title", width="large"),
        "lab": st.column_config.TextColumn("Lab", width=140),
        "category": st.column_config.TextColumn("Category", width=220),
        "published_on": st.column_config.DateColumn("Published on", format="D MMM YYYY", width=110),
        "is_duplicate": st.column_config.CheckboxColumn("Marked duplicate", width=130),
        "url": palette.to_site("Link"),
    },
    key="papers",
)
