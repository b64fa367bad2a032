"""Fetching: the conversations of several feeds side by side, each at its hosts' pace."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from orchestration.fetch.config import Configuration, Followed
from orchestration.fetch.http import Client
from orchestration.fetch.journal import FeedBusy, FeedFolder, Outcome, Window
from orchestration.fetch.session import Say, Stopped, Talk
from warehouse.lake import Lake, replace_file
from warehouse.table import utc_now


def fetch_all(
    lake: Lake,
    configuration: Configuration,
    feeds: Sequence[Followed],
    *,
    window: Window | None = None,
    full: bool = False,
    say: Say = lambda _: None,
    progress: Callable[[Outcome], None] = lambda _: None,
    environment: Mapping[str, str] = os.environ,
) -> list[Outcome]:
    """Fetch feeds side by side, each at its hosts' pace; what goes wrong with one is no matter of another.

    Args:
        lake: The lake.
        configuration: Limits and paces.
        feeds: What to fetch.
        window: Days to ask for instead of what is new; the watermarks stay.
        full: Ask for everything, as if for the first time.
        say: Told a line at a time what is worth telling.
        progress: Told after each request how far a feed is.
        environment: Where secrets are.

    Returns:
        What came of each, in their order.
    """
    stop = threading.Event()

    def pause(seconds: float) -> None:
        if stop.wait(seconds):  # else whatever was to be waited for would be asked at once
            raise Stopped("stopped")

    client = Client(configuration.fetch, configuration.hosts, lake.root / "fetch", sleep=pause)
    if feeds and not configuration.fetch.contact:
        say("no contact is configured: set fetch.contact, so that a host can write to you rather than shut you out")

    def one(followed: Followed) -> Outcome:
        outcome = Outcome(followed.name)
        try:
            with FeedFolder(lake, followed.name).lock():
                Talk(lake, followed, client, outcome, window, full, say, progress, environment, stop).run()
        except (FeedBusy, Stopped, OSError) as error:
            outcome.reason = str(error)
        except Exception as error:  # damage that nobody foresaw is one feed's matter, and not the others'
            if os.environ.get("AISLE_DEBUG"):
                raise
            outcome.reason = f"unexpected: {type(error).__name__}: {error} (AISLE_DEBUG=yes shows where)"
        return outcome

    pool = ThreadPoolExecutor(configuration.fetch.parallel, "fetch")
    futures = [pool.submit(one, followed) for followed in feeds]
    try:
        # by short waits, since a signal may reach another thread and would not end a long one
        while wait(futures, timeout=0.2).not_done:
            pass
    finally:
        stop.set()  # reached early only by Ctrl-C or a fault: what is under way can be taken up again
        pool.shutdown(cancel_futures=True)
        client.close()
        outcomes = [future.result() for future in futures if future.done() and not future.cancelled()]
        if any(outcome.is_news for outcome in outcomes):
            replace_file(changed_mark(lake), utc_now().isoformat().encode())
    return outcomes


def changed_mark(lake: Lake) -> Path:
    """The file that is written whenever fetching has brought anything new."""
    return lake.root / "fetch" / "changed"
