"""Search over everything that the release holds, narrowed by what it is, and taken along."""

import streamlit as st

from dashboards import text as frames
from dashboards.queries import release as read
from dashboards.queries import search
from dashboards.widgets import filters, listing

LABELS = {"kind": "Kind", "lab": "Lab", "category": "Category", "source": "Source", "year": "Year"}
MOST_PAGES = search.MOST // search.ON_A_PAGE


def from_the_start() -> None:
    """Go back to the first page, since another choice was made."""
    st.session_state["page"] = 1


def narrowed(name: str) -> None:
    """Put a choice into the address, by the plain names of its values."""
    st.query_params[name] = st.session_state[f"choice of {name}"]
    from_the_start()


release = read.chosen()
st.title("Works, and what is said of them", anchor=False)
words = st.text_input(
    "Search",
    key="q",
    type="search",
    placeholder="words, “phrases” in quotation marks, -words to leave out",
    bind="query-params",
    on_change=from_the_start,
    icon=":material/search:",
    help="All words must be there, in any field and with any ending. Slips of the keyboard are forgiven.",
)
# the choices stand in the address by their plain names, while the lists show how many things each would find
asked = {name: tuple(st.query_params.get_all(name)) for name in search.FACETS}
order = filters.choice("Sort by", search.ORDERS, "sort", from_the_start)
found = search.summary(release, words or "", asked, order)
with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
    for name, label in LABELS.items():
        counted = found.facets[name]
        options = [*counted, *(value for value in asked[name] if value not in counted)]
        st.session_state[f"choice of {name}"] = list(asked[name])
        st.multiselect(
            label,
            sorted(options, reverse=True) if name == "year" else options,
            key=f"choice of {name}",
            format_func=lambda value, counted=counted: f"{value} ({counted.get(value, 0):,})",
            placeholder=f"Any {label.lower()}",
            on_change=narrowed,
            args=(name,),
            width=168,
        )
st.markdown(f"##### {frames.counted(found.total, 'thing')} found")
st.caption(f"Publications, podcast entries and what is said on forums. Data as of {frames.dated(release)}.")
with st.container():  # what comes and goes in one place does not move the choices below it
    for sentence in found.said:
        st.info(frames.text(sentence), icon=":material/info:")
if not found.total:
    if any(asked.values()) or words:
        st.warning("Nothing fits. Take away a word or a choice above, or look at everything.", icon=":material/search:")
        frames.lead("works", "Everything")
    else:
        st.info(
            "This release holds nothing yet. Add a file with `aisle add`, then run `aisle run`.",
            icon=":material/search:",
        )
    st.stop()

listed = st.container()
pages = min(MOST_PAGES, -(-found.total // search.ON_A_PAGE))
with st.container(horizontal_alignment="center"):
    number = st.pagination(pages, key="page", bind="query-params")
if found.total > search.MOST:
    st.caption(f"The first {search.MOST:,} can be paged through and taken along. Narrow the search to see the others.")
with listed:
    listing.show(*search.page(release, words or "", asked, order, number))

st.subheader("Take along", anchor=False)
listing.downloads(f"aisle_{release.name}_found", "found", lambda: search.all_found(release, words or "", asked, order))
with st.expander("The same in SQL"):
    st.code(found.sql, language="sql", wrap_lines=True)
    st.caption("It looks for the words as they are spelled, without forgiving slips of the keyboard.")
st.markdown(f"[Permanent link to this search]({frames.permanent_link(release)})")
