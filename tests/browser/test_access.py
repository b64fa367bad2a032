"""Accessibility of every page, checked by axe in a real browser, light, dark and on a phone."""

from __future__ import annotations

import pytest

from tests.support.dashboard_server import (
    CHROMIUM,
    TIMEOUT_MS,
    list_page_addresses,
    wait_for_condition,
    wait_until_idle,
)
from warehouse.lake import PROJECT, Lake

pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
SHARED_BY_PAGES = {"__init__", "profile_page", "work_page"}
PAGES = sorted({path.stem for path in (PROJECT / "dashboards" / "app_pages").glob("*.py")} - SHARED_BY_PAGES)
BLOCKING_IMPACTS = ("serious", "critical")
DARK = "rgb(18, 23, 29)"


def open_address(browser: Browser, address: str) -> Page:
    context = browser.new_context(viewport={"width": 1400, "height": 1600}, color_scheme="light")
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    page.goto(address)
    page.get_by_role("heading").first.wait_for()
    wait_until_idle(page)
    return page


def find_violations(page: Page) -> list[str]:
    """Serious and critical violations, each with its first element."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']} ({one['impact']}, {len(one['nodes'])} places): {one['nodes'][0]['html'][:200]}"
        for one in found
        if one["impact"] in BLOCKING_IMPACTS
    ]


def test_every_page_has_an_address(released_lake: Lake) -> None:
    assert sorted(list_page_addresses(released_lake)) == PAGES
    assert list(list_page_addresses(released_lake).values()).count("") == 1


@pytest.mark.parametrize("page", PAGES)
def test_page_has_no_serious_accessibility_violation(
    dashboard_url: str, browser: Browser, released_lake: Lake, page: str
) -> None:
    shown = open_address(browser, dashboard_url + list_page_addresses(released_lake)[page])
    expect(shown.locator('[data-testid="stException"]')).to_have_count(0)
    assert find_violations(shown) == [], f"{page}, light"
    shown.emulate_media(color_scheme="dark")
    expect(shown.locator('[data-testid="stApp"]')).to_have_css("background-color", DARK)
    wait_until_idle(shown)
    assert find_violations(shown) == [], f"{page}, dark"
    shown.set_viewport_size({"width": 390, "height": 1600})
    main = shown.locator('[data-testid="stMain"]')
    expect(main).to_have_css("width", "390px")
    # tables take a moment to become narrower; that it never does is what fails
    narrow = "() => (main => main.scrollWidth <= main.clientWidth)(document.querySelector('[data-testid=stMain]'))"
    wait_for_condition(shown, narrow)
    assert shown.evaluate("document.documentElement.scrollWidth") <= 390
    shown.context.close()
