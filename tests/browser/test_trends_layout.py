"""The part of the page of trends that runs alone, in a real browser: nothing around it is left behind."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from tests.support.browsing import OpenPage
from tests.support.dashboard_server import CHROMIUM, wait_until_idle

pytest.importorskip("playwright", reason="playwright is not installed")
from playwright.sync_api import Page, expect

from tests.browser.test_trends import chosen

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")

# the width of what each chart is painted on, and of the plot in it with all that is around it
_WIDTHS = """() => [...document.querySelectorAll('[data-testid="stVegaLiteChart"]')].flatMap(chart => {
    const painted = chart.querySelector('svg.marks'), plot = painted?.querySelector('.role-frame .background');
    const width = element => Math.round(element.getBoundingClientRect().width);
    return plot && width(plot) > 1 ? [[width(chart), width(painted), width(plot)]] : [];
})"""


def listed(page: Page) -> str:
    wait_until_idle(page)
    return page.get_by_text("publications listed").inner_text()


def viewed(page: Page, name: str) -> None:
    """Choose a view, and wait until its charts are there."""
    page.get_by_role("radiogroup", name="View").get_by_role("radio", name=name).click()
    expect(page.get_by_role("radiogroup", name="View").get_by_role("radio", name=name)).to_be_checked()
    wait_until_idle(page)


def test_the_list_of_papers_follows_the_charts(open_trends_page: OpenPage) -> None:
    page = open_trends_page()
    expect(page.get_by_text("80 publications listed")).to_be_visible()
    chosen(page, "Period", "2023")
    expect(page.get_by_text("32 publications listed")).to_be_visible()
    viewed(page, "lines")  # the same papers
    assert listed(page).startswith("32 publications")
    viewed(page, "cumulative")  # all until the end of 2023
    expect(page.get_by_text("57 publications listed")).to_be_visible()
    page.reload()
    expect(page.get_by_text("57 publications listed")).to_be_visible()
    chosen(page, "Per", "quarter")  # which has no such period
    expect(page.get_by_text("80 publications listed")).to_be_visible()
    chosen(page, "From", "2024-05")
    expect(page.get_by_text("15 publications listed")).to_be_visible()
    viewed(page, "bars")
    chosen(page, "Per", "rolling_12_months")  # whose first window reaches back
    expect(page.get_by_text("44 publications listed")).to_be_visible()
    page.reload()
    expect(page.get_by_text("44 publications listed")).to_be_visible()


@pytest.mark.parametrize("query", ["", "?view=share&per=quarter", "?view=heat map", "?view=cumulative&panels=false"])
@pytest.mark.parametrize("width", [390, 1400])
def test_nothing_hangs_over_the_width_of_a_chart(open_trends_page: OpenPage, query: str, width: int) -> None:
    page = open_trends_page()
    page.set_viewport_size({"width": width, "height": 1600})
    page.goto(page.url + query)
    page.locator('[data-testid="stVegaLiteChart"] svg.marks').last.wait_for()
    wait_until_idle(page)
    page.wait_for_function(f"() => ({_WIDTHS})().every(([outer, ...inner]) => inner.every(one => one === outer))")
    assert len(page.evaluate(_WIDTHS)) >= 1


def test_an_address_keeps_its_choices_when_a_message_above_them_goes(open_trends_page: OpenPage) -> None:
    page = open_trends_page("?panels=false")
    chosen(page, "Counting rule", "works_first_author")
    expect(page.get_by_text("are not known, so this rule")).to_be_visible()
    chosen(page, "Counting rule", "works")
    expect(page.get_by_text("are not known, so this rule")).to_have_count(0)
    chosen(page, "Per", "rolling_12_months")
    viewed(page, "cumulative")
    expect(page.get_by_text("cannot be added up")).to_be_visible()
    viewed(page, "bars")
    expect(page.get_by_text("cannot be added up")).to_have_count(0)
    chosen(page, "Period", "2023-05")
    chosen(page, "Lab", "OpenAI")
    expect(page.get_by_text("publications listed")).not_to_contain_text("78")
    told = listed(page)
    page.wait_for_url(lambda url: {"period=2023-05", "of_lab=OpenAI"} <= set(urlsplit(url).query.split("&")))
    page.reload()
    expect(page.get_by_text(told)).to_be_visible()
    chosen(page, "From", "2024-02")  # which the reader sees to leave no such period
    expect(page.get_by_text(told)).to_have_count(0)
    expect(page.get_by_text("is not one of the options")).to_have_count(0)
