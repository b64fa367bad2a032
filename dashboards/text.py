"""What several pages say alike: dates, names, the release a figure rests on, and links that do not change."""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Mapping
from urllib.parse import urlencode

import polars as pl
import streamlit as st

from warehouse.release import Release


def plain(name: str) -> str:
    """A name as people write it: ``works_first_author`` is works, first author."""
    first, _, rest = name.partition("_")
    if first in {"rows", "works"} and rest:
        return f"{first}, {rest.replace('_', ' ')}"
    return name.replace("_", " ")


def counted(number: int, thing: str, things: str | None = None) -> str:
    """A number of things in words: 1 thread, 2,000 threads; ``things`` where the plural is not made with an s."""
    return f"{number:,} {thing if number == 1 else things or f'{thing}s'}"


def number(value: float) -> str:
    """A number as the pages write it: 2,000,080, and 12.33 where a rule divides publications."""
    return f"{value:,.2f}".removesuffix("0").removesuffix(".0")


def numbers(column: str) -> pl.Expr:
    """The numbers of a column as `number` writes each, none below zero.

    A function of Python would do it too, but must not: its threads wait for the interpreter while another that holds
    the interpreter may wait for them, as ``DataFrame.to_pandas`` does, and then the whole server stands still forever.
    """
    hundredths = (pl.col(column).cast(pl.Float64) * 100).round().cast(pl.Int64)
    backwards = (hundredths // 100).cast(pl.String).str.reverse().str.replace_all(r"\d{3}", "${0},")
    whole = backwards.str.strip_suffix(",").str.reverse()
    rest = (hundredths % 100).cast(pl.String).str.zfill(2).str.strip_chars_end("0")
    return pl.when(rest == "").then(whole).otherwise(pl.format("{}.{}", whole, rest)).alias(column)


def written(date: dt.date) -> str:
    """A date as the pages write it: 31 Jul 2024."""
    return f"{date.day} {date:%b %Y}"


def text(told: str) -> str:
    """A text from the data for a place that takes Markdown: shown as it is, whatever it holds."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~$:])", r"\\\1", told)


def dated(release: Release) -> str:
    """A release with the moment of its publication."""
    return f"release {release.name}, {moment(release.manifest['published_at'])}"


def moment(told: str) -> str:
    """A moment in UTC as the pages write it: 31 Jul 2024, 14:05 UTC.

    Args:
        told: The moment as ISO 8601 has it.
    """
    at = dt.datetime.fromisoformat(told)
    return f"{written(at.date())}, {at:%H:%M} UTC"


def lead(page: str, label: str, asked: Mapping[str, str] | None = None, *, is_of_newest: bool = False) -> None:
    """A link to another view of the dashboards, of the release that the present address names, if it names one.

    It is a plain one, which loads the page anew: Streamlit's own link to a page with choices makes two steps of
    history, so that going back would not lead to where one was.

    Args:
        page: The page's path.
        label: Any text; it is shown as it is.
        asked: The choices in its address.
        is_of_newest: Whether it leads to the newest release in any case.
    """
    pinned = st.query_params.get("release")
    told = {**({"release": pinned} if pinned and not is_of_newest else {}), **(asked or {})}
    address = f"{page}?{urlencode(told)}" if told else page
    style = "color: inherit; font-weight: 600; overflow-wrap: anywhere"
    st.html(f'<a href="{html.escape(address)}" style="{style}">{html.escape(label)}</a>')


def permanent_link(release: Release) -> str:
    """The address of the present view with its release, so that it shows the same numbers for ever."""
    asked = {name: st.query_params.get_all(name) for name in st.query_params}
    return "?" + urlencode({**asked, "release": release.name}, doseq=True)
