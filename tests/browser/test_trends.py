"""The page of trends in a real browser, served as by `aisle dashboard`."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.browser.actions import (
    build_bar_selector,
    choose_option,
    click_mark,
    download_file,
    expect_parameters,
    expect_to_fit,
    measure_box,
)
from tests.conftest import publish_copy
from tests.support.browsing import POINTS, OpenPage
from tests.support.dashboard_server import CHROMIUM, serve_dashboard, wait_until_idle
from warehouse.lake import Lake
from warehouse.release import read_current_release

pytest.importorskip("playwright", reason="playwright is not installed")
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


def test_filter_is_in_the_address(open_trends_page: OpenPage) -> None:
    page = open_trends_page()
    expect(page.get_by_role("heading", name="Publications per lab per category over time")).to_be_visible()
    expect(page.get_by_text("78 works").first).to_be_visible()
    expect(page.get_by_text("must not be read as a decline")).to_be_visible()
    expect(page.locator('[data-testid="stVegaLiteChart"]').get_by_text("(to 31 Jul)").first).to_be_visible()
    page.get_by_role("combobox", name="Labs").click()
    page.get_by_role("option", name="OpenAI").click()
    page.keyboard.press("Escape")
    choose_option(page, "Counting rule", "rows")
    choose_option(page, "Per", "quarter")
    expect(page.get_by_text("13 of 80 rows")).to_be_visible()
    expect(page.get_by_text("13 publications listed")).to_be_visible()
    expect_parameters(page, labs="OpenAI", count="rows", per="quarter")
    page.reload()
    expect(page.get_by_text("13 of 80 rows")).to_be_visible()
    expect(page.locator(build_bar_selector(period="2024 Q3", lab="OpenAI")).first).to_be_visible()
    expect_parameters(page, labs="OpenAI", count="rows", per="quarter")


def test_corpus_is_in_the_address_and_stays(open_trends_page: OpenPage) -> None:
    page = open_trends_page("?corpus=all_works")
    expect(page.get_by_text("All works").first).to_be_visible()
    page.get_by_role("radiogroup", name="Corpus").get_by_role("radio").filter(has_text="iaps_mapping").click()
    expect(page.get_by_text("78 works in 80 rows")).to_be_visible()
    expect_parameters(page, corpus="iaps_mapping")
    page.reload()
    expect(page.get_by_text("78 works in 80 rows")).to_be_visible()


def test_click_on_a_bar_lists_its_papers(open_trends_page: OpenPage) -> None:
    page = open_trends_page()
    click_mark(page, build_bar_selector(period="2023", lab="Anthropic", category="Mechanistic interpretability"))
    expect(page.get_by_text("8 publications listed")).to_be_visible()
    expect_parameters(page, period="2023", of_lab="Anthropic", of_category="Mechanistic interpretability")
    click_mark(page, build_bar_selector(period="2024", lab="OpenAI", category="Robustness"))
    expect(page.get_by_text("1 publication listed")).to_be_visible()
    # the table is painted; its cells stand in the page for screen readers
    expect(page.locator("[role=gridcell]").filter(has_text="Instruction Hierarchy").first).to_be_attached()
    click_mark(page, build_bar_selector(period="2023", lab="Anthropic", category="Mechanistic interpretability"))
    expect(page.get_by_text("8 publications listed")).to_be_visible()
    page.reload()
    expect(page.get_by_text("8 publications listed")).to_be_visible()


def test_bar_can_be_clicked_again_after_another_choice(open_trends_page: OpenPage) -> None:
    page = open_trends_page("?per=year")
    bar = build_bar_selector(period="2023", lab="Google DeepMind", category="Enhancing human feedback")
    page.locator(bar).click()
    expect(page.get_by_text("7 publications listed")).to_be_visible()
    wait_until_idle(page)
    choose_option(page, "Period", "2022")
    expect(page.get_by_text("2 publications listed")).to_be_visible()
    wait_until_idle(page)
    page.locator(bar).click()
    expect(page.get_by_text("7 publications listed")).to_be_visible()


def test_period_can_be_chosen_by_keyboard(open_trends_page: OpenPage) -> None:
    page = open_trends_page()
    page.get_by_role("combobox", name="Period").focus()
    page.keyboard.type("2022")
    page.keyboard.press("Enter")
    expect(page.get_by_text("24 publications listed")).to_be_visible()
    expect_parameters(page, period="2022")


def test_click_on_a_point_lists_its_papers(open_trends_page: OpenPage) -> None:
    page = open_trends_page("?view=lines&panels=false")
    page.locator(POINTS + '[aria-label*="Period: 2022"][aria-label*="Category: Robustness"]').click()
    expect(page.get_by_text("5 publications listed")).to_be_visible()


def test_tooltip_of_a_bar(open_trends_page: OpenPage) -> None:
    page = open_trends_page()
    wait_until_idle(page)
    page.locator(build_bar_selector(period="2023", lab="Anthropic", category="Mechanistic interpretability")).hover()
    tooltip = page.locator("#vg-tooltip-element.visible tr")
    expect(tooltip).to_have_text(
        ["Period2023", "LabAnthropic", "CategoryMechanistic interpretability", "Publications8"]
    )


@pytest.fixture(scope="module")
def long_series_address(released_lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a dashboard whose publications are covered since 2018, so that there are many months."""
    folder = tmp_path_factory.mktemp("long-series")
    coverage = "covers_from = date '2018-01-01', holds_from = date '2018-01-01'"
    change = f"update mart.corpus_coverage set {coverage} where corpus = 'iaps_mapping'"
    with serve_dashboard(publish_copy(released_lake, folder / "lake", change), folder / "log.txt") as address:
        yield address


@pytest.mark.parametrize("view", ["bars", "lines", "share", "heat map", "cumulative"])
def test_many_periods_are_pointed_at_and_clicked_as_a_whole(
    long_series_address: str, visit_page: OpenPage, view: str
) -> None:
    page = visit_page(f"{long_series_address}trends?corpus=iaps_mapping&per=month&panels=false&view={view}")
    chart = page.get_by_test_id("stVegaLiteChart").last
    chart.locator("canvas, svg").first.wait_for()
    box = measure_box(chart)
    # the newest month is at the right end
    position = (box["x"] + box["width"] - 24, box["y"] + box["height"] * 0.6)
    page.mouse.move(position[0] - 1, position[1])
    page.mouse.move(*position)
    tooltip = page.locator("#vg-tooltip-element.visible tr")
    when = "So far, until" if view == "cumulative" else "Period"
    expect(tooltip.first).to_have_text(f"{when}2024-07")
    expect(tooltip.filter(has_text="Enhancing human feedback")).to_have_count(1)
    page.mouse.click(*position)
    expect(page.get_by_role("combobox", name="Period")).to_have_value("2024-07")
    expect(page.get_by_test_id("stVegaLiteChart").last.locator("canvas, svg").first).to_be_visible()


def test_work_page_opens_by_its_address(visit_page: OpenPage, released_lake: Lake) -> None:
    with read_current_release(released_lake).connect() as connection:
        ((identity, title),) = connection.execute(
            "select publication_id, title from clean.publications where title like 'Many-shot%'"
        ).fetchall()
    page = visit_page(f"work?id={identity}&release=v1")
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    expect(page.get_by_role("heading", name="Evidence")).to_be_visible()
    expect(page.get_by_text("Data as of release v1")).to_be_visible()


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        ("", "AI safety research in numbers"),
        ("labs?lab=OpenAI", "OpenAI"),
        ("categories?category=Robustness", "Robustness"),
        ("published_numbers", "Published numbers"),
        ("changes", "Why numbers changed"),
        ("coverage", "coverage"),
    ],
)
def test_other_pages_open_by_their_address(visit_page: OpenPage, path: str, heading: str) -> None:
    page = visit_page(path)
    expect(page.get_by_role("heading", name=heading).first).to_be_visible()
    wait_until_idle(page)
    expect(page.locator('[data-testid="stException"]')).to_have_count(0)


def test_downloads_have_the_drawn_numbers(open_trends_page: OpenPage) -> None:
    page = open_trends_page("?per=month")
    for count, expected in (("rows", 80), ("works", 78)):
        choose_option(page, "Counting rule", count)
        expect(page.get_by_text(f"{expected} publications listed")).to_be_visible()
        wait_until_idle(page)
        page.get_by_role("tab", name="Download").first.click()
        name, content = download_file(page, "CSV", ".st-key-trends_figure")
        assert name == f"publications_by_lab_category_month_{count}_iaps_mapping_v1.csv"
        rows = pl.read_csv(io.BytesIO(content), try_parse_dates=True)
        name, content = download_file(page, "Parquet", ".st-key-trends_figure")
        assert name == f"publications_by_lab_category_month_{count}_iaps_mapping_v1.parquet"
        exact = pl.read_parquet(io.BytesIO(content))
        assert rows["publications"].sum() == exact["publications"].sum() == expected
        assert rows.columns == exact.columns
        assert rows.height == exact.height
        assert rows["starts_on"].to_list() == exact["starts_on"].to_list()
    _, drawing = download_file(page, "SVG", ".st-key-trends_figure")
    assert b"<svg" in drawing
    assert b"counted by works" in drawing
    _, picture = download_file(page, "PNG", ".st-key-trends_figure")
    assert picture.startswith(b"\x89PNG")
    name, content = download_file(page, "CSV", ".st-key-trends_papers")
    assert name == "aisle_v1_papers_works_iaps_mapping.csv"
    assert pl.read_csv(io.BytesIO(content)).height == 78


@pytest.mark.parametrize(("scheme", "ink"), [("light", "#46525e"), ("dark", "#c8d0d8")])
def test_page_fits_on_a_phone_and_numbers_are_readable(open_trends_page: OpenPage, scheme: str, ink: str) -> None:
    page = open_trends_page("?per=quarter", width=390, scheme=scheme)
    expect_to_fit(page, 390)
    number = page.locator('[data-testid="stVegaLiteChart"] svg text[font-weight="600"]').first
    expect(number).to_have_attribute("fill", ink)


def test_picture_has_the_title_that_a_reader_wrote_and_the_page_to_embed_draws_by_itself(
    visit_page: OpenPage, browser: Browser, tmp_path: Path
) -> None:
    page = visit_page("trends?corpus=iaps_mapping&view=lines&colour=lab&panels=false&trends_tab=Download")
    box = page.get_by_role("textbox", name="Title of the picture")
    expect(box).to_have_attribute("placeholder", re.compile("Google DeepMind published more than OpenAI"))
    box.fill("Three labs")
    box.press("Enter")
    page.wait_for_url(re.compile("trends_title=Three"))
    wait_until_idle(page)
    name, svg = download_file(page, "SVG")
    assert name.endswith(".svg")
    assert b"Three labs" in svg
    file = tmp_path / "figure.html"
    file.write_bytes(download_file(page, "HTML")[1])
    problems: list[str] = []
    with browser.new_context(offline=True) as alone:
        shown = alone.new_page()
        shown.on("console", lambda message: problems.append(message.text))
        shown.on("pageerror", lambda error: problems.append(str(error)))
        shown.goto(file.as_uri())
        expect(shown.get_by_role("heading", name="Three labs")).to_be_visible()
        expect(shown.locator("#chart.vega-embed svg")).to_have_count(1)  # drawn by its script, which its policy allows
        shown.locator("#chart [aria-roledescription=point]").first.hover()
        expect(shown.locator(".vg-tooltip")).to_contain_text("Publications")
    assert problems == []


# texts that reach beyond the picture, or into one another, with the fonts of this machine
_UNREADABLE = """() => {
    const picture = document.documentElement.getBoundingClientRect(), found = [];
    const texts = [...document.querySelectorAll("text")].map(one => [one.textContent, one.getBoundingClientRect()])
        .filter(([text, box]) => text && box.width);
    texts.forEach(([text, box], place) => {
        if (box.left < picture.left || box.right > picture.right) found.push(text);
        for (const [other, its] of texts.slice(place + 1)) {
            const wide = Math.min(box.right, its.right) - Math.max(box.left, its.left);
            const high = Math.min(box.bottom, its.bottom) - Math.max(box.top, its.top);
            if (wide > 1 && high > box.height / 2) found.push(`${text} | ${other}`);
        }
    });
    return found;
}"""


_HAS_FONT = """() => {
    const context = document.createElementNS("http://www.w3.org/1999/xhtml", "canvas").getContext("2d");
    const measure = font => { context.font = `20px ${font}`; return context.measureText("Mechanistic").width; };
    return ["Helvetica", "Arial", "Liberation Sans", "DejaVu Sans Condensed"].some(
        name => measure(`"${name}", monospace`) !== measure("monospace"));
}"""


def test_texts_of_a_picture_are_readable(visit_page: OpenPage, browser: Browser, tmp_path: Path) -> None:
    page = visit_page("trends?corpus=iaps_mapping&per=year&trends_tab=Download")
    expect(page.get_by_role("textbox", name="Title of the picture")).to_be_visible()
    wait_until_idle(page)
    file = tmp_path / "figure.svg"
    file.write_bytes(download_file(page, "SVG")[1])
    with browser.new_context(offline=True) as alone:
        shown = alone.new_page()
        shown.goto(file.as_uri())
        if not shown.evaluate(_HAS_FONT):
            pytest.skip("no font of Helvetica's width on this machine")
        assert shown.locator("text").count() > 20
        assert shown.evaluate(_UNREADABLE) == []
