"""Search in a real browser: filters, links, going back, reloading and downloads."""

from __future__ import annotations

import json

import pytest

from tests.browser.actions import download_file, expect_parameters
from tests.support.browsing import OpenPage
from tests.support.dashboard_server import CHROMIUM, wait_until_idle

pytest.importorskip("playwright", reason="playwright is not installed")
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


def open_works_page(visit_page: OpenPage, query: str = "") -> Page:
    page = visit_page("works" + query)
    expect(page.get_by_role("searchbox", name="Search")).to_be_visible()
    wait_until_idle(page)
    return page


def test_search_leads_to_a_work_and_back(visit_page: OpenPage) -> None:
    page = open_works_page(visit_page)
    box = page.get_by_role("searchbox", name="Search")
    box.fill("sycophancy")
    box.press("Enter")
    title = page.get_by_role("link", name="Sycophancy to Subterfuge", exact=False).first
    expect(title).to_be_visible()
    wait_until_idle(page)
    expect_parameters(page, q="sycophancy")
    title.click()
    expect(page.get_by_role("heading", name="Evidence")).to_be_visible()
    expect(page.get_by_role("heading", name="Sycophancy to Subterfuge", exact=False)).to_be_visible()
    page.go_back()
    expect(page.get_by_role("searchbox", name="Search")).to_have_value("sycophancy")
    expect(title).to_be_visible()
    page.reload()
    expect(page.get_by_role("searchbox", name="Search")).to_have_value("sycophancy")
    expect(title).to_be_visible()


def test_filter_narrows_results_and_is_in_the_address(visit_page: OpenPage) -> None:
    page = open_works_page(visit_page, "?kind=publication")
    expect(page.get_by_text("80 items")).to_be_visible()
    page.get_by_role("combobox", name="Lab").click()
    page.get_by_role("option", name="OpenAI (13)").click()
    page.keyboard.press("Escape")
    expect(page.get_by_text("13 items")).to_be_visible()
    wait_until_idle(page)
    expect_parameters(page, kind="publication", lab="OpenAI")
    page.reload()
    expect(page.get_by_text("13 items")).to_be_visible()
    name, content = download_file(page, "CSL-JSON")
    assert name == "aisle_v1_found.json"
    assert len(json.loads(content)) == 13
    name, content = download_file(page, "BibTeX")
    assert content.count(b"@") >= 13


def test_empty_search_offers_all_items(visit_page: OpenPage) -> None:
    page = open_works_page(visit_page, "?q=xyzzyplughqwerty&lab=OpenAI")
    expect(page.get_by_text("No items found")).to_be_visible()
    page.get_by_role("link", name="Show all items").click()
    expect(page.get_by_text("99 items")).to_be_visible()


def test_open_tab_is_in_the_address(open_trends_page: OpenPage) -> None:
    page = open_trends_page()
    page.get_by_role("tab", name="SQL").first.click()
    expect(page.get_by_text("from publication_cells").first).to_be_visible()
    wait_until_idle(page)
    expect_parameters(page, trends_tab="SQL")
    page.reload()
    expect(page.get_by_role("tab", name="SQL").first).to_have_attribute("aria-selected", "true")
    expect(page.get_by_text("from publication_cells").first).to_be_visible()
    page.get_by_role("tab", name="Cite").first.click()
    expect(page.get_by_text("content SHA-256").first).to_be_visible()
