"""A made-up place that is fetched in tests: a list of publications, given page by page, asked for from a change on.

Its pages are lab sheets, so that the real reader reads them; only the conversation is made up. It asks for what has
changed since its watermark, and some changes before that, and follows the links to further pages.
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
from orchestration.fetch.journal import Outcome
from orchestration.fetch.runner import fetch_all
from orchestration.ingest import raw as ingest
from orchestration.sources.shared.fetch_plan import Conversation, Feed, Request, Since
from orchestration.sources.sheet import lab_sheet
from tests.support.http_server import Asked, Given
from warehouse.lake import Lake

OVERLAP = 3
HEADER = ["Company", "Title", "Date", "URL", "Safety_category", "Abstract"]


class SheetPlace:
    """The publications by number, each with the change that touched it last.

    Args:
        size: Publications on a page.
    """

    def __init__(self, size: int = 5) -> None:
        self.size = size
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
        """Take a publication away; nobody is told."""
        del self.rows[number]

    def page(self, since: int, number: int) -> bytes:
        """A page of those changed since, in the order of the change."""
        changed = sorted(row for row in self.rows.values() if row[0] >= since)
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(HEADER)
        writer.writerows(row for _, row in changed[number * self.size : (number + 1) * self.size])
        return text.getvalue().encode()

    def __call__(self, asked: Asked) -> Given:
        """The answer to a request."""
        since, number = int(asked.query.get("since", 0)), int(asked.query.get("page", 0))
        headers = {"Content-Type": "text/csv", "Last-Modified": "Fri, 20 Nov 2026 12:00:00 GMT"}
        left = sum(row[0] >= since for row in self.rows.values()) - (number + 1) * self.size
        link = f'<?{urlencode({**asked.query, "page": number + 1})}>; rel="next"' if left > 0 else ""
        return Given(self.page(since, number), headers={**headers, "Link": f"{link}; change={self.change}"})


def converse(feed: Feed, since: Since) -> Conversation:
    """Ask for all pages; the watermark is the newest change, as the first page told it."""
    begin = max(0, int(since.watermark) - OVERLAP) if since.watermark else 0
    url, watermark, number = f"{feed.url}?since={begin}", None, 0
    while True:
        answer = yield Request(url, f"changes from {begin}, page {number}", headers=feed.settings.get("headers", {}))
        told = answer.headers.get("link", "")
        watermark = watermark or re.findall(r"change=(\d+)", told)[0]
        following = re.findall(r"<\?([^>]*)>", told)
        if not following:
            return watermark
        url, number = f"{feed.url}?{following[0]}", number + 1


@contextmanager
def fetchable(by_window: bool = False) -> Iterator[None]:
    """Let lab sheets be fetched with this conversation for the time of a block."""
    before = {name: getattr(lab_sheet.SOURCE, name) for name in ("fetch", "by_window")}
    try:
        for name, value in (("fetch", converse), ("by_window", by_window)):
            object.__setattr__(lab_sheet.SOURCE, name, value)
        yield
    finally:
        for name, value in before.items():
            object.__setattr__(lab_sheet.SOURCE, name, value)


def configure(lake: Lake, hosts: list[str], feeds: dict[str, str], more: str = "", **limits: Any) -> None:
    """Write the lake's configuration: feeds of lab sheets by name and address, with waits that are tiny."""
    tiny = {"interval_seconds": 0.001, "backoff_seconds": 0.005, "read_seconds": 0.4, "total_seconds": 0.8, **limits}
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


def fetched(lake: Lake, *names: str, told: list[str] | None = None, **facts: Any) -> list[Outcome]:
    """Fetch feeds of the lake's configuration, or all."""
    configuration = read_configuration(lake)
    feeds = [configuration.feeds[name] for name in names or configuration.feeds]
    say = told.append if told is not None else lambda _: None
    return fetch_all(lake, configuration, feeds, say=say, **facts)


def raw(lake: Lake) -> dict[str, pl.DataFrame]:
    """The raw tables as a run would make them, written to the lake."""
    made = ingest.ingest(lake, lambda _: None)
    for declared in ingest.raw_tables():
        lake.write(declared, made[declared.name])
    return {declared.name: declared.conform(made[declared.name]) for declared in ingest.raw_tables()}


def titles(tables: dict[str, pl.DataFrame]) -> list[str]:
    """The newest title of each publication, sorted."""
    rows = tables["raw.lab_sheet_publications"].sort("last_seen_at")
    return sorted(rows.group_by("record_id", maintain_order=True).agg(pl.col("title").last())["title"])
