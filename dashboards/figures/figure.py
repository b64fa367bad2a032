"""The one frame around every chart: what it shows, by which rule and as of when, and all that a reader may take along.

A figure has a title, a line with its unit, counting rule, release and source, the chart, the finding, and tabs with the
table of the same numbers, downloads, the SQL that gives them and how to cite them.
"""

from __future__ import annotations

import datetime as dt
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import altair as alt
import polars as pl
import streamlit as st

from dashboards import text as frames
from dashboards.charts import drawing, palette
from dashboards.exports import downloads
from dashboards.exports.downloads import File
from dashboards.queries import release as read
from dashboards.queries.release import Meaning
from dashboards.widgets import filters
from warehouse.release import Release
from warehouse.sql import quoted

_WIDTH = 760  # of a picture's plot, in pixels
_LINE = 118  # letters that fit on a line of a picture
_FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
# strings and comments are passed over, so that a dollar within them is no parameter
_PARAMETER = re.compile(r"'(?:[^']|'')*'|--[^\n]*|\$(\w+)")


@dataclass(frozen=True)
class Figure:
    """A chart and what is to be said of it.

    Args:
        release: The release that it shows.
        title: What it shows, in a line.
        unit: What is counted or measured.
        rule: Name of the counting rule, or how else its numbers come about.
        source: Where the records come from.
        finding: What may be said of it, in a sentence; it may hold texts from the data.
        sql: The query that gives the numbers, with its parameters as ``$name``.
        frame: The rows of that query, which are also what is drawn.
        name: Name of its files, without an ending.
        alt: What a screen reader says of the chart.
        key: Tells the figure from others on its page.
        draw: Makes the chart, given the colour of text as ``ink``; all else it depends on is in it, see
            `drawing.show`. Asked again, for a light page, when a picture is downloaded.
        parameters: Values of the query's parameters.
        meanings: What the data dictionary says about the columns of the frame.
        cautions: What a reader must be careful about, a sentence each, in Markdown.
    """

    release: Release
    title: str
    unit: str
    rule: str
    source: str
    finding: str | None
    sql: str
    frame: pl.DataFrame
    name: str
    alt: str
    key: str
    draw: partial[Any]
    parameters: Mapping[str, Any] | None = None
    meanings: Mapping[str, Meaning] | None = None
    cautions: Sequence[str] = ()

    @property
    def facts(self) -> str:
        """The line under the title: unit, counting rule, release and source."""
        told = [self.unit, f"counted by {frames.plain(self.rule)}" if self.rule else ""]
        told += [f"data as of {frames.dated(self.release)}", f"source: {self.source}"]
        line = " · ".join(part for part in told if part)
        return line[:1].upper() + line[1:]


def show(figure: Figure, on_page: Callable[[], None] | None = None) -> None:
    """Show a figure with all that belongs to it.

    Args:
        figure: What to show.
        on_page: Draws the chart on the page, where it is more than one or takes clicks; else it is drawn as given.
    """
    st.markdown(f"##### {frames.text(figure.title)}")
    st.caption(frames.text(figure.facts))
    # the open one is part of the address, and what the others hold is made only when they are opened
    name = re.sub(r"\W+", "_", f"{figure.key} tab")
    parts: dict[str, Callable[[Figure], None]] = {
        "Chart": partial(_chart, on_page=on_page),
        "Table": _table,
        "Download": _downloads,
        "SQL": _sql,
        "Cite": _citation,
    }
    filters.told_unknown("Tab", parts, name)
    for tab, fill in zip(st.tabs(list(parts), key=name, bind="query-params"), parts.values(), strict=True):
        if tab.open:
            with tab:
                fill(figure)


def _chart(figure: Figure, on_page: Callable[[], None] | None) -> None:
    if on_page is not None:
        on_page()
    else:
        drawing.show(figure.draw, key=f"{figure.key} chart", told=f"{figure.alt} The tab Table has the numbers.")
    for caution in figure.cautions:
        st.caption(caution)
    if figure.finding:
        st.markdown(f"**Finding** · {frames.text(figure.finding)}")


def _table(figure: Figure) -> None:
    told = palette.columns(figure.frame, figure.meanings or {})
    palette.table(figure.frame, column_config=told, key=f"{figure.key} numbers")
    st.caption(f"{frames.counted(figure.frame.height, 'row')}, the ones drawn")


def _sql(figure: Figure) -> None:
    st.code(written_out(figure.sql, figure.parameters), language="sql", wrap_lines=True)
    st.caption(f'Gives the table: `aisle sql --release {figure.release.name} "…"`')


def _downloads(figure: Figure) -> None:
    png_told, svg_told = "The chart as a picture, with its title, rule and finding.", "The same, which can be enlarged."
    pictures = (
        File("PNG", "png", "image/png", lambda: png(figure), png_told),
        File("SVG", "svg", "image/svg+xml", lambda: svg(figure), svg_told),
    )
    downloads.offer(figure.name, (*downloads.of_table(lambda: figure.frame), *pictures), figure.key)


def _citation(figure: Figure) -> None:
    link = address(figure.release)
    st.code(citation(figure, link), language=None, wrap_lines=True)
    st.code(bibtex(figure, link), language="latex", wrap_lines=True)
    st.markdown(f"[Permanent link to this figure]({frames.permanent_link(figure.release)})")


def address(release: Release) -> str:
    """The whole address of the present view with its release; without the server's part where that is not known."""
    here = urlsplit(st.context.url or "")
    return here._replace(query=frames.permanent_link(release).removeprefix("?"), fragment="").geturl()


def citation(figure: Figure, link: str) -> str:
    """The figure as it may be quoted: title, release with the hash of its content, moment, address."""
    release = figure.release
    return (
        f"“{figure.title}”. {figure.facts.partition(' · ')[0]}, counted by {frames.plain(figure.rule)}. "
        f"aisle, {frames.dated(release)}, content SHA-256 {release.content_sha256}. {link}"
    )


def bibtex(figure: Figure, link: str) -> str:
    """The same for BibTeX, as an entry of the kind ``misc``."""
    release = figure.release
    at = dt.datetime.fromisoformat(release.manifest["published_at"])
    title = re.sub(r"([\\{}$&#%_^~])", lambda found: rf"\{found[1]}" if found[1] in "{}$&#%_" else " ", figure.title)
    return textwrap.dedent(f"""\
        @misc{{aisle_{release.name}_{release.content_sha256[:8]},
          title        = {{{{{title}}}}},
          howpublished = {{aisle, release {release.name}}},
          year         = {{{at.year}}},
          note         = {{content SHA-256 {release.content_sha256}}},
          url          = {{{link}}}
        }}""")


def written_out(sql: str, parameters: Mapping[str, Any] | None) -> str:
    """A query with its parameters filled in, so that it runs as it stands.

    Raises:
        KeyError: A parameter has no value.
    """
    given = parameters or {}
    filled = _PARAMETER.sub(lambda found: _literal(given[found[1]]) if found[1] else found[0], sql)
    return textwrap.dedent(filled).strip()


def _literal(value: Any) -> str:
    """A value as DuckDB reads it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_literal(part) for part in value)}]"
    if isinstance(value, dt.date):
        return f"date '{value}'"
    return quoted(str(value))


def picture(figure: Figure) -> dict[str, Any]:
    """The figure as Vega-Lite that stands by itself: light, of a fixed width, with all that is said of it."""
    spec = drawing.written(figure.draw, palette.ink("light"))
    if not {"hconcat", "vconcat", "concat", "facet"} & spec.keys():
        spec["width"] = _WIDTH
    for name in ("autosize", "padding"):  # those are for a page
        spec.pop(name, None)
    cautions = (re.sub(r"\*\*|\\(?=\W)", "", caution) for caution in figure.cautions)
    sentences = (figure.facts, *cautions, figure.finding or "")
    told = [line for sentence in sentences for line in textwrap.wrap(sentence, _LINE)]
    heading = {"text": textwrap.wrap(figure.title, 80), "subtitle": told, "anchor": "start", "offset": 14}
    if isinstance(spec.get("title"), str):
        heading["text"].append(spec["title"])
    look = {"fontSize": 17, "subtitleFontSize": 11.5, "subtitleColor": palette.ink("light"), "subtitlePadding": 6}
    config = spec.get("config", {})
    axis = {"gridColor": "#e3e7eb", "domainColor": "#9aa5b1", "labelFontSize": 11, **config.get("axis", {})}
    styled = {**config, "font": _FONT, "view": {"stroke": None}, "axis": axis}
    return {**spec, "title": {**heading, **look}, "background": "#ffffff", "padding": 18, "config": styled}


def svg(figure: Figure) -> str:
    """The figure as SVG; nothing is fetched for it."""
    import vl_convert  # heavy, and needed only when somebody asks for a picture

    return vl_convert.vegalite_to_svg(picture(figure), vl_version=_version(), allowed_base_urls=[])


def png(figure: Figure) -> bytes:
    """The figure as PNG, at twice the size so that it prints well; nothing is fetched for it."""
    import vl_convert

    return vl_convert.vegalite_to_png(picture(figure), vl_version=_version(), scale=2, allowed_base_urls=[])


def _version() -> str:
    """The version of Vega-Lite that the charts are written in, as the converter names it."""
    import vl_convert

    wanted = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    held = vl_convert.get_vegalite_versions()
    return wanted if wanted in held else held[-1]


def asked(release: Release, sql: str, parameters: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The parts of a `Figure` that come from its query: release, query, parameters and rows."""
    return {
        "release": release,
        "sql": sql,
        "parameters": parameters,
        "frame": read.ask(release, sql, parameters),
    }
