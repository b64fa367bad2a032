"""Following feeds: what their fetches request, and the lake's own configuration, which enables them.

That file belongs to its user: only the keys named here are changed, and comments and order stay.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import tomlkit
from tomlkit.items import Table

from orchestration.fetch.config import Configuration, FeedConfig, locate_feeds_file
from orchestration.fetch.credentials import find_secret_names
from orchestration.fetch.journal import FeedFolder
from orchestration.fetch.pace import find_pace
from warehouse.lake import Lake, replace_file
from warehouse.table import utc_now

# what the first fetch of a feed of each source requests; {since} is the day from which on
_AMOUNTS = {
    "forum_posts": "all posts{since}",
    "forum_comments": "all comments{since}",
    "arxiv_papers": "all papers that match{since}, some hundreds in a request",
    "openalex_works": "all works that match{since}, 100 in a request",
    "semanticscholar_papers": "all papers that match{since}",
    "crossref_works": "all works that match{since}, 200 in a request",
    "huggingface_papers": "the papers of each day{since}",
    "alignment_dataset": "one file",
    "feed_items": "the feed, one request",
    "lab_pages": "the list of pages, then at most {most} of them in each fetch",
    "lab_sheet": "the sheet, one request",
}
_MOST_PAGES = 100  # of a lab's site in a fetch, where the feed does not set it


@dataclass(frozen=True)
class FetchOutlook:
    """What following a feed means.

    Args:
        feed: The feed.
        amount: What the next fetch requests.
        interval_seconds: The shortest time between two requests to its host.
        missing_variables: Environment variables that it needs and that are not set.
    """

    feed: FeedConfig
    amount: str
    interval_seconds: float
    missing_variables: tuple[str, ...]


def describe_fetches(
    lake: Lake, configuration: Configuration, feeds: Iterable[FeedConfig], environment: Mapping[str, str]
) -> list[FetchOutlook]:
    """What following feeds means, in their order."""
    outlooks = []
    for feed in feeds:
        variables = sorted(find_secret_names(feed.url, *feed.headers.values()))
        _, pace = find_pace(urlsplit(feed.url).hostname or "", configuration.fetch, configuration.hosts)
        missing = tuple(name for name in variables if not environment.get(name, "").strip())
        outlooks.append(FetchOutlook(feed, _describe_amount(lake, feed), pace.interval_seconds, missing))
    return outlooks


def _describe_amount(lake: Lake, feed: FeedConfig) -> str:
    watermark = FeedFolder(lake, feed.name).state.watermark
    if watermark:
        return f"what is new since {watermark[:10]}"
    first, days = feed.settings.get("from"), feed.settings.get("window_days")
    since = f" since {first}" if first else ""
    if feed.source == "lab_pages" and feed.settings.get("door", "index") == "index":
        return "the page that lists the articles, one request"
    text = _AMOUNTS[feed.source].format(since=since, most=feed.settings.get("most", _MOST_PAGES))
    if isinstance(first, dt.date) and days:
        windows = math.ceil((utc_now().date() - first).days / days)
        return f"{text}, at least {windows:,} requests"
    return text


def write_followed(lake: Lake, names: Sequence[str], *, is_followed: bool, contact: str = "") -> None:
    """Enable feeds in the lake's own configuration, or disable them.

    Args:
        lake: The lake.
        names: Names of the feeds.
        is_followed: Whether they are enabled.
        contact: The address that hosts can write to, if it is to be set too.

    Raises:
        OSError: The file cannot be read or written.
        ValueError: It is no TOML, or has another value where a table is expected.
    """
    path = locate_feeds_file(lake)
    document = tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()
    if contact:
        _open_table(document, "fetch")["contact"] = contact
    feeds = _open_table(document, "feeds", is_super_table=True)
    for name in names:
        _open_table(feeds, name)["enabled"] = is_followed
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, tomlkit.dumps(document).encode())


def _open_table(parent: tomlkit.TOMLDocument | Table, name: str, *, is_super_table: bool = False) -> Table:
    if name not in parent:
        parent[name] = tomlkit.table(is_super_table)
    table = parent[name]
    if not isinstance(table, Mapping):
        raise ValueError(f"found a value at {name}; expected a table")
    return table
