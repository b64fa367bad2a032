"""What tests in a browser do on a page: choose options, click marks, download files, wait for a state.

A page is on its way for a moment after each action, so a test waits for the state that it expects (`expect`,
`expect_parameters`, `expect_to_fit`) and never compares what it reads at one moment.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from tests.support.browsing import BARS
from tests.support.dashboard_server import TIMEOUT_MS, wait_for_condition, wait_until_idle

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect, Locator, Page


def expect_parameters(page: Page, **expected: str | list[str]) -> None:
    """Wait until the page's URL has exactly these parameters, and perhaps a corpus."""
    from playwright.sync_api import TimeoutError as NotReached

    values = {name: [value] if isinstance(value, str) else value for name, value in expected.items()}

    def read_parameters(url: str) -> dict[str, list[str]]:
        found = parse_qs(urlsplit(url).query)
        return {name: value for name, value in found.items() if name in values or name != "corpus"}

    with contextlib.suppress(NotReached):  # the comparison below shows what is different
        page.wait_for_url(lambda url: read_parameters(url) == values)
    assert read_parameters(page.url) == values


def measure_box(element: Locator) -> FloatRect:
    """Where an element is, once it has had the same place and size at ten frames in succession."""
    wait_until_idle(element.page)
    box: FloatRect = element.evaluate(
        """(element, timeout) => new Promise((resolve, reject) => {
        const start = performance.now();
        let last = "", frames = 0;
        const check = () => {
            const {x, y, width, height} = element.getBoundingClientRect(), box = JSON.stringify({x, y, width, height});
            frames = box === last && width > 0 ? frames + 1 : 0;
            last = box;
            frames === 10 ? resolve({x, y, width, height})
                : performance.now() - start > timeout ? reject(new Error("it was never still"))
                : requestAnimationFrame(check);
        };
        check();
    })""",
        TIMEOUT_MS,
    )
    return box


def click_link_of_table(table: Locator) -> None:
    """Look along the first row of a table that is drawn on a canvas for a link, from its last column on, and click it.

    The cursor follows the mouse some frames later, where a page is busy perhaps too late: then nothing happens.
    """
    page, box = table.page, measure_box(table)
    for offset in range(100, 400, 16):
        position = box["x"] + box["width"] - offset, box["y"] + 52
        page.mouse.move(*position, steps=3)
        is_link = table.evaluate(
            """canvas => new Promise(resolve => {
            let frames = 0, pointing = 0;
            const check = () => {
                pointing = getComputedStyle(canvas).cursor === "pointer" ? pointing + 1 : 0;
                pointing === 4 ? resolve(true) : ++frames === 12 ? resolve(false) : requestAnimationFrame(check);
            };
            check();
        })"""
        )
        if is_link:
            page.mouse.click(*position, delay=60)
            return


def expect_to_fit(page: Page, width: int) -> None:
    """Wait until the page and every visible chart fit into the width of the window (in pixels)."""
    wait_for_condition(
        page,
        """width => document.documentElement.scrollWidth <= width
            && [...document.querySelectorAll('[data-testid="stVegaLiteChart"]')].every(chart => {
                const box = chart.getBoundingClientRect();
                return box.width === 0 || (box.left >= 0 && box.right <= width);
            })""",
        width,
    )


def build_bar_selector(**values: str) -> str:
    """The CSS selector of the bar whose accessible name has all these values."""
    return BARS + "".join(f'[aria-label*="{name.capitalize()}: {value}"]' for name, value in values.items())


def choose_option(page: Page, label: str, option: str) -> None:
    """Choose an option of a list by typing it; the list is opened again if the page closed it on its way."""
    from playwright.sync_api import TimeoutError as NotReached

    wait_until_idle(page)
    box, deadline = page.get_by_role("combobox", name=label, exact=True), time.monotonic() + TIMEOUT_MS / 1000
    while box.input_value() != option:
        assert time.monotonic() < deadline, f"{label} has no option {option}"
        box.click()
        box.fill(option)
        with contextlib.suppress(NotReached):
            page.get_by_role("option", name=option, exact=True).click(timeout=5000)
            return


def click_mark(page: Page, mark: str) -> None:
    """Click a mark once the chart is drawn; until then, the previous chart may still be there."""
    from playwright.sync_api import expect

    wait_until_idle(page)
    expect(page.locator(mark)).to_have_count(1)
    page.locator(mark).click()


def download_file(page: Page, label: str, within: str = "body") -> tuple[str, bytes]:
    """Name and content of the file of a download button within an element of the page."""
    with page.expect_download() as download:
        page.locator(within).get_by_role("button", name=label, exact=True).click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()
