"""A dashboard server, as `aisle dashboard` starts it, and a browser: for tests, screenshots and benchmarks."""

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
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from warehouse.lake import PROJECT, Lake
from warehouse.release import read_current_release

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
TIMEOUT_MS = 60_000


@contextlib.contextmanager
def serve_dashboard(lake: Lake, log: Path, base_path: str = "", options: Sequence[str] = ()) -> Generator[str]:
    """Serve the pages of a lake on a free port, below a base path if there is one; yields the address.

    The options are those of `aisle dashboard`.

    Raises:
        RuntimeError: The server does not start or stop in time; the message has its log.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://localhost:{port}/{base_path}{'/' if base_path else ''}"
    start = "from orchestration.cli.app import main; main()"
    command = [sys.executable, "-c", start, "dashboard", "--port", str(port), *options]
    environment = {**os.environ, "AISLE_LAKE": str(lake.root), "STREAMLIT_SERVER_BASE_URL_PATH": base_path}
    with (
        log.open("w") as out,
        subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=out, stderr=out) as server,
    ):
        try:
            deadline = time.monotonic() + 60
            while not _is_up(address):
                if time.monotonic() > deadline or server.poll() is not None:
                    raise RuntimeError(f"the server did not start: {log.read_text()}")
                time.sleep(0.1)
            yield address
        finally:
            server.terminate()
            try:
                server.wait(TIMEOUT_MS / 1000)
            except subprocess.TimeoutExpired:
                server.kill()
                raise RuntimeError(f"the server did not stop: {log.read_text()}") from None


def _is_up(address: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(address + "_stcore/health"):  # noqa: S310 - our own server
        return True
    return False


@contextlib.contextmanager
def launch_browser() -> Generator[Browser]:
    """Start a headless browser.

    Raises:
        RuntimeError: There is none on this machine.
    """
    from playwright.sync_api import sync_playwright

    if CHROMIUM is None:
        raise RuntimeError("no chromium on this machine: install the package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


def wait_until_idle(page: Page) -> None:
    """Wait until the server has finished running the page."""
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for(timeout=TIMEOUT_MS)


def wait_for_condition(page: Page, condition: str, argument: str | int | None = None) -> None:
    """Wait until a JavaScript function returns true; it is called at every frame.

    Unlike Playwright's own, it needs no evaluation of text, which the pages' content security policy forbids.
    """
    page.evaluate(
        f"""([argument, timeout]) => new Promise((resolve, reject) => {{
            const condition = {condition}, start = performance.now();
            const check = () => condition(argument) ? resolve()
                : performance.now() - start > timeout ? reject(new Error("not reached in time"))
                : requestAnimationFrame(check);
            check();
        }})""",
        [argument, TIMEOUT_MS],
    )


def list_page_addresses(lake: Lake) -> dict[str, str]:
    """Address of every page below the server's, by the name of its file, with a query string that shows much content."""
    with read_current_release(lake).connect() as connection:
        ((identity,),) = connection.execute("select min(work_id) from clean.works").fetchall()
        ((episode,),) = connection.execute("select min(episode_id) from clean.episodes").fetchall()
    parameters = {
        "sql": {
            "query": "select lab, published_year, works from mart.publications_by_lab_year",
            "mark": "bars",
            "across": "published_year",
            "up": "works",
            "by": "lab",
        },
        "lineage": {"of_table": "mart.lab_share_by_year", "of_column": "works_share"},
        "dictionary": {"word": "share"},
        "work": {"work": identity},
        "works": {"q": "interpretability"},
        "item": {"kind": "episode", "id": episode},
    }
    return {
        name: path + (f"?{urlencode(parameters[name])}" if name in parameters else "")
        for name, path in list_pages().items()
    }


def list_pages() -> dict[str, str]:
    """Path of every page of the dashboards, by the name of its file."""
    code = (PROJECT / "dashboards" / "app.py").read_text(encoding="utf-8")
    pages = re.findall(r'st\.Page\("app_pages/(\w+)\.py"(.*)', code)
    return {name: "" if "default=True" in rest else name for name, rest in pages}
