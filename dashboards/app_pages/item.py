"""An item that is no work: its text, its facts, and the snapshots that contain it; of a record of a work, the work."""

import streamlit as st

from dashboards.app_pages.work_page import show_work
from dashboards.queries import search, work
from dashboards.queries.release import select_release
from dashboards.text import escape_markdown, format_release, shorten_title, show_web_link
from dashboards.widgets import evidence, listing
from dashboards.widgets.frame import end_page
from dashboards.widgets.parts import needs
from warehouse.release import Release
from warehouse.search.items import ITEM_TABLES


@needs("Evidence", "raw.sightings", "raw.snapshots")
def show_item_evidence(release: Release, record_id: str) -> None:
    """Show the snapshots that contain the item."""
    evidence.show_places(release, record_id)


release = select_release(optional=[*work.WORK_TABLES, work.HISTORY_TABLE, *ITEM_TABLES])
kind, item_id = st.query_params.get("kind", ""), st.query_params.get("id", "")
if kind in work.FORMER_KINDS and work.has_works(release):
    # an address of an earlier release, in which records of works were items of their own
    found = work.find_works(release, item_id)
    if len(found.work_ids) == 1:
        show_work(release, found.work_ids[0])
        end_page()
rows = search.get_items(release, [(kind, item_id)])
if rows.is_empty():
    st.title("Item", anchor=False)
    st.info(
        f"No item with this identifier in {format_release(release)}. Try a search.",
        icon=":material/search:",
    )
    st.page_link("app_pages/works.py", label="Search", icon=":material/search:")
    end_page()

item = rows.row(0, named=True)
st.title(escape_markdown(shorten_title(item["title"])), anchor=False)
st.text(" · ".join(listing.list_facts(item)))
if shorten_title(item["title"]).endswith(" …"):
    with st.expander("The whole title"):
        st.text(item["title"])
show_web_link("Open the original", item["url"])
st.caption(f"Data as of {format_release(release)} · identifier `{item['item_id']}`")
if item["text"]:
    with st.container(border=True):
        st.text(item["text"])
else:
    st.info("This release has no text of it, only its metadata.", icon=":material/info:")

st.subheader("Cite", anchor=False)
listing.show_item_downloads(f"aisle_{release.name}_{kind.replace(' ', '_')}_{item_id}", "item", lambda: rows)
show_item_evidence(release, item["record_id"])
