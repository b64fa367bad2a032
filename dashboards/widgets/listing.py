"""Lists of things, as several pages show them: a link to each, what is known of it, and a part of its text."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl
import streamlit as st

from dashboards import text as frames
from dashboards.exports import citations
from dashboards.exports import downloads as files

# texts stand under their titles
_STYLE = """<style>
.st-key-things .told, .st-key-things .said { font-size: 0.875rem; overflow-wrap: anywhere; }
.st-key-things .told { opacity: 0.75; }
</style>"""
WORK, ITEM = "work", "item"


def link(row: Mapping[str, Any]) -> None:
    """A link to the page of a thing, in the release that is being read.

    Args:
        row: Its ``kind``, ``item_id`` and ``title``.
    """
    is_work = row["kind"] == "publication"
    asked = {"id": row["item_id"]} if is_work else {"kind": row["kind"], "id": row["item_id"]}
    frames.lead(WORK if is_work else ITEM, _line(row["title"]), asked)


def _line(text: str | None) -> str:
    return " ".join((text or "").split()) or "(no title)"


def facts(row: Mapping[str, Any]) -> list[str]:
    """What is known of a thing besides its title and text, each in a few words."""
    day = row["published_on"]
    told = [row["kind"], row["lab"], row["category"], frames.written(day) if day else "no date known", row["authors"]]
    return [part for part in (*told, frames.plain(row["source"] or "")) if part]


def show(rows: pl.DataFrame, snippets: Sequence[Sequence[tuple[str, bool]]]) -> None:
    """A list of things.

    Args:
        rows: As `dashboards.queries.search.page` gives them.
        snippets: A part of the text of each, in pieces, each with whether it is to be brought out.
    """
    with st.container(gap="medium", key="things"):
        st.html(_STYLE)
        for row, pieces in zip(rows.iter_rows(named=True), snippets, strict=True):
            with st.container(gap=None):
                link(row)
                _said(row, pieces)


def _said(row: Mapping[str, Any], pieces: Sequence[tuple[str, bool]]) -> None:
    # escaped first and marked then: a text can be no tag, whatever it holds
    text = "".join(
        f"<mark>{html.escape(piece)}</mark>" if is_marked else html.escape(piece) for piece, is_marked in pieces
    )
    told = html.escape(" · ".join(facts(row)))
    st.html(f'<div class="told">{told}</div><div class="said">{text}</div>')


def downloads(name: str, key: str, rows: Callable[[], pl.DataFrame]) -> None:
    """Buttons that take things along, made only when asked for.

    Args:
        name: Name of the files, without an ending.
        key: Tells the buttons from others on the page.
        rows: The things, as `dashboards.queries.search.page` gives them.
    """
    cited = (
        files.File(label, ending, mime, lambda form=form: citations.file(rows(), form))
        for label, ending, mime, form in citations.FORMS
    )
    files.offer(name, (*cited, *files.of_table(rows)), key)
