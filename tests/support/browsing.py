"""A server of the pages and a browser for tests, one of each for all modules that ask for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.support.dashboard_server import browsing, serving
from warehouse.lake import Lake

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

BARS = '[data-testid="stVegaLiteChart"] path[aria-roledescription="bar"]'
POINTS = '[data-testid="stVegaLiteChart"] path[aria-roledescription="point"]'
PATIENCE_MS = 40_000  # a machine that does much else at once is slow, which is no fault of a page
Open = Callable[..., "Page"]


@pytest.fixture(scope="session")
def served(released_lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(released_lake, tmp_path_factory.mktemp("server") / "log.txt") as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE_MS)
    with browsing() as browser:
        yield browser


@pytest.fixture
def opened(served: str, browser: Browser) -> Iterator[Open]:
    """Open a page; in the end, whatever was done on it, it complained of nothing and asked nobody else."""
    contexts, complaints, elsewhere = [], [], []

    def open_page(query: str = "", width: int = 1400, scheme: str = "light") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 1600}, color_scheme=scheme, accept_downloads=True
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda said: complaints.append(said.text) if _is_complaint(said) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: None if _is_own(asked.url) else elsewhere.append(asked.url))
        page.on("websocket", lambda socket: None if _is_own(socket.url) else elsewhere.append(socket.url))
        page.goto(served + "trends" + query)
        page.get_by_text("publications listed").or_(page.get_by_text("publication listed")).wait_for()
        page.locator(f"{BARS}, {POINTS}").first.wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints, complaints
    assert not elsewhere, elsewhere


def _is_complaint(said: ConsoleMessage) -> bool:
    # opened at the address of a page, Streamlit's own script first looks for its server below that address
    is_looking = "/_stcore/" in said.location.get("url", "") and "404" in said.text
    return said.type in ("error", "warning") and not is_looking


def _is_own(url: str) -> bool:
    return urlsplit(url).hostname == "localhost" or urlsplit(url).scheme in ("data", "blob")
