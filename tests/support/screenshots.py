"""Pictures of every page, light and dark, on a wide screen and a phone, of a lake made from the bundled default.

Run with ``make screenshots``; they go to ``build/screenshots/<page>-<wide|phone>-<light|dark>.png``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.dashboard_server import PATIENCE_MS, addresses, browsing, serving, settle
from warehouse.lake import PROJECT, Lake

if TYPE_CHECKING:
    from playwright.sync_api import Page

FOLDER = PROJECT / "build" / "screenshots"
WIDTHS = {"wide": 1400, "phone": 390}
HIGHEST = 6000  # pixels; a longer page is cut
QUIET_MS = 1500  # for parts that are loaded late, and for charts that grow into their places


def main() -> None:
    """Make a lake, serve it, and take all pictures, or those of the pages named as arguments.

    Raises:
        SystemExit: The lake cannot be made, or there is no browser.
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
            raise SystemExit(f"no lake could be made:\n{done.stdout}{done.stderr}")
        pages = {name: path for name, path in addresses(lake).items() if name in (sys.argv[1:] or addresses(lake))}
        try:
            with serving(lake, Path(folder) / "log.txt") as server, browsing() as browser:
                page = browser.new_page()
                page.set_default_timeout(PATIENCE_MS)
                for name, path in pages.items():
                    _pictures(page, name, server + path)
        except RuntimeError as error:
            raise SystemExit(str(error)) from error


def _pictures(page: Page, name: str, address: str) -> None:
    """Take all pictures of one page."""
    for size, width in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.goto(address)
            page.get_by_role("heading").first.wait_for()
            settle(page)
            page.wait_for_timeout(QUIET_MS)
            # the page scrolls inside its window, so that the window must be as high as the page
            height = page.locator('[data-testid="stMain"]').evaluate("element => element.scrollHeight")
            page.set_viewport_size({"width": width, "height": max(900, min(height, HIGHEST))})
            page.wait_for_timeout(QUIET_MS)
            settle(page)
            file = FOLDER / f"{name}-{size}-{scheme}.png"
            page.screenshot(path=file)
            print(file.relative_to(PROJECT))


if __name__ == "__main__":
    main()
