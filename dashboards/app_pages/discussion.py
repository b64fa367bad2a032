"""Forum posts and comments: by author, kind and month, their threads, and the publications they link to."""

from functools import partial

import polars as pl
import streamlit as st

from dashboards.charts.discussion import draw_counts_by_month, draw_items_by_author
from dashboards.exports.figure_files import Figure, query_figure_data
from dashboards.figures.figure import show_figure
from dashboards.queries import discussion
from dashboards.queries.discussion import DiscussionFilter
from dashboards.queries.release import query_release, select_release
from dashboards.text import build_page_addresses, format_count, format_name, format_release, show_link
from dashboards.widgets import filters, listing
from dashboards.widgets.former_links import read_former_parameter
from dashboards.widgets.frame import end_page
from dashboards.widgets.tables import configure_columns, configure_page_link, show_table

release = select_release(optional=["clean.segments", "clean.forum_posts", "clean.forum_comments"])
st.title("Discussion", anchor=False)
unfiltered = discussion.query_discussion_totals(release, DiscussionFilter())
if not unfiltered["items"]:
    st.caption(f"Data as of {format_release(release)}.")
    st.info(
        "This release has no forum posts or comments. Add the saved page of a forum user with "
        '`aisle add --owner "Name" page.txt`, then run `aisle run`.',
        icon=":material/forum:",
    )
    end_page()

kinds = discussion.list_values(release, "kind")
kind_of = {format_name(kind): kind for kind in kinds}
read_former_parameter("kinds", lambda values: [format_name(kind) for kind in values if kind in kinds])
with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
    choice = DiscussionFilter(
        filters.select_many("Authors", discussion.list_values(release, "author"), "author"),
        tuple(kind_of[label] for label in filters.select_many("Kinds", list(kind_of), "kinds")),
    )
totals = discussion.query_discussion_totals(release, choice)
st.markdown(
    f"##### {format_count(totals['items'], 'item')} in {format_count(totals['threads'], 'thread')}, "
    f"by {format_count(totals['authors'], 'known author')}"
)
st.caption(f"A thread is a post with its comments, or a saved page. Data as of {format_release(release)}.")
if not totals["items"]:
    st.warning("No posts or comments match these filters.", icon=":material/search:")
    end_page()
undated = st.container()  # a container, so that a message does not move the tabs below it
if totals["undated"]:
    undated.info(
        f"{totals['undated']:,} of them {'has' if totals['undated'] == 1 else 'have'} no date, since saved pages show "
        "none. They are counted here, but not drawn over time.",
        icon=":material/calendar_month:",
    )

by_author = query_figure_data(release, discussion.build_author_query(release), choice.parameters)
most = by_author.frame.sort("items", descending=True, maintain_order=True).row(0, named=True)
show_figure(
    Figure(
        by_author,
        title="Posts and comments by author and kind",
        unit="segments, posts and comments",
        rule="rows, each item once",
        source="saved forum pages and forums",
        finding=f"The largest group: {most['items']:,} of {totals['items']:,} are {format_name(most['kind'])}s of "
        f"{most['author']}.",
        file_name=f"discussion_by_author_{release.name}",
        alt="Posts and comments per author, stacked by kind.",
        key="authors",
        draw=partial(draw_items_by_author, by_author.frame, kinds),
    )
)
st.caption("On saved pages, where a comment ends and its kind are inferred from the text; quotations are included.")

st.subheader("Over time", anchor=False)
if totals["dated"]:
    by_month = query_figure_data(release, discussion.build_month_query(release), choice.parameters)
    show_figure(
        Figure(
            by_month,
            title="Posts and comments per month",
            unit="posts and comments",
            rule="rows, each item once",
            source="forums",
            finding=None,
            file_name=f"discussion_by_month_{release.name}",
            alt="Posts and comments per month, stacked by kind.",
            key="months",
            draw=partial(draw_counts_by_month, by_month.frame, kinds),
        )
    )
else:
    st.caption("None of them has a date, so there is no chart over time.")

st.subheader("Linked publications", anchor=False)
listing.show_linked_publications(
    release, ["segment", "post", "comment"], "No text links to a publication of this release."
)

st.subheader("Threads", anchor=False)
threads = query_release(release, discussion.build_thread_query(release), choice.parameters)
show_table(threads, key="threads")

st.subheader("Posts and comments", anchor=False)
rows = discussion.list_items(release, choice)
rows = rows.with_columns(
    open=pl.Series(
        build_page_addresses("item", release, {"kind": rows["item_kind"], "id": rows["item_id"]}), dtype=pl.String
    )
)
show_table(
    rows.drop("item_kind", "item_id"),
    column_config={
        **configure_columns(rows, {}),
        "open": configure_page_link("open"),
        "begins": st.column_config.TextColumn("Begins", width="large"),
    },
    key="items",
)
if totals["items"] > discussion.MAX_ITEMS:
    st.caption(f"The newest {discussion.MAX_ITEMS:,} of {totals['items']:,}.")
show_link("works", "Search all posts and comments", {"kind": "segment"})
