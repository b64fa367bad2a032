"""Whether people can use the pages with a screen reader, a keyboard, poor sight or a phone, judged by axe in a browser."""

from __future__ import annotations

import pytest

from tests.support.dashboard_server import CHROMIUM, TIMEOUT_MS, list_page_addresses, wait_until_idle
from warehouse.lake import PROJECT, Lake

pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
PAGES = sorted(path.stem for path in (PROJECT / "dashboards" / "app_pages").glob("*.py"))
FORBIDDEN = ("serious", "critical")
DARK = "rgb(18, 23, 29)"


def opened(browser: Browser, address: str) -> Page:
    context = browser.new_context(viewport={"width": 1400, "height": 1600}, color_scheme="light")
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    page.goto(address)
    page.get_by_role("heading").first.wait_for()
    wait_until_idle(page)
    return page


def broken(page: Page) -> list[str]:
    """Violations that keep somebody out, each with the first place where it is found."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']} ({one['impact']}, {len(one['nodes'])} places): {one['nodes'][0]['html'][:200]}"
        for one in found
        if one["impact"] in FORBIDDEN
    ]


def test_every_page_is_in_the_list_of_pages(released_lake: Lake) -> None:
    assert sorted(list_page_addresses(released_lake)) == PAGES
    assert list(list_page_addresses(released_lake).values()).count("") == 1


@pytest.mark.parametrize("page", PAGES)
def test_nobody_is_kept_out(dashboard_url: str, browser: Browser, released_lake: Lake, page: str) -> None:
    shown = opened(browser, dashboard_url + list_page_addresses(released_lake)[page])
    expect(shown.locator('[data-testid="stException"]')).to_have_count(0)
    assert broken(shown) == [], f"{page}, light"
    shown.emulate_media(color_scheme="dark")
    expect(shown.locator('[data-testid="stApp"]')).to_have_css("background-color", DARK)
    wait_until_idle(shown)
    assert broken(shown) == [], f"{page}, dark"
    shown.set_viewport_size({"width": 390, "height": 1600})
    main = shown.locator('[data-testid="stMain"]')
    expect(main).to_have_css("width", "390px")
    # tables take a moment to become narrower; that it never does is what fails
    narrow = "() => (main => main.scrollWidth <= main.clientWidth)(document.querySelector('[data-testid=stMain]'))"
    shown.wait_for_function(narrow)
    assert shown.evaluate("document.documentElement.scrollWidth") <= 390
    shown.context.close()
