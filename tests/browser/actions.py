"""What tests in a browser do on a page: choose options, click marks, download files, read the address."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from tests.support.browsing import BARS
from tests.support.dashboard_server import wait_until_idle

if TYPE_CHECKING:
    from playwright.sync_api import Page


def read_parameters(page: Page) -> dict[str, list[str]]:
    """The parameters of the page's URL."""
    return parse_qs(urlsplit(page.url).query)


def build_bar_selector(**values: str) -> str:
    """The CSS selector of the bar whose accessible name has all these values."""
    return BARS + "".join(f'[aria-label*="{name.capitalize()}: {value}"]' for name, value in values.items())


def choose_option(page: Page, label: str, option: str) -> None:
    """Choose an option of a list by typing it."""
    box = page.get_by_role("combobox", name=label, exact=True)
    if box.input_value() != option:
        box.click()
        box.fill(option)
        page.get_by_role("option", name=option, exact=True).click()


def click_mark(page: Page, mark: str) -> None:
    """Click a mark once the chart is drawn; until then, the previous chart may still be there."""
    from playwright.sync_api import expect

    wait_until_idle(page)
    expect(page.locator(mark)).to_have_count(1)
    page.locator(mark).click()


def download_file(page: Page, label: str) -> tuple[str, bytes]:
    """Name and content of the file of a download button."""
    with page.expect_download() as download:
        page.get_by_role("button", name=label, exact=True).click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()
