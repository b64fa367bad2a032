"""Changes of a counting table between two releases, by cause."""

import polars as pl
import streamlit as st

from dashboards.exports import downloads
from dashboards.queries.release import get_newest_release, list_readable_releases, report_unreadable
from dashboards.text import format_release
from dashboards.widgets import filters
from dashboards.widgets.tables import show_table
from warehouse.release_diff import CAUSES, explain_changes, list_counting_tables

_CAUSE_MEANINGS = {
    "new work": "appeared after the older release was made",
    "found late": "existed before, but was not known",
    "source withdrawn": "was removed from its source",
    "merged or split": "was marked as a duplicate, or no longer is",
    "relabelled": "has another lab, category or author’s lab",
    "date corrected": "has another date",
    "rule changed": "is counted by a changed rule",
}

release = get_newest_release()
with report_unreadable(release.path):  # the list below leaves out unreadable releases
    release.connect().close()
st.title("Why numbers changed", anchor=False)
releases = {release.name: release for release in list_readable_releases()}
names = list(releases)
if len(names) < 2:
    st.info(
        "There is only one release. From the second one on, changes are listed here by cause.",
        icon=":material/history:",
    )
    st.stop()
with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
    newer = filters.select_one("Newer release", names[::-1], "new", 160)
    older = filters.select_one("Older release", names[::-1], "old", 160, names[-2])
    with report_unreadable(releases[newer].path):
        tables = list(list_counting_tables(releases[newer]))
    table = filters.select_one("Table", tables, "counts", 420, "mart.publications_by_lab_year")


@st.cache_data(max_entries=32, show_spinner="Comparing releases")
def compare_releases(old: tuple[str, str], new: tuple[str, str], table: str) -> pl.DataFrame | str:
    """The changes between two releases, given as name and publication time; a message if they cannot be compared."""
    try:
        with report_unreadable(releases[old[0]].path):
            return explain_changes(releases[old[0]], releases[new[0]], table)
    except KeyError as error:
        return str(error.args[0])


keys = {name: (name, str(releases[name].manifest["published_at"])) for name in (older, newer)}
changes = compare_releases(keys[older], keys[newer], table)
st.caption(f"From {format_release(releases[older])} to {format_release(releases[newer])}")
if isinstance(changes, str):
    st.warning(changes, icon=":material/warning:")
elif changes.is_empty():
    st.success("No number of this table changed.", icon=":material/check_circle:")
else:
    st.header("Causes", anchor=False)
    for cause in CAUSES:
        part = changes.filter(pl.col("cause") == cause)
        if not part.is_empty():
            st.markdown(f"**{cause}** · {part.height:,} changed cells · the publication {_CAUSE_MEANINGS[cause]}")
    rows = changes
    show_table(rows, key="changes")
    st.caption(
        "The amounts of a cell add up to its change. A publication that moves from one cell to another is in both."
    )
    downloads.show_download_buttons(f"changes_{older}_{newer}", downloads.build_table_files(lambda: rows))
