"""What is taught: the entries of podcasts and courses, the sites they lead to, and the publications among these."""

from functools import partial

import polars as pl
import streamlit as st

from dashboards import text
from dashboards.charts import intervals, palette
from dashboards.figures import figure
from dashboards.figures.figure import Figure
from dashboards.queries import curriculum, discussion, search
from dashboards.queries import release as read
from dashboards.widgets import filters, listing


def captured(totals: dict[str, int]) -> None:
    """The list of a captured page: where the texts of its episodes stand, and the episodes."""
    repeats = totals["entries"] - totals["episodes"]
    st.markdown(
        f"##### {text.counted(totals['episodes'], 'episode')} in {text.counted(totals['entries'], 'entry', 'entries')}"
    )
    st.caption(
        f"{totals['linked']:,} say which text they read, {totals['with_authors']:,} who wrote it. "
        f"{text.counted(repeats, 'entry is', 'entries are')} the same as another and counted once."
    )
    st.info(
        "The captured list shows no dates, so nothing of it is drawn over time.",
        icon=":material/calendar_month:",
    )

    shown = read.ask(release, curriculum.SITES)
    first = shown.row(0, named=True)
    figure.show(
        Figure(
            **figure.asked(release, curriculum.SITES),
            title="Where the texts behind the episodes stand",
            unit="distinct episodes",
            rule="episodes, repeated entries once",
            source="captured podcast pages",
            finding=f"{first['linked_site']}: {first['episodes']:,} of {totals['episodes']:,} episodes, a share of "
            f"{first['episodes_share']:.0%} (95 % interval {first['share_low']:.0%} to {first['share_high']:.0%}).",
            name=f"episodes_by_linked_site_{release.name}",
            alt="Share of the distinct episodes per linked site, with intervals.",
            key="sites",
            draw=partial(
                intervals.chart,
                shown,
                member="linked_site",
                value="episodes_share",
                low="share_low",
                high="share_high",
                title="Share of episodes",
                form=".0%",
            ),
            meanings=read.meanings(release, "mart.episodes_by_linked_site"),
        )
    )

    st.subheader("Episodes", anchor=False)
    of_sites = filters.many("Sites", curriculum.sites(release), "site")
    rows = curriculum.episodes(release, of_sites)
    st.caption(f"{text.counted(rows.height, 'episode')} listed.")
    if rows.is_empty():
        st.warning("No episode fits this choice.", icon=":material/search:")
        return
    told = rows.with_columns(
        open=pl.format("/item?kind=episode&id={}&release={}", "episode_id", pl.lit(release.name)),
        publication=pl.format("/work?id={}&release={}", "publication_id", pl.lit(release.name)),
    ).select(
        *("entry", "open", "linked_url", "authors", "narrator", "begins", "publication", "linked_site", "publisher")
    )
    palette.table(
        told,
        column_config={
            **palette.columns(told, read.meanings(release, "clean.episodes")),
            "linked_url": palette.to_site("Text"),
            "begins": st.column_config.TextColumn("Notes begin", width="large"),
            "open": palette.to_page("open"),
            "publication": palette.to_page("publication"),
        },
        key="episodes",
    )
    listing.downloads(
        f"aisle_{release.name}_episodes",
        "episodes",
        lambda: search.told(release, [("episode", identity) for identity in rows["episode_id"]]),
    )


def followed(feeds: pl.DataFrame) -> None:
    """The feeds of podcasts and courses: when they had episodes, and the newest of them."""
    st.subheader("Podcasts and courses that are followed", anchor=False)
    palette.table(feeds, key="feeds")
    by_month = figure.asked(release, curriculum.BY_MONTH)
    names = feeds["feed"].to_list()
    if not by_month["frame"].is_empty():
        first = feeds.row(0, named=True)
        figure.show(
            Figure(
                **by_month,
                title="Episodes per month",
                unit="episodes",
                rule="episodes, each once in its newest version",
                source="feeds of podcasts and courses",
                finding=f"{first['feed']} has the most: {first['episodes']:,} of {feeds['episodes'].sum():,} episodes.",
                name=f"episodes_by_month_{release.name}",
                alt="Episodes per month, stacked by feed.",
                key="heard",
                draw=partial(discussion.over_months, by_month["frame"], names, by="feed", of="episodes"),
                meanings=read.meanings(release, "clean.feed_items"),
            )
        )
    rows = curriculum.heard(release, filters.many("Feeds", names, "feed"))
    told = rows.with_columns(
        open=pl.format("/item?kind=feed%20item&id={}&release={}", "feed_item_id", pl.lit(release.name))
    ).drop("feed_item_id")
    palette.table(
        told,
        column_config={
            **palette.columns(told, read.meanings(release, "clean.feed_items")),
            "title": st.column_config.TextColumn("Title", width="large"),
            "url": palette.to_site("Link"),
            "open": palette.to_page("open"),
        },
        key="heard rows",
    )
    listing.downloads(
        f"aisle_{release.name}_feed_episodes",
        "heard",
        lambda: search.told(release, [("feed item", identity) for identity in rows["feed_item_id"]]),
    )


release = read.chosen()
st.title("Curriculum", anchor=False)
st.caption(f"Data as of {text.dated(release)}.")
totals, feeds = curriculum.totals(release), curriculum.followed(release)
if not totals["entries"] and feeds.is_empty():
    st.info(
        "This release holds no entry of a podcast or a course. Add the captured page of a podcast with "
        "`aisle add page.txt`, or follow a feed with `aisle fetch`, then run `aisle run`.",
        icon=":material/headphones:",
    )
    st.stop()
if not feeds.is_empty():
    followed(feeds)
if totals["entries"]:
    captured(totals)

st.subheader("Publications among them", anchor=False)
linked = discussion.linked(release, ["episode", "feed item"])
if linked.is_empty():
    st.caption("No episode leads to a publication that is held.")
for row in linked.iter_rows(named=True):
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        listing.link(row)
        st.caption(f"{text.text(row['lab'])} · {text.counted(row['links'], 'link')}")
