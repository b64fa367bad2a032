"""Pictures of figures: what is in them, names beside lines, and lines of text that fit."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.charts.direct_labels import build_label_layers, place_labels
from dashboards.charts.marks import ChartStyle
from dashboards.charts.text_width import estimate_width, wrap_text
from dashboards.exports import figure_files, pictures
from dashboards.figures.shared import build_history_figure, build_mix_figure
from dashboards.queries.release import get_newest_release
from dashboards.queries.selection import Selection
from tests.support.app_tests import open_page, open_tab
from warehouse.lake import Lake

HOSTILE = "</script><script>alert(1)</script> & \"x\" 'y' <!-- z"
LINK = "https://example.org/aisle/trends?release=v1"


@pytest.fixture
def figure(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> figure_files.Figure:
    monkeypatch.setenv("AISLE_LAKE", str(released_lake.root))
    release = get_newest_release()
    selection = Selection(rule="works", corpus="iaps_mapping")
    figure = build_history_figure(release, selection, "lab", title="Works, by lab", key="a", finding="Numbers rose.")
    return replace(figure, headline="Labs publish more", cautions=["**Be** careful\\."])


def read_words(svg: str) -> list[str]:
    return ["".join(node.itertext()) for node in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]  # noqa: S314 - our own


def test_picture_has_everything_that_a_reader_must_know_from_top_to_bottom(figure: figure_files.Figure) -> None:
    words = "".join(read_words(pictures.render_svg(figure, LINK))).replace(" ", "")
    release = figure.data.release
    for text in (
        "Labs publish more",
        "Works, by lab · publications per year · counted by works · corpus: Published mapping (iaps_mapping)",
        "2022 to 2024 (to 31 Jul)",
        "Google DeepMind",
        "Numbers rose.",
        "Be careful.",
        f"content SHA-256 {release.content_sha256}",
        LINK,
    ):
        assert text.replace(" ", "") in words
    assert len(pictures.render_png(figure, LINK)) > 10_000


def test_picture_of_a_mix_names_the_time_that_is_counted(figure: figure_files.Figure) -> None:
    release, selection = figure.data.release, Selection(rule="works", corpus="iaps_mapping")
    mix = build_mix_figure(release, selection, "category", title="Mix of categories", key="mix")
    texts = pictures.build_texts(mix)
    assert texts.title == "Enhancing human feedback has the largest share: 38%"
    subtitle = texts.subtitle.replace("\u00a0", " ")
    assert subtitle.endswith("corpus: Published mapping (iaps_mapping) · 1 Jan 2022 to 31 Jul 2024")


def test_texts_fit_into_the_width_of_the_picture(figure: figure_files.Figure) -> None:
    long = replace(figure, headline="very long " * 60, finding="W" * 900, cautions=["a b " * 300])
    widths = [
        int(re.findall(r'<svg[^>]* width="(\d+)', pictures.render_svg(one, LINK))[0])  # as the converter writes it
        for one in (figure, long)
    ]
    assert abs(widths[0] - widths[1]) < 40


def test_page_to_embed_loads_nothing_and_runs_only_its_own_scripts(figure: figure_files.Figure) -> None:
    hostile = replace(figure, headline=HOSTILE, finding=HOSTILE, alt=HOSTILE, data=figure.data)
    html = pictures.render_html(hostile, LINK).decode()
    assert html.count("<script") == html.count("</script>") == 2
    assert not re.search(r"<(?:img|link|iframe|object)\b|\bsrc=", html[: html.index("<script")])
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert policy.count("'sha256-") == 2
    (spec,) = re.findall(r'vegaEmbed\("#chart", (.*), (?=\{"actions")', html)
    assert json.loads(spec)["background"] == "#ffffff"
    assert html.index("<svg") < html.index("<script")  # where scripts do not run, the drawing stays


def test_reader_writes_the_title_and_the_address_keeps_it(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(released_lake, monkeypatch, trends_title="What I say", suggested="false")
    assert not app.warning  # neither is unknown, though this tab does not show it, nor this release
    app = open_tab(app, "Download")
    (box,) = [one for one in app.text_input if one.label == "Title of the picture"]
    assert box.value == "What I say"
    assert box.placeholder.startswith("Google DeepMind published more than OpenAI")
    app = box.set_value("  Another\ntitle ").run()
    assert app.query_params["trends_title"] == "Another title"
    app = open_tab(open_tab(app, "Table"), "Download")
    assert app.query_params["trends_title"] == "Another title"
    (box,) = [one for one in app.text_input if one.label == "Title of the picture"]
    assert box.value == "Another title"
    app = box.set_value("").run()
    assert "trends_title" not in app.query_params


@pytest.mark.parametrize(
    ("page", "figures", "query"),
    [
        ("overview", ("all by lab", "lab shares", "mix"), {}),
        ("labs", ("lab history", "lab share", "lab mix"), {}),
        ("trends", ("trends", "comparison"), {"compare": "true", "view": "heat map"}),
        ("sql", ("answer",), {"query": "select 'a' as name, 'nan'::double as number", "mark": "bars"}),
    ],
)
def test_every_figure_has_a_picture(
    released_lake: Lake, monkeypatch: pytest.MonkeyPatch, page: str, figures: tuple[str, ...], query: dict[str, str]
) -> None:
    app = open_page(released_lake, monkeypatch, page, **query)
    for name in figures:
        app.session_state[f"{name.replace(' ', '_')}_tab"] = "Download"
    app.run()
    assert not app.exception
    titles = [box for box in app.text_input if box.label == "Title of the picture"]
    assert len(titles) == len(app.get("image")) == len(figures)
    assert all(box.placeholder for box in titles)


@given(st.text(max_size=300), st.floats(40, 900), st.integers(8, 20))
def test_lines_fit_and_keep_every_letter(text: str, pixels: float, font: int) -> None:
    lines = wrap_text(text, pixels, font)
    assert all(estimate_width(line, font) <= pixels for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "").replace("\u00a0", "")
    assert len(wrap_text(text, pixels, font, 2)) == min(2, len(lines))


def build_rows(values: dict[str, float]) -> pl.DataFrame:
    columns = {"period": "2024", "starts_on": 1, "publications": 0.0, "category": ""}
    rows = [{**columns, "category": name, "publications": value} for name, value in values.items()]
    return pl.DataFrame(rows, schema={name: type(value) for name, value in columns.items()})


VALUES = st.dictionaries(st.text("abc ", min_size=1, max_size=40), st.floats(0, 100), min_size=1, max_size=24)


@given(VALUES, st.sampled_from(["lines", "bars"]))
def test_names_beside_lines_do_not_overlap_and_keep_the_order_of_the_lines(values: dict[str, float], view: str) -> None:
    rows = build_rows(values)
    style = ChartStyle("category", "year", view, dict.fromkeys(values, "#000000"), sum(values.values()) + 1)  # ty: ignore
    height = 1200
    labels = place_labels(rows, style, height, style.axis_top)
    assert sorted(label.name for label in labels) == sorted(values)
    edges = [(label.middle - 7 * len(label.lines), label.middle + 7 * len(label.lines)) for label in labels]
    assert all(upper[1] <= lower[0] + 1e-6 for upper, lower in pairwise(edges))
    assert edges[0][0] >= 0
    assert edges[-1][1] <= height
    if view == "lines":
        assert [values[label.name] for label in labels] == sorted(values.values(), reverse=True)
    assert build_label_layers(rows, replace(style, width=500), 500, height, style.axis_top)
