"""The pages in a real browser over a whole bibliography, beside the queries that they ask.

Run with ``python -m benchmarks.pages [millions]``, or with the path of a lake to take instead. Told are the first page
of a server that has just started, the same again, and how long after a click or a word the page stands still, drawn
anew; no choice is made twice, so nothing of it is remembered. The queries of the page are timed alone in the same run.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.library import library
from tests.serving import browsing, serving, settle
from warehouse.lake import Lake
from warehouse.release import Release, current

if TYPE_CHECKING:
    from playwright.sync_api import Page

# from now until the last change of the document, which is told once nothing has changed for a while
_UNTIL_STILL = """() => new Promise(done => {
    const app = document.querySelector('[data-testid="stApp"]'), started = performance.now();
    let last = 0;
    const watch = new MutationObserver(() => { last = performance.now(); });
    watch.observe(document.body, {subtree: true, childList: true, attributes: true, characterData: true});
    const look = () => {
        const now = performance.now(), isRunning = app.getAttribute('data-test-script-state') !== 'notRunning';
        if (last && !isRunning && now - last > 400) { watch.disconnect(); return done(last - started); }
        if (now - started > 30000) { watch.disconnect(); return done(-1); }
        setTimeout(look, 20);
    };
    look();
})"""
_VIEWS = ("lines", "share", "heat map", "cumulative", "bars")
_LABS = ("Anthropic", "Google DeepMind", "OpenAI")
_WORDS = (
    "oversight",
    "sparse circuit",
    "model00123",
    "debate probe",
    "deceptoin",
    "study77",
    "reward -agent",
    '"of policy"',
)


def acted(page: Page, act: Callable[[], None]) -> float:
    """Milliseconds from an act until the page stands still again.

    Raises:
        RuntimeError: It does not within half a minute.
    """
    page.evaluate(f"window.isStill = ({_UNTIL_STILL})()")
    act()
    taken = float(page.evaluate("window.isStill"))
    if taken < 0:
        raise RuntimeError(f"{page.url} does not stand still")
    return taken


def choices(page: Page) -> Iterator[tuple[str, Callable[[], None]]]:
    """Acts on the page of trends, none of which gives a view that was there before."""

    def press(name: str) -> Callable[[], None]:
        return page.get_by_role("radiogroup", name="View").get_by_role("radio").filter(has_text=name).first.click

    def pick(label: str, option: str) -> Callable[[], None]:
        box = page.get_by_role("combobox", name=label, exact=False).first
        box.click()
        box.fill(option)
        return page.get_by_role("option", name=option, exact=True).first.click

    for per in ("quarter", "month", "year"):
        yield f"per {per}", pick("Per", per)
        for view in _VIEWS:
            yield f"view {view}", press(view)
    for lab in _LABS[:2]:
        yield f"lab {lab}", pick("Labs", lab)
        for view in _VIEWS:
            yield f"view {view}", press(view)


def told(what: str, times: list[float]) -> None:
    """Print median and 95th percentile."""
    ordered = sorted(times)
    print(
        f"{what:34} {len(times):4} times: median {statistics.median(times):6.0f} ms,"
        f" p95 {ordered[int(len(ordered) * 0.95)]:6.0f} ms, most {ordered[-1]:6.0f} ms"
    )


def opened(page: Page, address: str) -> float:
    """Milliseconds until a page that is opened by its address stands still with its first chart or table drawn."""
    started = time.monotonic()
    page.goto(address)
    page.locator('[data-testid="stVegaLiteChart"] svg, [data-testid="stDataFrame"] canvas').first.wait_for()
    settle(page)
    return (time.monotonic() - started) * 1000


def alone(release: Release) -> list[float]:
    """Milliseconds of the query behind the page of trends, on a connection that is open."""
    with release.connect() as connection:
        times = []
        for rule in ("rows", "works", "works_fractional"):
            for grain in ("year", "quarter", "month"):
                started = time.perf_counter()
                query = f"""
                    select lab, category, starts_on, sum(publications)
                    from publication_counts(rule := '{rule}', grain := '{grain}') group by all
                """
                connection.execute(query).fetchall()
                times.append((time.perf_counter() - started) * 1000)
    return times


def measured(lake: Lake, log: Path) -> None:
    """Serve a lake, go through its pages and print."""
    with browsing() as browser, serving(lake, log) as server:
        page = browser.new_context(viewport={"width": 1400, "height": 1600}).new_page()
        page.set_default_timeout(60_000)
        print(f"{'first page, cold server':34} {opened(page, server):6.0f} ms")
        told("first page, warm", [opened(page, server) for _ in range(5)])
        print(f"{'trends, first':34} {opened(page, server + 'trends'):6.0f} ms")
        acts = []
        for name, act in choices(page):
            acts.append((acted(page, act), name))
        told("trends: a choice", [taken for taken, _ in acts])
        print("  slowest:", ", ".join(f"{name} {taken:.0f} ms" for taken, name in sorted(acts)[-4:]))
        told("trends: the query alone", alone(current(lake)))
        print(f"{'works, first':34} {opened(page, server + 'works'):6.0f} ms")
        box = page.get_by_role("textbox").first
        searched = []
        for word in _WORDS:
            box.fill(word)
            searched.append(acted(page, lambda: box.press("Enter")))
        told("works: a search", searched)


def main() -> None:
    """Measure and print."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else "2"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lake = Lake(Path(wanted) if Path(wanted).is_dir() else folder / "lake")
        if not Path(wanted).is_dir():
            library(lake, int(float(wanted) * 1_000_000))
        measured(lake, folder / "log.txt")


if __name__ == "__main__":
    main()
