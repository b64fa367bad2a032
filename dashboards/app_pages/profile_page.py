"""The profile page of a lab or a category."""

from __future__ import annotations

import polars as pl
import streamlit as st

from dashboards.exports import html_report
from dashboards.exports.figure_files import Figure, build_address
from dashboards.figures.figure import show_figure
from dashboards.figures.profile import build_profile_figures
from dashboards.queries import counts, profile
from dashboards.queries.release import select_release
from dashboards.queries.selection import DIMENSION_PLURALS, Dimension
from dashboards.text import (
    build_page_addresses,
    build_permanent_link,
    escape_markdown,
    format_count,
    format_name,
    format_release,
    show_link,
    show_web_link,
)
from dashboards.widgets import filters
from dashboards.widgets.tables import configure_columns, configure_page_link, configure_site_link, show_table
from warehouse.release import Release

NEEDS = (
    *counts.COUNTED_TABLES,
    *("mart.publication_trends", "mart.publication_evidence", "reference.lab_aliases", "reference.category_crosswalk"),
)
_ICON = {"lab": ":material/apartment:", "category": ":material/sell:"}


def show_profile(dimension: Dimension) -> None:
    """Show the profile of the lab or category in the URL (``?lab=OpenAI``), else of the largest.

    Raises:
        NoRelease: There is no release.
        UnreadableRelease: The release is damaged or incomplete.
    """
    release = select_release(NEEDS, counts.MACRO_TABLES)
    names = profile.list_members_by_works(release, dimension)
    if not names:
        st.title(dimension.capitalize(), anchor=False)
        st.info(f"This release has no {DIMENSION_PLURALS[dimension]}.", icon=":material/search:")
        return
    heading = st.container()
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        name = filters.select_one(dimension.capitalize(), names, dimension, 320)
        rules = [rule.name for rule in counts.list_counting_rules(release)]
        rule = filters.select_one("Counting rule", rules, "count", 190)
    heading.title(f"{_ICON[dimension]} {escape_markdown(name)}", anchor=False)
    st.caption(f"Data as of {format_release(release)}")
    selection = profile.select_member(dimension, name, rule)
    evidence_counts = profile.query_evidence_counts(release, dimension, name)
    definitions = profile.list_definitions(release, dimension, name)
    with st.container():  # a container, so that a message does not move the tabs below it
        _show_definitions(dimension, definitions)
    totals = counts.query_totals(release, selection)
    if not evidence_counts["rows"]:
        st.info(f"This release has no publications of {escape_markdown(name)}.", icon=":material/search:")
        if not totals.dated:
            return
    with st.container(horizontal=True, gap="medium"):
        for measure in ("works", "rows", "marked_duplicates", "undated", "snapshots"):
            st.metric(measure.replace("_", " ").capitalize(), f"{evidence_counts[measure]:,}", width="content")
    concentration = profile.describe_concentration(release, dimension, name)
    with st.container():
        if concentration:
            st.write(escape_markdown(concentration))

    figures: list[Figure] = []
    if totals.selected or not totals.unattributed:
        figures = build_profile_figures(release, dimension, selection, name)
        show_figure(figures[0])
        for column, figure in zip(st.columns(2, gap="medium"), figures[1:], strict=False):
            with column:
                show_figure(figure)
    else:
        st.info("Nothing can be counted by this rule. Choose another counting rule above.", icon=":material/search:")

    newest = counts.list_papers(release, selection, "dated").head(profile.MAX_NEWEST_PAPERS)
    if figures and evidence_counts["rows"]:
        st.subheader("Newest publications", anchor=False)
        _show_newest(newest, release)
    st.subheader("Basis of the counts", anchor=False)
    bases = profile.list_label_bases(release, dimension, name)
    show_table(bases, key="bases")
    snapshots = format_count(evidence_counts["snapshots"], "snapshot")
    st.caption(
        f"{format_count(evidence_counts['rows'], 'row')} from {snapshots}; "
        f"marked as duplicates by their source: {evidence_counts['marked_duplicates']:,}; "
        f"without a date, not drawn over time: {evidence_counts['undated']:,}."
    )
    link = build_address(release)
    st.download_button(
        "Download as HTML page",
        lambda: html_report.build_html_report(
            release,
            name,
            [
                sentence
                for sentence in (
                    None if figures else f"Nothing can be counted by the rule {format_name(rule)}.",
                    concentration,
                    profile.query_trend_sentence(release, dimension, name),
                )
                if sentence
            ],
            figures,
            [
                ("Definition", definitions),
                ("Newest publications", newest.select("title", "lab", "category", "published_on", "url")),
                ("Basis of the counts", bases),
            ],
            link,
        ),
        f"{dimension}_{''.join(letter if letter.isalnum() else '_' for letter in name).lower()}_{release.name}.html",
        "text/html",
        on_click="ignore",
        icon=":material/description:",
        help="The profile with its charts in one HTML file, to print or send.",
    )
    with st.container(horizontal=True):
        st.markdown(f"[Permanent link to this profile]({build_permanent_link(release)})")
        parameters = {DIMENSION_PLURALS[dimension]: name, "count": rule}
        show_link("trends", "Explore its trends", parameters)


def _show_definitions(dimension: Dimension, definitions: pl.DataFrame) -> None:
    rows = definitions.to_dicts()
    if not rows:
        st.warning(
            f"This {dimension} is not in the reference list. It is counted under the name that its source gives.",
            icon=":material/warning:",
        )
    elif dimension == "lab":
        row = rows[0]
        also = f" · also written {escape_markdown(row['also_written'])}" if row["also_written"] else ""
        st.markdown(f"{escape_markdown((row['kind'] or 'unknown kind').capitalize())}{also}")
        show_web_link("Website", row["website"])
    else:
        for row in rows:
            correspondence = f" ({escape_markdown(row['correspondence'].rstrip('.'))})" if row["correspondence"] else ""
            definition = escape_markdown(row["definition"] or "not defined by its authors")
            category = f"{escape_markdown(row['category'])}{correspondence}"
            st.markdown(f"**{escape_markdown(row['taxonomy'])}**: {category}. {definition}")


def _show_newest(newest: pl.DataFrame, release: Release) -> None:
    if newest.is_empty():
        st.info("None of its publications has a date.", icon=":material/search:")
        return
    evidence = build_page_addresses("work", release, {"id": newest["publication_id"]})
    papers = newest.select(
        "published_on", "title", "lab", "category", evidence=pl.Series(evidence, dtype=pl.String), url="url"
    )
    show_table(
        papers,
        key="newest",
        column_config={
            **configure_columns(papers, {}),
            "title": st.column_config.TextColumn("Title", width="large"),
            "evidence": configure_page_link("evidence"),
            "url": configure_site_link("Link"),
        },
    )
