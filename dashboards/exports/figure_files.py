"""A figure as data, and its files: PNG, SVG, a citation and a BibTeX entry."""

from __future__ import annotations

import datetime as dt
import logging
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import altair as alt
import polars as pl
import streamlit as st

from dashboards.charts import drawing, palette
from dashboards.queries.release import ColumnMeaning, query_release
from dashboards.text import build_permanent_link, format_name, format_release
from warehouse.public_address import read_public_address
from warehouse.release import Release

_log = logging.getLogger(__name__)
PAGE_PATH_KEY = "path of the page"  # set by the app for each run of a page
_WIDTH_PIXELS = 760  # of the plot
_LINE_LENGTH = 118  # characters that fit on a line of a picture
_FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"


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


def build_picture(figure: Figure) -> dict[str, Any]:
    """The figure as a self-contained Vega-Lite chart: light, of fixed width, with title and finding."""
    spec = drawing.render_spec(figure.draw, palette.get_text_colour("light"))
    if not {"hconcat", "vconcat", "concat", "facet"} & spec.keys():
        spec["width"] = _WIDTH_PIXELS
    for name in ("autosize", "padding"):  # those are for a page
        spec.pop(name, None)
    cautions = (re.sub(r"\*\*|\\(?=\W)", "", caution) for caution in figure.cautions)
    sentences = (figure.facts, *cautions, figure.finding or "")
    lines = [line for sentence in sentences for line in textwrap.wrap(sentence, _LINE_LENGTH)]
    heading = {"text": textwrap.wrap(figure.title, 80), "subtitle": lines, "anchor": "start", "offset": 14}
    if isinstance(spec.get("title"), str):
        heading["text"].append(spec["title"])
    style = {
        "fontSize": 17,
        "subtitleFontSize": 11.5,
        "subtitleColor": palette.get_text_colour("light"),
        "subtitlePadding": 6,
    }
    config = spec.get("config", {})
    axis = {"gridColor": "#e3e7eb", "domainColor": "#9aa5b1", "labelFontSize": 11, **config.get("axis", {})}
    config = {**config, "font": _FONT, "view": {"stroke": None}, "axis": axis}
    return {**spec, "title": {**heading, **style}, "background": "#ffffff", "padding": 18, "config": config}


def render_svg(figure: Figure) -> str:
    """The figure as SVG; loads nothing over the network."""
    import vl_convert  # slow to import, and needed only for a download

    return vl_convert.vegalite_to_svg(build_picture(figure), vl_version=_vega_lite_version(), allowed_base_urls=[])


def render_png(figure: Figure) -> bytes:
    """The figure as PNG at double size, for print; loads nothing over the network."""
    import vl_convert

    spec = build_picture(figure)
    return vl_convert.vegalite_to_png(spec, vl_version=_vega_lite_version(), scale=2, allowed_base_urls=[])


def _vega_lite_version() -> str:
    """The converter's name for the Vega-Lite version of Altair, or the newest that it has."""
    import vl_convert

    wanted = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    available = vl_convert.get_vegalite_versions()
    return wanted if wanted in available else available[-1]
