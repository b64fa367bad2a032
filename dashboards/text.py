"""Text of the pages: names, numbers, dates, releases and links, formatted alike everywhere."""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlencode, urlsplit

import polars as pl
import streamlit as st

from warehouse.release import Release

CORPUS_KEY = "corpus"
"""The choice of a corpus, in the session and in the address."""
_WEB_ADDRESS = re.compile(r"https?://[^\s\\<>\"\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+", re.IGNORECASE)


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


def format_p_value(p_value: float) -> str:
    """A p-value as p = 0.0041, or p < 0.0001."""
    return "p < 0.0001" if p_value < 0.0001 else f"p = {p_value:.2g}"


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


# Streamlit's Markdown makes links, e-mail links and emoji of these after it has resolved escapes, so a backslash is no
# help; a word joiner, which is invisible and breaks no line, is
_REPLACED_BY_MARKDOWN = re.compile(r"https?:(?=/)|www(?=\.)|@(?=\S)|:(?=[\w+-]+[:/])", re.IGNORECASE)
MAX_TITLE_LETTERS = 300  # more in a heading or a list hide everything else
_WORD_JOINER = "\u2060"
# signs that change the direction of the text after them, so that one text could disguise another
_DIRECTION_SIGNS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def remove_direction_signs(text: str) -> str:
    """A text from the data without the signs that turn the direction of writing; its letters have their own."""
    return _DIRECTION_SIGNS.sub("", text)


def clean_line(text: str) -> str:
    """A text from the data on one line, without control characters and signs that turn the direction of writing."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", remove_direction_signs(text)).split())


def shorten_title(title: str | None) -> str:
    """A title from the data on one line, cut to `MAX_TITLE_LETTERS`; a note if there is none."""
    line = clean_line(title or "")
    if len(line) <= MAX_TITLE_LETTERS:
        return line or "(no title)"
    return f"{line[:MAX_TITLE_LETTERS].rpartition(' ')[0] or line[:MAX_TITLE_LETTERS]} …"


def escape_markdown(text: str) -> str:
    """A text from the data, escaped so that Markdown shows it literally, on one line and without links or pictures."""
    text = _REPLACED_BY_MARKDOWN.sub(rf"\g<0>{_WORD_JOINER}", clean_line(text))
    text = re.sub(r"([\\`*_{}\[\]<>()#+!|~$:]|&(?=#?\w+;))", r"\\\1", text)
    return re.sub(r"^(?=[-=])|^(\d{1,9})(?=\.)", r"\1\\", text)  # no list and no line under a heading


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
    address = build_page_address(page, query)
    style = "color: inherit; font-weight: 600; overflow-wrap: anywhere"
    st.html(f'<a href="{html.escape(address)}" dir="auto" style="{style}">{html.escape(clean_line(label))}</a>')


def build_permanent_link(release: Release) -> str:
    """The query string of the current view with its release named, so that its numbers never change."""
    parameters = {name: st.query_params.get_all(name) for name in st.query_params}
    if corpus := st.session_state.get(CORPUS_KEY):  # the browser adds a default to its address only after this run
        parameters[CORPUS_KEY] = [corpus]
    return "?" + urlencode({**parameters, "release": release.name}, doseq=True)


def build_page_address(page: str, parameters: Mapping[str, str]) -> str:
    """The address of another page, relative to that of the dashboards, so that it stays below their base path."""
    return f"{page}?{urlencode(parameters)}" if parameters else page


def build_page_addresses(
    page: str, release: Release, parameters: Mapping[str, Iterable[str | None]]
) -> list[str | None]:
    """Addresses of a page for the rows of a table, pinned to a release; None where a parameter is missing.

    Args:
        page: The page's path.
        release: The release.
        parameters: The values of each query parameter, one per row.
    """
    return [
        None
        if None in row
        else build_page_address(page, {**dict(zip(parameters, map(str, row), strict=True)), "release": release.name})
        for row in zip(*parameters.values(), strict=True)
    ]


def is_web_link(url: str | None) -> bool:
    """Whether an address from the data may become a link: http(s), to a host that `format_host` can show."""
    return format_host(url) is not None


def format_host(url: str | None) -> str | None:
    """The host of a web address, as the browser contacts it: ``arxiv.org``; None if it may not become a link.

    An address with a user name, as in ``https://arxiv.org@evil.example``, would show another host than it leads to.
    Letters outside ASCII are shown in the form that the browser sends (``xn--…``).
    """
    if not url or not _WEB_ADDRESS.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode("ascii")
        is_plain = "@" not in parts.netloc and (parts.port is None or parts.port > 0)
        is_plain = is_plain and re.fullmatch(r"[\w.-]+|[0-9a-f.:]+", host, re.ASCII) is not None
    except ValueError:  # not an IPv6 host, not a port, or not a name that can be encoded (UnicodeError)
        return None
    return re.sub(r"^www\.(?=.+\.)", "", host) if is_plain else None


def build_web_link(url: str | None) -> str | None:
    """An address from the data with its host in the letters that `format_host` shows; None if it may not be a link."""
    if url is None or format_host(url) is None:
        return None
    parts = urlsplit(url)
    host = (parts.hostname or "").encode("idna").decode("ascii")
    port = f":{parts.port}" if parts.port else ""
    return parts._replace(netloc=f"[{host}]{port}" if ":" in host else f"{host}{port}").geturl()


def show_web_link(label: str, url: str | None, icon: str = ":material/open_in_new:") -> None:
    """Show a button that opens an address from the data and names its host; an address that is not a link as text."""
    if host := format_host(url):
        st.link_button(f"{label} ({escape_markdown(host)})", str(build_web_link(url)), icon=icon)
    elif url:
        st.caption(f"{label}: its address is not a web address that can be opened.")
        st.text(clean_line(url))
