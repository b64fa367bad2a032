"""Parts of the page of a work: the places where it was found, and what these state about it."""

from __future__ import annotations

import datetime as dt
import html
from collections.abc import Mapping
from typing import Any

import polars as pl
import streamlit as st

from dashboards.queries import work
from dashboards.queries.release import query_column_meanings
from dashboards.text import (
    build_web_link,
    clean_line,
    escape_markdown,
    format_count,
    format_date,
    format_host,
    format_name,
)
from dashboards.widgets import listing
from dashboards.widgets.parts import needs
from dashboards.widgets.tables import configure_columns, configure_site_link, show_table
from warehouse.release import Release

MAX_PLACES = 20
_STYLE = """<style>
.place { margin-bottom: 0.6rem; overflow-wrap: anywhere; }
.place .how { font-size: 0.875rem; opacity: 0.75; }
</style>"""


def _show_rows(release: Release, rows: pl.DataFrame, table: str, key: str) -> None:
    """Show rows with the dictionary entries of a table as help, without columns that are empty."""
    empty = [name for name in rows.columns if rows[name].null_count() == rows.height]
    shown = rows.drop(empty)
    config = configure_columns(shown, query_column_meanings(release, table))
    if "url" in shown.columns:
        config["url"] = configure_site_link("Link")
    show_table(shown, column_config=config, key=key)


@needs("Found in", *work.WORK_TABLES)
def show_places(release: Release, work_id: str) -> None:
    """Show each record of the work with its place, date and link, and how it was linked."""
    members = work.list_members(release, work_id)
    st.subheader(f"Found in {format_count(members.height, 'place')}", anchor=False)
    st.html(_STYLE + "".join(_build_place(row) for row in members.head(MAX_PLACES).iter_rows(named=True)))
    with st.expander("All places as a table"):
        _show_rows(release, members, "clean.work_members", "places")


def _build_place(row: Mapping[str, Any]) -> str:
    """HTML of a place: where, when, its link, and how it was linked."""
    link = build_web_link(row["url"])
    host = format_host(row["url"])
    address = (
        f'<a href="{html.escape(link)}" target="_blank" rel="noreferrer">{html.escape(host)}</a>'
        if link and host
        else ""
    )
    facts = [html.escape(clean_line(fact)) for fact in (format_name(row["source"]), describe_date(row))]
    how = f"{row['step']}: {row['evidence']}" if row["step"] != "first" else row["evidence"]
    decided = f"{how} (decided by {row['decided_by']})" if row["step"] != "first" else how
    return (
        f'<div class="place" dir="auto"><b>{html.escape(clean_line(row["found_in"]))}</b> · '
        f"{' · '.join(part for part in (*facts, address) if part)}<br>"
        f'<span class="how">{html.escape(clean_line(decided))}</span></div>'
    )


def describe_date(row: Mapping[str, Any]) -> str:
    """A date as precisely as it is known, and what it is of: 5 Oct 2023 (page)."""
    day: dt.date | None = row["published_on"]
    if day is None:
        return "no date"
    date = {"month": f"{day:%b %Y}", "year": str(day.year)}.get(row["date_precision"] or "", format_date(day))
    return f"{date} ({format_name(row['date_kind'])})" if row["date_kind"] else date


@needs("May be the same", "clean.work_candidates", "clean.works")
def show_candidates(release: Release, work_id: str) -> None:
    """Show links to the works that may be the same, if there are any."""
    candidates = work.list_candidates(release, work_id)
    if candidates.is_empty():
        return
    st.subheader("May be the same", anchor=False)
    for row in candidates.iter_rows(named=True):
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            listing.show_item_link(row)
            st.caption(f"{escape_markdown(row['why'] or '')} · {row['similarity']:.0%} alike")
    st.caption("Not alike enough to be counted as one work without a person's decision.")


@needs("Dates", "clean.work_dates")
def show_dates(release: Release, work_id: str) -> None:
    """Show each date, which is shown, and the rule that chose it."""
    dates = work.list_dates(release, work_id)
    if dates.is_empty():
        st.caption("None of its records has a date: it is counted as undated.")
    else:
        _show_rows(release, dates, "clean.work_dates", "dates")


@needs("Versions", "clean.work_versions")
def show_versions(release: Release, work_id: str) -> None:
    """Show its versions on arXiv with their days, if its records have any."""
    versions = work.list_versions(release, work_id)
    if versions.is_empty():
        return
    st.subheader("Versions on arXiv", anchor=False)
    _show_rows(release, versions, "clean.work_versions", "versions")
    if versions["submitted_on"].null_count():
        st.caption("A version without a day is known from an address only.")


@needs("Labs and authors", "clean.work_labs", "clean.work_authors")
def show_labs(release: Release, work_id: str) -> None:
    """Show its labs with their basis, and its authors."""
    labs = work.list_labs(release, work_id)
    if labs.is_empty():
        st.caption("No followed lab is known for it: neither a list, nor its site, nor an affiliation names one.")
    else:
        _show_rows(release, labs, "clean.work_labs", "labs")
    authors = work.list_authors(release, work_id)
    if not authors.is_empty():
        with st.expander(f"{format_count(authors.height, 'author')}, merged from all places"):
            _show_rows(release, authors, "clean.work_authors", "authors")


@needs("Labels", "clean.work_labels")
def show_labels(release: Release, work_id: str) -> None:
    """Show its categories by list."""
    labels = work.list_labels(release, work_id)
    if labels.is_empty():
        st.caption("No list labels it: counts by category have it under “(unlabelled)”.")
    else:
        _show_rows(release, labels, "clean.work_labels", "labels")


@needs("Conflicts", "clean.work_conflicts")
def show_conflicts(release: Release, work_id: str) -> None:
    """Show what its records state differently, if anything."""
    conflicts = work.list_conflicts(release, work_id)
    if conflicts.is_empty():
        return
    st.subheader("Stated differently", anchor=False)
    for row in conflicts.iter_rows(named=True):
        st.markdown(f"- {escape_markdown(format_name(row['field']))}: {escape_markdown(row['statements'])}")


@needs("Identifiers", "clean.work_identifiers")
def show_identifiers(release: Release, work_id: str) -> None:
    """Show its identifiers and the canonical forms of its links."""
    identifiers = work.list_identifiers(release, work_id)
    with st.expander(f"{format_count(identifiers.height, 'identifier')}: any of them finds it in the search"):
        _show_rows(release, identifiers, "clean.work_identifiers", "identifiers")


def show_history(release: Release, work_id: str) -> None:
    """Show which works this one was made of or lost records to, and why, if the release knows of any."""
    if work.HISTORY_TABLE not in release.manifest["tables"]:
        return
    history = work.list_history(release, work_id)
    if history.is_empty():
        return
    st.subheader("History", anchor=False)
    _show_rows(release, history, work.HISTORY_TABLE, "history")
    st.caption("An address with an earlier identifier leads to the work that has its records now.")
