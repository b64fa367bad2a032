"""Search in a real browser: filters, links, going back, reloading and downloads."""

from __future__ import annotations

import json

import pytest

from tests.browser.actions import download_file, expect_parameters
from tests.support.browsing import OpenPage
from tests.support.dashboard_server import CHROMIUM, wait_until_idle
from warehouse.lake import Lake
from warehouse.release import read_current_release

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


def count_works(lake: Lake, condition: str = "true") -> int:
    with read_current_release(lake).connect() as connection:
        ((count,),) = connection.execute(f"select count(*) from clean.works where {condition}").fetchall()
    return count


def test_filter_narrows_results_and_is_in_the_address(visit_page: OpenPage, released_lake: Lake) -> None:
    page = open_works_page(visit_page, "?kind=work")
    expect(page.get_by_text(f"{count_works(released_lake)} items")).to_be_visible()
    count = count_works(released_lake, "labs = 'OpenAI'")
    page.get_by_role("combobox", name="Lab").click()
    page.get_by_role("option", name=f"OpenAI ({count})").click()
    page.keyboard.press("Escape")
    expect(page.get_by_text(f"{count} items")).to_be_visible()
    wait_until_idle(page)
    expect_parameters(page, kind="work", lab="OpenAI")
    page.reload()
    expect(page.get_by_text(f"{count} items")).to_be_visible()
    name, content = download_file(page, "CSL-JSON")
    assert name == "aisle_v1_found.json"
    assert len(json.loads(content)) == count
    name, content = download_file(page, "BibTeX")
    assert content.count(b"@") >= count


def test_former_addresses_lead_to_the_work(visit_page: OpenPage, released_lake: Lake) -> None:
    with read_current_release(released_lake).connect() as connection:
        query = """
            select publication_id, work_id
            from clean.publications inner join clean.work_members on publication_id = record_id
            where publications.title like 'Sycophancy%'
        """
        ((publication, work),) = connection.execute(query).fetchall()
    page = visit_page(f"work?id={publication}&release=v1")
    expect(page.get_by_role("heading", name="Sycophancy to Subterfuge", exact=False)).to_be_visible()
    wait_until_idle(page)
    expect_parameters(page, work=work, release="v1")
    page.reload()
    expect(page.get_by_role("heading", name="Found in", exact=False)).to_be_visible()
    page = visit_page(f"item?kind=publication&id={publication}")
    expect(page.get_by_role("heading", name="Sycophancy to Subterfuge", exact=False)).to_be_visible()
    page = visit_page(f"works?kind=publication&q={publication}")
    wait_until_idle(page)
    expect_parameters(page, kind="work", q=publication)


def test_empty_search_offers_all_items(visit_page: OpenPage, released_lake: Lake) -> None:
    page = open_works_page(visit_page, "?q=xyzzyplughqwerty&lab=OpenAI")
    expect(page.get_by_text("No items found")).to_be_visible()
    page.get_by_role("link", name="Show all items").click()
    expect(page.get_by_text(f"{count_works(released_lake) + 19} items")).to_be_visible()  # and episodes


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
