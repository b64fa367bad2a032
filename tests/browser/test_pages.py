"""Overview, views of the trends and profiles in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from dashboards.queries.visits import name_cookie
from tests.browser.actions import click_link_of_table, download_file, expect_parameters, expect_to_fit
from tests.support.browsing import BARS, OpenPage
from tests.support.dashboard_server import (
    CHROMIUM,
    serve_dashboard,
    wait_for_condition,
    wait_until_idle,
)
from warehouse.lake import Lake

pytest.importorskip("playwright", reason="playwright is not installed")
from playwright.sync_api import Browser, BrowserContext, expect

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


def test_overview_leads_to_the_other_pages(visit_page: OpenPage) -> None:
    page = visit_page()
    expect(page.get_by_text("78 works in 31 whole months").first).to_be_visible()
    page.locator(BARS).first.wait_for()
    page.get_by_role("link", name="Explore the trends").click()
    expect(page.get_by_role("heading", name="Publications per lab per category over time")).to_be_visible()


def test_link_restores_a_heat_map_and_a_comparison(visit_page: OpenPage) -> None:
    page = visit_page("trends?view=heat+map&panels=false&compare=true&other_labs=OpenAI&labs=Anthropic")
    cells = page.locator('[data-testid="stVegaLiteChart"] path[aria-roledescription="rect mark"]')
    cells.first.wait_for()
    expect(page.get_by_text("rate ratio").first).to_be_visible()
    wait_until_idle(page)
    # the number that stands on the cell lets the click through
    cell = '[aria-roledescription="rect mark"][aria-label*="Period: 2023"][aria-label*="Mechanistic interpretability"]'
    page.locator(cell).first.click()
    expect(page.get_by_text("8 works listed")).to_be_visible()
    expect_parameters(
        page,
        view="heat map",
        panels="false",
        compare="true",
        other_labs="OpenAI",
        labs="Anthropic",
        period="2023",
        of_category="Mechanistic interpretability",
    )


@pytest.mark.parametrize("path", ["", "labs?lab=OpenAI", "trends?view=share&events=true&compare=true"])
def test_pages_fit_on_a_phone(visit_page: OpenPage, path: str) -> None:
    page = visit_page(path, width=390, scheme="dark")
    page.locator('[data-testid="stVegaLiteChart"] svg').first.wait_for()
    wait_until_idle(page)
    expect_to_fit(page, 390)


def test_profile_is_downloaded_as_one_page(visit_page: OpenPage) -> None:
    page = visit_page("labs?lab=Anthropic")
    page.locator(BARS).first.wait_for()
    wait_until_idle(page)
    name, html = download_file(page, "Download as HTML page")
    assert name == "lab_anthropic_lab_publications_v1.html"
    assert html.count(b"<svg") == 3
    page.set_content(html.decode())
    expect(page.get_by_role("heading", name="Anthropic", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="Newest publications")).to_be_visible()


@pytest.fixture(scope="module")
def url_below_a_path(released_lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_dashboard(released_lake, tmp_path_factory.mktemp("server") / "log.txt", "some/path") as address:
        yield address


def test_links_of_a_server_below_a_path_stay_there(url_below_a_path: str, browser_context: BrowserContext) -> None:
    address = url_below_a_path
    with browser_context.new_page() as page:
        page.set_viewport_size({"width": 1400, "height": 1600})
        for path in ("", "labs", "works?q=oversight", "dictionary?table=mart.lab_share_by_year"):
            page.goto(address + path)
            page.get_by_role("heading").first.wait_for()
            wait_until_idle(page)
            links = page.locator("a[href]").evaluate_all("links => links.map(link => link.href)")
            assert len(links) > 5
            own = [link for link in links if link.startswith(address.partition("some/path")[0])]
            assert all(link.startswith(address) for link in own), own
            assert len(own) > 5
        # a link in a table opens in another tab
        page.set_viewport_size({"width": 2400, "height": 1200})  # so that all columns are in sight
        page.goto(address + "dictionary?word=share")
        table = page.locator('[data-testid="stDataFrame"] canvas').first
        table.wait_for()
        wait_until_idle(page)
        page.evaluate("window.opened = []; window.open = address => window.opened.push(address); 0")
        for _ in range(5):
            click_link_of_table(table)
            if page.evaluate("window.opened.length > 0"):
                break
        link = page.evaluate("new URL(window.opened[0], document.baseURI).href")
        assert link.startswith(address + "dictionary?table=")


def test_slow_page_and_lost_server_show_a_message(released_lake: Lake, browser: Browser, tmp_path: Path) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 800})
    style = "getComputedStyle(document.querySelector('.stApp'), '::after')"
    with serve_dashboard(released_lake, tmp_path / "log.txt") as address:
        page.goto(address)
        wait_until_idle(page)
        wait_for_condition(page, f"() => {style}.content == 'none'")
        # the attribute of a running page; the message fades in
        page.evaluate("document.querySelector('.stApp').setAttribute('data-test-script-state', 'running')")
        assert page.evaluate(f"[{style}.content, {style}.opacity]") == ['"Reading the release …"', "0"]
        wait_for_condition(page, f"() => {style}.opacity == '1'")
    wait_for_condition(page, f"() => {style}.content.includes('The server does not answer')")
    wait_for_condition(page, f"() => {style}.opacity == '1'")
    wait_for_condition(page, f"() => parseFloat({style}.width) <= 390")
    page.wait_for_timeout(3000)  # by then, Streamlit shows its own message
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.context.close()


@pytest.mark.parametrize("server", ["dashboard_url", "url_below_a_path"])
def test_pages_answer_own_names_only_and_break_no_rule_of_their_policy(
    request: pytest.FixtureRequest, browser_context: BrowserContext, server: str
) -> None:
    address, problems, failed = request.getfixturevalue(server), [], []
    for host, status in (("evil.example", 403), (urlsplit(address).netloc, 200)):
        response = httpx.get(address + "trends", headers={"Host": host})
        assert response.status_code == status
        assert "script-src 'self'" in response.headers["content-security-policy"]
        assert response.headers["x-frame-options"] == "DENY"
    with browser_context.new_page() as page:
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("response", lambda response: failed.append(response.url) if response.status >= 400 else None)
        for path in ("", "trends"):  # test_access opens them all
            page.goto(address + path)
            page.locator(BARS).first.wait_for()
            wait_until_idle(page)
        assert problems == failed == []
        blocked = page.evaluate("""() => new Promise(resolve => {
            document.addEventListener('securitypolicyviolation', event => resolve(event.effectiveDirective));
            document.body.append(Object.assign(new Image(), {src: 'http://localhost:1/image.png'}));
        })""")
        assert blocked == "img-src"


def test_browser_remembers_its_last_visit(
    dashboard_url: str, browser: Browser, released_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AISLE_LAKE", str(released_lake.root))  # as for the server
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(dashboard_url)
        expect(page.get_by_role("heading", name="What is new")).to_be_visible()
        expect(page.get_by_text("Since your last visit", exact=False)).to_have_count(0)
        (cookie,) = [each for each in context.cookies() if each["name"] == name_cookie()]
        assert cookie["httpOnly"]
        # a visit of September 2001, before any release
        context.add_cookies([{"name": cookie["name"], "value": "1000000000", "url": dashboard_url}])
        page.reload()
        expect(page.get_by_text("Since your last visit, 9 Sep 2001: 78 new works", exact=False)).to_be_visible()
        wait_until_idle(page)
        assert "seen" not in page.url
