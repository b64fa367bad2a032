"""Why a number changed: any two releases, any counting table, every change in named causes that add up."""

import polars as pl
import streamlit as st

from dashboards import text
from dashboards.charts import palette
from dashboards.exports import downloads
from dashboards.queries import release as read
from dashboards.widgets import filters
from warehouse.release_diff import CAUSES, bridge, counting_tables

TOLD = {
    "new work": "appeared after the older release was made",
    "found late": "was there before, but not known",
    "source withdrawn": "is no longer among the records",
    "merged or split": "was marked as a duplicate, or no longer is",
    "relabelled": "has another lab, category or author’s lab",
    "date corrected": "has another date",
    "rule changed": "is counted otherwise, without having changed itself",
}

release = read.newest()
with read.reading(release.path):  # what cannot be read would only be missing from the list
    release.connect().close()
st.title("Why did this number change?", anchor=False)
held = {release.name: release for release in read.all_releases()}
names = list(held)
if len(names) < 2:
    st.info(
        "There is one release so far. After the next one, its changes are told here, cause by cause.",
        icon=":material/history:",
    )
    st.stop()
with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
    newer = filters.pick("Newer release", names[::-1], "new", 160)
    older = filters.pick("Older release", names[::-1], "old", 160, names[-2])
    with read.reading(held[newer].path):
        tables = list(counting_tables(held[newer]))
    table = filters.pick("Table", tables, "counts", 420, "mart.publications_by_lab_year")


@st.cache_data(max_entries=32, show_spinner="Comparing")
def compared(old: tuple[str, str], new: tuple[str, str], table: str) -> pl.DataFrame | str:
    """The bridge between two releases, named by number and moment; a sentence where it cannot be had."""
    try:
        with read.reading(held[old[0]].path):
            return bridge(held[old[0]], held[new[0]], table)
    except KeyError as error:
        return str(error.args[0])


keys = {name: (name, str(held[name].manifest["published_at"])) for name in (older, newer)}
found = compared(keys[older], keys[newer], table)
st.caption(f"From {text.dated(held[older])} to {text.dated(held[newer])}")
if isinstance(found, str):
    st.warning(found, icon=":material/warning:")
elif found.is_empty():
    st.success("No number of this table changed.", icon=":material/check_circle:")
else:
    st.header("Causes", anchor=False)
    for cause in CAUSES:
        part = found.filter(pl.col("cause") == cause)
        if not part.is_empty():
            st.markdown(f"**{cause}** · {part.height:,} changed cells · the publication {TOLD[cause]}")
    palette.table(found, key="bridge")
    st.caption(
        "The amounts of a cell add up to the difference of its two values, exactly. A publication that leaves one cell "
        "for another shows in both."
    )
    table_of_changes = found
    downloads.offer(f"bridge_{older}_{newer}", downloads.of_table(lambda: table_of_changes))
