"""Every page in a real browser, light, dark and on a phone: accessible, as axe checks it, and without an error.

Each page is opened once for all of this, since opening pages is what takes the time; `visit_page` fails on errors in the
console, on broken rules of the security policy, which are such errors, and on requests to other hosts.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.browsing import OpenPage
from tests.support.dashboard_server import CHROMIUM, list_page_addresses, wait_for_condition, wait_until_idle
from warehouse.lake import PROJECT, Lake

pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
SHARED_BY_PAGES = {"__init__", "profile_page", "work_page"}
PAGES = sorted({path.stem for path in (PROJECT / "dashboards" / "app_pages").glob("*.py")} - SHARED_BY_PAGES)
BLOCKING_IMPACTS = ("serious", "critical")
DARK = "rgb(18, 23, 29)"


COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}


def find_violations(page: Page, options: dict[str, Any] | None = None) -> list[str]:
    """Serious and critical violations, each with its first element."""
    found = Axe().run(page, options=options).response["violations"]
    return [
        f"{one['id']} ({one['impact']}, {len(one['nodes'])} places): {one['nodes'][0]['html'][:200]}"
        for one in found
        if one["impact"] in BLOCKING_IMPACTS
    ]


def test_every_page_has_an_address(released_lake: Lake) -> None:
    assert sorted(list_page_addresses(released_lake)) == PAGES
    assert list(list_page_addresses(released_lake).values()).count("") == 1


@pytest.mark.parametrize("page", PAGES)
def test_page_has_no_error_and_no_serious_accessibility_violation(
    visit_page: OpenPage, released_lake: Lake, page: str
) -> None:
    shown = visit_page(list_page_addresses(released_lake)[page])
    shown.get_by_role("heading").first.wait_for()
    wait_until_idle(shown)
    expect(shown.locator('[data-testid="stException"]')).to_have_count(0)
    assert find_violations(shown) == [], f"{page}, light"
    shown.emulate_media(color_scheme="dark")
    expect(shown.locator('[data-testid="stApp"]')).to_have_css("background-color", DARK)
    wait_until_idle(shown)
    assert find_violations(shown, COLOURS) == [], f"{page}, dark"  # nothing else is different
    shown.set_viewport_size({"width": 390, "height": 1600})
    main = shown.locator('[data-testid="stMain"]')
    expect(main).to_have_css("width", "390px")
    # tables take a moment to become narrower; that it never does is what fails
    narrow = "() => (main => main.scrollWidth <= main.clientWidth)(document.querySelector('[data-testid=stMain]'))"
    wait_for_condition(shown, narrow)
    assert shown.evaluate("document.documentElement.scrollWidth") <= 390
