"""The pages in a real browser over a whole bibliography, beside the queries that they ask.

Run with ``python -m benchmarks.pages [millions]``, or with the path of a lake to take instead. Told are the first page
of a server that has just started, the same again, and how long after a click or a word the page stands still, drawn
anew; no choice is made twice, so nothing of it is remembered. The queries of the page are timed alone in the same run.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.bibliography import build_bibliography
from tests.support.dashboard_server import launch_browser, serve_dashboard
from warehouse.lake import Lake
from warehouse.release import Release, read_current_release

if TYPE_CHECKING:
    from playwright.sync_api import Page

# from the press of a key or button until the last change of the page, once its script has run and nothing has changed
# for a while; opening and closing lists of choices lie outside of the page
_UNTIL_STILL = """() => new Promise(done => {
    const app = document.querySelector('[data-testid="stApp"]');
    const main = document.querySelector('[data-testid="stMain"]');
    const began = performance.now();
    let pressed = 0, hasRun = false, last = 0;
    const press = () => { pressed ||= performance.now(); };  // the first is the choice, a later one may close its list
    for (const kind of ['pointerup', 'keydown']) document.addEventListener(kind, press, {capture: true, once: true});
    const runs = new MutationObserver(() => { hasRun = true; last = performance.now(); });
    runs.observe(app, {attributes: true, attributeFilter: ['data-test-script-state']});
    // a short run does not show as one
    const changes = new MutationObserver(() => { hasRun = hasRun || pressed > 0; last = performance.now(); });
    changes.observe(main, {subtree: true, childList: true, characterData: true});
    const look = () => {
        const now = performance.now(), isRunning = app.getAttribute('data-test-script-state') !== 'notRunning';
        const isStill = pressed && hasRun && !isRunning && now - last > 500, isLate = now - began > 30000;
        if (!isStill && !isLate) return setTimeout(look, 20);
        runs.disconnect(); changes.disconnect();
        done(isStill ? last - pressed : -1);
    };
    look();
})"""
_IS_THERE = """shows => {
    const app = document.querySelector('[data-testid="stApp"]'), shown = document.querySelector(shows);
    return app?.getAttribute('data-test-script-state') === 'notRunning' && shown?.getBoundingClientRect().width > 0;
}"""
_VIEWS = ("lines", "share", "heat map", "cumulative", "bars")
_LABS = ("Anthropic", "Google DeepMind", "OpenAI")
_FOUND = '[data-testid="stMain"] .st-key-items a'
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
        RuntimeError: It does not within half a minute, or what stands there is not drawn.
    """
    page.evaluate(f"() => {{ window.isStill = ({_UNTIL_STILL})(); }}")  # which does not wait for it
    act()
    taken = float(page.evaluate("window.isStill"))
    if taken < 0:
        raise RuntimeError(f"{page.url} does not stand still")
    charts = page.get_by_test_id("stVegaLiteChart")
    if charts.filter(has=page.locator("svg.marks, canvas.marks")).count() != charts.count():
        raise RuntimeError(f"{page.url} has a chart with nothing in it")
    return taken


def choices(page: Page) -> Iterator[tuple[str, Callable[[], None]]]:
    """Acts on the page of trends, none of which gives a view that was there before, by the periods of its charts."""

    def press(name: str) -> Callable[[], None]:
        return page.get_by_role("radiogroup", name="View").get_by_role("radio").filter(has_text=name).first.click

    def pick(label: str, option: str) -> Callable[[], None]:
        box = page.get_by_role("combobox", name=label, exact=False).first
        box.click()
        box.fill(option)

        def take() -> None:
            page.get_by_role("option", name=option, exact=True).first.click()
            if label == "Labs":
                page.keyboard.press("Escape")  # a list of many stays open, and nothing else can be pressed

        return take

    # a chart of months has some 4,600 bars or points in three panels, one of quarters 1,500, one of years 400
    for per in ("quarter", "month", "year"):
        yield f"per {per}", pick("Per", per)
        for view in _VIEWS:
            yield f"per {per}", press(view)
    for lab in _LABS:
        yield "per year", pick("Labs", lab)
        for view in _VIEWS:
            yield "per year", press(view)


def told(what: str, times: list[float]) -> None:
    """Print median and 95th percentile."""
    ordered = sorted(times)
    print(
        f"{what:34} {len(times):4} times: median {statistics.median(times):6.0f} ms,"
        f" p95 {ordered[int(len(ordered) * 0.95)]:6.0f} ms, most {ordered[-1]:6.0f} ms"
    )


def opened(page: Page, address: str, shows: str = '[data-testid="stVegaLiteChart"] :is(svg, canvas)') -> float:
    """Milliseconds until a page that is opened by its address stands still and shows an element."""
    started = time.monotonic()
    page.goto(address)
    page.wait_for_function(_IS_THERE, arg=shows)  # looks at every frame, where a locator looks twice a second
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
    with launch_browser() as browser, serve_dashboard(lake, log) as server:
        page = browser.new_context(viewport={"width": 1400, "height": 1600}).new_page()
        page.set_default_timeout(60_000)
        print(f"{'first page, cold server':34} {opened(page, server):6.0f} ms")
        told("first page, warm", [opened(page, server) for _ in range(5)])
        print(f"{'trends, first':34} {opened(page, server + 'trends'):6.0f} ms")
        taken: dict[str, list[float]] = {}
        for kind, act in choices(page):
            taken.setdefault(kind, []).append(acted(page, act))
        for kind, times in taken.items():
            told(f"trends: a choice, {kind}", times)
        told("trends: the query alone", alone(read_current_release(lake)))
        print(f"{'works, first':34} {opened(page, server + 'works', _FOUND):6.0f} ms")
        box = page.get_by_role("searchbox").first
        searched = []
        for word in _WORDS:
            box.fill(word)
            searched.append(acted(page, lambda: box.press("Enter")))
        told("works: a search", searched)
        told("every choice and search", [*itertools.chain.from_iterable(taken.values()), *searched])


def main() -> None:
    """Measure and print."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else "2"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lake = Lake(Path(wanted) if Path(wanted).is_dir() else folder / "lake")
        if not Path(wanted).is_dir():
            build_bibliography(lake, int(float(wanted) * 1_000_000))
        measured(lake, folder / "log.txt")


if __name__ == "__main__":
    main()
