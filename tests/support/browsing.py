"""Fixtures for tests in a browser: a dashboard server and a browser, one of each per test session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.support.dashboard_server import launch_browser, serve_dashboard
from warehouse.lake import Lake

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

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


@pytest.fixture
def open_trends_page(dashboard_url: str, browser: Browser) -> Iterator[OpenPage]:
    """A function that opens the page of trends; afterwards no errors were logged and no other host was contacted."""
    contexts, problems, foreign_urls = [], [], []

    def open_trends(query: str = "", width: int = 1400, scheme: str = "light") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 1600}, color_scheme=scheme, accept_downloads=True
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(BROWSER_TIMEOUT_MS)
        page.on("console", lambda message: problems.append(message.text) if _is_problem(message) else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: None if _is_own(request.url) else foreign_urls.append(request.url))
        page.on("websocket", lambda socket: None if _is_own(socket.url) else foreign_urls.append(socket.url))
        page.goto(dashboard_url + "trends" + query)
        page.get_by_text("publications listed").or_(page.get_by_text("publication listed")).wait_for()
        page.locator(f"{BARS}, {POINTS}").first.wait_for()
        return page

    yield open_trends
    for context in contexts:
        context.close()
    assert not problems, problems
    assert not foreign_urls, foreign_urls


def _is_problem(message: ConsoleMessage) -> bool:
    # opened at the address of a page, Streamlit first looks for its server below that address
    is_lookup = "/_stcore/" in message.location.get("url", "") and "404" in message.text
    return message.type in ("error", "warning") and not is_lookup


def _is_own(url: str) -> bool:
    return urlsplit(url).hostname == "localhost" or urlsplit(url).scheme in ("data", "blob")
