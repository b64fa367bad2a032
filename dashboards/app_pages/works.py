"""Search over all items of a release, with filters, downloads and the same search in SQL."""

import streamlit as st

from dashboards.queries import search, work
from dashboards.queries.release import select_release
from dashboards.text import build_permanent_link, escape_markdown, format_count, format_release, show_link
from dashboards.widgets import filters, listing
from dashboards.widgets.frame import end_page
from warehouse.search.items import ITEM_TABLES

LABELS = {
    "kind": "Kind",
    "lab": "Lab",
    "category": "Category",
    "source": "Source",
    "corpus": "Corpus",
    "year": "Year",
}
MAX_PAGES = search.MAX_RESULTS // search.PAGE_SIZE


def reset_page() -> None:
    """Go back to the first page of results, after another choice."""
    st.session_state["page"] = 1


def update_address(facet: str) -> None:
    """Put the chosen values of a facet into the URL."""
    st.query_params[facet] = st.session_state[f"choice of {facet}"]
    reset_page()


release = select_release(optional=ITEM_TABLES)
st.title("Works and discussion", anchor=False)
words = st.text_input(
    "Search",
    key="q",
    type="search",
    placeholder="words, “exact phrases”, -excluded words",
    bind="query-params",
    on_change=reset_page,
    icon=":material/search:",
    help="Finds items with all words, in any field and with any ending. Tolerates typos.",
)
if {"publication", "paper"} & set(st.query_params.get_all("kind")) and work.has_works(release):
    # an address of an earlier release, in which records of works were items of their own
    kinds = ["work" if kind in ("publication", "paper") else kind for kind in st.query_params.get_all("kind")]
    st.query_params["kind"] = list(dict.fromkeys(kinds))
# the URL has the values without the counts that the lists show
facets = {name: tuple(st.query_params.get_all(name)) for name in search.FACETS}
order = filters.select_segment("Sort by", search.ORDERS, "sort", reset_page)
results = search.summarise_search(release, words or "", facets, order)
with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
    for name, label in LABELS.items():
        item_counts = results.facets[name]
        options = [*item_counts, *(value for value in facets[name] if value not in item_counts)]
        st.session_state[f"choice of {name}"] = list(facets[name])
        st.multiselect(
            label,
            sorted(options, reverse=True) if name == "year" else options,
            key=f"choice of {name}",
            format_func=lambda value, item_counts=item_counts: f"{value} ({item_counts.get(value, 0):,})",
            placeholder=f"Any {label.lower()}",
            on_change=update_address,
            args=(name,),
            width=168,
        )
st.markdown(f"##### {format_count(results.total, 'item')}")
if work.has_works(release):
    st.markdown(
        "All works that this lake knows, each once, wherever they were found; and episodes, posts, comments and "
        "entries of feeds. Only [works](works?kind=work), or those of the "
        "[published mapping](works?corpus=iaps_mapping)."
    )
st.caption(f"Data as of {format_release(release)}.")
with st.container():  # a container, so that a message does not move the widgets below it
    for note in results.notes:
        st.info(escape_markdown(note), icon=":material/info:")
if not results.total:
    if any(facets.values()) or words:
        st.warning("No items found. Remove a word or a filter above, or show all items.", icon=":material/search:")
        show_link("works", "Show all items")
    else:
        st.info(
            "This release has no items yet. Add a file with `aisle add`, then run `aisle run`.",
            icon=":material/search:",
        )
    end_page()

page_of_items = st.container()
pages = min(MAX_PAGES, -(-results.total // search.PAGE_SIZE))
with st.container(horizontal_alignment="center"):
    number = st.pagination(pages, key="page", bind="query-params")
if results.total > search.MAX_RESULTS:
    st.caption(f"Only the first {search.MAX_RESULTS:,} are listed and downloaded. Narrow the search to see the others.")
with page_of_items:
    listing.show_items(*search.list_page(release, words or "", facets, order, number))

st.subheader("Download", anchor=False)
listing.show_item_downloads(
    f"aisle_{release.name}_found", "found", lambda: search.list_all_results(release, words or "", facets, order)
)
with st.expander("The same search in SQL"):
    st.code(results.sql, language="sql", wrap_lines=True)
    st.caption("Finds the exact words only, without tolerating typos.")
st.markdown(f"[Permanent link to this search]({build_permanent_link(release)})")
