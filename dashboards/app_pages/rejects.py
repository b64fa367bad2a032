"""What could not be used, and why: records of sources, and whole files that no source could take."""

import streamlit as st

from dashboards import text
from dashboards.charts import palette
from dashboards.exports import downloads
from dashboards.queries import data
from dashboards.queries import release as read
from dashboards.widgets import filters

release = read.chosen()
st.title("Rejects: what could not be used, and why", anchor=False)
st.caption(
    "Every record that is read is kept, repeated or rejected; none is lost silently. A rejected one keeps its raw text "
    f"and its place. Data as of {text.dated(release)}."
)

reasons = data.reject_reasons(release)
total = int(reasons["records"].sum())
st.metric("Rejected records", f"{total:,}")
if total == 0:
    st.success("Every record of every snapshot could be used.", icon=":material/check_circle:")
else:
    st.header("Reasons", anchor=False)
    told = palette.columns(reasons, read.meanings(release, "raw.rejects"))
    palette.table(reasons, column_config=told, key="reasons")
    st.header("Records", anchor=False)
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        source = filters.narrow("Source", reasons["source"].unique().sort().to_list(), "source", 220, "All sources")
        reason = filters.narrow("Reason", reasons["reason"].unique().sort().to_list(), "reason", 420, "All reasons")
    found = data.rejects(release, source, reason)
    if found.is_empty():
        st.info("No record of this source was rejected for this reason.", icon=":material/search:")
    else:
        told = palette.columns(found, read.meanings(release, "raw.rejects"))
        palette.table(found, column_config=told, key="rejects")
        more = " at most; the files have all" if found.height == data.SHOWN_REJECTS else ""
        st.caption(f"{text.counted(found.height, 'record')} shown{more}")
        downloads.offer(
            f"rejects_{release.name}", downloads.of_table(lambda: data.rejects(release, source, reason, None))
        )

st.header("Files that no source could take", anchor=False)
refused = data.refused_files(release)
if refused.is_empty():
    st.success("No file was refused.", icon=":material/check_circle:")
else:
    told = palette.columns(refused, read.meanings(release, "raw.refused_files"))
    palette.table(refused, column_config=told, key="refused")
    st.caption("They lie unchanged in the lake’s folder `refused`.")
