"""What all pages show above their contents: whether the data are stale, and unknown parameters of the address."""

from __future__ import annotations

import contextlib
import datetime as dt

import streamlit as st

from dashboards.queries.freshness import describe_staleness
from dashboards.queries.release import MissingData, UnreadableRelease, find_release
from warehouse.release import NoRelease


def show_staleness() -> None:
    """Show a line if the data of the release that the page shows are stale; the page itself reports other problems."""
    sentences: list[str] = []
    with contextlib.suppress(NoRelease, UnreadableRelease, MissingData):
        sentences = describe_staleness(find_release()[0], dt.datetime.now(dt.UTC).date())
    if sentences:
        st.caption(f":material/history: **Stale data.** {' '.join(sentences)}")
