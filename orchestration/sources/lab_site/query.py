"""Asking a lab's site: its index page, or the pages that its sitemap lists and that were not read before."""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Generator
from urllib.parse import urlsplit

from orchestration.sources.shared.document import Document, Unreadable
from orchestration.sources.shared.fetch_plan import Answer, Conversation, Feed, Request, Since, Unanswered
from orchestration.sources.shared.links import link_key
from orchestration.sources.shared.settings import Settings

_DEEPEST = 2  # sitemaps of sitemaps


def fetch(feed: Feed, since: Since) -> Conversation:
    """Ask for the page of the feed, or with ``door = "sitemap"`` for pages that a sitemap lists.

    The time that a sitemap gives for a page is that of the last building of the site, so a page is asked for once;
    with ``again_when_changed = "yes"`` also when that time changes. A page that does not answer holds back no other,
    but the conversation has no end without it; one that is gone, or is no article, is passed over. Settings: ``door``
    (``index`` or ``sitemap``), ``paths`` (beginnings of the paths that count), ``most`` (pages at a time), ``lab``
    (whose site it is, if it is none of the known labs').

    Raises:
        WrongSettings: A setting cannot be used.
        Unanswered: No answer of the sitemap or of a page, or a sitemap without a page that counts.
    """
    settings = Settings(feed)
    door = settings.choice("door", ("index", "sitemap"))
    paths = settings.texts("paths", ("/",))
    most = settings.integer("most", 500)
    again = settings.choice("again_when_changed", ("no", "yes")) == "yes"
    lab = settings.text("lab")
    settings.finish()
    hints = {"lab": lab} if lab else {}
    if door == "index":
        yield Request(feed.url, feed.name, hints={**hints, "page_url": feed.url})
        return since.now.isoformat()
    # what was read is remembered by short hashes, after the time for people to see
    known = set((since.watermark or "").split()[1:])
    listed = yield from _listed(feed.url, 0)
    wanted = {url: time for url, time in listed.items() if _counts(url, paths)}
    if not wanted:
        raise Unanswered(f"the sitemap lists {len(listed):,} pages, none of them below {', '.join(paths)}")
    asked, failed = 0, list[str]()
    for url, time in wanted.items():
        mark = hashlib.sha256(f"{link_key(url)} {time if again else ''}".encode()).hexdigest()[:12]
        if mark in known:
            continue
        if asked == most:
            break
        asked += 1
        try:
            yield Request(url, _path(url), hints={**hints, "page_url": url})
        except Unanswered as unanswered:
            if not unanswered.is_lasting:
                failed.append(str(unanswered))
            continue
        known.add(mark)
    if failed:
        raise Unanswered(f"{len(failed):,} of {asked:,} pages did not answer: {failed[0]}")
    return " ".join([since.now.isoformat(), *sorted(known)])


def _path(url: str) -> str:
    """The path of an address; the whole of one that is none, so that asking for it tells what is wrong."""
    try:
        return urlsplit(url).path
    except ValueError:
        return url


def _counts(url: str, paths: tuple[str, ...]) -> bool:
    path = _path(url)
    if path == url:
        return True
    return any(path.startswith(beginning) and path.rstrip("/") != beginning.rstrip("/") for beginning in paths)


def _listed(url: str, depth: int) -> Generator[Request, Answer, dict[str, str]]:
    """The pages that a sitemap and the sitemaps in it list, with the times it gives for them."""
    answer = yield Request(url, f"sitemap {_path(url)}", is_kept=False)
    try:
        text = Document(answer.content, url).data.decode("utf-8", "replace")
    except Unreadable as error:
        raise Unanswered(f"found {error} where a sitemap was expected") from error
    if not re.search(r"<(?:\w+:)?(?:urlset|sitemapindex)\b", text[:2000]):
        raise Unanswered("found something else where a sitemap was expected")
    listed: dict[str, str] = {}
    for kind, entry in re.findall(r"<(url|sitemap)>(.*?)</(?:url|sitemap)>", text, re.DOTALL):
        address, time = (re.search(rf"<{name}>\s*(?:<!\[CDATA\[)?\s*([^<\s\]]+)", entry) for name in ("loc", "lastmod"))
        if address is None:
            continue
        location = html.unescape(address[1])
        if kind == "url":
            listed[location] = time[1] if time else ""
        elif depth < _DEEPEST:
            listed |= yield from _listed(location, depth + 1)
    return listed
