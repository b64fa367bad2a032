"""The start page: contents of the lake, failed checks, news, trends and freshness."""

import datetime as dt
from dataclasses import replace

import streamlit as st

from dashboards.figures import shared
from dashboards.figures.figure import show_figure
from dashboards.queries import counts, overview
from dashboards.queries.checks import list_failed_checks
from dashboards.queries.corpora import CORPUS_TABLES, MAPPING, Corpus, find_widest, list_corpora
from dashboards.queries.findings import describe_trends
from dashboards.queries.freshness import FRESHNESS_TABLE, STALE_FETCH_DAYS, STALE_RECORD_DAYS, query_freshness
from dashboards.queries.lab_freshness import LAB_FRESHNESS_TABLE, query_lab_freshness
from dashboards.queries.release import list_readable_releases, select_release
from dashboards.queries.sources import REMOVED_TABLE
from dashboards.text import escape_markdown, format_count, format_name, format_release
from dashboards.widgets.corpora import select_corpus
from dashboards.widgets.evidence import show_removed_rows
from dashboards.widgets.news import show_news
from dashboards.widgets.parts import needs
from dashboards.widgets.tables import show_table
from warehouse.release import Release
from warehouse.search.items import ITEM_TABLES

COUNT_TABLES = (*counts.MACRO_TABLES, *CORPUS_TABLES, LAB_FRESHNESS_TABLE)


def choose_corpus(
    release: Release, corpus: Corpus | None, *, needs_lab: bool = False, needs_category: bool = False
) -> str | None:
    """The corpus of a figure: the chosen one, or without a choice the widest that answers its question."""
    corpora = list_corpora(release)
    if corpus is None or corpus.name != find_widest(corpora):
        return corpus.name if corpus else None
    return find_widest(corpora, needs_lab=needs_lab, needs_category=needs_category)


@needs("Publications per quarter", *counts.COUNTED_TABLES, "mart.publication_trends", optional=COUNT_TABLES)
def show_history(release: Release, corpus: str | None) -> None:
    """Show publications per quarter, by lab, of the newest years."""
    selection = replace(counts.select_newest_years(release, corpus), grain="quarter")
    if corpus in (None, MAPPING):
        whole = overview.list_trends(release, "all")["sentence"].to_list()
    else:
        whole = [finding.sentence for finding in describe_trends(release, selection)]
    show_figure(
        shared.build_history_figure(
            release,
            selection,
            "lab",
            title="Publications per quarter, by lab",
            key="all by lab",
            finding=whole[0] if whole else None,
        )
    )
    if selection.since:
        st.caption(f"Of works since {selection.since.year}; [Trends](trends) has earlier ones too.")


@needs("Share of publications per lab and year", *counts.COUNTED_TABLES, optional=COUNT_TABLES)
def show_lab_shares(release: Release, corpus: str | None) -> None:
    """Show the share of each lab per year."""
    show_figure(
        shared.build_history_figure(
            release,
            counts.select_works(release, corpus),
            "lab",
            title="Share of publications per lab and year",
            key="lab shares",
            finding=None,
            view="share",
        )
    )


@needs("Publications by category", *counts.COUNTED_TABLES, optional=COUNT_TABLES)
def show_categories(release: Release, corpus: str | None) -> None:
    """Show the share of each category."""
    selection = counts.select_works(release, corpus)
    show_figure(shared.build_mix_figure(release, selection, "category", title="Publications by category", key="mix"))


@needs("Trends of each lab and category", "mart.publication_trends")
def show_trends(release: Release) -> None:
    """Show a sentence on the trend of each lab and category of the published mapping."""
    with st.expander("Trends of each lab and category in the published mapping"):
        for of in ("lab", "category"):
            for row in overview.list_trends(release, of).iter_rows(named=True):
                st.markdown(f"- {escape_markdown(row['sentence'])}")


@needs("Rows removed from lists", REMOVED_TABLE)
def show_removed(release: Release) -> None:
    """Show a message for each list from which rows were removed."""
    show_removed_rows(release)


@needs("Freshness", FRESHNESS_TABLE)
def show_freshness(release: Release) -> None:
    """Show the newest snapshot and record of each source."""
    fresh = query_freshness(release, dt.datetime.now(dt.UTC).date())
    if fresh.is_empty():
        st.info("There are no sources yet.", icon=":material/search:")
        return
    show_table(fresh, key="fresh")
    st.caption(
        f"Stale: last fetched more than {STALE_FETCH_DAYS} days ago, or with a newest record older than "
        f"{STALE_RECORD_DAYS} days. Only sources that claim to cover a span of time have a day in “Covers until”."
    )


@needs("Freshness of labs", LAB_FRESHNESS_TABLE)
def show_lab_freshness(release: Release) -> None:
    """Show how far the works of each lab are known."""
    rows = query_lab_freshness(release, dt.datetime.now(dt.UTC).date())
    names = ("lab", "works", "newest_work_on", "newest_check_at", "followed_sources", "work_delays", "state")
    show_table(rows.select(names), key="labs up to today")
    st.caption(
        "The works that are still expected are in no count; they are estimated only for a lab of which at least 50 "
        "works were seen to come."
    )


release = select_release(optional=[*ITEM_TABLES, *CORPUS_TABLES, "raw.snapshots"])
st.title("AI safety research in numbers", anchor=False)
age = overview.count_days_since(release)
when = "today" if age == 0 else "yesterday" if age == 1 else f"{age:,} days ago"
contents = overview.count_contents(release)
corpus = select_corpus(release)
if corpus is not None:
    labs = len(corpus.labs.split("; ")) if corpus.labs else 0
    contents = {**contents, "works": corpus.works, "labs": labs}
st.caption(f"Data as of {format_release(release)}, published {when}.")

with st.container(horizontal=True, gap="medium"):
    for name, number in contents.items():
        if number or name in ("works", "publications"):
            st.metric(name.capitalize(), f"{number:,}", width="content")

failed = list_failed_checks(release)
if failed:
    st.warning(f"{format_count(len(failed), 'check')} of this release failed.", icon=":material/warning:")
    with st.expander("Details"):
        for check in failed:
            st.markdown(f"**{escape_markdown(check.table)}**, {escape_markdown(format_name(check.check))}")
            st.text(check.message)
elif release.manifest.get("checks"):
    st.success(
        f"All {len(release.manifest['checks']):,} checks of this release passed.", icon=":material/check_circle:"
    )

has_publications = bool(contents.get("works") or contents.get("publications"))
if not has_publications:
    st.info(
        "This release has no works. Add a file with `aisle add`, or enable a feed, then run `aisle run`.",
        icon=":material/search:",
    )

st.subheader("What is new", anchor=False)
show_removed(release)
releases = [each for each in list_readable_releases() if each.number <= release.number][::-1]
show_news(release, releases)
if len(releases) > 1:
    st.page_link("app_pages/changes.py", label="Why numbers changed", icon=":material/history:")
st.markdown(f"Bookmark for a browser that keeps no cookies: [what is new since {release.name}](?seen={release.name}).")

if overview.is_unfed(release):
    st.info(
        "Nothing here was fetched: the trends end with the bundled and added files. `aisle follow starter` shows what "
        "it would fetch from labs, arXiv, OpenAlex and forums, and brings the trends up to today.",
        icon=":material/rss_feed:",
    )

if has_publications:
    st.subheader("Trends", anchor=False)
    show_history(release, corpus.name if corpus else None)
    left, right = st.columns(2, gap="medium")
    with left:
        show_lab_shares(release, choose_corpus(release, corpus, needs_lab=True))
    with right:
        show_categories(release, choose_corpus(release, corpus, needs_category=True))
    show_trends(release)
    with st.container(horizontal=True):
        st.page_link("app_pages/trends.py", label="Explore the trends", icon=":material/trending_up:")
        st.page_link("app_pages/labs.py", label="Labs", icon=":material/apartment:")
        st.page_link("app_pages/categories.py", label="Categories", icon=":material/sell:")

if has_publications:
    st.subheader("Labs up to today", anchor=False)
    show_lab_freshness(release)
st.subheader("Freshness", anchor=False)
show_freshness(release)
