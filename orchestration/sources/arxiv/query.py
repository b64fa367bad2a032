"""Asking arXiv: all changes of a set through its harvesting interface, or a small search or a list of ids."""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator
from urllib.parse import urlencode

from orchestration.sources.shared.fetch_plan import Answer, Conversation, Feed, Request, Since, Unanswered
from orchestration.sources.shared.settings import Settings
from orchestration.sources.shared.xml import root_of, texts_of
from orchestration.sources.source import Damaged

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
    overlap = settings.days("overlap_days", 1 if is_harvest else 2)
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
    for attempt in range(1 + _MOST_RESTARTS):
        answer = yield Request(f"{feed.url}?{urlencode(terms, safe=':')}", name, attempt=attempt)
        told = _Told(answer)
        reached = reached or told.moment
        page = 1
        while token := told.one("resumptionToken"):
            page += 1
            query = urlencode({"verb": "ListRecords", "resumptionToken": token})
            answer = yield Request(f"{feed.url}?{query}", f"{name}, page {page}", attempt=attempt)
            told = _Told(answer)
        if "badResumptionToken" not in told.errors:
            return reached
    raise Unanswered(f"arXiv forgot {_MOST_RESTARTS + 1} times where it was in {name}")


class _Told:
    """What an answer of arXiv tells besides papers.

    Raises:
        Unanswered: It is no whole XML, in which nothing can be told to be missing.
    """

    def __init__(self, answer: Answer) -> None:
        try:
            self._root = root_of(answer.content)
        except Damaged as error:
            raise Unanswered(f"found {error} where an answer of arXiv was expected") from error
        self.errors = {element.get("code") for element in self._root.iter("{*}error")}

    def one(self, name: str) -> str | None:
        """The text of the first filled element of that name, whatever its namespace."""
        return next(iter(texts_of(self._root, name)), None)

    def count(self, name: str) -> int:
        """The number of elements of that name."""
        return sum(1 for _ in self._root.iter(f"{{*}}{name}"))

    @property
    def moment(self) -> dt.datetime | None:
        """When it was given."""
        try:
            moment = dt.datetime.fromisoformat(self.one("responseDate") or "")
        except ValueError:
            return None
        return moment.replace(tzinfo=moment.tzinfo or dt.UTC)


def _search(feed: Feed, search: str, page: int) -> Generator[Request, Answer, None]:
    start, total = 0, 1
    while start < total:
        terms = {"search_query": search, "start": start, "max_results": page, "sortBy": "submittedDate"}
        query = urlencode({**terms, "sortOrder": "ascending"}, safe=":[]")
        told = _Told((yield Request(f"{feed.url}?{query}", f"{search}, from {start}")))
        results = told.one("totalResults") or ""
        if not results.isdigit():
            raise Unanswered("the answer does not tell how many papers the search finds")
        total = int(results)
        if total > _LARGEST_SEARCH:
            raise Unanswered(f"the search finds {total:,} papers; arXiv gives out {_LARGEST_SEARCH:,}: harvest instead")
        came = told.count("entry")
        if not came and start < total:
            raise Unanswered(f"an empty page of {total:,} papers from {start:,}")
        start += came  # a page can be short though it is not the last
