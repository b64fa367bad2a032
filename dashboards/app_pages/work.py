"""One publication: what it is, where it is counted, by which label or rule, and the snapshots that contain it."""

import streamlit as st

from dashboards.queries import discussion, search, work
from dashboards.queries.release import select_release
from dashboards.queries.sources import REMOVED_TABLE, find_lists_without
from dashboards.text import escape_markdown, format_date, format_release, shorten_title, show_web_link
from dashboards.widgets import evidence, listing
from dashboards.widgets.frame import end_page
from dashboards.widgets.parts import needs
from dashboards.widgets.tables import show_table
from warehouse.release import Release
from warehouse.search.items import ITEM_TABLES

MAX_MENTIONS = 50


@needs("Whether a list still has it", REMOVED_TABLE)
def show_removal(release: Release, publication_id: str) -> None:
    """Show a message if the publication was removed from its lists, where it is still counted."""
    for stream, listed_at in find_lists_without(release, publication_id):
        st.info(
            f"**No longer in {escape_markdown(stream)}, but still counted.** The last snapshot that has it is of "
            f"{format_date(listed_at)}. To leave it out, mark it as a duplicate in the list, then run `aisle run`.",
            icon=":material/playlist_remove:",
        )


@needs("Similar publications", "mart.alike_publications", "clean.publications")
def show_similar(release: Release, publication_id: str, *, is_duplicate: bool) -> None:
    """Show links to the publications with the same title, abstract or link."""
    similar = work.list_similar_publications(release, publication_id)
    if similar.is_empty():
        note = " The source does not name the publication that it duplicates." if is_duplicate else ""
        st.caption(f"No other publication has the same title, abstract or link.{note}")
    for row in similar.iter_rows(named=True):
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            listing.show_item_link(row)
            st.caption(escape_markdown(row["why"]))


@needs("Discussed in", "mart.discussed_links", optional=ITEM_TABLES)
def show_mentions(release: Release, publication_id: str) -> None:
    """Show links to the items that link to the publication, if there are any."""
    mentions = discussion.list_mentions(release, publication_id)
    if mentions.is_empty():
        return
    st.subheader("Discussed in", anchor=False)
    items = list(mentions.select("kind", "item_id").head(MAX_MENTIONS).iter_rows())
    for row in search.get_items(release, items).iter_rows(named=True):
        listing.show_item_link(row)


@needs("How it is counted", "mart.counted_publications", "reference.counting_rules")
def show_weights(release: Release, publication_id: str) -> None:
    """Show its weight by each counting rule."""
    show_table(work.list_weights(release, publication_id), key="counted")
    st.caption("If its authors are not known, counting rules by author count it under “(authors not known)”.")


@needs("Its categories", "clean.publications", "reference.taxonomies", "reference.category_crosswalk")
def show_categories(release: Release, publication_id: str) -> None:
    """Show its category in each taxonomy."""
    show_table(work.list_categories(release, publication_id), key="taxonomies")


@needs("Evidence", "mart.publication_evidence")
def show_publication_evidence(release: Release, publication_id: str) -> None:
    """Show the snapshots that contain the publication."""
    evidence.show_evidence(
        release,
        work.list_evidence(release, publication_id),
        "mart.publication_evidence",
        note="The newest version is the one that is counted.",
    )


release = select_release(["clean.publications"])
publication_id = st.query_params.get("id", "")
rows = work.query_work(release, publication_id)
if rows.is_empty():
    st.title("Work", anchor=False)
    st.info(
        f"No work with this identifier in {format_release(release)}. Try a search.",
        icon=":material/search:",
    )
    st.page_link("app_pages/works.py", label="Search", icon=":material/search:")
    end_page()

publication = rows.row(0, named=True)
st.title(escape_markdown(shorten_title(publication["title"])), anchor=False)
date = format_date(publication["published_on"]) if publication["published_on"] else "no date"
st.markdown(f"**{escape_markdown(publication['lab'])}** · {escape_markdown(publication['category'])} · {date}")
if publication["is_duplicate"]:
    st.warning(
        "The source marks this row as a duplicate. Counting rules for works leave it out.", icon=":material/group:"
    )
if shorten_title(publication["title"]).endswith(" …"):
    with st.expander("The whole title"):
        st.text(publication["title"])
show_removal(release, publication_id)
show_web_link("Open the publication", publication["url"])
st.caption(f"Data as of {format_release(release)} · identifier `{publication['publication_id']}`")

if publication["abstract"]:
    with st.expander("Abstract"):
        st.text(publication["abstract"])

st.subheader("Similar publications", anchor=False)
show_similar(release, publication_id, is_duplicate=publication["is_duplicate"])
show_mentions(release, publication_id)
st.subheader("How it is counted", anchor=False)
show_weights(release, publication_id)
show_categories(release, publication_id)

st.subheader("Cite", anchor=False)
listing.show_item_downloads(
    f"aisle_{release.name}_work_{publication_id}",
    "work",
    lambda: search.get_items(release, [("publication", publication_id)]),
)
show_publication_evidence(release, publication_id)
