"""Speed of the pages in a real browser with millions of publications, and of their queries alone.

Run with ``python -m benchmarks.pages [millions]``, or with the path of an existing lake. It prints the time of the
first page of a new server, of the same page again, and from each click or search until the page is drawn. No choice is
made twice, so nothing is cached.
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
from benchmarks.results import Row, keep_results
from tests.support.dashboard_server import launch_browser, serve_dashboard, wait_for_condition
from warehouse.lake import Lake
from warehouse.release import Release, read_current_release

if TYPE_CHECKING:
    from playwright.sync_api import Page

# from a key or button press until the last change of the page, once its script has run and nothing has changed for
# half a second; opening and closing lists of options are not part of the page
_UNTIL_STILL = """() => new Promise(done => {
    const app = document.querySelector('[data-testid="stApp"]');
    const main = document.querySelector('[data-testid="stMain"]');
    const began = performance.now();
    let pressed = 0, hasRun = false, last = 0;
    const press = () => { pressed ||= performance.now(); };  // the first is the choice, a later one may close the list
    for (const kind of ['pointerup', 'keydown']) document.addEventListener(kind, press, {capture: true, once: true});
    const runs = new MutationObserver(() => { hasRun = true; last = performance.now(); });
    runs.observe(app, {attributes: true, attributeFilter: ['data-test-script-state']});
    // a short run may not change the state attribute
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
_IS_SHOWN = """shows => {
    const app = document.querySelector('[data-testid="stApp"]'), shown = document.querySelector(shows);
    return app?.getAttribute('data-test-script-state') === 'notRunning' && shown?.getBoundingClientRect().width > 0;
}"""
_VIEWS = ("lines", "share", "heat map", "cumulative", "bars")
_LABS = ("Anthropic", "Google DeepMind", "OpenAI")
_RESULT_LINKS = '[data-testid="stMain"] .st-key-items a'
_SEARCHES = (
    "oversight",
    "sparse circuit",
    "model00123",
    "debate probe",
    "deceptoin",
    "study77",
    "reward -agent",
    '"of policy"',
)


def measure_action(page: Page, action: Callable[[], None]) -> float:
    """Milliseconds from an action until the page is drawn.

    Raises:
        RuntimeError: The page still changes after half a minute, or has an empty chart.
    """
    page.evaluate(f"() => {{ window.isStill = ({_UNTIL_STILL})(); }}")  # without waiting for it
    action()
    taken = float(page.evaluate("window.isStill"))
    if taken < 0:
        raise RuntimeError(f"{page.url} is still changing")
    charts = page.get_by_test_id("stVegaLiteChart")
    if charts.filter(has=page.locator("svg.marks, canvas.marks")).count() != charts.count():
        raise RuntimeError(f"{page.url} has an empty chart")
    return taken


def list_actions(page: Page) -> Iterator[tuple[str, Callable[[], None]]]:
    """Actions on the trends page with the length of a period, each of which shows a new view."""

    def press_view(name: str) -> Callable[[], None]:
        return page.get_by_role("radiogroup", name="View").get_by_role("radio").filter(has_text=name).first.click

    def choose(label: str, option: str) -> Callable[[], None]:
        box = page.get_by_role("combobox", name=label, exact=False).first
        box.click()
        box.fill(option)

        def click_option() -> None:
            page.get_by_role("option", name=option, exact=True).first.click()
            if label == "Labs":
                page.keyboard.press("Escape")  # this list stays open and would cover the page

        return click_option

    # three panels have some 4,600 bars or points by month, 1,500 by quarter, 400 by year
    for per in ("quarter", "month", "year"):
        yield f"per {per}", choose("Per", per)
        for view in _VIEWS:
            yield f"per {per}", press_view(view)
    for lab in _LABS:
        yield "per year", choose("Labs", lab)
        for view in _VIEWS:
            yield "per year", press_view(view)


def print_times(label: str, times: list[float]) -> Iterator[Row]:
    """Print median and 95th percentile, and return them as rows; of a single time, that."""
    ordered = sorted(times)
    median, late = statistics.median(times), ordered[int(len(ordered) * 0.95)]
    if len(times) == 1:
        print(f"{label:34} {median:6.0f} ms")
        yield Row(label, "once", wall_seconds=median / 1000)
        return
    print(f"{label:34} {len(times):4} times: median {median:6.0f} ms, p95 {late:6.0f} ms, most {ordered[-1]:6.0f} ms")
    yield Row(label, f"median of {len(times)}", wall_seconds=median / 1000)
    yield Row(label, f"95th percentile of {len(times)}", wall_seconds=late / 1000)


def measure_page(page: Page, address: str, shows: str = '[data-testid="stVegaLiteChart"] :is(svg, canvas)') -> float:
    """Milliseconds until a page, opened by its address, is idle and shows an element."""
    started = time.monotonic()
    page.goto(address)
    wait_for_condition(page, _IS_SHOWN, shows)  # checks at every frame, a locator only twice a second
    return (time.monotonic() - started) * 1000


def measure_queries(release: Release) -> list[float]:
    """Milliseconds of the query of the trends page, on an open connection."""
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


def measure_pages(lake: Lake, log: Path) -> Iterator[Row]:
    """Serve a lake, measure its pages, print the times and return them."""
    with launch_browser() as browser, serve_dashboard(lake, log) as server:
        page = browser.new_context(viewport={"width": 1400, "height": 1600}).new_page()
        page.set_default_timeout(60_000)
        yield from print_times("first page, cold server", [measure_page(page, server)])
        yield from print_times("first page, warm", [measure_page(page, server) for _ in range(5)])
        yield from print_times("trends, first", [measure_page(page, server + "trends")])
        taken: dict[str, list[float]] = {}
        for kind, action in list_actions(page):
            taken.setdefault(kind, []).append(measure_action(page, action))
        for kind, times in taken.items():
            yield from print_times(f"trends: a choice, {kind}", times)
        yield from print_times("trends: the query alone", measure_queries(read_current_release(lake)))
        yield from print_times("works, first", [measure_page(page, server + "works", _RESULT_LINKS)])
        box = page.get_by_role("searchbox").first
        searched = []
        for word in _SEARCHES:
            box.fill(word)
            searched.append(measure_action(page, lambda: box.press("Enter")))
        yield from print_times("works: a search", searched)
        yield from print_times("every choice and search", [*itertools.chain.from_iterable(taken.values()), *searched])


def main() -> None:
    """Measure the given or a generated lake."""
    argument = sys.argv[1] if len(sys.argv) > 1 else "2"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lake = Lake(Path(argument) if Path(argument).is_dir() else folder / "lake")
        if not Path(argument).is_dir():
            build_bibliography(lake, int(float(argument) * 1_000_000))
        keep_results("pages", sys.argv[1:], measure_pages(lake, folder / "log.txt"))


if __name__ == "__main__":
    main()
