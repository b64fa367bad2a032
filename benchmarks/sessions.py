"""Fifty sessions reading all pages for two minutes while two new releases are published.

Run with ``python -m benchmarks.sessions [sessions] [seconds]``. Each session has its own websocket and reads one page
after the other without pause. The exit status is 1 if a session failed, a page showed an error, or two views of one
page and release differed.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from tests.support.dashboard_server import list_page_addresses, serve_dashboard
from tests.support.websocket_clients import PageView, find_inconsistent_views, read_concurrently
from warehouse.lake import PROJECT, Lake

SHEET = """Row,Company,Title,Date,URL,Safety_category,Abstract
2,OpenAI,A test publication {n} of a benchmark,{n:02}-May-24,https://example.org/test/{n},Robustness,
"""


def aisle(lake: Lake, *arguments: str) -> None:
    """Run the command line on a lake.

    Raises:
        SystemExit: It failed; the message has its output.
    """
    done = subprocess.run(
        [sys.executable, "-c", "from orchestration.cli.app import main; main()", *arguments],
        env={**os.environ, "AISLE_LAKE": str(lake.root)},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"aisle {' '.join(arguments)}:\n{done.stdout}{done.stderr}")


def publish_new_release(lake: Lake, folder: Path, number: int) -> None:
    """Publish a release with one more publication than the last."""
    sheet = folder / f"test_{number}.csv"
    sheet.write_text(SHEET.format(n=number), encoding="utf-8")
    aisle(lake, "add", str(sheet))
    aisle(lake, "run")


def main() -> None:
    """Run the benchmark and print its figures."""
    sessions = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 120.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lake = Lake(folder / "lake")
        aisle(lake, "run")
        pages = list(list_page_addresses(lake).values())
        log = folder / "log.txt"
        is_stopped, views, published_at = threading.Event(), list[PageView](), list[float]()
        with serve_dashboard(lake, log) as server:
            reading = threading.Thread(target=read_concurrently, args=(server, pages, sessions, is_stopped, views))
            started = time.monotonic()
            reading.start()
            for number in (1, 2):
                publish_new_release(lake, folder, number)
                published_at.append(time.monotonic() - started)
            time.sleep(max(0.0, seconds - (time.monotonic() - started)))
            is_stopped.set()
            reading.join()
            took = time.monotonic() - started
        logged = log.read_text(encoding="utf-8")
    views_by_release = Counter(release for view in views for release in view.releases)
    problems = [f"{view.address}: {error}" for view in views for error in view.errors] + find_inconsistent_views(views)
    if "Traceback" in logged:
        problems.insert(0, f"the server logged: {logged[logged.index('Traceback') :][:2000]}")
    if len(views_by_release) < 3:
        problems.append("not all three releases were seen")
    times = sorted(view.seconds for view in views) or [float("nan")]
    print(f"{sessions} sessions, {took:.0f} s, {len(views):,} views of {len(pages)} pages; published after", end=" ")
    print(", ".join(f"{at:.0f} s" for at in published_at))
    print(
        "views by release:", ", ".join(f"{release}: {count:,}" for release, count in sorted(views_by_release.items()))
    )
    print(f"a view took {statistics.median(times):.2f} s (median), {times[int(len(times) * 0.95)]:.2f} s (p95)")
    print(f"errors and inconsistent views: {len(problems)}", *problems[:10], sep="\n  ")
    raise SystemExit(1 if problems or not views else 0)


if __name__ == "__main__":
    main()
