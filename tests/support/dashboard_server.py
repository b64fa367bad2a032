"""The pages served as `aisle dashboard` serves them, and a browser: for tests, pictures and measurements."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from warehouse.lake import PROJECT, Lake
from warehouse.release import current

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 60_000


@contextlib.contextmanager
def serving(lake: Lake, log: Path) -> Generator[str]:
    """The address of a server of this lake's pages, on a port of its own.

    Raises:
        RuntimeError: It does not come up, or does not end when told to; the text is what it said.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://localhost:{port}/"
    command = [sys.executable, "-m", "streamlit", "run", "dashboards/app.py", "--server.port", str(port)]
    environment = {**os.environ, "AISLE_LAKE": str(lake.root)}
    with (
        log.open("w") as out,
        subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=out, stderr=out) as server,
    ):
        try:
            until = time.monotonic() + 60
            while not _is_up(address):
                if time.monotonic() > until or server.poll() is not None:
                    raise RuntimeError(f"the server did not come up: {log.read_text()}")
                time.sleep(0.1)
            yield address
        finally:
            server.terminate()
            try:
                server.wait(PATIENCE_MS / 1000)
            except subprocess.TimeoutExpired:
                server.kill()
                raise RuntimeError(f"the server stood still: {log.read_text()}") from None


def _is_up(address: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(address + "_stcore/health"):  # noqa: S310 - our own server
        return True
    return False


@contextlib.contextmanager
def browsing() -> Generator[Browser]:
    """A browser without a window.

    Raises:
        RuntimeError: There is none on this machine.
    """
    from playwright.sync_api import sync_playwright

    if CHROMIUM is None:
        raise RuntimeError("no chromium on this machine: install the package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def settle(page: Page) -> None:
    """Wait until the server has nothing more to say."""
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for(timeout=PATIENCE_MS)


def addresses(lake: Lake) -> dict[str, str]:
    """Every page by the name of its file: its address below the server's, asking for something that has much to show."""
    with current(lake).connect() as connection:
        ((identity,),) = connection.execute("select min(publication_id) from clean.publications").fetchall()
        ((episode,),) = connection.execute("select min(episode_id) from clean.episodes").fetchall()
    asked = {
        "sql": {
            "query": "select lab, published_year, works from mart.publications_by_lab_year",
            "mark": "bars",
            "across": "published_year",
            "up": "works",
            "by": "lab",
        },
        "lineage": {"of_table": "mart.lab_share_by_year", "of_column": "works_share"},
        "dictionary": {"word": "share"},
        "work": {"id": identity},
        "works": {"q": "interpretability"},
        "item": {"kind": "episode", "id": episode},
    }
    return {name: path + (f"?{urlencode(asked[name])}" if name in asked else "") for name, path in pages().items()}


def pages() -> dict[str, str]:
    """Every page of the dashboards by the name of its file, with its path."""
    told = (PROJECT / "dashboards" / "app.py").read_text(encoding="utf-8")
    listed = re.findall(r'st\.Page\("app_pages/(\w+)\.py"(.*)', told)
    return {name: "" if "default=True" in rest else name for name, rest in listed}
