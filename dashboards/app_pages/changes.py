"""Changes of a counting table between two releases, by cause."""

from collections.abc import Mapping, Sequence

import polars as pl
import streamlit as st

from dashboards.exports import downloads
from dashboards.queries.release import get_newest_release, list_readable_releases, report_unreadable
from dashboards.text import format_name, format_release
from dashboards.widgets import filters
from dashboards.widgets.frame import end_page
from dashboards.widgets.tables import show_table
from warehouse.release import Release
from warehouse.release_diff import CAUSES, explain_changes, list_counting_tables

_CAUSE_MEANINGS = {
    "new work": "appeared after the older release was made",
    "found late": "existed before, but was not known",
    "source withdrawn": "was removed from its source",
    "exclusion decided": "was excluded by people, or no longer is",
    "merged or split": "was marked as a duplicate, or no longer is",
    "merge or split decided": "is one work with another as people decided, or no longer is",
    "relabelled": "has another lab, category or author’s lab",
    "label decided": "has another category as people decided",
    "label suggested": "has categories suggested by a model, and had none",
    "suggestion changed": "has other suggested categories or probabilities, from another model or text",
    "lab decided": "has another lab as people decided",
    "date corrected": "has another date",
    "date decided": "has another date as people decided",
    "mapping decided": "counts in another category of another taxonomy, as people decided on its own category",
    "rule changed": "is counted by a changed rule",
}

_KEY_NAMES = {"published_month": "month", "published_year": "year"}


def describe_table(keys: Sequence[str], measures: Sequence[str]) -> str:
    """A counting table in words: Publication rows and works by lab and year."""
    *others, last = [format_name(_KEY_NAMES.get(key, key)) for key in keys]
    dimensions = f"{', '.join(others)} and {last}" if others else last
    counted = " and ".join(format_name(measure) if measure != "publication_rows" else "rows" for measure in measures)
    return f"{counted.capitalize()} by {dimensions}"


def describe_tables(tables: Mapping[str, tuple[Sequence[str], Sequence[str]]]) -> dict[str, str]:
    """The names of counting tables by their descriptions; those of the same numbers also have their names in words."""
    described: dict[str, str] = {}
    for name, (keys, measures) in tables.items():
        label = describe_table(keys, measures)
        described[f"{label} ({format_name(name.partition('.')[2])})" if label in described else label] = name
    return described


def find_most_detailed(tables: Mapping[str, str], old: Release, new: Release) -> str:
    """The changed table with the most detail, so that no change cancels out within its numbers; in words.

    Tables for every counting rule and taxonomy come last, since they repeat each change for every rule.
    """
    before, now = old.manifest["tables"], new.manifest["tables"]

    def rank(label: str) -> tuple[bool, bool, int]:
        hashes = [part.get(tables[label], {}).get("content_sha256") for part in (before, now)]
        return hashes[0] != hashes[1], "counting rule" not in label, label.count(",") + label.count(" and ")

    return max(tables, key=rank)


def use_table_name(tables: Mapping[str, str]) -> None:
    """Accept the name of a table in the address, as links of other pages and earlier versions have it."""
    label = next((label for label, name in tables.items() if name == st.query_params.get("counts")), None)
    if label is not None and "counts" not in st.session_state:
        st.session_state["counts"] = label
        st.query_params["counts"] = label


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
    end_page()
with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
    newer = filters.select_one("Newer release", names[::-1], "new", 160)
    older = filters.select_one("Older release", names[::-1], "old", 160, names[-2])
    with report_unreadable(releases[newer].path):
        tables = describe_tables(list_counting_tables(releases[newer]))
    use_table_name(tables)
    default = find_most_detailed(tables, releases[older], releases[newer])
    counted = filters.select_one("What is counted", list(tables), "counts", 460, default)
    table = tables[counted]


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
            st.markdown(f"**{cause}** · {part.height:,} changed numbers · the publication {_CAUSE_MEANINGS[cause]}")
    rows = changes
    show_table(rows, key="changes")
    st.caption(
        "The amounts of a number add up to its change. A publication that moves from one number to another is in both. "
        "Publications without a month are in no number by month."
    )
    downloads.show_download_buttons(f"changes_{older}_{newer}", downloads.build_table_files(lambda: rows))
