"""Papers on Hugging Face: those of each day, with votes, keywords and code; known by their arXiv ids."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from orchestration.sources.enrichers.records import columns, read_all
from orchestration.sources.shared.document import Document, Unreadable, strict_json
from orchestration.sources.shared.fetch_plan import Conversation, Feed, Request, Since, Unanswered
from orchestration.sources.shared.fields import Fields
from orchestration.sources.shared.html_text import joined
from orchestration.sources.shared.links import link_key
from orchestration.sources.shared.settings import Settings
from orchestration.sources.source import NotThisSource, Parsed, Source, Value

_PAGE = 100


def _paper(entry: Fields) -> tuple[str, dict[str, Value]]:
    """Identity and columns of a paper, alone or as an entry of a day's list.

    Raises:
        ValueError: A field holds what its column cannot.
    """
    paper = entry.within("paper") if "paper" in entry.data else entry
    entry.pass_over("title", "summary", "thumbnail", "mediaUrls", "submittedBy", "isAuthorParticipating", "publishedAt")
    paper.pass_over("submittedOnDailyBy", "projectPage", "mediaUrls", "discussionId")
    key = link_key(f"arxiv:{paper.text('id') or ''}")
    if not key.startswith("arxiv:"):
        raise ValueError(f"“{paper.data.get('id')}” is no id of an arXiv paper")
    authors = paper.each("authors")
    names = []
    for author in authors:
        author.pass_over("_id", "hidden", "user", "status", "statusLastChangedAt")
        names.append(author.line("name") or "")
    owner = paper.whole("organization")
    organisation = owner.get("fullname") if isinstance(owner, Mapping) else None
    published, listed = paper.moment("publishedAt"), paper.moment("submittedOnDailyAt")
    values: dict[str, Value] = {
        "listed_on": listed.date() if listed else None,
        "votes": paper.integer("upvotes"),
        "comments": entry.integer("numComments"),
        "keywords": joined(paper.texts("ai_keywords")),
        "organisation": organisation if isinstance(organisation, str) else None,
        "code_url": paper.text("githubRepo"),
        "code_stars": paper.integer("githubStars"),
        "arxiv_id": key.removeprefix("arxiv:"),
        "title": paper.line("title"),
        "abstract": paper.line("summary"),
        "authors": joined([name for name in names if name]),
        "published_on": published.date() if published else None,
    }
    return key, values


def _papers(told: Any) -> list[Any] | None:
    if isinstance(told, Mapping):
        return [told] if {"id", "summary", "authors", "upvotes"} <= told.keys() else None
    if not isinstance(told, list):
        return None
    papers = [one.get("paper") for one in told if isinstance(one, Mapping)]
    return told if any(isinstance(paper, Mapping) and "id" in paper for paper in papers) else None


def _recognise(document: Document) -> None:
    # a day without papers is an empty list, which only whoever asked can know for one
    if _papers(document.json) is None and not (document.json == [] and "day" in document.hints):
        raise NotThisSource(f"looked for papers of Hugging Face; found {document.kind}")


def _parse(document: Document) -> Parsed:
    return read_all(_numbered(_papers(document.json) or []), _paper, is_answer="day" in document.hints)


def _numbered(papers: list[Any]) -> Iterator[tuple[str, Any]]:
    return ((f"paper {place}", paper) for place, paper in enumerate(papers, 1))


def _fetch(feed: Feed, since: Since) -> Conversation:
    """Ask for the papers of each day since some days before the last conversation, since votes come later.

    Settings: ``from`` (first day ever asked for), ``recheck_days``.

    Raises:
        WrongSettings: A setting cannot be used.
        Unanswered: An answer is none that Hugging Face gives.
    """
    settings = Settings(feed)
    begin = settings.day("from", since.now.date() - dt.timedelta(days=30))
    recheck = settings.days("recheck_days", 7)
    settings.finish()
    if since.start or since.watermark:
        begin = since.start or dt.datetime.fromisoformat(since.watermark or "").date() - recheck
    day = begin
    while day <= min(since.end or since.now.date(), since.now.date()):
        page, before = 0, None
        while True:
            query = urlencode({"date": day.isoformat(), "p": page, "limit": _PAGE})
            name = f"papers of {day}" + (f", page {page + 1}" if page else "")
            answer = yield Request(f"{feed.url.rstrip('/')}/daily_papers?{query}", name, hints={"day": day.isoformat()})
            try:
                told = strict_json(answer.content)
            except Unreadable as error:
                raise Unanswered(f"found {error} where a day's papers were expected") from error
            if not isinstance(told, list) or len(told) < _PAGE:
                break
            if told == before:
                raise Unanswered(f"page {page + 1} of the papers of {day} is the page before it again")
            page, before = page + 1, told
        day += dt.timedelta(days=1)
    return since.watermark if since.start or since.end else since.now.isoformat()


SOURCE = Source(
    name="huggingface_papers",
    title="Hugging Face papers",
    things="papers",
    row="One version of what Hugging Face tells of an arXiv paper.",
    columns=columns(
        "arxiv_id",
        "title",
        "abstract",
        "authors",
        "published_on",
        listed_on={"type": "date", "meaning": "Day on which it was proposed as a paper of the day."},
        votes={"type": "integer", "unit": "votes", "minimum": 0, "meaning": "Number of votes when last seen."},
        comments={"type": "integer", "unit": "comments", "minimum": 0, "meaning": "Comments on it when last seen."},
        keywords={"type": "text", "meaning": "Keywords that a language model gave it, between semicolons."},
        organisation={"type": "text", "meaning": "Organisation that claims the paper."},
        code_url={"type": "text", "meaning": "Address of its code."},
        code_stars={"type": "integer", "unit": "stars", "minimum": 0, "meaning": "Stars of the code when last seen."},
    ),
    expected="papers of Hugging Face (a day's list, or one paper)",
    licence="facts are free; abstracts belong to their authors",
    recognise=_recognise,
    parse=_parse,
    newest="published_on",
    positional=("votes", "comments", "code_stars"),
    fetch=_fetch,
    by_window=True,
)
