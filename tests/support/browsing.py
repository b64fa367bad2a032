"""Fixtures for tests in a browser: a dashboard server and a browser, one of each per test session."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import pytest

from tests.support.dashboard_server import launch_browser, serve_dashboard
from warehouse.lake import Lake

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

BARS = '[data-testid="stVegaLiteChart"] path[aria-roledescription="bar"]'
POINTS = '[data-testid="stVegaLiteChart"] path[aria-roledescription="point"]'
BROWSER_TIMEOUT_MS = 40_000  # generous, since a busy machine is slow
OpenPage = Callable[..., "Page"]


@pytest.fixture(scope="session")
def dashboard_url(released_lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_dashboard(released_lake, tmp_path_factory.mktemp("server") / "log.txt") as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import expect

    expect.set_options(timeout=BROWSER_TIMEOUT_MS)
    with launch_browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def browser_context(browser: Browser) -> Iterator[BrowserContext]:
    """One context for all tests, so that the scripts of the pages are loaded and compiled once.

    Pages do not move in it while they wait, since drawing that takes half of the time that a page takes.
    """
    context = browser.new_context(reduced_motion="reduce")
    context.set_default_timeout(BROWSER_TIMEOUT_MS)
    yield context
    context.close()


@pytest.fixture(scope="session")
def idle_tabs() -> list[Page]:
    """Tabs that no test uses: in one that has shown a page, another one costs half as much as in a new one."""
    return []


@pytest.fixture
def visit_page(dashboard_url: str, browser_context: BrowserContext, idle_tabs: list[Page]) -> Iterator[OpenPage]:
    """A function that opens an address; at the end, no page may have logged an error, missed a file or contacted another host."""
    pages: list[Page] = []
    problems: list[str] = []
    foreign_urls: list[str] = []
    listeners: dict[str, Callable[[Any], None]] = {
        "console": lambda message: problems.append(message.text) if _is_problem(message) else None,
        "pageerror": lambda error: problems.append(str(error)),
        "response": lambda response: problems.append(response.url) if response.status >= 400 else None,
        "request": lambda request: None if _is_own(request.url) else foreign_urls.append(request.url),
        "websocket": lambda socket: None if _is_own(socket.url) else foreign_urls.append(socket.url),
    }

    def visit(path: str = "", width: int = 1400, scheme: Literal["light", "dark"] = "light") -> Page:
        """Open a page of the dashboards, or of another server if the path is a whole address."""
        page = idle_tabs.pop() if idle_tabs else browser_context.new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": 1600})
        page.emulate_media(color_scheme=scheme)
        page.mouse.move(0, 0)
        for event, listener in listeners.items():
            page.on(event, listener)
        page.goto(path if "://" in path else dashboard_url + path)
        return page

    yield visit
    for page in pages:
        page.evaluate("sessionStorage.clear()")
        for event, listener in listeners.items():
            page.remove_listener(event, listener)
        idle_tabs.append(page)
    assert not problems, problems
    assert not foreign_urls, foreign_urls


@pytest.fixture
def open_trends_page(visit_page: OpenPage) -> OpenPage:
    """A function that opens the page of trends with a query string and waits for its charts.

    It shows the published mapping unless the query names another corpus.
    """

    def open_trends(query: str = "", **options: Any) -> Page:
        if "corpus=" not in query:
            query = f"{query}{'&' if query else '?'}corpus=iaps_mapping"
        page = visit_page("trends" + query, **options)
        page.get_by_text(re.compile(r"(publication|work)s? listed")).wait_for()
        page.locator(f"{BARS}, {POINTS}").first.wait_for()
        return page

    return open_trends


def _is_problem(message: ConsoleMessage) -> bool:
    # the library that draws graphs computes where the page does
    return message.type in ("error", "warning") and "Not using web worker" not in message.text


def _is_own(url: str) -> bool:
    return urlsplit(url).hostname == "localhost" or urlsplit(url).scheme in ("data", "blob")
