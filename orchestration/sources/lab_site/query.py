"""Fetch plan of a lab's site: its index page, or those pages of its sitemap that were not fetched before."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orchestration.sources.shared.document import Document, UnreadableDocument
from orchestration.sources.shared.fetch_plan import Feed, FetchCursor, FetchPlan, Request, RequestFailed, Response
from orchestration.sources.shared.links import link_key
from orchestration.sources.shared.settings import Settings
from orchestration.sources.shared.xml import get_local_name, parse_xml
from orchestration.sources.source import DamagedDocument

if TYPE_CHECKING:
    from lxml.etree import _Element

_MAX_DEPTH = 2  # of sitemaps within sitemaps


def fetch_site(feed: Feed, cursor: FetchCursor) -> FetchPlan:
    """Request the page of the feed, or with ``door = "sitemap"`` the pages that a sitemap lists.

    A page is requested once, since most sitemaps give the time of the last build of the site as that of each page; with
    ``again_when_changed = "yes"`` also when that time changes. A page that fails for a while does not stop the others,
    but leaves the fetch incomplete; one that is gone, or is not an article, is skipped.

    Settings: ``door`` (``index`` or ``sitemap``), ``paths`` (prefixes of the paths to fetch), ``most`` (maximum number
    of pages per fetch), ``lab`` (owner of the site, if it is not a known lab).

    Raises:
        InvalidSettings: A setting cannot be used.
        RequestFailed: The sitemap or a page could not be fetched, or the sitemap lists no page below the paths.
    """
    settings = Settings(feed)
    door = settings.choice("door", ("index", "sitemap"))
    paths = settings.texts("paths", ("/",))
    max_pages = settings.integer("most", 500)
    is_refetched = settings.choice("again_when_changed", ("no", "yes")) == "yes"
    lab = settings.text("lab")
    settings.reject_unknown()
    hints = {"lab": lab} if lab else {}
    if door == "index":
        yield Request(feed.url, feed.name, hints={**hints, "page_url": feed.url})
        return cursor.now.isoformat()
    # the watermark is the time of the fetch, for people to read, and a short hash of each page fetched so far
    fetched = set((cursor.watermark or "").split()[1:])
    listed = yield from _read_sitemap(feed.url, depth=0)
    wanted = {url: modified_at for url, modified_at in listed.items() if _is_below(url, paths)}
    if not wanted:
        raise RequestFailed(f"the sitemap lists {len(listed):,} pages, none of them below {', '.join(paths)}")
    requested, failures = 0, list[str]()
    for url, modified_at in wanted.items():
        version = f"{link_key(url)} {modified_at if is_refetched else ''}"
        page_hash = hashlib.sha256(version.encode()).hexdigest()[:12]
        if page_hash in fetched:
            continue
        if requested == max_pages:
            break
        requested += 1
        try:
            yield Request(url, _get_path(url), hints={**hints, "page_url": url})
        except RequestFailed as failure:
            if not failure.is_permanent:
                failures.append(str(failure))
            continue
        fetched.add(page_hash)
    if failures:
        raise RequestFailed(f"{len(failures):,} of {requested:,} pages did not answer: {failures[0]}")
    return " ".join([cursor.now.isoformat(), *sorted(fetched)])


def _get_path(url: str) -> str:
    """The path of an address; an invalid address as it is, so that its request fails with the reason."""
    try:
        return urlsplit(url).path
    except ValueError:
        return url


def _is_below(url: str, prefixes: tuple[str, ...]) -> bool:
    """Whether the path of an address is below one of the prefixes, but not the prefix itself."""
    path = _get_path(url)
    if path == url:  # an invalid address, whose request will fail
        return True
    return any(path.startswith(prefix) and path.rstrip("/") != prefix.rstrip("/") for prefix in prefixes)


def _read_sitemap(url: str, *, depth: int) -> Generator[Request, Response, dict[str, str]]:
    """The pages of a sitemap and of the sitemaps in it, each with the text of its time of change or an empty text."""
    response = yield Request(url, f"sitemap {_get_path(url)}", is_kept=False)
    try:
        root = parse_xml(Document(response.content, url).data, recover=True)
    except UnreadableDocument as error:
        raise RequestFailed(f"found {error} where a sitemap was expected") from error
    except DamagedDocument as error:
        raise RequestFailed("found something else where a sitemap was expected") from error
    if get_local_name(root) not in {"urlset", "sitemapindex"}:
        raise RequestFailed("found something else where a sitemap was expected")
    pages: dict[str, str] = {}
    for entry in root:
        location, modified_at = (_get_child_text(entry, name) for name in ("loc", "lastmod"))
        if not location:
            continue
        if get_local_name(entry) == "url":
            pages[location] = modified_at
        elif get_local_name(entry) == "sitemap" and depth < _MAX_DEPTH:
            pages |= yield from _read_sitemap(location, depth=depth + 1)
    return pages


def _get_child_text(element: _Element, name: str) -> str:
    """The text of the first child of that name; empty if there is none."""
    texts = ((child.text or "").strip() for child in element if get_local_name(child) == name)
    return next(texts, "")
