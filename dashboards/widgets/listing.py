"""Lists of items: link, facts and snippet of each, and downloads."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl
import streamlit as st

from dashboards.exports.citations import CITATION_FORMATS, build_citation_file
from dashboards.exports.downloads import DownloadFile, build_table_files, show_download_buttons
from dashboards.text import (
    clean_line,
    format_date,
    format_name,
    remove_direction_signs,
    shorten_title,
    show_link,
)
from warehouse.search.items import UNLABELLED

MAX_AUTHORS = 12
_STYLE = """<style>
.st-key-items .facts, .st-key-items .snippet { font-size: 0.875rem; overflow-wrap: anywhere; }
.st-key-items .facts { opacity: 0.75; }
</style>"""


def show_item_link(row: Mapping[str, Any]) -> None:
    """Show a link to the page of an item.

    Args:
        row: Its ``kind``, ``item_id`` and ``title``.
    """
    title = shorten_title(row["title"])
    if row["kind"] in ("work", "publication"):
        show_link("work", title, {"work": row["item_id"]})
    else:
        show_link("item", title, {"kind": row["kind"], "id": row["item_id"]})


def list_facts(row: Mapping[str, Any]) -> list[str]:
    """Kind, lab, category, date, authors and source of an item, as far as known, and in how many places it is found."""
    day = row["published_on"]
    date = format_date(day) if day else "no date"
    category = row["category"] or (UNLABELLED if row["kind"] == "work" else None)
    source = format_name(row["source"] or "")
    if (row["places"] or 0) > 1:
        source = f"found in {row['places']:,} places: {source}"
    facts = [row["kind"], row["lab"], category, date, shorten_authors(row["authors"] or ""), source]
    return [fact for fact in facts if fact]


def shorten_authors(authors: str) -> str:
    """The authors, or the first `MAX_AUTHORS` and how many more there are."""
    names = authors.split("; ")
    if len(names) <= MAX_AUTHORS:
        return authors
    return f"{'; '.join(names[:MAX_AUTHORS])} and {len(names) - MAX_AUTHORS:,} more"


def show_items(rows: pl.DataFrame, snippets: Sequence[Sequence[tuple[str, bool]]]) -> None:
    """Show a list of items.

    Args:
        rows: Rows of `dashboards.queries.search.list_page`.
        snippets: A part of the text of each, in pieces, each with whether it is highlighted.
    """
    with st.container(gap="medium", key="items"):
        st.html(_STYLE)
        for row, pieces in zip(rows.iter_rows(named=True), snippets, strict=True):
            with st.container(gap=None):
                show_item_link(row)
                _show_facts_and_snippet(row, pieces)


def _show_facts_and_snippet(row: Mapping[str, Any], pieces: Sequence[tuple[str, bool]]) -> None:
    # escaped before the marks are added, so that no text is read as a tag
    snippet = "".join(
        f"<mark>{html.escape(piece)}</mark>" if is_marked else html.escape(piece)
        for piece, is_marked in ((remove_direction_signs(piece), is_marked) for piece, is_marked in pieces)
    )
    facts = html.escape(clean_line(" · ".join(list_facts(row))))
    st.html(f'<div class="facts" dir="auto">{facts}</div><div class="snippet" dir="auto">{snippet}</div>')


def show_item_downloads(name: str, key: str, read_rows: Callable[[], pl.DataFrame]) -> None:
    """Show download buttons for items: citations in each format, CSV and Parquet.

    Args:
        name: File name without extension.
        key: Identifies the buttons on the page.
        read_rows: Returns rows with the columns of `dashboards.queries.search.list_page`.
    """
    citation_files = (
        DownloadFile(label, extension, mime, lambda form=form: build_citation_file(read_rows(), form))
        for label, extension, mime, form in CITATION_FORMATS
    )
    show_download_buttons(name, (*citation_files, *build_table_files(read_rows)), key)
