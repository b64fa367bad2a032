"""Forum posts and comments: by author, kind and month, their threads, and the works and topics that they mention."""

from functools import partial

import polars as pl
import streamlit as st

from dashboards.charts.discussion import draw_counts_by_month, draw_items_by_author
from dashboards.exports.figure_files import Figure, query_figure_data
from dashboards.figures.figure import show_figure
from dashboards.queries import discussion, mentions
from dashboards.queries.discussion import DiscussionFilter
from dashboards.queries.release import query_column_meanings, query_release, select_release
from dashboards.text import build_page_addresses, format_count, format_name, format_release, show_link
from dashboards.widgets import filters
from dashboards.widgets.former_links import read_former_parameter
from dashboards.widgets.frame import end_page
from dashboards.widgets.mentions import show_author_topics, show_delays, show_discussed_works
from dashboards.widgets.parts import needs
from dashboards.widgets.tables import configure_columns, configure_page_link, show_table
from warehouse.release import Release


@needs("Topics", "mart.topics_by_month")
def show_topics(release: Release) -> None:
    """Show the topics that texts mention, over time."""
    topics = mentions.list_topics(release)
    if topics.is_empty():
        st.caption("No text mentions a topic.")
        return
    by_month = query_figure_data(release, mentions.TOPICS_BY_MONTH_QUERY)
    if by_month.frame.is_empty():
        st.caption("No text that mentions a topic has a date, so there is no chart over time.")
    else:
        first = topics.row(0, named=True)
        show_figure(
            Figure(
                by_month,
                title="Texts per month by topic",
                unit="posts, comments, episodes and items of blogs",
                rule="texts, each once for each of its topics",
                source="forums and feeds of the field",
                finding=f"{first['topic'].capitalize()} is in the most dated texts: {first['dated_texts']:,}.",
                file_name=f"topics_by_month_{release.name}",
                alt="Texts per month that mention a topic, stacked by topic.",
                key="topics",
                draw=partial(
                    draw_counts_by_month,
                    by_month.frame,
                    [topic for topic in topics["topic"] if topic in set(by_month.frame["topic"])],
                    by="topic",
                    of="texts",
                ),
                meanings=query_column_meanings(release, "mart.topics_by_month"),
                cautions=("A text of several topics is in the bar several times.",),
            )
        )
    with st.expander("All topics"):
        show_table(topics, key="all topics")
        st.caption("Texts without a date, such as those of captured pages, are counted apart.")


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

st.subheader("Most discussed works", anchor=False)
show_discussed_works(release)
st.subheader("From publication to discussion", anchor=False)
show_delays(release)
st.subheader("Topics", anchor=False)
show_topics(release)
st.subheader("Authors and their topics", anchor=False)
show_author_topics(release, tuple(choice.authors))

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
