"""One thing that is no publication: what it says, what is known of it, and the snapshots in which it stands."""

import streamlit as st

from dashboards import text as frames
from dashboards.charts import palette
from dashboards.queries import release as read
from dashboards.queries import search
from dashboards.widgets import evidence, listing

release = read.chosen()
kind, identity = st.query_params.get("kind", ""), st.query_params.get("id", "")
found = search.told(release, [(kind, identity)])
if found.is_empty():
    st.title("Item", anchor=False)
    st.info(f"Nothing of this identity is in {frames.dated(release)}. Search for it.", icon=":material/search:")
    st.page_link("app_pages/works.py", label="Search", icon=":material/search:")
    st.stop()

item = found.row(0, named=True)
st.title(frames.text(item["title"]), anchor=False)
st.text(" · ".join(listing.facts(item)))
if palette.is_link(item["url"]):
    st.link_button("Open the original", item["url"], icon=":material/open_in_new:")
st.caption(f"Data as of {frames.dated(release)} · identity `{item['item_id']}`")
if item["text"]:
    with st.container(border=True):
        st.text(item["text"])
else:
    st.info("Its text is not held: this release has only the facts about it.", icon=":material/info:")

st.subheader("Cite", anchor=False)
listing.downloads(f"aisle_{release.name}_{kind.replace(' ', '_')}_{identity}", "item", lambda: found)
evidence.panel(release, evidence.places(release, item["record_id"]), "raw.snapshots")
