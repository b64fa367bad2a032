"""Text of the pages: names, numbers, dates, releases and links, formatted alike everywhere."""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Mapping
from urllib.parse import urlencode

import polars as pl
import streamlit as st

from warehouse.release import Release


def format_name(name: str) -> str:
    """A name from the data as text: ``works_first_author`` gives "works, first author"."""
    first, _, rest = name.partition("_")
    if first in {"rows", "works"} and rest:
        return f"{first}, {rest.replace('_', ' ')}"
    return name.replace("_", " ")


def format_count(count: int, noun: str, plural: str | None = None) -> str:
    """A count with its noun: 1 thread, 2,000 threads. ``plural`` is needed only where it does not end in s."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def format_number(value: float) -> str:
    """A number with thousands separators and at most two decimals: 2,000,080 or 12.33."""
    return f"{value:,.2f}".removesuffix("0").removesuffix(".0")


def format_number_column(column: str) -> pl.Expr:
    """The numbers of a column, none negative, as `format_number` writes them.

    Written as a Polars expression because a Python function can deadlock the server: Polars' threads wait for the
    interpreter lock while ``DataFrame.to_pandas`` holds it and waits for those threads.
    """
    hundredths = (pl.col(column).cast(pl.Float64) * 100).round().cast(pl.Int64)
    reversed_digits = (hundredths // 100).cast(pl.String).str.reverse().str.replace_all(r"\d{3}", "${0},")
    whole = reversed_digits.str.strip_suffix(",").str.reverse()
    decimals = (hundredths % 100).cast(pl.String).str.zfill(2).str.strip_chars_end("0")
    return pl.when(decimals == "").then(whole).otherwise(pl.format("{}.{}", whole, decimals)).alias(column)


def format_date(date: dt.date) -> str:
    """A date as 31 Jul 2024."""
    return f"{date.day} {date:%b %Y}"


def escape_markdown(text: str) -> str:
    """A text from the data, escaped so that Markdown shows it literally."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~$:])", r"\\\1", text)


def format_release(release: Release) -> str:
    """A release with its publication time: release v3, 31 Jul 2024, 14:05 UTC."""
    return f"release {release.name}, {format_moment(release.manifest['published_at'])}"


def format_moment(timestamp: str) -> str:
    """An ISO 8601 timestamp in UTC as 31 Jul 2024, 14:05 UTC."""
    at = dt.datetime.fromisoformat(timestamp)
    return f"{format_date(at.date())}, {at:%H:%M} UTC"


def show_link(
    page: str, label: str, parameters: Mapping[str, str] | None = None, *, is_of_newest: bool = False
) -> None:
    """Show a link to another page of the dashboards, for the release in the current address if there is one.

    It is a plain HTML link that reloads the page: Streamlit's page links with parameters add two steps to the
    browser's history, which breaks the back button.

    Args:
        page: The page's path.
        label: Any text; it is escaped.
        parameters: Query parameters of the address.
        is_of_newest: Whether the link leads to the newest release, whatever the current address names.
    """
    pinned = st.query_params.get("release")
    query = {**({"release": pinned} if pinned and not is_of_newest else {}), **(parameters or {})}
    address = f"{page}?{urlencode(query)}" if query else page
    style = "color: inherit; font-weight: 600; overflow-wrap: anywhere"
    st.html(f'<a href="{html.escape(address)}" style="{style}">{html.escape(label)}</a>')


def build_permanent_link(release: Release) -> str:
    """The query string of the current view with its release named, so that its numbers never change."""
    parameters = {name: st.query_params.get_all(name) for name in st.query_params}
    return "?" + urlencode({**parameters, "release": release.name}, doseq=True)


def is_web_link(url: str | None) -> bool:
    """Whether an address from the data may become a link: only http and https."""
    return bool(url and re.fullmatch(r"https?://\S+", url, re.IGNORECASE))
