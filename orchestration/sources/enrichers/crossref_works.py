"""Works of Crossref, by DOI or by a filter: venue, day of publication, citations, affiliations as printed.

Crossref does not register the DOIs of arXiv. Dates can lack the day or month, and abstracts contain markup.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Generator, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from orchestration.sources.enrichers.records import build_columns, parse_partial_date, parse_records
from orchestration.sources.shared.document import Document, UnreadableDocument, parse_json
from orchestration.sources.shared.fetch_plan import (
    Feed,
    FetchCursor,
    FetchPlan,
    Request,
    RequestFailed,
    Response,
    find_larger_total,
    require_complete,
)
from orchestration.sources.shared.fields import Fields
from orchestration.sources.shared.html_text import html_to_text, join_texts, title_to_text
from orchestration.sources.shared.settings import Settings
from orchestration.sources.source import NotThisSource, ParseResult, Source, Value

_PAGE_SIZE = 200
# fields with the day of publication, by preference
_DATE_FIELDS = ("published", "issued", "published-online", "published-print")
_HEADING = re.compile(r"^abstract\b[.:]?\s+(?=\S)", re.IGNORECASE)


def _read_work(work: Fields) -> tuple[str, dict[str, Value]]:
    """Identity and column values of a work.

    Raises:
        ValueError: It has no DOI.
    """
    doi = (work.text("DOI") or "").lower()
    if not doi:
        raise ValueError("no DOI, which identifies it")
    work.ignore("indexed", "created", "deposited", "score", "prefix", "member", "source", "content-domain")
    names, affiliations = [], []
    for author in work.children("author"):
        author.ignore("sequence", "ORCID", "authenticated-orcid", "role")
        parts = (author.line("given"), author.line("family"), author.line("suffix"))
        names.append(" ".join(part for part in parts if part) or author.line("name") or "")
        printed = [affiliation.line("name") for affiliation in author.children("affiliation")]
        affiliations += [{"author": names[-1], "affiliation": text} for text in printed if text]
    day, precision = None, None
    for name in _DATE_FIELDS:
        moment = work.child(name)
        moment.ignore("date-time", "timestamp")
        parts = moment.value("date-parts")
        if day is None and parts not in (None, [], [[]], [[None]]):
            day, precision = parse_partial_date(parts[0] if isinstance(parts, list) else parts)
            if day is None:
                moment.note_odd("date-parts", f"are {json.dumps(parts)[:40]}, not year, month and day")
    values: dict[str, Value] = {
        "work_type": work.text("type"),
        "publisher": work.line("publisher"),
        "doi": doi,
        "title": title_to_text(next(iter(work.texts("title")), None)),
        "abstract": _HEADING.sub("", " ".join((html_to_text(work.text("abstract")).text or "").split())) or None,
        "authors": join_texts([name for name in names if name]),
        "affiliations": json.dumps(affiliations, ensure_ascii=False) if affiliations else None,
        "venue": title_to_text(next(iter(work.texts("container-title")), None)),
        "url": work.text("URL"),
        "published_on": day,
        "date_precision": precision,
        "citations": work.integer("is-referenced-by-count"),
    }
    return doi, values


def _get_works(value: Any) -> list[Any] | None:
    """The works of a JSON document, a list or a single work; None for other documents."""
    message = value.get("message") if isinstance(value, Mapping) else None
    if not isinstance(message, Mapping):
        return None
    if value.get("message-type") == "work-list" and isinstance(message.get("items"), list):
        return message["items"]
    return [message] if value.get("message-type") == "work" and "DOI" in message else None


def _recognise(document: Document) -> None:
    if _get_works(document.json) is None:
        raise NotThisSource(f"looked for works of Crossref; found {document.description}")


def _parse(document: Document) -> ParseResult:
    return parse_records(
        _number_works(_get_works(document.json) or []),
        _read_work,
        is_empty_valid=document.json["message-type"] == "work-list",
    )


def _number_works(works: list[Any]) -> Iterator[tuple[str, Any]]:
    return ((f"work {number}", work) for number, work in enumerate(works, 1))


def _fetch(feed: Feed, cursor: FetchCursor) -> FetchPlan:
    """Fetch plan for works by DOI, or for the works of a filter or query that were indexed since the last fetch.

    Settings: ``dois`` or ``filter`` (in Crossref's syntax); ``query``; ``from`` (first day of indexing).

    Raises:
        InvalidSettings: A setting cannot be used.
        RequestFailed: A response is not a list of works, or the list is incomplete.
    """
    settings = Settings(feed)
    dois, filters, query = settings.texts("dois"), settings.text("filter"), settings.text("query")
    begin = settings.day("from", dt.date(2000, 1, 1))
    settings.reject_unknown()
    if bool(dois) == bool(filters or query):
        raise settings.build_error("dois", "either a list of DOIs, or a filter or query")
    base = feed.url.rstrip("/")
    for doi in dois:
        try:
            yield Request(f"{base}/{quote(doi, safe='')}", doi)
        except RequestFailed as failure:
            if failure.status != 404:  # an unknown DOI does not stop the others
                raise
    if dois:
        return cursor.now.isoformat()
    if cursor.start or cursor.watermark:
        begin = cursor.start or dt.datetime.fromisoformat(cursor.watermark or "").date() - dt.timedelta(days=1)
    span = f"from-index-date:{begin}" + (f",until-index-date:{cursor.end}" if cursor.end else "")
    terms = {"query": query} if query else {}
    terms |= {"filter": ",".join(filter(None, (filters, span))), "rows": str(_PAGE_SIZE)}
    received = yield from _fetch_pages(f"{base}?{urlencode(terms, safe=':,')}", f"indexed from {begin}")
    return cursor.advance(cursor.now if received else None)


def _fetch_pages(url: str, name: str) -> Generator[Request, Response, int]:
    """Request all pages of a list, up to an empty page, since Crossref returns cursors even after the last page.

    Returns the number of works.
    """
    cursor, page, received, total = "*", 1, 0, 0
    while True:
        response = yield Request(f"{url}&{urlencode({'cursor': cursor}, safe='*')}", f"{name}, page {page}")
        try:
            value = parse_json(response.content)
        except UnreadableDocument as error:
            raise RequestFailed(f"found {error} where works were expected") from error
        works = _get_works(value)
        if works is None:
            raise RequestFailed(f"found {str(value)[:200]} where works were expected")
        received += len(works)
        next_cursor = value["message"].get("next-cursor")
        total = find_larger_total(total, value["message"].get("total-results"))  # a blank page reports none
        is_all = next_cursor == cursor and received >= total > 0
        if not works or not next_cursor or is_all:
            require_complete(received, total, "works")
            return received
        cursor, page = next_cursor, page + 1


SOURCE = Source(
    name="crossref_works",
    title="Crossref",
    record_noun="works",
    row="One version of Crossref's record of a work.",
    columns=build_columns(
        "doi",
        "title",
        "abstract",
        "authors",
        "affiliations",
        "venue",
        "url",
        "published_on",
        "date_precision",
        "citations",
        work_type={"type": "text", "meaning": "Type of work in Crossref: journal-article, book-chapter."},
        publisher={"type": "text", "meaning": "Name of the publisher."},
    ),
    expected="works of Crossref (a response of its API)",
    licence="facts are free; abstracts belong to their publishers",
    recognise=_recognise,
    parse=_parse,
    recency_column="published_on",
    volatile_columns=("citations",),
    fetch=_fetch,
    question_settings=("dois", "filter", "query"),
    is_windowed=True,
)
