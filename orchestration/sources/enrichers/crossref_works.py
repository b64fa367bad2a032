"""Works of Crossref, asked for by DOI or found by a filter: venue, day, citations, affiliations as printed.

DOIs of arXiv are not Crossref's. Days can be years or months alone, and abstracts come with markup.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Generator, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from orchestration.sources.enrichers.records import columns, period, read_all
from orchestration.sources.shared.document import Document, Unreadable, strict_json
from orchestration.sources.shared.fetch_plan import Answer, Conversation, Feed, Request, Since, Unanswered, told_of
from orchestration.sources.shared.fields import Fields
from orchestration.sources.shared.html_text import joined, plain
from orchestration.sources.shared.settings import Settings
from orchestration.sources.source import NotThisSource, Parsed, Source, Value

_ROWS = 200
# where the day of publication can stand, the earliest event last, since it can be a registration
_DAYS = ("published", "issued", "published-online", "published-print")
_HEADING = re.compile(r"^abstract\b[.:]?\s+(?=\S)", re.IGNORECASE)


def _work(work: Fields) -> tuple[str, dict[str, Value]]:
    """Identity and columns of a work.

    Raises:
        ValueError: A field holds what its column cannot.
    """
    doi = (work.text("DOI") or "").lower()
    if not doi:
        raise ValueError("no DOI, by which it would be known")
    work.pass_over("indexed", "created", "deposited", "score", "prefix", "member", "source", "content-domain")
    people, printed = [], []
    for author in work.each("author"):
        author.pass_over("sequence", "ORCID", "authenticated-orcid", "role")
        parts = (author.line("given"), author.line("family"), author.line("suffix"))
        people.append(" ".join(part for part in parts if part) or author.line("name") or "")
        places = [place.line("name") for place in author.each("affiliation")]
        printed += [{"author": people[-1], "affiliation": place} for place in places if place]
    day, precision = None, None
    for name in _DAYS:
        moment = work.within(name)
        moment.pass_over("date-time", "timestamp")
        told = moment.whole("date-parts")
        if day is None and told:
            day, precision = period(told[0] if isinstance(told, list) else told)
    values: dict[str, Value] = {
        "work_type": work.text("type"),
        "publisher": work.line("publisher"),
        "doi": doi,
        "title": plain(next(iter(work.texts("title")), None)).text,
        "abstract": _HEADING.sub("", " ".join((plain(work.text("abstract")).text or "").split())) or None,
        "authors": joined([name for name in people if name]),
        "affiliations": json.dumps(printed, ensure_ascii=False) if printed else None,
        "venue": plain(next(iter(work.texts("container-title")), None)).text,
        "url": work.text("URL"),
        "published_on": day,
        "date_precision": precision,
        "citations": work.integer("is-referenced-by-count"),
    }
    return doi, values


def _works(told: Any) -> list[Any] | None:
    message = told.get("message") if isinstance(told, Mapping) else None
    if not isinstance(message, Mapping):
        return None
    if told.get("message-type") == "work-list" and isinstance(message.get("items"), list):
        return message["items"]
    return [message] if told.get("message-type") == "work" and "DOI" in message else None


def _recognise(document: Document) -> None:
    if _works(document.json) is None:
        raise NotThisSource(f"looked for works of Crossref; found {document.kind}")


def _parse(document: Document) -> Parsed:
    return read_all(
        _numbered(_works(document.json) or []), _work, is_answer=document.json["message-type"] == "work-list"
    )


def _numbered(works: list[Any]) -> Iterator[tuple[str, Any]]:
    return ((f"work {place}", work) for place, work in enumerate(works, 1))


def _fetch(feed: Feed, since: Since) -> Conversation:
    """Ask for works by DOI, or for all that a filter finds and that Crossref has indexed since the last conversation.

    Settings: ``dois`` or ``filter`` (in Crossref's language); ``query``; ``from`` (first day of indexing).

    Raises:
        WrongSettings: A setting cannot be used.
        Unanswered: An answer is none that Crossref gives.
    """
    settings = Settings(feed)
    dois, terms, words = settings.texts("dois"), settings.text("filter"), settings.text("query")
    begin = settings.day("from", dt.date(2000, 1, 1))
    settings.finish()
    if bool(dois) == bool(terms or words):
        raise settings.wrong("dois", "either a list of DOIs, or a filter or query")
    base = feed.url.rstrip("/")
    for doi in dois:
        try:
            yield Request(f"{base}/{quote(doi, safe='')}", doi)
        except Unanswered as unanswered:
            if unanswered.status != 404:  # an unknown DOI holds back no other
                raise
    if dois:
        return since.now.isoformat()
    if since.start or since.watermark:
        begin = since.start or dt.datetime.fromisoformat(since.watermark or "").date() - dt.timedelta(days=1)
    span = f"from-index-date:{begin}" + (f",until-index-date:{since.end}" if since.end else "")
    asked = {**({"query": words} if words else {}), "filter": ",".join(filter(None, (terms, span))), "rows": _ROWS}
    yield from _listed(f"{base}?{urlencode(asked, safe=':,')}", f"indexed from {begin}")
    return since.watermark if since.start or since.end else since.now.isoformat()


def _listed(url: str, name: str) -> Generator[Request, Answer, None]:
    """All pages of a list; its cursor seldom ends by itself, so that an empty page does."""
    cursor, page, received = "*", 1, 0
    while True:
        answer = yield Request(f"{url}&{urlencode({'cursor': cursor}, safe='*')}", f"{name}, page {page}")
        try:
            told = strict_json(answer.content)
        except Unreadable as error:
            raise Unanswered(f"found {error} where works were expected") from error
        works = _works(told)
        if works is None:
            raise Unanswered(f"found {str(told)[:200]} where works were expected")
        received += len(works)
        following, total = told["message"].get("next-cursor"), told["message"].get("total-results")
        is_all = following == cursor and isinstance(total, int) and received >= total
        if not works or not following or is_all:
            told_of(received, total, "works")
            return
        cursor, page = following, page + 1


SOURCE = Source(
    name="crossref_works",
    title="Crossref",
    things="works",
    row="One version of what Crossref tells of a work.",
    columns=columns(
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
        work_type={"type": "text", "meaning": "Journal article, book chapter and so on, in Crossref's words."},
        publisher={"type": "text", "meaning": "The publisher."},
    ),
    expected="works of Crossref (an answer of its interface)",
    licence="facts, free of claims; abstracts belong to their publishers",
    recognise=_recognise,
    parse=_parse,
    newest="published_on",
    positional=("citations",),
    fetch=_fetch,
    by_window=True,
)
