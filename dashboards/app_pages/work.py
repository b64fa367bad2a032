"""One work, found by its identity, by that of one of its records, or by that of a work of an earlier release."""

import streamlit as st

from dashboards.app_pages.work_page import show_work
from dashboards.queries import work
from dashboards.queries.release import select_release
from dashboards.text import format_release
from dashboards.widgets import listing
from dashboards.widgets.frame import end_page
from warehouse.search.items import ITEM_TABLES

# parameters that name the work: the present one, then those of earlier addresses
PARAMETERS = ("work", "id", "publication", "paper")

release = select_release(optional=[*work.WORK_TABLES, work.HISTORY_TABLE, *ITEM_TABLES])
identity = next((st.query_params[name] for name in PARAMETERS if st.query_params.get(name)), "")
found = work.find_works(release, identity)
if not found.work_ids:
    st.title("Work", anchor=False)
    st.info(f"No work with this identifier in {format_release(release)}. Try a search.", icon=":material/search:")
    st.page_link("app_pages/works.py", label="Search", icon=":material/search:")
    end_page()
if len(found.work_ids) > 1:
    st.title("Work", anchor=False)
    st.info(
        f"The work that this address named is now {len(found.work_ids)} works: it was split. Choose one.",
        icon=":material/call_split:",
    )
    for row in work.list_titles(release, found.work_ids).iter_rows(named=True):
        listing.show_item_link(row)
    end_page()
(work_id,) = found.work_ids
if found.found_by == "history":
    st.info("This address named a work of an earlier release, which is now part of this one.", icon=":material/merge:")
# so that what is copied from here is the present address
for former in PARAMETERS[1:]:
    if former in st.query_params:
        del st.query_params[former]
if identity != work_id:
    st.query_params["work"] = work_id
show_work(release, work_id)
