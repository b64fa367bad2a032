"""Papers of Semantic Scholar, by ids or by a search: abstracts, venues, citations."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from orchestration.sources.enrichers.records import build_columns, parse_partial_date, parse_records, split_batches
from orchestration.sources.shared.document import Document, UnreadableDocument, parse_json
from orchestration.sources.shared.fetch_plan import (
    Feed,
    FetchCursor,
    FetchPlan,
    Request,
    RequestFailed,
    find_larger_total,
    require_complete,
)
from orchestration.sources.shared.fields import Fields, describe_value
from orchestration.sources.shared.html_text import join_texts
from orchestration.sources.shared.settings import Settings
from orchestration.sources.source import NotThisSource, ParseResult, Reject, Source, Value

_BATCH_SIZE = 500  # the maximum of ids per request
_FIELDS = (
    "paperId,corpusId,externalIds,url,title,abstract,venue,year,publicationDate,authors,citationCount"
    ",influentialCitationCount,fieldsOfStudy"
)


def _read_paper(paper: Fields) -> tuple[str, dict[str, Value]]:
    """Identity and column values of a paper, identified by its corpus id, since its hash changes with merges.

    Raises:
        ValueError: It has neither a corpus id nor a hash.
    """
    paper.ignore("isOpenAccess")
    ids = paper.child("externalIds")
    ids.ignore("MAG", "DBLP", "PubMed", "PubMedCentral", "ACL")
    corpus_id, paper_hash = paper.integer("corpusId") or ids.integer("CorpusId"), paper.text("paperId")
    ids.ignore("CorpusId")
    if not (corpus_id or paper_hash):
        raise ValueError("neither corpusId nor paperId, which identify it")
    authors = paper.children("authors")
    for author in authors:
        author.ignore("authorId")
    day, year = paper.day("publicationDate"), paper.integer("year")
    doi = ids.text("DOI")
    published_on, precision = (day, "day") if day else parse_partial_date([year] if year else [])
    if year and published_on is None:
        paper.note_odd("year", f"is {describe_value(year)}, not a year")
    values: dict[str, Value] = {
        "semanticscholar_id": str(corpus_id) if corpus_id else None,
        "semanticscholar_hash": paper_hash,
        "influential_citations": paper.integer("influentialCitationCount"),
        "fields_of_study": join_texts(paper.texts("fieldsOfStudy")),
        "doi": doi.lower() if doi else None,
        "arxiv_id": ids.text("ArXiv"),
        "title": paper.line("title"),
        "abstract": paper.line("abstract"),
        "authors": join_texts([name for author in authors if (name := author.line("name"))]),
        "venue": paper.line("venue"),
        "url": paper.text("url"),
        "published_on": published_on,
        "date_precision": precision,
        "citations": paper.integer("citationCount"),
    }
    return str(corpus_id or paper_hash), values


def _get_papers(document: Document) -> list[Any] | None:
    """The papers of a document, a batch or a page of a search; None for other documents."""
    papers = document.json
    is_search = isinstance(papers, dict) and isinstance(papers.get("data"), list) and "total" in papers
    if is_search:
        papers = papers["data"]
    if not isinstance(papers, list):
        return None
    first = next((paper for paper in papers if paper is not None), None)
    is_paper = isinstance(first, dict) and "paperId" in first
    return papers if is_paper or (first is None and (is_search or _get_requested_ids(document) is not None)) else None


def _get_requested_ids(document: Document) -> list[str] | None:
    """The ids of a batch request, from the hint ``requested_ids`` (``asked`` in older snapshots); None for a search."""
    hint = document.hints.get("requested_ids", document.hints.get("asked"))
    return None if hint is None else json.loads(hint)


def _recognise(document: Document) -> None:
    if _get_papers(document) is None:
        raise NotThisSource(f"looked for papers of Semantic Scholar; found {document.description}")


def _parse(document: Document) -> ParseResult:
    """The papers of a response; each requested id without a paper is null and becomes a reject."""
    papers, requested_ids = _get_papers(document) or [], _get_requested_ids(document) or []
    result = parse_records(_number_known_papers(papers), _read_paper, is_empty_valid=True)
    for index, paper in enumerate(papers):
        if paper is None:
            name = requested_ids[index] if index < len(requested_ids) else f"id {index + 1}"
            reason = f"{name} was requested, and Semantic Scholar has no such paper"
            result.items.append(Reject(f"paper {index + 1}", reason, name, is_fault=False))
    return result


def _number_known_papers(papers: list[Any]) -> Iterator[tuple[str, Any]]:
    return ((f"paper {number}", paper) for number, paper in enumerate(papers, 1) if paper is not None)


def _fetch(feed: Feed, cursor: FetchCursor) -> FetchPlan:
    """Fetch plan for papers by ids, or for the results of a search published since the last fetch.

    Settings: ``ids`` (``ARXIV:2401.00001``, ``DOI:…``, ``CorpusId:…``) or ``search``; ``fields``; ``from`` and
    ``recheck_days`` for a search.

    Raises:
        InvalidSettings: A setting cannot be used.
        RequestFailed: A response is not a list of papers, or the list is incomplete.
    """
    settings = Settings(feed)
    ids, search = settings.texts("ids"), settings.text("search")
    fields = settings.text("fields", _FIELDS)
    begin = settings.day("from", dt.date(2000, 1, 1))
    recheck = settings.days("recheck_days", 60)
    settings.reject_unknown()
    if bool(ids) == bool(search):
        raise settings.build_error("ids", "either a list of ids or a search")
    base, query = feed.url.rstrip("/"), urlencode({"fields": fields}, safe=",")
    for batch in split_batches(ids, _BATCH_SIZE):
        yield Request(
            f"{base}/paper/batch?{query}",
            f"{batch[0]} and {len(batch) - 1} more",
            method="POST",
            body={"ids": list(batch)},
            hints={"requested_ids": json.dumps(batch)},
        )
    if search:
        if cursor.start or cursor.watermark:
            begin = cursor.start or dt.datetime.fromisoformat(cursor.watermark or "").date() - recheck
        span = f"{begin}:{cursor.end or ''}"
        terms = {"query": search, "publicationDateOrYear": span, "sort": "publicationDate:asc"}
        page, token, received, total = 1, "", 0, 0
        while True:
            page_query = urlencode({**terms, **({"token": token} if token else {})}, safe=":")
            response = yield Request(f"{base}/paper/search/bulk?{query}&{page_query}", f"{search} {span}, page {page}")
            try:
                value = parse_json(response.content)
            except UnreadableDocument as error:
                raise RequestFailed(f"found {error} where papers were expected") from error
            papers = value.get("data") if isinstance(value, dict) else None
            if not isinstance(papers, list):
                raise RequestFailed(f"found {str(value)[:200]} where papers were expected")
            received, total = received + len(papers), find_larger_total(total, value.get("total"))
            if not value.get("token"):
                if not papers:  # the total is an estimate, but a list that ends with an empty page was cut off
                    require_complete(received, total, "papers")
                break
            page, token = page + 1, value["token"]
        return cursor.advance(cursor.now if received else None)
    return cursor.advance(cursor.now)


SOURCE = Source(
    name="semanticscholar_papers",
    title="Semantic Scholar",
    record_noun="papers",
    row="One version of Semantic Scholar's record of a paper.",
    columns=build_columns(
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
        semanticscholar_id={"type": "text", "meaning": "Corpus id of the paper in Semantic Scholar."},
        semanticscholar_hash={
            "type": "text",
            "meaning": "Second id in Semantic Scholar, a hash that can change.",
        },
        influential_citations={
            "type": "integer",
            "unit": "works",
            "minimum": 0,
            "meaning": "Number of citing works that Semantic Scholar considers influenced by it, when last seen.",
        },
        fields_of_study={"type": "text", "meaning": "Fields of study, separated by semicolons."},
    ),
    expected="papers of Semantic Scholar (a response of its API)",
    licence="ODC-BY 1.0; abstracts belong to their publishers",
    recognise=_recognise,
    parse=_parse,
    recency_column="published_on",
    volatile_columns=("citations", "influential_citations", "semanticscholar_hash"),
    fetch=_fetch,
    question_settings=("ids", "search"),
    is_windowed=True,
)
