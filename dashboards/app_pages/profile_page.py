"""The profile page of a lab or a category."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl
import streamlit as st

from dashboards.exports import html_report
from dashboards.exports.figure_files import Figure, build_address
from dashboards.figures.figure import show_figure
from dashboards.figures.profile import build_profile_figures
from dashboards.queries import counts, profile
from dashboards.queries.corpora import CORPUS_TABLES, MAPPING, Corpus, find_taxonomy
from dashboards.queries.lab_freshness import LAB_TABLES
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
from dashboards.widgets.corpora import select_corpus
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
    release = select_release(NEEDS, [*counts.MACRO_TABLES, *CORPUS_TABLES, *LAB_TABLES, "clean.work_members"])
    heading = st.container()
    corpus = select_corpus(release, needs_lab=dimension == "lab", needs_category=dimension == "category")
    name_of_corpus = corpus.name if corpus else None
    names = profile.list_members_by_works(release, dimension, name_of_corpus)
    if not names:
        heading.title(dimension.capitalize(), anchor=False)
        st.info(f"This release has no {DIMENSION_PLURALS[dimension]}.", icon=":material/search:")
        return
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        name = filters.select_one(dimension.capitalize(), names, dimension, 320)
        rules = [rule.name for rule in counts.list_counting_rules(release, name_of_corpus)]
        rule = filters.select_one("Counting rule", rules, "count", 190)
    heading.title(f"{_ICON[dimension]} {escape_markdown(name)}", anchor=False)
    st.caption(f"Data as of {format_release(release)}")
    selection = profile.select_member(dimension, name, rule, find_taxonomy(release, name_of_corpus), name_of_corpus)
    definitions = profile.list_definitions(release, dimension, name)
    with st.container():  # a container, so that a message does not move the tabs below it
        _show_definitions(
            dimension, definitions, has_own_taxonomy=corpus is not None and corpus.taxonomy == corpus.name
        )
    totals = counts.query_totals(release, selection)
    is_mapping = corpus is None or corpus.name == MAPPING
    basis = _query_basis(release, dimension, name, corpus)
    if not basis.count:
        st.info(f"This release has no publications of {escape_markdown(name)}.", icon=":material/search:")
        if not totals.dated:
            return
    with st.container(horizontal=True, gap="medium"):
        for measure, count in basis.measures.items():
            st.metric(measure.replace("_", " ").capitalize(), f"{count:,}", width="content")
    concentration = profile.describe_concentration(release, dimension, name, name_of_corpus)
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
    if figures and basis.count:
        st.subheader("Newest publications", anchor=False)
        _show_newest(newest, release)
    st.subheader("Basis of the counts", anchor=False)
    show_table(basis.labels, key="bases")
    st.caption(basis.caption)
    link = build_address(release)
    trend = profile.query_trend(release, dimension, name) if is_mapping else None
    st.download_button(
        "Download as HTML page",
        lambda: html_report.build_html_report(
            release,
            name,
            [
                sentence
                for sentence in (
                    f"Corpus: {corpus.label}." if corpus else None,
                    None if figures else f"Nothing can be counted by the rule {format_name(rule)}.",
                    concentration,
                    trend.sentence if trend else None,
                )
                if sentence
            ],
            figures,
            [
                ("Definition", definitions),
                ("Newest publications", newest.select("title", "lab", "category", "published_on", "url")),
                ("Basis of the counts", basis.labels),
            ],
            link,
        ),
        f"{dimension}_{''.join(letter if letter.isalnum() else '_' for letter in name).lower()}"
        f"{f'_{corpus.name}' if corpus else ''}_{release.name}.html",
        "text/html",
        on_click="ignore",
        icon=":material/description:",
        help="The profile with its charts in one HTML file, to print or send.",
    )
    with st.container(horizontal=True):
        st.markdown(f"[Permanent link to this profile]({build_permanent_link(release)})")
        parameters = {DIMENSION_PLURALS[dimension]: name, "count": rule, **selection.corpus_parameters}
        show_link("trends", "Explore its trends", parameters)


@dataclass(frozen=True)
class _Basis:
    """What the counts of a lab or category rest on.

    Args:
        count: Number of publications, with marked duplicates.
        measures: Numbers to show, by name.
        labels: What assigns how many publications to it.
        caption: The numbers in a sentence.
    """

    count: int
    measures: Mapping[str, int]
    labels: pl.DataFrame
    caption: str


def _query_basis(release: Release, dimension: Dimension, name: str, corpus: Corpus | None) -> _Basis:
    if corpus is not None and corpus.name != MAPPING:
        works = profile.query_work_counts(release, dimension, name, corpus.name)
        caption = (
            f"{format_count(works['works'], 'work')} from {format_count(works['sources'], 'source')}; without a "
            f"category: {works['unlabelled']:,}; "
            f"without a known day or month, not drawn by month: {works['undated']:,}."
        )
        return _Basis(works["works"], works, profile.list_work_bases(release, dimension, name, corpus.name), caption)
    rows = profile.query_evidence_counts(release, dimension, name)
    caption = (
        f"{format_count(rows['rows'], 'row')} from {format_count(rows['snapshots'], 'snapshot')}; "
        f"marked as duplicates by their source: {rows['marked_duplicates']:,}; "
        f"without a date, not drawn over time: {rows['undated']:,}."
    )
    measures = {name: rows[name] for name in ("works", "rows", "marked_duplicates", "undated", "snapshots")}
    return _Basis(rows["rows"], measures, profile.list_label_bases(release, dimension, name), caption)


def _show_definitions(dimension: Dimension, definitions: pl.DataFrame, *, has_own_taxonomy: bool) -> None:
    rows = definitions.to_dicts()
    if not rows and dimension == "category" and has_own_taxonomy:
        st.caption("A category of this list, which gives no definition of it.")
    elif not rows:
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
    evidence = build_page_addresses("work", release, {"work": newest["publication_id"]})
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
