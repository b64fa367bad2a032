"""Fetch plan of a feed: the feed, its further pages the first time, and its new address once it has moved."""

from __future__ import annotations

import contextlib
import re

from orchestration.sources.shared.document import Document, UnreadableDocument
from orchestration.sources.shared.fetch_plan import Feed, FetchCursor, FetchPlan, Request, RequestFailed
from orchestration.sources.shared.links import resolve_address
from orchestration.sources.shared.settings import Settings
from orchestration.sources.shared.xml import get_local_name, parse_xml
from orchestration.sources.source import DamagedDocument

_NEW_ADDRESS_TAGS = ("new-feed-url", "newLocation")


def fetch_feed(feed: Feed, cursor: FetchCursor) -> FetchPlan:
    """Request the feed, at its new address if it names one; the first time also its further pages.

    The watermark is the new address, or else the time of the fetch. Settings: ``most_pages``, the maximum number of
    pages to request the first time.

    Raises:
        InvalidSettings: A setting cannot be used.
        RequestFailed: The feed or one of its pages could not be fetched.
    """
    settings = Settings(feed)
    max_pages = settings.integer("most_pages", 50)
    settings.reject_unknown()
    hints = {"feed": feed.name}
    new_address = cursor.watermark if cursor.watermark and cursor.watermark.startswith("http") else None
    try:
        response = yield Request(new_address or feed.url, feed.name, hints=hints)
    except RequestFailed:
        if new_address is None:
            raise
        new_address, response = None, (yield Request(feed.url, feed.name, hints=hints))
    requested = {feed.url, new_address, response.url}
    moved_to, next_page = find_moved_and_next(response.content, response.url)
    if moved_to and moved_to not in requested:
        requested.add(moved_to)
        with contextlib.suppress(RequestFailed):  # the old address is kept while the new one does not answer
            response = yield Request(moved_to, feed.name, hints=hints)
            new_address, next_page = moved_to, find_moved_and_next(response.content, response.url)[1]
    page = 1
    while (cursor.watermark is None or cursor.start) and page < max_pages:
        if next_page is None or next_page in requested:
            break
        requested.add(next_page)
        page += 1
        response = yield Request(next_page, f"{feed.name}, page {page}", hints=hints)
        next_page = find_moved_and_next(response.content, response.url)[1]
    return new_address or cursor.now.isoformat()


def find_moved_and_next(data: bytes, url: str) -> tuple[str | None, str | None]:
    """The address that a feed has moved to, and that of its next page (RFC 5005); None for each that it does not name.

    Only elements of the feed itself count, not those of its entries.
    """
    try:
        root = parse_xml(Document(data, url).data, recover=True)
    except (DamagedDocument, UnreadableDocument):
        return None, None
    moved_to, next_page = None, None
    for parent in (root, *(child for child in root if get_local_name(child) == "channel")):
        for child in parent:
            text = (child.text or "").strip()
            if get_local_name(child) in _NEW_ADDRESS_TAGS and re.match(r"https?://\S+$", text):
                moved_to = moved_to or text
            elif get_local_name(child) == "link" and child.get("rel") == "next" and (href := child.get("href")):
                next_page = next_page or resolve_address(url, href)
    return moved_to, next_page
