"""What is new since a release or a day, and in the last week and month: works, posts, episodes and others alike."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Sequence

import polars as pl
import streamlit as st

from dashboards.queries import news, overview
from dashboards.queries.selection import parse_span
from dashboards.text import build_page_address, escape_markdown, format_count, format_date, format_release
from dashboards.widgets.parts import needs
from dashboards.widgets.tables import configure_columns, configure_page_link, show_table
from warehouse.release import Release
from warehouse.search.items import ITEM_TABLES

WEEK_DAYS, MONTH_DAYS = 7, 30
_SINGULARS = {
    "entries of other feeds": "entry of another feed",
    "segments of forum pages": "segment of a forum page",
    "records that are no works": "record that is no work",
}


def parse_day(text: str) -> dt.date | None:
    """A day as 2026-11-20, or the first day of the month, quarter or year that was written."""
    with contextlib.suppress(ValueError):
        return dt.date.fromisoformat(text.strip())
    span = parse_span(text)
    return span[0] if span else None


def select_since(releases: Sequence[Release]) -> Release | dt.date | None:
    """Show the choice of a release or a day; by default the newest release at the start of the session.

    Args:
        releases: The release that is shown, and all before it, newest first.
    """
    names = [release.name for release in releases]
    # so that a release published during the session shows what it added
    seen_first = st.session_state.setdefault("seen_first", names[0])
    default = seen_first if seen_first in names[1:] else names[min(1, len(names) - 1)]
    wanted = st.session_state.get("seen", st.query_params.get("seen"))
    is_known = wanted is None or wanted in names or parse_day(str(wanted)) is not None
    if not is_known:
        st.warning(
            f"Since: {escape_markdown(str(wanted)[:200])} is neither a release nor a day such as 2026-11-20. "
            "It is ignored.",
            icon=":material/warning:",
        )
    options = [*names[len(names) > 1 and wanted != names[0] :], *([] if wanted in (None, *names) else [str(wanted)])]
    chosen = st.selectbox(
        "Since",
        options,
        index=options.index(default) if default in options and len(names) > 1 else None,
        key="seen",
        width=200,
        placeholder="such as 2026-11-20",
        accept_new_options=True,
        bind="query-params",
        help="A release, such as the last that you have seen, or a day, such as that of your last visit: 2026-11-20.",
    )
    if chosen in names:
        return releases[names.index(str(chosen))]
    return parse_day(str(chosen)) if chosen else None


@needs("What is new", optional=ITEM_TABLES)
def show_news(release: Release, releases: Sequence[Release]) -> None:
    """Show what the lake has gained, as counts by kind and as the newest items.

    Args:
        release: The release that is shown.
        releases: This release and all before it, newest first.
    """
    since = select_since(releases)
    today = dt.datetime.now(dt.UTC).date()
    spans = {"this_week": today - dt.timedelta(WEEK_DAYS), "this_month": today - dt.timedelta(MONTH_DAYS)}
    counts = news.count_since(release, spans)
    label = ""
    found = None
    if isinstance(since, Release):
        found, label = news.find_news_since_release(release, since), f"Since {format_release(since)}"
    elif since:
        found, label = news.find_news_since_day(release, since), f"Since {format_date(since)}"
    if found is not None:
        column = pl.col("what").replace_strict(found.counts, default=0, return_dtype=pl.Int64)
        counts = counts.with_columns(since=column)
    config = configure_columns(counts, {})
    config["what"] = st.column_config.TextColumn("")
    if "since" in counts.columns:
        config["since"] = st.column_config.NumberColumn(label.partition(",")[0], format="localized")
    show_table(counts, column_config=config, key="gained", width="content")
    st.caption(
        f"By the day on which this lake first saw them; this week are the last {WEEK_DAYS} days, this month the last "
        f"{MONTH_DAYS}."
    )
    if len(releases) < 2:
        st.write("This is the first release. From the second release on, what is new since one is listed here.")
    if found is None:
        return
    _show_newest(release, found, label, since)


def _show_newest(release: Release, found: news.News, label: str, since: Release | dt.date | None) -> None:
    parts = [format_count(items, f"new {_make_singular(what)}", f"new {what}") for what, items in found.counts.items()]
    parts = parts or ["nothing new"]
    changed = overview.list_changed_tables(release, since) if isinstance(since, Release) else None
    if changed is not None:
        parts.append(format_count(changed.height, "changed table"))
    st.caption(f"{label}: {', '.join(parts)}.")
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
