"""Daily papers of Hugging Face, with votes, keywords and code; identified by their arXiv ids."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from orchestration.sources.enrichers.records import build_columns, parse_records
from orchestration.sources.shared.document import Document, UnreadableDocument, parse_json
from orchestration.sources.shared.fetch_plan import Feed, FetchCursor, FetchPlan, Request, RequestFailed
from orchestration.sources.shared.fields import Fields
from orchestration.sources.shared.html_text import join_texts
from orchestration.sources.shared.links import link_key
from orchestration.sources.shared.settings import Settings
from orchestration.sources.source import NotThisSource, ParseResult, Source, Value

_PAGE_SIZE = 100


def _read_paper(entry: Fields) -> tuple[str, dict[str, Value]]:
    """Identity and column values of a paper, from a single paper or from an entry of a day's list.

    Raises:
        ValueError: It has no id of an arXiv paper.
    """
    paper = entry.child("paper") if "paper" in entry.data else entry
    entry.ignore("title", "summary", "thumbnail", "mediaUrls", "submittedBy", "isAuthorParticipating", "publishedAt")
    paper.ignore("submittedOnDailyBy", "projectPage", "mediaUrls", "discussionId")
    key = link_key(f"arxiv:{paper.text('id') or ''}")
    if not key.startswith("arxiv:"):
        raise ValueError(f"“{paper.data.get('id')}” is not an id of an arXiv paper")
    authors = paper.children("authors")
    names = []
    for author in authors:
        author.ignore("_id", "hidden", "user", "status", "statusLastChangedAt")
        names.append(author.line("name") or "")
    organization = paper.value("organization")
    organisation = organization.get("fullname") if isinstance(organization, Mapping) else None
    published_at, listed_at = paper.moment("publishedAt"), paper.moment("submittedOnDailyAt")
    values: dict[str, Value] = {
        "listed_on": listed_at.date() if listed_at else None,
        "votes": paper.integer("upvotes"),
        "comments": entry.integer("numComments"),
        "keywords": join_texts(paper.texts("ai_keywords")),
        "organisation": organisation if isinstance(organisation, str) else None,
        "code_url": paper.text("githubRepo"),
        "code_stars": paper.integer("githubStars"),
        "arxiv_id": key.removeprefix("arxiv:"),
        "title": paper.line("title"),
        "abstract": paper.line("summary"),
        "authors": join_texts([name for name in names if name]),
        "published_on": published_at.date() if published_at else None,
    }
    return key, values


def _get_papers(value: Any) -> list[Any] | None:
    """The papers of a JSON document, a day's list or a single paper; None for other documents."""
    if isinstance(value, Mapping):
        return [value] if {"id", "summary", "authors", "upvotes"} <= value.keys() else None
    if not isinstance(value, list):
        return None
    papers = [entry.get("paper") for entry in value if isinstance(entry, Mapping)]
    return value if any(isinstance(paper, Mapping) and "id" in paper for paper in papers) else None


def _recognise(document: Document) -> None:
    # a day without papers is an empty list, which only the hint of the request identifies
    if _get_papers(document.json) is None and not (document.json == [] and "day" in document.hints):
        raise NotThisSource(f"looked for papers of Hugging Face; found {document.description}")


def _parse(document: Document) -> ParseResult:
    return parse_records(
        _number_papers(_get_papers(document.json) or []), _read_paper, is_empty_valid="day" in document.hints
    )


def _number_papers(papers: list[Any]) -> Iterator[tuple[str, Any]]:
    return ((f"paper {number}", paper) for number, paper in enumerate(papers, 1))


def _fetch(feed: Feed, cursor: FetchCursor) -> FetchPlan:
    """Fetch plan for the papers of each day, from some days before the last fetch on, since votes are added later.

    Settings: ``from`` (first day of the first fetch), ``recheck_days``.

    Raises:
        InvalidSettings: A setting cannot be used.
        RequestFailed: A response is not a list of papers, or a page is repeated.
    """
    settings = Settings(feed)
    begin = settings.day("from", cursor.now.date() - dt.timedelta(days=30))
    recheck = settings.days("recheck_days", 7)
    settings.reject_unknown()
    if cursor.start or cursor.watermark:
        begin = cursor.start or dt.datetime.fromisoformat(cursor.watermark or "").date() - recheck
    day, has_papers = begin, False
    while day <= min(cursor.end or cursor.now.date(), cursor.now.date()):
        page, previous = 0, None
        while True:
            query = urlencode({"date": day.isoformat(), "p": page, "limit": _PAGE_SIZE})
            name = f"papers of {day}" + (f", page {page + 1}" if page else "")
            url = f"{feed.url.rstrip('/')}/daily_papers?{query}"
            response = yield Request(url, name, hints={"day": day.isoformat()})
            try:
                papers = parse_json(response.content)
            except UnreadableDocument as error:
                raise RequestFailed(f"found {error} where a day's papers were expected") from error
            has_papers |= bool(papers)
            if not isinstance(papers, list) or len(papers) < _PAGE_SIZE:
                break
            if papers == previous:
                raise RequestFailed(f"page {page + 1} of the papers of {day} repeats the page before it")
            page, previous = page + 1, papers
        day += dt.timedelta(days=1)
    return cursor.advance(cursor.now if has_papers else None)


SOURCE = Source(
    name="huggingface_papers",
    title="Hugging Face papers",
    record_noun="papers",
    row="One version of Hugging Face's record of an arXiv paper.",
    columns=build_columns(
        "arxiv_id",
        "title",
        "abstract",
        "authors",
        "published_on",
        listed_on={"type": "date", "meaning": "Day on which it was listed as a daily paper."},
        votes={"type": "integer", "unit": "votes", "minimum": 0, "meaning": "Number of votes when last seen."},
        comments={"type": "integer", "unit": "comments", "minimum": 0, "meaning": "Number of comments when last seen."},
        keywords={"type": "text", "meaning": "Keywords assigned by a language model, separated by semicolons."},
        organisation={"type": "text", "meaning": "Organisation that claimed the paper."},
        code_url={"type": "text", "meaning": "Address of the code repository."},
        code_stars={
            "type": "integer",
            "unit": "stars",
            "minimum": 0,
            "meaning": "Stars of the repository when last seen.",
        },
    ),
    expected="papers of Hugging Face (a day's list, or one paper)",
    licence="facts are free; abstracts belong to their authors",
    recognise=_recognise,
    parse=_parse,
    recency_column="published_on",
    volatile_columns=("votes", "comments", "code_stars"),
    fetch=_fetch,
    is_windowed=True,
)
