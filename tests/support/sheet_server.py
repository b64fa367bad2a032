"""A fake source for tests of fetching: a paged list of publications, fetched by the number of the last change.

Its pages are lab sheets, so that the real parser reads them; only the fetch plan is fake. It requests the changes
since its watermark, with an overlap, and follows the links to further pages.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import polars as pl

from orchestration.fetch.config import read_configuration
from orchestration.fetch.journal import FetchResult
from orchestration.fetch.runner import fetch_feeds
from orchestration.sources.shared.fetch_plan import Feed, FetchCursor, FetchPlan, Request
from orchestration.sources.sheet import lab_sheet
from tests.support.http_server import ServerRequest, ServerResponse
from tests.support.raw_tables import update_and_read
from warehouse.lake import Lake

OVERLAP = 3
HEADER = ["Company", "Title", "Date", "URL", "Safety_category", "Abstract"]


class SheetServer:
    """The list of publications, by number, each with its last change; call it with a request for the response.

    Args:
        page_size: Publications on a page.
    """

    def __init__(self, page_size: int = 5) -> None:
        self.page_size = page_size
        self.rows: dict[int, tuple[int, list[str]]] = {}
        self.change = 0

    def put(self, number: int, title: str | None = None) -> None:
        """Add a publication, or edit it."""
        self.change += 1
        row = [
            "OpenAI",
            title or f"Work {number}",
            "1-Feb-24",
            f"https://openai.com/research/work-{number}",
            "Robustness",
        ]
        self.rows[number] = (self.change, [*row, ""])

    def withdraw(self, number: int) -> None:
        """Remove a publication, which is no change that can be fetched."""
        del self.rows[number]

    def build_page(self, since: int, number: int) -> bytes:
        """CSV of a page of the publications changed since, in the order of the changes."""
        changed = sorted(row for row in self.rows.values() if row[0] >= since)
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(HEADER)
        writer.writerows(row for _, row in changed[number * self.page_size : (number + 1) * self.page_size])
        return text.getvalue().encode()

    def __call__(self, request: ServerRequest) -> ServerResponse:
        """The response to a request."""
        since, number = int(request.query.get("since", 0)), int(request.query.get("page", 0))
        headers = {"Content-Type": "text/csv", "Last-Modified": "Fri, 20 Nov 2026 12:00:00 GMT"}
        remaining = sum(row[0] >= since for row in self.rows.values()) - (number + 1) * self.page_size
        link = f'<?{urlencode({**request.query, "page": number + 1})}>; rel="next"' if remaining > 0 else ""
        return ServerResponse(
            self.build_page(since, number), headers={**headers, "Link": f"{link}; change={self.change}"}
        )


def make_sheet_server(publications: int, page_size: int = 5) -> SheetServer:
    """A list with publications 0, 1, ..."""
    sheet = SheetServer(page_size)
    for number in range(publications):
        sheet.put(number)
    return sheet


def plan_sheet_fetch(feed: Feed, since: FetchCursor) -> FetchPlan:
    """Request all pages; the watermark is the newest change, as given by the first page."""
    begin = max(0, int(since.watermark) - OVERLAP) if since.watermark else 0
    url, watermark, number = f"{feed.url}?since={begin}", None, 0
    while True:
        response = yield Request(url, f"changes from {begin}, page {number}", headers=feed.settings.get("headers", {}))
        link = response.headers.get("link", "")
        watermark = watermark or re.findall(r"change=(\d+)", link)[0]
        next_queries = re.findall(r"<\?([^>]*)>", link)
        if not next_queries:
            return watermark
        url, number = f"{feed.url}?{next_queries[0]}", number + 1


@contextmanager
def enable_sheet_fetch(is_windowed: bool = False) -> Iterator[None]:
    """Make lab sheets fetchable with `plan_sheet_fetch` in this block."""
    before = {name: getattr(lab_sheet.SOURCE, name) for name in ("fetch", "is_windowed")}
    try:
        for name, value in (("fetch", plan_sheet_fetch), ("is_windowed", is_windowed)):
            object.__setattr__(lab_sheet.SOURCE, name, value)
        yield
    finally:
        for name, value in before.items():
            object.__setattr__(lab_sheet.SOURCE, name, value)


def write_feeds_config(lake: Lake, hosts: list[str], feeds: dict[str, str], more: str = "", **limits: Any) -> None:
    """Write the lake's configuration: feeds of lab sheets by name and address, with tiny pauses.

    A response may take as long as it does on a busy machine, unless ``limits`` has other times.
    """
    tiny = {"interval_seconds": 0.001, "backoff_seconds": 0.005, "read_seconds": 30, "total_seconds": 60, **limits}
    lines = [
        "[fetch]",
        "bundled = false",
        'contact = "test@example.org"',
        "largest_megabytes = 1",
        f"allow_private = {hosts}",
    ]
    lines += [f"{name} = {value}" for name, value in tiny.items()]
    for name, url in feeds.items():
        lines += [f"[feeds.{name}]", 'source = "lab_sheet"', f'url = "{url}"', "enabled = true"]
    lake.root.mkdir(parents=True, exist_ok=True)
    (lake.root / "feeds.toml").write_text("\n".join([*lines, more]), encoding="utf-8")


def run_fetch(lake: Lake, *names: str, messages: list[str] | None = None, **options: Any) -> list[FetchResult]:
    """Fetch the named feeds of the lake's configuration, or all; messages are added to the list."""
    configuration = read_configuration(lake)
    feeds = [configuration.feeds[name] for name in names or configuration.feeds]
    log = messages.append if messages is not None else lambda _: None
    return fetch_feeds(lake, configuration, feeds, log=log, **options)


def build_raw_tables(lake: Lake) -> dict[str, pl.DataFrame]:
    """Update the raw tables and write them to the lake, as a run does."""
    return update_and_read(lake)


def list_titles(tables: dict[str, pl.DataFrame]) -> list[str]:
    """The latest title of each publication, sorted."""
    rows = tables["raw.lab_sheet_publications"].sort("last_seen_at")
    return sorted(rows.group_by("record_id", maintain_order=True).agg(pl.col("title").last())["title"])
