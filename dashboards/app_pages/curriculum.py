"""Episodes of podcasts and courses, the works that they read or mention, and the sites that they link to."""

from functools import partial
from itertools import repeat

import polars as pl
import streamlit as st

from dashboards.charts import intervals
from dashboards.charts.discussion import draw_counts_by_month
from dashboards.exports.figure_files import Figure, query_figure_data
from dashboards.figures.figure import show_figure
from dashboards.queries import curriculum, search
from dashboards.queries.release import query_column_meanings, select_release
from dashboards.text import build_page_addresses, format_count, format_release
from dashboards.widgets import filters, listing
from dashboards.widgets.frame import end_page
from dashboards.widgets.mentions import show_feed_scopes, show_taught_works
from dashboards.widgets.parts import needs
from dashboards.widgets.tables import configure_columns, configure_page_link, configure_site_link, show_table
from warehouse.release import Release

_WORKS_OF_EPISODES = ("clean.mentions", "mart.discussed_links")  # the second in older releases


@needs("Saved lists of episodes", "clean.episodes", "mart.episodes_by_linked_site", optional=_WORKS_OF_EPISODES)
def show_saved_lists(release: Release, totals: dict[str, int]) -> None:
    """Show the episodes of saved podcast pages, and the sites of their texts."""
    st.subheader("Saved lists of episodes", anchor=False)
    repeated = totals["entries"] - totals["episodes"]
    st.markdown(
        f"##### {format_count(totals['episodes'], 'episode')} in {format_count(totals['entries'], 'entry', 'entries')}"
    )
    st.caption(
        f"{totals['linked']:,} link to their text, {totals['with_authors']:,} name its authors. "
        f"{format_count(repeated, 'repeated entry is', 'repeated entries are')} counted once."
    )
    st.info(
        "The saved list has no dates, so there is no chart over time.",
        icon=":material/calendar_month:",
    )

    sites = query_figure_data(release, curriculum.SITES_QUERY)
    first = sites.frame.row(0, named=True)
    show_figure(
        Figure(
            sites,
            title="Episodes by site of their text",
            unit="distinct episodes",
            rule="episodes, repeated entries once",
            source="saved podcast pages",
            finding=f"{first['linked_site']}: {first['episodes']:,} of {totals['episodes']:,} episodes, a share of "
            f"{first['episodes_share']:.0%} (95 % interval {first['share_low']:.0%} to {first['share_high']:.0%}).",
            file_name=f"episodes_by_linked_site_{release.name}",
            alt="Share of the distinct episodes per linked site, with intervals.",
            key="sites",
            draw=partial(
                intervals.draw_intervals,
                sites.frame,
                member="linked_site",
                value="episodes_share",
                low="share_low",
                high="share_high",
                title="Share of episodes",
                form=".0%",
            ),
            meanings=query_column_meanings(release, "mart.episodes_by_linked_site"),
        )
    )

    st.subheader("Episodes", anchor=False)
    of_sites = filters.select_many("Sites", curriculum.list_linked_sites(release), "site")
    rows = curriculum.list_captured_episodes(release, of_sites)
    st.caption(f"{format_count(rows.height, 'episode')} listed.")
    if rows.is_empty():
        st.warning("No episode matches these filters.", icon=":material/search:")
        return
    episodes = rows.with_columns(
        open=pl.Series(
            build_page_addresses("item", release, {"kind": repeat("episode", rows.height), "id": rows["episode_id"]}),
            dtype=pl.String,
        ),
        work=pl.Series(build_page_addresses("work", release, {"work": rows["work_id"]}), dtype=pl.String),
    ).select(*("entry", "open", "linked_url", "authors", "narrator", "begins", "work", "linked_site", "publisher"))
    show_table(
        episodes,
        column_config={
            **configure_columns(episodes, query_column_meanings(release, "clean.episodes")),
            "linked_url": configure_site_link("Text"),
            "begins": st.column_config.TextColumn("Notes", width="large"),
            "open": configure_page_link("open"),
            "work": configure_page_link("work"),
        },
        key="episodes",
    )
    listing.show_item_downloads(
        f"aisle_{release.name}_episodes",
        "episodes",
        lambda: search.get_items(release, [("episode", episode_id) for episode_id in rows["episode_id"]]),
    )


def show_other_feeds(feeds: pl.DataFrame) -> None:
    """Show the feeds that do not belong to the field, apart from the others."""
    if not feeds.is_empty():
        with st.expander(f"{format_count(feeds.height, 'followed feed')} of other fields"):
            show_table(feeds, key="other feeds")
            st.caption("They are in none of the charts and counts of this page.")


@needs("Followed podcasts and courses", "clean.feed_items")
def show_feeds(release: Release, feeds: pl.DataFrame) -> None:
    """Show the feeds of podcasts and courses, their episodes per month, and the newest episodes."""
    st.subheader("Followed podcasts and courses", anchor=False)
    show_table(feeds, key="feeds")
    names = feeds["feed"].to_list()
    by_month = query_figure_data(release, curriculum.EPISODES_BY_MONTH_QUERY, {"feeds": names})
    if not by_month.frame.is_empty():
        first = feeds.row(0, named=True)
        show_figure(
            Figure(
                by_month,
                title="Episodes per month",
                unit="episodes",
                rule="episodes, each once in its newest version",
                source="feeds of podcasts and courses",
                finding=f"{first['feed']} has the most: {first['episodes']:,} of {feeds['episodes'].sum():,} episodes.",
                file_name=f"episodes_by_month_{release.name}",
                alt="Episodes per month, stacked by feed.",
                key="feed_episodes",
                draw=partial(draw_counts_by_month, by_month.frame, names, by="feed", of="episodes"),
                meanings=query_column_meanings(release, "clean.feed_items"),
            )
        )
    rows = curriculum.list_feed_episodes(release, filters.select_many("Feeds", names, "feed") or tuple(names))
    episodes = rows.with_columns(
        open=pl.Series(
            build_page_addresses(
                "item", release, {"kind": repeat("feed item", rows.height), "id": rows["feed_item_id"]}
            ),
            dtype=pl.String,
        )
    ).drop("feed_item_id")
    show_table(
        episodes,
        column_config={
            **configure_columns(episodes, query_column_meanings(release, "clean.feed_items")),
            "title": st.column_config.TextColumn("Title", width="large"),
            "url": configure_site_link("Link"),
            "open": configure_page_link("open"),
        },
        key="feed episodes",
    )
    listing.show_item_downloads(
        f"aisle_{release.name}_feed_episodes",
        "feed_episodes",
        lambda: search.get_items(release, [("feed item", item_id) for item_id in rows["feed_item_id"]]),
    )


release = select_release(["clean.episodes"], ["clean.feed_items", "clean.feed_scopes"])
st.title("Curriculum", anchor=False)
st.caption(f"Data as of {format_release(release)}.")
totals, feeds = curriculum.query_episode_totals(release), curriculum.query_feeds(release)
if not totals["entries"] and feeds.is_empty():
    st.info(
        "This release has no episodes of podcasts or courses. Add the saved page of a podcast with "
        "`aisle add page.txt`, or follow a feed with `aisle fetch`, then run `aisle run`.",
        icon=":material/headphones:",
    )
    end_page()
other_feeds = feeds.clear()
if not feeds.is_empty():
    is_other = (pl.col("scope") == "other").fill_null(value=False)
    feeds, other_feeds = feeds.filter(~is_other).drop("scope"), feeds.filter(is_other).drop("scope")
followed = int(feeds["episodes"].sum()) if not feeds.is_empty() else 0
st.markdown(
    f"##### {format_count(followed + totals['episodes'], 'episode')}: {followed:,} of followed feeds, "
    f"{totals['episodes']:,} of saved lists"
)
st.subheader("Most taught works", anchor=False)
show_taught_works(release)
if not feeds.is_empty():
    show_feeds(release, feeds)
show_other_feeds(other_feeds)
if totals["entries"]:
    show_saved_lists(release, totals)
show_feed_scopes(release)
