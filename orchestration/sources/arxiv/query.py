"""Fetch plan of arXiv: changed records of a set over OAI-PMH, or papers by search or ids over the query API."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Generator
from typing import NamedTuple
from urllib.parse import urlencode

from orchestration.sources.shared.fetch_plan import Feed, FetchCursor, FetchPlan, Request, RequestFailed, Response
from orchestration.sources.shared.settings import Settings
from orchestration.sources.shared.xml import find_texts, parse_xml
from orchestration.sources.source import DamagedDocument

_MAX_SEARCH_RESULTS = 30_000
_MAX_RESTARTS = 3
_MAX_BLANK_ANSWERS = 3  # in a row, for one request: arXiv sometimes gives a blank answer under load
_EARLIEST = dt.date(2005, 9, 16)  # the oldest datestamp of a record in OAI-PMH


def fetch_papers(feed: Feed, cursor: FetchCursor) -> FetchPlan:
    """Fetch plan for the records changed (OAI-PMH) or the papers submitted (query API) since the last fetch.

    An address that ends with ``/oai`` is harvested over OAI-PMH, any other is searched. Settings for OAI-PMH: ``sets``
    (``cs:cs:LG``; default: all of arXiv), ``form`` (``arXiv`` or ``arXivRaw``). For a search: ``search`` (in arXiv's
    query language) or ``ids``; ``page``. For both: ``from`` (first day of the first fetch), ``overlap_days``.

    Raises:
        InvalidSettings: A setting cannot be used.
        RequestFailed: arXiv rejects its resumption tokens repeatedly, or the search has too many results.
    """
    settings = Settings(feed)
    is_harvest = feed.url.rstrip("/").endswith(("/oai", "/oai2"))
    earliest = settings.day("from", _EARLIEST)
    overlap = settings.days("overlap_days", 1 if is_harvest else 2)
    begin = cursor.start
    if begin is None:
        begin = dt.datetime.fromisoformat(cursor.watermark).date() - overlap if cursor.watermark else earliest
    if is_harvest:
        sets = settings.texts("sets")
        form = settings.choice("form", ("arXiv", "arXivRaw"))
        settings.reject_unknown()
        watermark, has_records = cursor.now, False
        for set_name in sets or (None,):
            harvest = yield from _harvest(feed, form, set_name, begin, cursor.end)
            watermark = min(watermark, harvest.responded_at or cursor.now)
            has_records |= harvest.has_records
        return cursor.advance(watermark if has_records else None)
    search, ids = settings.text("search"), settings.texts("ids")
    page_size = settings.integer("page", 200, maximum=2000)
    settings.reject_unknown()
    if bool(search) == bool(ids):
        raise settings.build_error("search", "either a search or a list of ids")
    if ids:
        for index in range(0, len(ids), page_size):
            batch = ids[index : index + page_size]
            query = urlencode({"id_list": ",".join(batch), "max_results": len(batch)}, safe=",/")
            yield Request(f"{feed.url}?{query}", f"ids {batch[0]} and {len(batch) - 1} more")
        return cursor.now.isoformat()
    end = f"{cursor.end:%Y%m%d}2359" if cursor.end else f"{cursor.now:%Y%m%d%H%M}"
    papers = yield from _search(feed, f"({search}) AND submittedDate:[{begin:%Y%m%d}0000 TO {end}]", page_size)
    return cursor.advance(cursor.now if papers else None)


class _Harvest(NamedTuple):
    """The service's time of the first response of a harvest, and whether it had any record."""

    responded_at: dt.datetime | None
    has_records: bool


def _harvest(
    feed: Feed, form: str, set_name: str | None, begin: dt.date, end: dt.date | None
) -> Generator[Request, Response, _Harvest]:
    """Request all records of a set that changed since a day."""
    terms = {"verb": "ListRecords", "metadataPrefix": form, **({"set": set_name} if set_name else {})}
    terms |= {"from": begin.isoformat(), **({"until": end.isoformat()} if end else {})}
    name = f"{set_name or 'all'} from {begin}"
    responded_at: dt.datetime | None = None
    blank_answers = 0
    for attempt in range(1 + _MAX_RESTARTS):
        response = _ArxivResponse((yield Request(f"{feed.url}?{urlencode(terms, safe=':')}", name, attempt=attempt)))
        responded_at = responded_at or response.responded_at
        if "noRecordsMatch" in response.error_codes:
            blank_answers += 1
            if blank_answers < 2:
                continue
            return _Harvest(responded_at, has_records=False)
        has_records = response.has_records
        page = 1
        while token := response.first_text("resumptionToken"):
            page += 1
            query = urlencode({"verb": "ListRecords", "resumptionToken": token})
            request = Request(f"{feed.url}?{query}", f"{name}, page {page}", attempt=attempt)
            response = _ArxivResponse((yield request))
            has_records |= response.has_records
        if "badResumptionToken" not in response.error_codes:
            return _Harvest(responded_at, has_records)
    raise RequestFailed(f"arXiv rejected its resumption tokens in {_MAX_RESTARTS + 1} attempts at {name}")


class _ArxivResponse:
    """The paging data of a response of arXiv.

    Raises:
        RequestFailed: It is not well-formed XML, so that missing records could not be noticed.
    """

    def __init__(self, response: Response) -> None:
        try:
            self._root = parse_xml(response.content)
        except DamagedDocument as error:
            raise RequestFailed(f"found {error} where a response of arXiv was expected") from error
        self.error_codes = {element.get("code") for element in self._root.iter("{*}error")}

    def first_text(self, name: str) -> str | None:
        """The text of the first non-empty element of that name, in any namespace."""
        return next(iter(find_texts(self._root, name)), None)

    def count_elements(self, name: str) -> int:
        """The number of elements of that name."""
        return sum(1 for _ in self._root.iter(f"{{*}}{name}"))

    @property
    def has_records(self) -> bool:
        """Whether it has a record of OAI-PMH."""
        return self.count_elements("record") > 0

    @property
    def responded_at(self) -> dt.datetime | None:
        """The time of the response, by arXiv's clock."""
        try:
            moment = dt.datetime.fromisoformat(self.first_text("responseDate") or "")
        except ValueError:
            return None
        return moment.replace(tzinfo=moment.tzinfo or dt.UTC)


def _search(feed: Feed, search: str, page_size: int) -> Generator[Request, Response, int]:
    """Request all papers of a search; returns their number.

    A blank answer, which reports no papers or fewer than the page before, is requested again. A list that ends with
    one is incomplete; a search that begins with several has no papers.
    """
    start, total, blank_answers = 0, 0, 0
    while not total or start < total:
        terms = {"search_query": search, "start": start, "max_results": page_size, "sortBy": "submittedDate"}
        query = urlencode({**terms, "sortOrder": "ascending"}, safe=":[]")
        request = Request(f"{feed.url}?{query}", f"{search}, from {start}", attempt=blank_answers)
        response = _ArxivResponse((yield request))
        total_text = response.first_text("totalResults") or ""
        if not re.fullmatch(r"\d{1,18}", total_text):
            raise RequestFailed("the response has no total number of papers")
        reported, count = int(total_text), response.count_elements("entry")
        if reported > _MAX_SEARCH_RESULTS:
            raise RequestFailed(
                f"the search finds {reported:,} papers; arXiv returns at most {_MAX_SEARCH_RESULTS:,}: use OAI-PMH"
                " instead"
            )
        if not count:
            blank_answers += 1
            if blank_answers < _MAX_BLANK_ANSWERS:
                continue
            if start or reported:
                raise RequestFailed(f"an empty page of {max(total, reported):,} papers from {start:,}")
            return 0
        start, total, blank_answers = start + count, reported, 0  # a page can be short although it is not the last
    return start
