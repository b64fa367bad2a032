"""What is taught: the entries of podcasts and courses, the sites they lead to, and the publications among these."""

from functools import partial

import polars as pl
import streamlit as st

from dashboards import charts, curriculum, discussion, figure, filters, frames, intervals, listing, read, search
from dashboards.figure import Figure

release = read.chosen()
st.title("Curriculum", anchor=False)
totals = curriculum.totals(release)
if not totals["entries"]:
    st.caption(f"Data as of {frames.dated(release)}.")
    st.info(
        "This release holds no entry of a podcast or a course. Add the captured page of a podcast with "
        "`aisle add page.txt`, then run `aisle run`.",
        icon=":material/headphones:",
    )
    st.stop()

repeats = totals["entries"] - totals["episodes"]
st.markdown(f"##### {totals['episodes']:,} episodes in {totals['entries']:,} entries")
st.caption(
    f"{totals['linked']:,} say which text they read, {totals['with_authors']:,} who wrote it. "
    f"{repeats:,} {'entry is' if repeats == 1 else 'entries are'} the same as another and counted once. "
    f"Data as of {frames.dated(release)}."
)
st.info(
    "No entry has a date: the captured list shows none, so nothing here is drawn over time.",
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

st.subheader("Publications among them", anchor=False)
linked = discussion.linked(release, ["episode"])
if linked.is_empty():
    st.caption("No episode leads to a publication that is held.")
for row in linked.iter_rows(named=True):
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        listing.link(row)
        st.caption(f"{frames.text(row['lab'])} · {row['links']:,} {'episode' if row['links'] == 1 else 'episodes'}")

st.subheader("Episodes", anchor=False)
of_sites = filters.many("Sites", curriculum.sites(release), "site")
rows = curriculum.episodes(release, of_sites)
st.caption(f"{rows.height:,} {'episode' if rows.height == 1 else 'episodes'} listed.")
if rows.is_empty():
    st.warning("No episode fits this choice.", icon=":material/search:")
    st.stop()
told = rows.with_columns(
    open=pl.format("/item?kind=episode&id={}&release={}", "episode_id", pl.lit(release.name)),
    publication=pl.format("/work?id={}&release={}", "publication_id", pl.lit(release.name)),
).select(*("entry", "open", "linked_url", "authors", "narrator", "begins", "publication", "linked_site", "publisher"))
st.dataframe(
    told,
    hide_index=True,
    column_config={
        **charts.columns(told, read.meanings(release, "clean.episodes")),
        "linked_url": st.column_config.LinkColumn("Text", display_text=r"^https?://(?:www\.)?([^/?#]+)", width=150),
        "begins": st.column_config.TextColumn("Notes begin", width="large"),
        "open": st.column_config.LinkColumn("Open", display_text="open", width=70),
        "publication": st.column_config.LinkColumn("Publication", display_text="publication", width=100),
    },
    key="episodes",
)
listing.downloads(
    f"aisle_{release.name}_episodes",
    "episodes",
    lambda: search.told(release, [("episode", identity) for identity in rows["episode_id"]]),
)
