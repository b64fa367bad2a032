"""The picture of a figure for a memo, with all that a reader must know in it: PNG, SVG, and a page to embed."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

import altair as alt
import streamlit as st

from dashboards.charts import drawing, palette
from dashboards.charts.text_width import wrap_text
from dashboards.charts.timeline import PICTURE_PIXELS
from dashboards.exports.figure_files import Figure
from dashboards.text import clean_line, format_name, format_release

_FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans Condensed', sans-serif"
_TITLE_PIXELS, _SUBTITLE_PIXELS, _NOTE_PIXELS = 18, 12.5, 11
_TITLE_COLOUR, _NOTE_COLOUR = "#1b2733", "#5b6770"
_MAX_TITLE_LINES = 4
_SHORT_FACT_LETTERS = 40
_CONCATENATED = {"hconcat", "vconcat", "concat", "facet"}
_OF_WHOLE_CHART = ("$schema", "datasets", "config", "usermeta")  # where charts lie in one another, the outer one has it


class PictureTexts(NamedTuple):
    """The texts around a chart.

    Args:
        title: What was found, or what is shown.
        subtitle: What is drawn, by unit, rule, corpus and period.
        finding: The finding with its numbers; empty if there is none.
        cautions: What to be careful about, a sentence each.
        source: Where the records come from, and what to cite.
    """

    title: str
    subtitle: str
    finding: str
    cautions: Sequence[str]
    source: str


def build_texts(figure: Figure, link: str | None = None) -> PictureTexts:
    """The texts of a picture.

    Args:
        figure: The figure.
        link: URL of the view; None if only this machine can open it.
    """
    release = figure.data.release
    facts = [
        figure.title if figure.headline else "",
        figure.unit if figure.unit.lower() not in figure.title.lower() else "",
        f"counted by {format_name(figure.rule)}" if figure.rule else "",
        f"corpus: {figure.corpus}" if figure.corpus else "",
        figure.period or "",
    ]
    shown = [clean_line(fact) for fact in facts if fact]
    # a short fact stays on one line
    subtitle = " · ".join(fact.replace(" ", "\u00a0") if len(fact) < _SHORT_FACT_LETTERS else fact for fact in shown)
    data = f"data as of {format_release(release)}, content SHA-256 {release.content_sha256}"
    return PictureTexts(
        clean_line(figure.headline or figure.title),
        subtitle[:1].upper() + subtitle[1:],
        clean_line(figure.finding or ""),
        [clean_line(re.sub(r"\*\*|\\(?=\W)", "", caution)) for caution in figure.cautions],
        clean_line(f"Source: {figure.source}. aisle, {data}. {link or ''}"),
    )


def build_chart(figure: Figure) -> dict[str, Any]:
    """The chart of a figure as Vega-Lite with its rows: light, of fixed width, without texts around it."""
    spec = drawing.render_spec(figure.picture or figure.draw, palette.get_text_colour("light"))
    if not _CONCATENATED & spec.keys():
        spec.setdefault("width", PICTURE_PIXELS)
    for name in ("autosize", "padding"):  # those are for a page
        spec.pop(name, None)
    config = spec.get("config", {})
    axis = {"gridColor": "#e3e7eb", "domainColor": "#9aa5b1", "labelFontSize": 11, **config.get("axis", {})}
    return {**spec, "config": {**config, "font": _FONT, "view": {"stroke": None}, "axis": axis}}


def build_picture(figure: Figure, link: str | None = None) -> dict[str, Any]:
    """The figure as one Vega-Lite chart with all its texts: the finding above, cautions and source below.

    Args:
        figure: The figure.
        link: URL of the view; None if only this machine can open it.
    """
    texts, chart = build_texts(figure, link), build_chart(figure)
    whole = {name: chart.pop(name) for name in _OF_WHOLE_CHART if name in chart}
    title = {
        "text": wrap_text(texts.title, PICTURE_PIXELS, _TITLE_PIXELS, _MAX_TITLE_LINES),
        "subtitle": wrap_text(texts.subtitle, PICTURE_PIXELS, _SUBTITLE_PIXELS),
        "fontSize": _TITLE_PIXELS,
        "color": _TITLE_COLOUR,
        "subtitleFontSize": _SUBTITLE_PIXELS,
        "subtitleColor": palette.get_text_colour("light"),
        "subtitlePadding": 7,
        "anchor": "start",
        "offset": 16,
    }
    small = [line for text in (*texts.cautions, texts.source) for line in wrap_text(text, PICTURE_PIXELS, _NOTE_PIXELS)]
    notes = {
        "orient": "bottom",
        "text": wrap_text(texts.finding, PICTURE_PIXELS, _SUBTITLE_PIXELS) or "",
        "fontSize": _SUBTITLE_PIXELS,
        "fontWeight": "normal",
        "color": _TITLE_COLOUR,
        "subtitle": small,
        "subtitleFontSize": _NOTE_PIXELS,
        "subtitleColor": _NOTE_COLOUR,
        "subtitlePadding": 6,
        "anchor": "start",
        "offset": 14,
    }
    inner = {"vconcat": [chart], "title": notes}
    return {**whole, "vconcat": [inner], "title": title, "background": "#ffffff", "padding": 18}


def render_svg(figure: Figure, link: str | None = None) -> str:
    """The picture as SVG; loads nothing over the network."""
    import vl_convert  # slow to import, and needed only for a download

    spec = build_picture(figure, link)
    return vl_convert.vegalite_to_svg(spec, vl_version=_vega_lite_version(), allowed_base_urls=[])


def render_preview(figure: Figure, link: str | None = None) -> str:
    """The picture as SVG, kept for the next run of the page, since drawing it takes longer than all else."""
    picture = build_picture(figure, link)
    return _render_kept(json.dumps(picture), picture)


@st.cache_data(max_entries=64, show_spinner=False)
def _render_kept(content: str, _picture: dict[str, Any]) -> str:  # noqa: ARG001 - the cache key
    import vl_convert

    return vl_convert.vegalite_to_svg(_picture, vl_version=_vega_lite_version(), allowed_base_urls=[])


def render_png(figure: Figure, link: str | None = None) -> bytes:
    """The picture as PNG at double size, for print; loads nothing over the network."""
    import vl_convert

    spec = build_picture(figure, link)
    return vl_convert.vegalite_to_png(spec, vl_version=_vega_lite_version(), scale=2, allowed_base_urls=[])


_STYLE = f"""
body {{ margin: 0; background: #fff; color: {_TITLE_COLOUR}; font: 14px/1.4 {_FONT}; }}
figure {{ margin: 0 auto; padding: 14px; max-width: {PICTURE_PIXELS + 40}px; overflow-wrap: anywhere; }}
h1 {{ font-size: 19px; line-height: 1.25; margin: 0 0 4px; }}
p {{ margin: 0 0 4px; }} .facts {{ color: {palette.get_text_colour("light")}; margin-bottom: 12px; }}
figcaption {{ margin-top: 10px; }} .note {{ color: {_NOTE_COLOUR}; font-size: 12px; }}
.chart, .chart svg {{ max-width: 100%; }} .chart svg {{ height: auto; }}
"""


def render_html(figure: Figure, link: str | None = None) -> bytes:
    """The figure as a page of its own, to embed: with tooltips, and whatever it runs in it, so that it loads nothing.

    Where scripts do not run, it shows the chart as a drawing.
    """
    import vl_convert

    texts, chart = build_texts(figure, link), {**build_chart(figure), "background": "#ffffff"}
    version = _vega_lite_version()
    drawn = vl_convert.vegalite_to_svg(chart, vl_version=version, allowed_base_urls=[])
    # a script ends at the first “</script>”, also within a text of the data
    spec = json.dumps(chart, ensure_ascii=False).replace("<", "\\u003c")
    # with an interpreter of expressions, so that the page may forbid to evaluate texts as code
    options = json.dumps({"actions": False, "renderer": "svg", "ast": True, "mode": "vega-lite"})
    start = f'vegaEmbed("#chart", {spec}, {options});'
    scripts = [
        vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", version).replace("</script", "<\\/script"),
        start,
    ]
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'" for one in scripts)
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {hashes}"
    notes = [texts.finding] if texts.finding else []
    small = [*texts.cautions, texts.source]
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(texts.title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<figure>
<h1>{escape(texts.title)}</h1>
<p class="facts">{escape(texts.subtitle)}</p>
<div class="chart" id="chart" role="img" aria-label="{escape(clean_line(figure.alt))}">{drawn}</div>
<figcaption>
{"".join(f"<p>{escape(note)}</p>" for note in notes)}
{"".join(f'<p class="note">{escape(note)}</p>' for note in small)}
</figcaption>
</figure>
{"".join(f"<script>{one}</script>" for one in scripts)}
</body>
</html>
""".encode()


def _vega_lite_version() -> str:
    """The converter's name for the Vega-Lite version of Altair, or the newest that it has."""
    import vl_convert

    wanted = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    available = vl_convert.get_vegalite_versions()
    return wanted if wanted in available else available[-1]
