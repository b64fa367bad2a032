"""What all pages show above their contents: whether the data are stale, and unknown parameters of the address."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from typing import NoReturn

import streamlit as st

from dashboards.queries.freshness import describe_staleness
from dashboards.queries.release import MissingData, UnreadableRelease, find_release
from dashboards.queries.search import FACETS
from dashboards.text import CORPUS_KEY, escape_markdown
from warehouse.release import NoRelease

# parameters that pages read without a widget of the same name, or whose widget shows only with certain data; by path
_READ_PARAMETERS = {
    "": {"seen"},
    **{path: {CORPUS_KEY} for path in ("labs", "categories")},
    "trends": {CORPUS_KEY, "suggested"},
    "work": {"work", "id", "publication", "paper"},
    "item": {"kind", "id"},
    "works": {*FACETS, "page"},
    "discussion": {"author", "kinds"},
    "curriculum": {"site", "feed"},
    "review": {"work"},
    "sql": {"mark", "across", "up", "by"},
    "checks": {"outcome"},
    "changes": {"old", "new", "counts"},
}
_CHECKED_KEY = "page whose parameters were checked"


class EndOfPage(Exception):
    """The page has shown all that it can."""


def end_page() -> NoReturn:
    """End a page early, as ``st.stop`` does, but let the frame around the page show its messages.

    Raises:
        EndOfPage: Always; the app catches it.
    """
    raise EndOfPage


def warn_unknown_parameters(path: str) -> None:
    """Warn of parameters of the address that the page does not use, when it is opened; call when it has run.

    Not later: a widget that another choice hides leaves its parameter behind for a moment.

    Args:
        path: The page's path.
    """
    if st.session_state.get(_CHECKED_KEY) == path:
        return
    st.session_state[_CHECKED_KEY] = path
    used = {"release", *_READ_PARAMETERS.get(path, ()), *map(str, st.session_state)}
    # the tab of a figure that is not drawn, the title of its picture, and those of Streamlit itself
    unknown = [name for name in st.query_params if name not in used and not re.search(r"_tab$|_title$|^embed", name)]
    if unknown:
        names = escape_markdown(", ".join(unknown)[:200])
        st.warning(
            f"This page has no choice named {names}: this part of the address is ignored.", icon=":material/warning:"
        )


def show_staleness() -> None:
    """Show a line if the data of the release that the page shows are stale; the page itself reports other problems."""
    sentences: list[str] = []
    with contextlib.suppress(NoRelease, UnreadableRelease, MissingData):
        sentences = describe_staleness(find_release()[0], dt.datetime.now(dt.UTC).date())
    if sentences:
        st.caption(f":material/history: **Stale data.** {' '.join(sentences)}")
