"""What is new since the last visit, a release or a day, and in the last week and month, of items of all kinds."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

import polars as pl
import streamlit as st

from dashboards.queries import news, overview
from dashboards.queries.selection import parse_span
from dashboards.queries.visits import find_release_at, name_cookie, parse_visits
from dashboards.text import build_page_address, escape_markdown, format_count, format_date, format_release
from dashboards.widgets.parts import needs
from dashboards.widgets.tables import configure_columns, configure_page_link, show_table
from warehouse.release import Release
from warehouse.search.items import ITEM_TABLES

WEEK_DAYS, MONTH_DAYS = 7, 30
LAST_VISIT = "last visit"
_SINGULARS = {
    "entries of other feeds": "entry of another feed",
    "segments of forum pages": "segment of a forum page",
    "records that are no works": "record that is no work",
}


class Since(NamedTuple):
    """What a release is compared with: an earlier release, or the items that were known at a moment or before a day."""

    start: Release | dt.date
    label: str


def parse_day(text: str) -> dt.date | None:
    """A day as 2026-11-20, or the first day of the month, quarter or year that was written."""
    with contextlib.suppress(ValueError):
        return dt.date.fromisoformat(text.strip())
    span = parse_span(text)
    return span[0] if span else None


def find_last_visit() -> dt.datetime | None:
    """When this browser opened the pages in the visit before this one, if it knows."""
    cookie = st.context.cookies.get(name_cookie())
    # an app test has no browser, and a stand-in for each cookie
    visits = parse_visits(cookie if isinstance(cookie, str) else None, dt.datetime.now(dt.UTC))
    return visits.last_at if visits else None


def select_since(releases: Sequence[Release], visited_at: dt.datetime | None) -> Since | None:
    """Show the choice of the last visit, a release or a day; by default the last visit, if it is known.

    Else it is the newest release at the start of the session, or the release before.

    Args:
        releases: The release that is shown, and all before it, newest first.
        visited_at: When this browser opened the pages in its last visit.
    """
    names = [release.name for release in releases]
    # so that a release published during the session shows what it added
    seen_first = st.session_state.setdefault("seen_first", names[0])
    wanted = st.session_state.get("seen", st.query_params.get("seen"))
    if wanted == LAST_VISIT and visited_at is None:
        st.info("This browser has no cookie of an earlier visit.", icon=":material/history:")
    elif wanted not in (None, LAST_VISIT, *names) and parse_day(str(wanted)) is None:
        st.warning(
            f"Since: {escape_markdown(str(wanted)[:200])} is neither a release nor a day such as 2026-11-20. "
            "It is ignored.",
            icon=":material/warning:",
        )
    options = names[len(names) > 1 and wanted != names[0] :]
    if visited_at or wanted == LAST_VISIT:
        options = [LAST_VISIT, *options]
    if wanted not in (None, LAST_VISIT, *names):
        options = [*options, str(wanted)]
    default = seen_first if seen_first in names[1:] else names[min(1, len(names) - 1)]
    if visited_at:
        default = LAST_VISIT
    chosen = st.selectbox(
        "Since",
        options,
        index=options.index(default) if default in options and (visited_at or len(names) > 1) else None,
        key="seen",
        width=200,
        placeholder="such as 2026-11-20",
        accept_new_options=True,
        bind="query-params",
        help="Your last visit, which a cookie of this browser knows; a release; or a day such as 2026-11-20.",
    )
    if chosen == LAST_VISIT and visited_at:
        release = find_release_at(releases, visited_at)
        return Since(release or visited_at, f"Since your last visit, {format_date(visited_at.date())}")
    if chosen in names:
        release = releases[names.index(str(chosen))]
        return Since(release, f"Since {format_release(release)}")
    day = parse_day(str(chosen)) if chosen else None
    return Since(day, f"Since {format_date(day)}") if day else None


@needs("What is new", optional=ITEM_TABLES)
def show_news(release: Release, releases: Sequence[Release]) -> None:
    """Show what the lake has gained, as counts by kind and as the newest items.

    Args:
        release: The release that is shown.
        releases: This release and all before it, newest first.
    """
    since = select_since(releases, find_last_visit())
    today = dt.datetime.now(dt.UTC).date()
    spans = {"this_week": today - dt.timedelta(WEEK_DAYS), "this_month": today - dt.timedelta(MONTH_DAYS)}
    counts = news.count_since(release, spans)
    found, start = None, since.start if since else None
    if isinstance(start, Release):
        found = news.find_news_since_release(release, start)
    elif start:
        found = news.find_news_since(release, start)
    if found is not None:
        column = pl.col("what").replace_strict(found.counts, default=0, return_dtype=pl.Int64)
        counts = counts.with_columns(since=column)
    config = configure_columns(counts, {})
    config["what"] = st.column_config.TextColumn("")
    if since and "since" in counts.columns:
        config["since"] = st.column_config.NumberColumn(since.label.partition(",")[0], format="localized")
    show_table(counts, column_config=config, key="gained", width="content")
    st.caption(
        f"By the day on which this lake first saw them; this week are the last {WEEK_DAYS} days, this month the last "
        f"{MONTH_DAYS}."
    )
    if len(releases) < 2:
        st.write("This is the first release. From the second release on, what is new since one is listed here.")
    if since and found is not None:
        _show_newest(release, found, since)


def _show_newest(release: Release, found: news.News, since: Since) -> None:
    parts = [format_count(items, f"new {_make_singular(what)}", f"new {what}") for what, items in found.counts.items()]
    parts = parts or ["nothing new"]
    changed = overview.list_changed_tables(release, since.start) if isinstance(since.start, Release) else None
    if changed is not None:
        parts.append(format_count(changed.height, "changed table"))
    st.caption(f"{since.label}: {', '.join(parts)}.")
    if not found.newest.is_empty():
        listed = found.newest.select(
            "kind",
            "title",
            "lab",
            "published_on",
            open=pl.Series(
                [_build_address(release, row) for row in found.newest.iter_rows(named=True)], dtype=pl.String
            ),
        )
        config = {
            **configure_columns(listed, {}),
            "title": st.column_config.TextColumn("Title", width="large"),
            "open": configure_page_link("open"),
        }
        show_table(listed, column_config=config, height=min(36 + 35 * listed.height, 290), key="new")
        if sum(found.counts.values()) > listed.height:
            st.caption(f"The newest {listed.height}, works first.")
    if changed is not None and not changed.is_empty():
        with st.expander("Changed tables"):
            show_table(changed, key="changed")


def _make_singular(what: str) -> str:
    return _SINGULARS.get(what, what.removesuffix("s"))


def _build_address(release: Release, row: dict[str, object]) -> str:
    if row["kind"] in ("work", "publication"):
        return build_page_address("work", {"work": str(row["item_id"]), "release": release.name})
    return build_page_address("item", {"kind": str(row["kind"]), "id": str(row["item_id"]), "release": release.name})
