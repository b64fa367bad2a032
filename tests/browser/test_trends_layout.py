"""Layout of the trends page in a real browser, and the filters and papers around its fragment of charts."""

from __future__ import annotations

import json
import re

import pytest

from tests.browser.actions import choose_option, expect_parameters
from tests.support.browsing import OpenPage
from tests.support.dashboard_server import CHROMIUM, wait_for_condition, wait_until_idle

pytest.importorskip("playwright", reason="playwright is not installed")
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")

# widths in pixels of each chart element, its drawing, and the plot with its surroundings
_WIDTHS = """() => [...document.querySelectorAll('[data-testid="stVegaLiteChart"]')].flatMap(chart => {
    const painted = chart.querySelector('svg.marks'), plot = painted?.querySelector('.role-frame .background');
    const width = element => Math.round(element.getBoundingClientRect().width);
    return plot && width(plot) > 1 ? [[width(chart), width(painted), width(plot)]] : [];
})"""


def select_view(page: Page, name: str) -> None:
    """Choose a view, and wait until its charts are there."""
    page.get_by_role("radiogroup", name="View").get_by_role("radio", name=name).click()
    expect(page.get_by_role("radiogroup", name="View").get_by_role("radio", name=name)).to_be_checked()
    wait_until_idle(page)


def test_papers_follow_the_charts(open_trends_page: OpenPage) -> None:
    page = open_trends_page("?count=rows")
    expect(page.get_by_text("80 publications listed")).to_be_visible()
    choose_option(page, "Period", "2023")
    expect(page.get_by_text("32 publications listed")).to_be_visible()
    select_view(page, "lines")  # the same papers
    expect(page.get_by_text("32 publications listed")).to_be_visible()
    select_view(page, "cumulative")  # all until the end of 2023
    expect(page.get_by_text("57 publications listed")).to_be_visible()
    page.reload()
    expect(page.get_by_text("57 publications listed")).to_be_visible()
    choose_option(page, "Per", "quarter")  # which has no such period
    expect(page.get_by_text("80 publications listed")).to_be_visible()
    choose_option(page, "From", "2024-05")
    expect(page.get_by_text("15 publications listed")).to_be_visible()
    select_view(page, "bars")
    choose_option(page, "Per", "rolling_12_months")  # whose first window reaches back
    expect(page.get_by_text("44 publications listed")).to_be_visible()
    page.reload()
    expect(page.get_by_text("44 publications listed")).to_be_visible()


@pytest.mark.parametrize("query", ["", "?view=share&per=quarter", "?view=heat map", "?view=cumulative&panels=false"])
@pytest.mark.parametrize("width", [390, 1400])
def test_charts_fit_their_width(visit_page: OpenPage, query: str, width: int) -> None:
    page = visit_page("trends" + query, width=width)
    page.locator('[data-testid="stVegaLiteChart"] svg.marks').last.wait_for()
    wait_until_idle(page)
    wait_for_condition(page, f"() => ({_WIDTHS})().every(([outer, ...inner]) => inner.every(one => one === outer))")
    assert len(page.evaluate(_WIDTHS)) >= 1


def test_address_keeps_choices_when_a_message_disappears(open_trends_page: OpenPage) -> None:
    page = open_trends_page("?panels=false")
    choose_option(page, "Counting rule", "works_first_author")
    expect(page.get_by_text("are not known, so this rule")).to_be_visible()
    choose_option(page, "Counting rule", "works")
    expect(page.get_by_text("are not known, so this rule")).to_have_count(0)
    choose_option(page, "Per", "rolling_12_months")
    select_view(page, "cumulative")
    expect(page.get_by_text("cannot be added up")).to_be_visible()
    select_view(page, "bars")
    expect(page.get_by_text("cannot be added up")).to_have_count(0)
    choose_option(page, "Period", "2023-05")
    expect(page.get_by_text("27 publications listed")).to_be_visible()
    choose_option(page, "Lab", "OpenAI")
    expect(page.get_by_text(re.compile(r"^5 publications listed"))).to_be_visible()
    expect_parameters(page, panels="false", per="rolling_12_months", period="2023-05", of_lab="OpenAI")
    page.reload()
    expect(page.get_by_text(re.compile(r"^5 publications listed"))).to_be_visible()
    choose_option(page, "From", "2024-02")  # which the reader sees to leave no such period
    expect(page.get_by_text(re.compile(r"^5 publications listed"))).to_have_count(0)
    expect(page.get_by_text("is not one of the options")).to_have_count(0)


def test_figure_comes_before_the_filters_on_a_phone(open_trends_page: OpenPage) -> None:
    chart, filters, options, papers = (
        '[data-testid="stVegaLiteChart"]',
        ".st-key-trends_filters",
        ".st-key-trends_options",
        ".st-key-trends_papers",
    )

    def expect_order(page: Page, selectors: list[str], first_below: int) -> None:
        # the parts of a page move until the last of them has its size
        condition = f"""selectors => {{
            const tops = JSON.parse(selectors).map(one => document.querySelector(one)?.getBoundingClientRect().top);
            return tops[0] < {first_below} && tops.every((top, place) => place === 0 || top > tops[place - 1]);
        }}"""
        wait_for_condition(page, condition, json.dumps(selectors))

    expect_order(open_trends_page(width=390), [chart, filters, options, papers], first_below=1000)
    expect_order(open_trends_page(width=1400), [filters, options, chart, papers], first_below=600)


def test_month_is_typed(open_trends_page: OpenPage) -> None:
    page = open_trends_page()
    page.get_by_role("combobox", name="From").fill("May 2024")
    page.keyboard.press("Enter")
    expect(page.get_by_text("22 of 78 works")).to_be_visible()  # whole years
    page.reload()
    expect(page.get_by_text("22 of 78 works")).to_be_visible()
