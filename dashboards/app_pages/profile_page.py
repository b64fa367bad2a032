"""The page of a lab or of a category; both are drawn alike."""

from __future__ import annotations

import polars as pl
import streamlit as st

from dashboards import text as frames
from dashboards.charts import palette
from dashboards.exports import html_report
from dashboards.figures import figure
from dashboards.queries import counts, profile
from dashboards.queries import release as read
from dashboards.queries.counts import Dimension
from dashboards.widgets import filters

_ICON = {"lab": ":material/apartment:", "category": ":material/sell:"}


def show(dimension: Dimension) -> None:
    """Draw the profile of the lab or category that the address names (``?lab=OpenAI``), else of the largest.

    Raises:
        NoRelease: Nothing was released yet.
        UnreadableRelease: There is a release, but not whole.
    """
    release = read.chosen()
    names = profile.names(release, dimension)
    if not names:
        st.title(dimension.capitalize(), anchor=False)
        st.info(f"This release knows no {dimension}.", icon=":material/search:")
        return
    heading = st.container()
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        name = filters.pick(dimension.capitalize(), names, dimension, 320)
        rules = [rule.name for rule in counts.rules(release)]
        rule = filters.pick("Counting rule", rules, "count", 190, "works")
    heading.title(f"{_ICON[dimension]} {frames.text(name)}", anchor=False)
    st.caption(f"Data as of {frames.dated(release)}")
    chosen = profile.selection(dimension, name, rule)
    rests = profile.rests_on(release, dimension, name)
    meant = profile.definitions(release, dimension, name)
    with st.container():  # what comes and goes in one place does not move the tabs below it
        _defined(dimension, meant)
    counted = counts.totals(release, chosen)
    if not rests["rows"]:
        st.info(f"This release holds no publication of {name}.", icon=":material/search:")
        if not counted.dated:
            return
    with st.container(horizontal=True, gap="medium"):
        for told in ("works", "rows", "marked_duplicates", "undated", "snapshots"):
            st.metric(told.replace("_", " ").capitalize(), f"{rests[told]:,}", width="content")
    concentrated = profile.concentration(release, dimension, name)
    said = st.container()
    if concentrated:
        said.write(frames.text(concentrated))

    drawn: list[figure.Figure] = []
    if counted.selected or not counted.unattributed:
        drawn = profile.figures(release, dimension, chosen, name)
        figure.show(drawn[0])
        for column, part in zip(st.columns(2, gap="medium"), drawn[1:], strict=False):
            with column:
                figure.show(part)
    else:
        st.info(
            "By this rule nothing can be counted here: choose another counting rule above.", icon=":material/search:"
        )

    newest = counts.papers(release, chosen, "dated").head(profile.NEWEST)
    if drawn and rests["rows"]:
        st.subheader("Newest publications", anchor=False)
        _listed(newest, release.name)
    st.subheader("What the counts rest on", anchor=False)
    bases = profile.bases(release, dimension, name)
    palette.table(bases, key="bases")
    st.caption(
        f"{frames.counted(rests['rows'], 'row')} of {frames.counted(rests['snapshots'], 'snapshot')}; "
        f"marked as duplicates by their source: {rests['marked_duplicates']:,}; "
        f"without a date, and so in no chart over time: {rests['undated']:,}."
    )
    link = figure.address(release)
    st.download_button(
        "One page to hand on",
        lambda: html_report.page(
            release,
            name,
            [
                sentence
                for sentence in (
                    None if drawn else f"By the rule {frames.plain(rule)} nothing can be counted here.",
                    concentrated,
                    profile.finding(release, dimension, name),
                )
                if sentence
            ],
            drawn,
            [
                ("What it is", meant),
                ("Newest publications", newest.select("title", "lab", "category", "published_on", "url")),
                ("What the counts rest on", bases),
            ],
            link,
        ),
        f"{dimension}_{''.join(letter if letter.isalnum() else '_' for letter in name).lower()}_{release.name}.html",
        "text/html",
        on_click="ignore",
        icon=":material/description:",
        help="A single HTML file with the charts in it: to print, to send, to keep.",
    )
    with st.container(horizontal=True):
        st.markdown(f"[Permanent link to this profile]({frames.permanent_link(release)})")
        query = {f"{ {'lab': 'labs', 'category': 'categories'}[dimension] }": name, "count": rule}
        frames.lead("trends", "Explore its trends", query)


def _defined(dimension: Dimension, meant: pl.DataFrame) -> None:
    """What a lab or category is, in words."""
    rows = meant.to_dicts()
    if not rows:
        st.warning(
            f"The reference does not know this {dimension}: it is counted under the name of its source.",
            icon=":material/warning:",
        )
    elif dimension == "lab":
        row = rows[0]
        also = f" · also written {frames.text(row['also_written'])}" if row["also_written"] else ""
        st.markdown(f"{frames.text((row['kind'] or 'kind not known').capitalize())}{also}")
        if palette.is_link(row["website"]):
            st.link_button("Website", row["website"], icon=":material/open_in_new:")
    else:
        for row in rows:
            how = f" ({frames.text(row['correspondence'].rstrip('.'))})" if row["correspondence"] else ""
            said = frames.text(row["definition"] or "not defined by its authors")
            st.markdown(f"**{frames.text(row['taxonomy'])}**: {frames.text(row['category'])}{how}. {said}")


def _listed(newest: pl.DataFrame, release: str) -> None:
    if newest.is_empty():
        st.info("None of them has a date.", icon=":material/search:")
        return
    evidence = pl.format("/work?id={}&release={}", "publication_id", pl.lit(release))
    shown = newest.select("published_on", "title", "lab", "category", evidence=evidence, url="url")
    palette.table(
        shown,
        key="newest",
        column_config={
            **palette.columns(shown, {}),
            "title": st.column_config.TextColumn("Title", width="large"),
            "evidence": palette.to_page("evidence"),
            "url": palette.to_site("Link"),
        },
    )
