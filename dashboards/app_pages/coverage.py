"""What the sources cover: records per month, silences, snapshots with far less than usual, and overlaps of lists."""

import streamlit as st

from dashboards import charts, frames, read

release = read.chosen()
st.title("Coverage", anchor=False)
st.caption(f"What each source claims to cover, and what it holds. Data as of {frames.dated(release)}.")

spans = read.ask(release, "select * from clean.coverage order by source")
st.dataframe(
    spans, hide_index=True, column_config=charts.columns(spans, read.meanings(release, "clean.coverage")), key="spans"
)

months = read.ask(
    release,
    "select * from mart.coverage_by_source_month where published_month is not null order by source, published_month",
)
ink = charts.ink(st.context.theme.type)
for (source,), part in months.partition_by("source", as_dict=True).items():
    st.markdown(f"##### {frames.plain(str(source))}: records per month of publication")
    told = f"Records of {source} per month of publication. The tables below have the numbers."
    st.altair_chart(charts.records_by_month(part, ink), key=f"months {source}", alt=told)
undated = read.ask(
    release, "select source, records from mart.coverage_by_source_month where published_month is null order by source"
)
for row in undated.iter_rows(named=True):
    st.caption(f"**{frames.plain(row['source'])}**: {row['records']:,} records without a date, in no chart over time.")

for heading, table, empty in (
    ("Silences", "mart.source_silences", "No source claims to cover a span of time."),
    ("Snapshots beside earlier ones", "mart.snapshot_yields", "No snapshot yet."),
    ("Overlapping lists: what both miss", "mart.list_overlaps", "No two lists of publications overlap yet."),
    (
        "The newest months",
        "mart.publication_nowcasts",
        "No source has been followed for long enough: a list taken in once tells no delays.",
    ),
):
    st.subheader(heading, anchor=False)
    rows = read.ask(release, f"from {table} order by all")
    if rows.is_empty():
        st.info(empty)
    else:
        st.dataframe(
            rows, hide_index=True, column_config=charts.columns(rows, read.meanings(release, table)), key=table
        )
