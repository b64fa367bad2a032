"""Fetching several feeds in parallel, a session each."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

from orchestration.fetch.config import Configuration, FeedConfig
from orchestration.fetch.http import HttpClient
from orchestration.fetch.journal import DateWindow, FeedBusy, FeedFolder, FetchResult
from orchestration.fetch.session import FetchSession, FetchStopped
from warehouse.lake import Lake


def fetch_feeds(
    lake: Lake,
    configuration: Configuration,
    feeds: Sequence[FeedConfig],
    *,
    window: DateWindow | None = None,
    full: bool = False,
    log: Callable[[str], None] = lambda _: None,
    progress: Callable[[FetchResult], None] = lambda _: None,
    environment: Mapping[str, str] = os.environ,
) -> list[FetchResult]:
    """Fetch feeds in parallel, each at the pace of its host; a failing feed does not stop the others.

    Args:
        lake: The lake.
        configuration: Limits and paces.
        feeds: The feeds.
        window: Days of a backfill, which leaves the watermarks as they are; none to fetch what is new.
        full: Whether to fetch everything, as if for the first time.
        log: Receives messages for the user, a line at a time.
        progress: Receives the result of a feed after each of its requests.
        environment: Environment variables with the values of secrets.

    Returns:
        The result of each feed, in their order.
    """
    stop = threading.Event()

    def pause(seconds: float) -> None:
        if stop.wait(seconds):  # otherwise the request that waits would be sent at once
            raise FetchStopped("stopped")

    client = HttpClient(configuration.fetch, configuration.hosts, lake.root / "fetch", sleep=pause)
    if feeds and not configuration.fetch.contact:
        log("no contact is configured: set fetch.contact, so that a host can write to you rather than block you")

    def fetch_one(feed: FeedConfig) -> FetchResult:
        result = FetchResult(feed.name)
        try:
            with FeedFolder(lake, feed.name).lock():
                FetchSession(lake, feed, client, result, window, full, log, progress, environment, stop).run()
        except (FeedBusy, FetchStopped, OSError) as error:
            result.reason = str(error)
        except Exception as error:  # unforeseen damage to one feed's files must not stop the others
            if os.environ.get("AISLE_DEBUG"):
                raise
            result.reason = f"unexpected: {type(error).__name__}: {error} (AISLE_DEBUG=yes shows where)"
        return result

    pool = ThreadPoolExecutor(configuration.fetch.parallel, "fetch")
    futures = [pool.submit(fetch_one, feed) for feed in feeds]
    try:
        # short waits, since a signal delivered to another thread would not end a long one
        while wait(futures, timeout=0.2).not_done:
            pass
    finally:
        stop.set()  # has an effect only after Ctrl-C or an error: running sessions stop and can be resumed
        pool.shutdown(cancel_futures=True)
        client.close()
        results = [future.result() for future in futures if future.done() and not future.cancelled()]
    return results
