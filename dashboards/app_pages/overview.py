"""The start page: contents of the lake, failed checks, news, trends and freshness."""

import datetime as dt

import polars as pl
import streamlit as st

from dashboards.figures import shared
from dashboards.figures.figure import show_figure
from dashboards.queries import counts, overview
from dashboards.queries.checks import list_failed_checks
from dashboards.queries.freshness import FRESHNESS_TABLE, STALE_FETCH_DAYS, STALE_RECORD_DAYS, query_freshness
from dashboards.queries.release import list_readable_releases, select_release
from dashboards.queries.selection import Selection
from dashboards.queries.sources import REMOVED_TABLE
from dashboards.text import build_page_addresses, escape_markdown, format_count, format_name, format_release
from dashboards.widgets import filters
from dashboards.widgets.evidence import show_removed_rows
from dashboards.widgets.parts import needs
from dashboards.widgets.tables import configure_columns, configure_page_link, show_table
from warehouse.release import Release
from warehouse.search.items import ITEM_TABLES


@needs("Publications per quarter", *counts.COUNTED_TABLES, "mart.publication_trends", optional=counts.MACRO_TABLES)
def show_history(release: Release) -> None:
    """Show all publications per quarter, by lab."""
    whole = overview.list_trends(release, "all")["sentence"].to_list()
    show_figure(
        shared.build_history_figure(
            release,
            Selection(rule=counts.find_works_rule(release), grain="quarter"),
            "lab",
            title="Publications per quarter, by lab",
            key="all by lab",
            finding=whole[0] if whole else None,
        )
    )


@needs("Share of publications per lab and year", *counts.COUNTED_TABLES, optional=counts.MACRO_TABLES)
def show_lab_shares(release: Release) -> None:
    """Show the share of each lab per year."""
    show_figure(
        shared.build_history_figure(
            release,
            Selection(rule=counts.find_works_rule(release)),
            "lab",
            title="Share of publications per lab and year",
            key="lab shares",
            finding=None,
            view="share",
        )
    )


@needs("Publications by category", *counts.COUNTED_TABLES, optional=counts.MACRO_TABLES)
def show_categories(release: Release) -> None:
    """Show the share of each category."""
    selection = Selection(rule=counts.find_works_rule(release))
    show_figure(shared.build_mix_figure(release, selection, "category", title="Publications by category", key="mix"))


@needs("Trends of each lab and category", "mart.publication_trends")
def show_trends(release: Release) -> None:
    """Show a sentence on the trend of each lab and category."""
    with st.expander("Trends of each lab and category"):
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


release = select_release(optional=[*ITEM_TABLES, "raw.snapshots"])
st.title("AI safety research in numbers", anchor=False)
age = overview.count_days_since(release)
when = "today" if age == 0 else "yesterday" if age == 1 else f"{age:,} days ago"
st.caption(f"Data as of {format_release(release)}, published {when}.")

contents = overview.count_contents(release)
with st.container(horizontal=True, gap="medium"):
    for name, number in contents.items():
        if number or name == "publications":
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

if not contents.get("publications"):
    st.info(
        "This release has no publications. Add a sheet with `aisle add`, then run `aisle run`.",
        icon=":material/search:",
    )

st.subheader("What is new", anchor=False)
show_removed(release)
releases = [each for each in list_readable_releases() if each.number <= release.number]
# the newest release at the start of the session, so that one published later shows what it added
seen_first = st.session_state.setdefault("seen_first", release.name)
names = [each.name for each in releases][::-1]
if len(releases) < 2:
    st.write("This is the first release. From the second release on, new publications are listed here.")
else:
    first = seen_first if seen_first in names[1:] else names[1]
    since = filters.select_one("Since release", names, "seen", 160, first, "The last release that you have seen.")
    older = next(each for each in releases if each.name == since)
    new = overview.list_new_publications(release, older)
    changed = overview.list_changed_tables(release, older)
    new_publications = format_count(new["in_all"].item(0) if new.height else 0, "new publication")
    changed_tables = format_count(changed.height, "changed table")
    st.caption(f"Since {format_release(older)}: {new_publications}, {changed_tables}.")
    if not new.is_empty():
        addresses = build_page_addresses("work", release, {"id": new["publication_id"]})
        listed = new.drop("publication_id", "in_all").with_columns(open=pl.Series(addresses, dtype=pl.String))
        config = {
            **configure_columns(listed, {}),
            "title": st.column_config.TextColumn("Title", width="large"),
            "open": configure_page_link("open"),
        }
        show_table(listed, column_config=config, height=min(36 + 35 * new.height, 290), key="new")
    if not changed.is_empty():
        with st.expander("Changed tables"):
            show_table(changed, key="changed")
    st.page_link("app_pages/changes.py", label="Why numbers changed", icon=":material/history:")
st.markdown(f"Bookmark for your next visit: [what is new since {release.name}](?seen={release.name})")

if contents.get("publications"):
    st.subheader("Trends", anchor=False)
    show_history(release)
    left, right = st.columns(2, gap="medium")
    with left:
        show_lab_shares(release)
    with right:
        show_categories(release)
    show_trends(release)
    with st.container(horizontal=True):
        st.page_link("app_pages/trends.py", label="Explore the trends", icon=":material/trending_up:")
        st.page_link("app_pages/labs.py", label="Labs", icon=":material/apartment:")
        st.page_link("app_pages/categories.py", label="Categories", icon=":material/sell:")

st.subheader("Freshness", anchor=False)
show_freshness(release)
