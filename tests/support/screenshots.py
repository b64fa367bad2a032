"""Screenshots of every page, light and dark, on a wide screen and a phone, of a lake with the bundled default.

Run with ``make screenshots``; they are written to ``build/screenshots/<page>-<wide|phone>-<light|dark>.png``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.dashboard_server import (
    TIMEOUT_MS,
    launch_browser,
    list_page_addresses,
    serve_dashboard,
    wait_until_idle,
)
from warehouse.lake import PROJECT, Lake

if TYPE_CHECKING:
    from playwright.sync_api import Page

FOLDER = PROJECT / "build" / "screenshots"
WIDTHS = {"wide": 1400, "phone": 390}
MAX_HEIGHT_PX = 6000  # a longer page is cut
SETTLE_MS = 1500  # for parts that load late and charts that are resized


def main() -> None:
    """Build a lake, serve it, and take screenshots of all pages or of those named as arguments.

    Raises:
        SystemExit: The lake cannot be built, or there is no browser.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder) / "lake")
        run = [sys.executable, "-c", "from orchestration.cli.app import main; main()", "run"]
        done = subprocess.run(
            run,
            cwd=PROJECT,
            env={**os.environ, "AISLE_LAKE": str(lake.root)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"the lake cannot be built:\n{done.stdout}{done.stderr}")
        pages = {
            name: path
            for name, path in list_page_addresses(lake).items()
            if name in (sys.argv[1:] or list_page_addresses(lake))
        }
        try:
            with serve_dashboard(lake, Path(folder) / "log.txt") as server, launch_browser() as browser:
                page = browser.new_page()
                page.set_default_timeout(TIMEOUT_MS)
                for name, path in pages.items():
                    _take_screenshots(page, name, server + path)
        except RuntimeError as error:
            raise SystemExit(str(error)) from error


def _take_screenshots(page: Page, name: str, address: str) -> None:
    """Take all screenshots of one page."""
    for size, width in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.goto(address)
            page.get_by_role("heading").first.wait_for()
            wait_until_idle(page)
            page.wait_for_timeout(SETTLE_MS)
            # the page scrolls inside the window, so the window must be as high as the page
            height = page.locator('[data-testid="stMain"]').evaluate("element => element.scrollHeight")
            page.set_viewport_size({"width": width, "height": max(900, min(height, MAX_HEIGHT_PX))})
            page.wait_for_timeout(SETTLE_MS)
            wait_until_idle(page)
            file = FOLDER / f"{name}-{size}-{scheme}.png"
            page.screenshot(path=file)
            print(file.relative_to(PROJECT))


if __name__ == "__main__":
    main()
