"""What is said on forums: by whom, of which kind, in which thread, when, and of which publications."""

from functools import partial

import polars as pl
import streamlit as st

from dashboards import text
from dashboards.charts import palette
from dashboards.figures import figure
from dashboards.figures.figure import Figure
from dashboards.queries import discussion
from dashboards.queries import release as read
from dashboards.queries.discussion import Choice
from dashboards.widgets import filters, listing

release = read.chosen()
st.title("Discussion", anchor=False)
everything = discussion.totals(release, Choice())
if not everything["things"]:
    st.caption(f"Data as of {text.dated(release)}.")
    st.info(
        "This release holds nothing said on a forum. Add the captured page of a forum’s user with "
        '`aisle add --owner "Name" page.txt`, then run `aisle run`.',
        icon=":material/forum:",
    )
    st.stop()

kinds = discussion.names(release, "kind")
with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
    choice = Choice(
        filters.many("Authors", discussion.names(release, "author"), "author"), filters.many("Kinds", kinds, "said")
    )
found = discussion.totals(release, choice)
st.markdown(
    f"##### {text.counted(found['things'], 'thing')} said, in {text.counted(found['threads'], 'thread')}, "
    f"by {text.counted(found['authors'], 'known author')}"
)
st.caption(f"A thread is a post with its comments, or a captured page. Data as of {text.dated(release)}.")
if not found["things"]:
    st.warning("Nothing fits this choice. Take away an author or a kind above.", icon=":material/search:")
    st.stop()
undated = st.container()  # what comes and goes in one place does not move the tabs below it
if found["undated"]:
    undated.info(
        f"{found['undated']:,} of them {'has' if found['undated'] == 1 else 'have'} no date: a captured page shows "
        "none. Counted here, drawn in no chart over time.",
        icon=":material/calendar_month:",
    )

first = read.ask(release, discussion.by_author(release), choice.parameters)
most = first.sort("things", descending=True, maintain_order=True).row(0, named=True)
figure.show(
    Figure(
        **figure.asked(release, discussion.by_author(release), choice.parameters),
        title="Who says how much, and of which kind",
        unit="segments, posts and comments",
        rule="rows, each thing once",
        source="captured forum pages and forums",
        finding=f"The largest part: {most['things']:,} of {found['things']:,} are {text.plain(most['kind'])}s of "
        f"{most['author']}.",
        name=f"discussion_by_author_{release.name}",
        alt="Things said per author, stacked by kind.",
        key="authors",
        draw=partial(discussion.stacked_by_author, first, kinds),
    )
)
st.caption("Of captured pages, kinds and borders of comments are guessed from the text; quotations are not told apart.")

st.subheader("Over time", anchor=False)
if found["dated"]:
    months = read.ask(release, discussion.by_month(release), choice.parameters)
    figure.show(
        Figure(
            **figure.asked(release, discussion.by_month(release), choice.parameters),
            title="Posts and comments per month",
            unit="posts and comments",
            rule="rows, each thing once",
            source="forums",
            finding=None,
            name=f"discussion_by_month_{release.name}",
            alt="Posts and comments per month, stacked by kind.",
            key="months",
            draw=partial(discussion.over_months, months, kinds),
        )
    )
else:
    st.caption("Nothing of this choice has a date, so there is no chart over time.")

st.subheader("Publications they link to", anchor=False)
linked = discussion.linked(release, ["segment", "post", "comment"])
if linked.is_empty():
    st.caption("No link in these texts leads to a publication that is held.")
for row in linked.head(50).iter_rows(named=True):
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        listing.link(row)
        st.caption(f"{text.text(row['lab'])} · {text.counted(row['links'], 'link')}")

st.subheader("Threads", anchor=False)
threads = read.ask(release, discussion.threads(release), choice.parameters)
palette.table(threads, key="threads")

st.subheader("What is said", anchor=False)
asked = f"&release={release.name}"
rows = discussion.listed(release, choice).with_columns(
    open=pl.format("/item?kind={}&id={}{}", "thing", "item_id", pl.lit(asked))
)
palette.table(
    rows.drop("thing", "item_id"),
    column_config={
        **palette.columns(rows, {}),
        "open": palette.to_page("open"),
        "begins": st.column_config.TextColumn("Begins", width="large"),
    },
    key="said_rows",
)
if found["things"] > discussion.MOST:
    st.caption(f"The newest {discussion.MOST:,} of {found['things']:,}.")
text.lead("works", "Search in all that is said", {"kind": "segment"})
