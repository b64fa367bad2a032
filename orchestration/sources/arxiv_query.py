"""Asking arXiv: all changes of a set through its harvesting interface, or a small search or a list of ids."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Generator
from urllib.parse import urlencode

from orchestration.sources.conversation import Answer, Conversation, Feed, Request, Since, Unanswered
from orchestration.sources.settings import Settings

_LARGEST_SEARCH = 30_000
_MOST_RESTARTS = 3
_EARLIEST = dt.date(2005, 9, 16)  # the oldest date of a record in the harvesting interface


def fetch(feed: Feed, since: Since) -> Conversation:
    """Ask for what changed (harvesting), or for what was submitted (search), since the last conversation.

    The address decides: one that ends with ``/oai`` is harvested, any other is searched. Settings for harvesting:
    ``sets`` (``cs:cs:LG``; all of arXiv without), ``form`` (``arXiv`` or ``arXivRaw``). For searching: ``search`` (in
    arXiv's language) or ``ids``; ``page``. For both: ``from``, the first day ever asked for, and ``overlap_days``.

    Raises:
        WrongSettings: A setting cannot be used.
        Unanswered: arXiv forgets its place again and again, or the search finds more than it gives out.
    """
    settings = Settings(feed)
    is_harvest = feed.url.rstrip("/").endswith(("/oai", "/oai2"))
    begin_first = settings.day("from", _EARLIEST)
    overlap = dt.timedelta(days=settings.integer("overlap_days", 1 if is_harvest else 2, minimum=0))
    begin = since.start
    if begin is None:
        begin = dt.datetime.fromisoformat(since.watermark).date() - overlap if since.watermark else begin_first
    if is_harvest:
        sets = settings.texts("sets")
        form = settings.choice("form", ("arXiv", "arXivRaw"))
        settings.finish()
        reached = since.now
        for place in sets or (None,):
            reached = min(reached, (yield from _harvest(feed, form, place, begin, since.end)) or since.now)
        return since.watermark if since.start or since.end else reached.isoformat()
    search, ids = settings.text("search"), settings.texts("ids")
    page = settings.integer("page", 200, maximum=2000)
    settings.finish()
    if bool(search) == bool(ids):
        raise settings.wrong("search", "either a search or a list of ids")
    if ids:
        for at in range(0, len(ids), page):
            batch = ids[at : at + page]
            query = urlencode({"id_list": ",".join(batch), "max_results": len(batch)}, safe=",/")
            yield Request(f"{feed.url}?{query}", f"ids {batch[0]} and {len(batch) - 1} more")
        return since.now.isoformat()
    end = f"{since.end:%Y%m%d}2359" if since.end else f"{since.now:%Y%m%d%H%M}"
    yield from _search(feed, f"({search}) AND submittedDate:[{begin:%Y%m%d}0000 TO {end}]", page)
    return since.watermark if since.start or since.end else since.now.isoformat()


def _harvest(
    feed: Feed, form: str, place: str | None, begin: dt.date, end: dt.date | None
) -> Generator[Request, Answer, dt.datetime | None]:
    """All records of a set that changed since a day; returns the interface's own time at the first answer."""
    terms = {"verb": "ListRecords", "metadataPrefix": form, **({"set": place} if place else {})}
    terms |= {"from": begin.isoformat(), **({"until": end.isoformat()} if end else {})}
    name = f"{place or 'all'} from {begin}"
    reached: dt.datetime | None = None
    for _ in range(1 + _MOST_RESTARTS):
        answer = yield Request(f"{feed.url}?{urlencode(terms, safe=':')}", name)
        reached = reached or _time(answer.content)
        page = 1
        while token := _token(answer.content):
            page += 1
            query = urlencode({"verb": "ListRecords", "resumptionToken": token})
            answer = yield Request(f"{feed.url}?{query}", f"{name}, page {page}")
        if not re.search(rb"""code=["']badResumptionToken["']""", answer.content[:10_000]):
            return reached
    raise Unanswered(f"arXiv forgot {_MOST_RESTARTS + 1} times where it was in {name}")


def _token(content: bytes) -> str | None:
    found = re.search(rb"<resumptionToken[^>]*>\s*([^<\s]+)\s*</resumptionToken>", content[-4096:])
    return found[1].decode("utf-8", "replace").replace("&amp;", "&") if found else None


def _time(content: bytes) -> dt.datetime | None:
    found = re.search(rb"<responseDate>\s*(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)\s*<", content[:4096])
    return dt.datetime.fromisoformat(found[1].decode()) if found else None


def _search(feed: Feed, search: str, page: int) -> Generator[Request, Answer, None]:
    start, total = 0, 1
    while start < total:
        terms = {"search_query": search, "start": start, "max_results": page, "sortBy": "submittedDate"}
        query = urlencode({**terms, "sortOrder": "ascending"}, safe=":[]")
        answer = yield Request(f"{feed.url}?{query}", f"{search}, from {start}")
        found = re.search(rb"opensearch:totalResults[^>]*>(\d+)<", answer.content[:5000])
        total = int(found[1]) if found else 0
        if total > _LARGEST_SEARCH:
            raise Unanswered(f"the search finds {total:,} papers; arXiv gives out {_LARGEST_SEARCH:,}: harvest instead")
        start += page
