"""Fifty readers of all pages at once, for two minutes, while new releases are published under their eyes.

Run with ``python -m benchmarks.sessions [sessions] [seconds]``. Each reader is a session of its own over a websocket
and looks at one page after the other without pause. Two runs of the pipeline publish meanwhile. The exit status is 1
if a session broke off, a page showed an error, or two looks at one page of one release showed different things.
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

from tests.support.dashboard_server import addresses, serving
from tests.support.websocket_clients import View, mixtures, read_at_once
from warehouse.lake import PROJECT, Lake

SHEET = """Row,Company,Title,Date,URL,Safety_category,Abstract
2,OpenAI,A made publication {n} of a benchmark,{n:02}-May-24,https://example.org/made/{n},Robustness,
"""


def aisle(lake: Lake, *arguments: str) -> None:
    """Run the command line on a lake.

    Raises:
        SystemExit: It failed; the text is what it said.
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


def published(lake: Lake, folder: Path, number: int) -> None:
    """Publish one more release, with a publication more than the last."""
    sheet = folder / f"made_{number}.csv"
    sheet.write_text(SHEET.format(n=number), encoding="utf-8")
    aisle(lake, "add", str(sheet))
    aisle(lake, "run")


def main() -> None:
    """Measure and print."""
    sessions = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 120.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lake = Lake(folder / "lake")
        aisle(lake, "run")
        pages = list(addresses(lake).values())
        log = folder / "log.txt"
        is_over, views, published_at = threading.Event(), list[View](), list[float]()
        with serving(lake, log) as server:
            reading = threading.Thread(target=lambda: views.extend(read_at_once(server, pages, sessions, is_over)))
            started = time.monotonic()
            reading.start()
            for number in (1, 2):
                published(lake, folder, number)
                published_at.append(time.monotonic() - started)
            time.sleep(max(0.0, seconds - (time.monotonic() - started)))
            is_over.set()
            reading.join()
            took = time.monotonic() - started
        logged = log.read_text(encoding="utf-8")
    of_releases = Counter(release for view in views for release in view.releases)
    wrong = [f"{view.address}: {fault}" for view in views for fault in view.faults] + mixtures(views)
    if "Traceback" in logged:
        wrong.insert(0, f"the server said: {logged[logged.index('Traceback') :][:2000]}")
    if len(of_releases) < 3:
        wrong.append("not all three releases were seen")
    times = sorted(view.seconds for view in views) or [float("nan")]
    print(f"{sessions} sessions, {took:.0f} s, {len(views):,} looks at {len(pages)} pages; published after", end=" ")
    print(", ".join(f"{at:.0f} s" for at in published_at))
    print("looks by release:", ", ".join(f"{release}: {looks:,}" for release, looks in sorted(of_releases.items())))
    print(f"a look took {statistics.median(times):.2f} s (median), {times[int(len(times) * 0.95)]:.2f} s (p95)")
    print(f"errors and mixtures: {len(wrong)}", *wrong[:10], sep="\n  ")
    raise SystemExit(1 if wrong or not views else 0)


if __name__ == "__main__":
    main()
