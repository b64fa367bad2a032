"""Papers of Semantic Scholar, asked for by ids or found by a search: abstracts, venues, citations."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from orchestration.sources.enrichers.records import columns, in_batches, period, read_all
from orchestration.sources.shared.document import Document, Unreadable, strict_json
from orchestration.sources.shared.fetch_plan import Conversation, Feed, Request, Since, Unanswered
from orchestration.sources.shared.fields import Fields
from orchestration.sources.shared.html_text import joined
from orchestration.sources.shared.settings import Settings
from orchestration.sources.source import NotThisSource, Parsed, Reject, Source, Value

_BATCH = 500  # the most ids at once
_FIELDS = (
    "paperId,corpusId,externalIds,url,title,abstract,venue,year,publicationDate,authors,citationCount"
    ",influentialCitationCount,fieldsOfStudy"
)


def _paper(paper: Fields) -> tuple[str, dict[str, Value]]:
    """Identity and columns of a paper; its own id (a hash) can change when papers are merged, so the number counts.

    Raises:
        ValueError: A field holds what its column cannot.
    """
    paper.pass_over("isOpenAccess")
    ids = paper.within("externalIds")
    ids.pass_over("MAG", "DBLP", "PubMed", "PubMedCentral", "ACL", "CorpusId")
    number, key = paper.integer("corpusId") or ids.data.get("CorpusId"), paper.text("paperId")
    if not (number or key):
        raise ValueError("neither corpusId nor paperId, by which it would be known")
    authors = paper.each("authors")
    for author in authors:
        author.pass_over("authorId")
    day, year = paper.day("publicationDate"), paper.integer("year")
    doi = ids.text("DOI")
    told = (day, "day") if day else period([year] if year else [])
    values: dict[str, Value] = {
        "semanticscholar_id": str(number) if number else None,
        "semanticscholar_hash": key,
        "influential_citations": paper.integer("influentialCitationCount"),
        "fields_of_study": joined(paper.texts("fieldsOfStudy")),
        "doi": doi.lower() if doi else None,
        "arxiv_id": ids.text("ArXiv"),
        "title": paper.line("title"),
        "abstract": paper.line("abstract"),
        "authors": joined([name for author in authors if (name := author.line("name"))]),
        "venue": paper.line("venue"),
        "url": paper.text("url"),
        "published_on": told[0],
        "date_precision": told[1],
        "citations": paper.integer("citationCount"),
    }
    return str(number or key), values


def _papers(document: Document) -> list[Any] | None:
    told = document.json
    if isinstance(told, dict) and isinstance(told.get("data"), list) and "total" in told:
        told = told["data"]
        is_search = True
    else:
        is_search = False
    if not isinstance(told, list):
        return None
    first = next((paper for paper in told if paper is not None), None)
    is_paper = isinstance(first, dict) and "paperId" in first
    return told if is_paper or (first is None and (is_search or "asked" in document.hints)) else None


def _recognise(document: Document) -> None:
    if _papers(document) is None:
        raise NotThisSource(f"looked for papers of Semantic Scholar; found {document.kind}")


def _parse(document: Document) -> Parsed:
    """The papers of an answer; what was asked for and is not known stands as null in its place."""
    papers, asked = _papers(document) or [], json.loads(document.hints.get("asked", "[]"))
    parsed = read_all(_known(papers), _paper, is_answer=True)
    for place, paper in enumerate(papers):
        if paper is None:
            name = asked[place] if place < len(asked) else f"the one in place {place + 1}"
            reason = f"{name} was asked for, and Semantic Scholar knows no such paper"
            parsed.items.append(Reject(f"paper {place + 1}", reason, name, is_fault=False))
    return parsed


def _known(papers: list[Any]) -> Iterator[tuple[str, Any]]:
    return ((f"paper {place}", paper) for place, paper in enumerate(papers, 1) if paper is not None)


def _fetch(feed: Feed, since: Since) -> Conversation:
    """Ask for papers by ids, or for all that a search finds and that were published since the last conversation.

    Settings: ``ids`` (``ARXIV:2401.00001``, ``DOI:…``, ``CorpusId:…``) or ``search``; ``fields``; ``from`` and
    ``recheck_days`` for a search.

    Raises:
        WrongSettings: A setting cannot be used.
        Unanswered: An answer is none that Semantic Scholar gives.
    """
    settings = Settings(feed)
    ids, search = settings.texts("ids"), settings.text("search")
    fields = settings.text("fields", _FIELDS)
    begin = settings.day("from", dt.date(2000, 1, 1))
    recheck = settings.days("recheck_days", 60)
    settings.finish()
    if bool(ids) == bool(search):
        raise settings.wrong("ids", "either a list of ids or a search")
    base, query = feed.url.rstrip("/"), urlencode({"fields": fields}, safe=",")
    for batch in in_batches(ids, _BATCH):
        yield Request(
            f"{base}/paper/batch?{query}",
            f"{batch[0]} and {len(batch) - 1} more",
            method="POST",
            body={"ids": list(batch)},
            hints={"asked": json.dumps(batch)},
        )
    if search:
        if since.start or since.watermark:
            begin = since.start or dt.datetime.fromisoformat(since.watermark or "").date() - recheck
        span = f"{begin}:{since.end or ''}"
        terms = {"query": search, "publicationDateOrYear": span, "sort": "publicationDate:asc"}
        page, token = 1, ""
        while True:
            following = urlencode({**terms, **({"token": token} if token else {})}, safe=":")
            answer = yield Request(f"{base}/paper/search/bulk?{query}&{following}", f"{search} {span}, page {page}")
            try:
                told = strict_json(answer.content)
            except Unreadable as error:
                raise Unanswered(f"found {error} where papers were expected") from error
            if not isinstance(told, dict) or not told.get("token"):
                break
            page, token = page + 1, told["token"]
    return since.watermark if since.start or since.end else since.now.isoformat()


SOURCE = Source(
    name="semanticscholar_papers",
    title="Semantic Scholar",
    things="papers",
    row="One version of what Semantic Scholar tells of a paper.",
    columns=columns(
        "doi",
        "arxiv_id",
        "title",
        "abstract",
        "authors",
        "venue",
        "url",
        "published_on",
        "date_precision",
        "citations",
        semanticscholar_id={"type": "text", "meaning": "Semantic Scholar's number of the paper (corpus id)."},
        semanticscholar_hash={"type": "text", "meaning": "Semantic Scholar's other id of it, which can change."},
        influential_citations={
            "type": "integer",
            "unit": "works",
            "minimum": 0,
            "meaning": "Works in which Semantic Scholar finds the citation to matter, when last seen.",
        },
        fields_of_study={"type": "text", "meaning": "Fields of study, between semicolons."},
    ),
    expected="papers of Semantic Scholar (an answer of its interface)",
    licence="ODC-BY 1.0; abstracts belong to their publishers",
    recognise=_recognise,
    parse=_parse,
    newest="published_on",
    positional=("citations", "influential_citations", "semanticscholar_hash"),
    fetch=_fetch,
    by_window=True,
)
