"""A figure as data, its address, and its citation as a line and as a BibTeX entry."""

from __future__ import annotations

import datetime as dt
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import polars as pl
import streamlit as st

from dashboards.queries.release import ColumnMeaning, query_release
from dashboards.text import build_permanent_link, format_name, format_release
from warehouse.public_address import read_public_address
from warehouse.release import Release

_log = logging.getLogger(__name__)
PAGE_PATH_KEY = "path of the page"  # set by the app for each run of a page


@dataclass(frozen=True)
class FigureData:
    """A query on a release and its rows.

    Args:
        release: The release.
        sql: The query, with its parameters as ``$name``.
        frame: Its rows.
        parameters: Values of its parameters.
    """

    release: Release
    sql: str
    frame: pl.DataFrame
    parameters: Mapping[str, Any] | None = None


def query_figure_data(release: Release, sql: str, parameters: Mapping[str, Any] | None = None) -> FigureData:
    """Run the query of a figure.

    Raises:
        UnreadableRelease: The release lacks a table of the query, or cannot be read.
    """
    return FigureData(release, sql, query_release(release, sql, parameters), parameters)


@dataclass(frozen=True)
class Figure:
    """A chart with its title, finding and data.

    Args:
        data: The query and the rows that are drawn.
        title: What it shows, in one line.
        unit: What is counted or measured.
        rule: Name of the counting rule, or how the numbers are counted.
        source: Where the records come from.
        finding: One sentence on what the numbers show; may hold texts from the data.
        file_name: Name of its files, without an extension.
        alt: Description for screen readers.
        key: Identifies the figure on its page.
        draw: Makes the chart, given ``text_colour``; holds everything else that the chart depends on, see
            `drawing.show_chart`. Called again with the colour of a light page when a picture is downloaded.
        meanings: Data dictionary entries of the columns.
        cautions: What to be careful about, one sentence each, in Markdown.
        corpus: The corpus that is counted, by title and name, if there are several.
        headline: The finding in a few words, as the title of its pictures; the title if there is none.
        span: The time that is counted, for a chart that is not over time.
        picture: Makes the chart of its pictures, as ``draw``, where that differs from the chart of the page.
    """

    data: FigureData
    title: str
    unit: str
    rule: str
    source: str
    finding: str | None
    file_name: str
    alt: str
    key: str
    draw: partial[Any]
    meanings: Mapping[str, ColumnMeaning] | None = None
    cautions: Sequence[str] = ()
    corpus: str | None = None
    headline: str | None = None
    span: str | None = None
    picture: partial[Any] | None = None

    @property
    def period(self) -> str | None:
        """The first and the last period that is drawn, and how far that is covered; else the time that is counted."""
        frame = self.data.frame
        if self.span or not {"period", "starts_on"} <= set(frame.columns) or frame.is_empty():
            return self.span
        ordered = frame.sort("starts_on")
        first, last = ordered["period"][0], ordered["period"][-1]
        covered = ordered["covered_part"][-1] if "covered_part" in frame.columns else None
        span = str(first) if first == last else f"{first} to {last}"
        return f"{span} ({covered})" if covered else span

    @property
    def facts(self) -> str:
        """The line under the title: unit, counting rule, corpus, release and source."""
        facts = [self.unit, f"counted by {format_name(self.rule)}" if self.rule else ""]
        facts += [f"corpus: {self.corpus}"] if self.corpus else []
        facts += [f"data as of {format_release(self.data.release)}", f"source: {self.source}"]
        line = " · ".join(fact for fact in facts if fact)
        return line[:1].upper() + line[1:]


def build_address(release: Release) -> str | None:
    """The full URL of the current view, pinned to the release; None if only this machine can open it.

    It is below the public address if one is configured, else as in the browser.
    """
    query = build_permanent_link(release)
    current = urlsplit(st.context.url or "")
    try:
        public = read_public_address()
    except ValueError as error:  # the command line refuses it, but the server can be started without
        _log.error("%s", error)
        public = None
    if public is not None:
        return f"{public}/{st.session_state.get(PAGE_PATH_KEY, '')}{query}"
    host = current.hostname or "localhost"
    if host == "localhost" or host.endswith(".localhost") or host == "::1" or host.startswith("127."):
        return None
    return current._replace(query=query.removeprefix("?"), fragment="").geturl()


def build_citation(figure: Figure, link: str | None) -> str:
    """A line that cites the figure: title, release with its content hash, time of publication, and its URL if known."""
    release = figure.data.release
    counted = f"counted by {format_name(figure.rule)}{_name_corpus(figure)}"
    return (
        f"“{figure.title}”. {figure.facts.partition(' · ')[0]}, {counted}. "
        f"aisle, {format_release(release)}, content SHA-256 {release.content_sha256}.{f' {link}' if link else ''}"
    )


def _name_corpus(figure: Figure) -> str:
    return f", corpus: {figure.corpus}" if figure.corpus else ""


def build_bibtex(figure: Figure, link: str | None) -> str:
    """The citation as a BibTeX entry of type ``misc``."""
    release = figure.data.release
    published_at = dt.datetime.fromisoformat(release.manifest["published_at"])
    title = re.sub(r"([\\{}$&#%_^~])", lambda match: rf"\{match[1]}" if match[1] in "{}$&#%_" else " ", figure.title)
    fields = {
        "title": f"{{{title}}}",
        "howpublished": f"aisle, release {release.name}",
        "year": str(published_at.year),
        "note": f"content SHA-256 {release.content_sha256}{_name_corpus(figure)}".replace("_", r"\_"),
        **({"url": link} if link else {}),
    }
    lines = ",\n".join(f"  {name:<12} = {{{value}}}" for name, value in fields.items())
    return f"@misc{{aisle_{release.name}_{release.content_sha256[:8]},\n{lines}\n}}"
