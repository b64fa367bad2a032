"""Whether people can use the pages with a screen reader, a keyboard, poor sight or a phone, judged by axe in a browser."""

# ruff: noqa: F811 - fixtures of another file

from __future__ import annotations

import re

import pytest

from tests.test_browser import browser, pytestmark, served, settle  # noqa: F401
from warehouse.lake import PROJECT, Lake
from warehouse.release import current

pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

_FOLDER = PROJECT / "dashboards" / "app_pages"
# the page shown first has no name of its own in the address
_FIRST = re.findall(r'app_pages/(\w+)\.py"[^\n]*default=True', (PROJECT / "dashboards" / "app.py").read_text())
PAGES = sorted(
    path.stem
    for path in _FOLDER.glob("*.py")
    if f"app_pages/{path.stem}.py" in (PROJECT / "dashboards" / "app.py").read_text()
)
FORBIDDEN = ("serious", "critical")
DARK = "rgb(18, 23, 29)"


def asked_of(page: str, lake: Lake) -> str:
    """What to ask of a page so that it has much to show."""
    if page in {"work", "item"}:
        with current(lake).connect() as connection:
            ((identity,),) = connection.execute("select min(publication_id) from clean.publications").fetchall()
        return f"?id={identity}"
    return {
        "sql": "?query=select+lab,count(*)+as+works+from+clean.publications+group+by+lab&mark=bars",
        "lineage": "?table=mart.lab_share_by_year&column=works_share",
        "dictionary": "?q=share",
    }.get(page, "")


def opened(browser: Browser, address: str) -> Page:
    context = browser.new_context(viewport={"width": 1400, "height": 1600}, color_scheme="light")
    page = context.new_page()
    page.set_default_timeout(40_000)
    page.goto(address)
    page.get_by_role("heading").first.wait_for()
    settle(page)
    return page


def broken(page: Page) -> list[str]:
    """Violations that keep somebody out, each with the first place where it is found."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']} ({one['impact']}, {len(one['nodes'])} places): {one['nodes'][0]['html'][:200]}"
        for one in found
        if one["impact"] in FORBIDDEN
    ]


def test_the_first_page_is_known() -> None:
    assert len(_FIRST) == 1
    assert len(PAGES) > 8


@pytest.mark.parametrize("page", PAGES)
def test_nobody_is_kept_out(served: str, browser: Browser, released_lake: Lake, page: str) -> None:
    address = served + ("" if [page] == _FIRST else page) + asked_of(page, released_lake)
    shown = opened(browser, address)
    expect(shown.locator('[data-testid="stException"]')).to_have_count(0)
    assert broken(shown) == [], f"{page}, light"
    shown.emulate_media(color_scheme="dark")
    expect(shown.locator('[data-testid="stApp"]')).to_have_css("background-color", DARK)
    settle(shown)
    assert broken(shown) == [], f"{page}, dark"
    shown.set_viewport_size({"width": 390, "height": 1600})
    main = shown.locator('[data-testid="stMain"]')
    expect(main).to_have_css("width", "390px")
    assert main.evaluate("element => element.scrollWidth <= element.clientWidth"), f"{page} scrolls sideways on a phone"
    assert shown.evaluate("document.documentElement.scrollWidth") <= 390
    shown.context.close()
