"""Works of OpenAlex, from its interface (lists and single works) or from a part file of its snapshot.

Abstracts come as an index of words and places, sometimes cut and sometimes with the whole page around them; authors
come with institutions as OpenAlex matched them and as the paper prints them. Which lab that is, is decided later.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from orchestration.sources.shared.document import Document, Unreadable, strict_json
from orchestration.sources.shared.fetch_plan import Conversation, Feed, Request, Since, Unanswered, told_of
from orchestration.sources.shared.fields import Fields, tally
from orchestration.sources.shared.html_text import joined, plain
from orchestration.sources.shared.links import link_key
from orchestration.sources.shared.settings import Settings
from orchestration.sources.source import Damaged, NotThisSource, Parsed, Record, Reject, Source, Value

_PAGE = 100  # the most that is given at once
_MOST_WORDS = 1500  # of an abstract; longer ones were seen to be whole pages
_WORK = re.compile(r"(?:https://openalex\.org/)?(W\d+)")
_THING = re.compile(r"(?:https://openalex\.org/)?[A-Z]\d+")
_SELECT = (
    "id,doi,title,publication_date,publication_year,type,language,ids,primary_location,locations,authorships"
    ",cited_by_count,is_retracted,primary_topic,abstract_inverted_index,referenced_works,updated_date"
)
_COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "openalex_id": {"type": "text", "required": True, "matches": r"W\d+$", "meaning": "OpenAlex's id of the work."},
    "doi": {"type": "text", "meaning": "DOI of the published form, in lower case."},
    "arxiv_id": {"type": "text", "meaning": "arXiv's id of the paper, without version."},
    "title": {"type": "text", "meaning": "Title of the work."},
    "abstract": {"type": "text", "meaning": "Abstract, with white space normalised."},
    "published_on": {"type": "date", "meaning": "Day of publication; the first of a month or year may mean all of it."},
    "work_type": {"type": "text", "meaning": "Article, preprint, book and so on, in OpenAlex's words."},
    "language": {"type": "text", "meaning": "Code of the language: en."},
    "url": {"type": "text", "matches": r"https?://\S+$", "meaning": "Link to the work at its main place."},
    "venue": {"type": "text", "meaning": "Journal, conference or repository that is its main place."},
    "authors": {"type": "text", "meaning": "Names of the authors, between semicolons."},
    "author_openalex_ids": {
        "type": "text",
        "meaning": "OpenAlex's ids of the authors, in their order, between semicolons.",
    },
    "affiliations": {"type": "text", "meaning": "JSON list of author and affiliation, as the paper prints them."},
    "institution_openalex_ids": {
        "type": "text",
        "meaning": "OpenAlex's ids of the authors' institutions and of all they belong to, between semicolons.",
    },
    "citations": {"type": "integer", "unit": "works", "minimum": 0, "meaning": "Works that cite it, when last seen."},
    "cited_openalex_ids": {"type": "text", "meaning": "OpenAlex's ids of the works it cites, between semicolons."},
    "topic": {"type": "text", "meaning": "OpenAlex's main topic of it."},
    "is_retracted": {"type": "boolean", "meaning": "Whether it was retracted."},
    "updated_at": {"type": "timestamp", "meaning": "When OpenAlex last changed its record."},
    "reading_note": {"type": "text", "meaning": "What was uncertain when the work was read."},
}


def _abstract(index: Any) -> tuple[str | None, str | None]:
    """The text of an index of words and places, and what is wrong with it.

    Raises:
        ValueError: It is no such index.
    """
    if not index:
        return None, None
    try:
        places = sorted((int(place), str(word)) for word, all_places in index.items() for place in all_places)
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError("abstract_inverted_index is no index of words and places") from error
    if not places:
        return None, None
    if len(places) > _MOST_WORDS:
        return None, f"an abstract of {len(places):,} words left out: it is a whole page"
    note = "the abstract has gaps" if places[-1][0] - places[0][0] + 1 > len(places) else None
    return plain(" ".join(word for _, word in places)).text, note


def _short(address: str | None) -> str | None:
    return address.rpartition("/")[2] if address else None


def _arxiv_id(doi: str | None, addresses: list[str]) -> str | None:
    keys = (link_key(address) for address in [*([doi] if doi else []), *addresses])
    return next((key.removeprefix("arxiv:") for key in keys if key.startswith("arxiv:")), None)


def _work(work: Fields) -> tuple[str, dict[str, Value]]:
    """Identity and columns of a work.

    Raises:
        ValueError: A field holds what its column cannot.
    """
    work.pass_over(
        "display_name", "publication_year", "ids", "best_oa_location", "topics", "abstract_inverted_index_v3"
    )
    found = _WORK.fullmatch(work.text("id") or "")
    if found is None:
        raise ValueError(f"id “{str(work.data.get('id'))[:60]}” is none of a work")
    doi, place, topic = work.text("doi"), work.within("primary_location"), work.within("primary_topic")
    place.pass_over("is_oa", "pdf_url", "license", "license_id", "version", "is_accepted", "is_published", "id")
    topic.pass_over("id", "score", "subfield", "field", "domain")
    venue = place.within("source")
    venue.pass_over(*venue.data)
    url = place.text("landing_page_url")
    locations = []
    for location in work.each("locations"):
        locations.append(location.text("landing_page_url") or "")
        location.pass_over(*location.data)
    people, ids, printed, institutions = [], [], [], []
    for one in work.each("authorships"):
        one.pass_over("author_position", "countries", "is_corresponding", "affiliations")
        author = one.within("author")
        author.pass_over("orcid")
        people.append(author.line("display_name") or one.line("raw_author_name") or "")
        one.pass_over("raw_author_name")
        ids.append(_short(author.text("id")) or "")
        printed += [{"author": people[-1], "affiliation": text} for text in one.texts("raw_affiliation_strings")]
        for institution in one.each("institutions"):
            institution.pass_over("display_name", "ror", "country_code", "type")
            institutions += [_short(institution.text("id")), *map(_short, institution.texts("lineage"))]
    abstract, note = _abstract(work.whole("abstract_inverted_index"))
    notes = [note, "only the first 100 authors are told" if len(people) == _PAGE else None]
    values: dict[str, Value] = {
        "openalex_id": found[1],
        "doi": link_key(doi).removeprefix("doi:") if doi and link_key(doi).startswith("doi:") else None,
        "arxiv_id": _arxiv_id(doi, [url or "", *locations]),
        "title": plain(work.line("title")).text,
        "abstract": abstract,
        "published_on": work.day("publication_date"),
        "work_type": work.text("type"),
        "language": work.text("language"),
        "url": url if url and re.fullmatch(r"https?://\S+", url) else None,
        "venue": venue.line("display_name"),
        "authors": joined([name for name in people if name]),
        "author_openalex_ids": "; ".join(ids) or None,
        "affiliations": json.dumps(printed, ensure_ascii=False) if printed else None,
        "institution_openalex_ids": joined([one for one in institutions if one]),
        "citations": work.integer("cited_by_count"),
        "cited_openalex_ids": joined([short for one in work.texts("referenced_works") if (short := _short(one))]),
        "topic": topic.line("display_name"),
        "is_retracted": work.flag("is_retracted"),
        "updated_at": work.moment("updated_date"),
        "reading_note": "; ".join(note for note in notes if note) or None,
    }
    return found[1], values


def _is_work(value: Any) -> bool:
    return isinstance(value, dict) and _WORK.fullmatch(str(value.get("id"))) is not None


def _is_list(value: Any) -> bool:
    if not (isinstance(value, dict) and isinstance(value.get("meta"), dict) and isinstance(value.get("results"), list)):
        return False
    ids = [str(one.get("id")) if isinstance(one, dict) else "" for one in value["results"]]
    # one damaged work does not make it another list, but authors or institutions do
    has_works = any(map(_WORK.fullmatch, ids)) or not any(map(_THING.fullmatch, ids))
    return "next_cursor" in value["meta"] and has_works


def _recognise(document: Document) -> None:
    lines = document.json_lines
    if len(lines) > 1:
        if _is_work(lines[0][1]):
            return
    elif _is_list(document.json) or _is_work(document.json):
        return
    raise NotThisSource(f"looked for works of OpenAlex; found {document.kind}")


def _told(document: Document) -> Iterator[tuple[str, Any]]:
    if len(document.json_lines) > 1:
        yield from ((f"line {number}", value) for number, value in document.json_lines)
    elif _is_list(document.json):
        yield from ((f"result {number}", value) for number, value in enumerate(document.json["results"], 1))
    else:
        yield "the work", document.json


def _parse(document: Document) -> Parsed:
    """The works of a document, in its order.

    Raises:
        Damaged: A page lacks works that it counts.
    """
    parsed = Parsed(is_answer=len(document.json_lines) <= 1 and _is_list(document.json))
    for locator, value in _told(document):
        if not isinstance(value, dict):
            reason = str(value) if isinstance(value, Unreadable) else "no JSON object"
            parsed.items.append(Reject(locator, reason, ""))
            continue
        work = Fields(value)
        try:
            parsed.items.append(Record(*_work(work), locator))
        except ValueError as error:
            parsed.items.append(Reject(locator, str(error), json.dumps(value, ensure_ascii=False)[:20_000]))
        tally(parsed.unparsed, [work])
    if parsed.is_answer and not parsed.items and document.json["meta"].get("next_cursor"):
        raise Damaged("a page without works that is not the last one")
    return parsed


def _fetch(feed: Feed, since: Since) -> Conversation:
    """Ask for the works that a filter finds and that were published since the last conversation.

    OpenAlex learns of works weeks after their day, so that each conversation asks again for the days before the last
    one. Settings: ``filter`` (in OpenAlex's language), ``from`` (first day of publication ever asked for),
    ``recheck_days``, ``select`` (fields).

    Raises:
        WrongSettings: A setting cannot be used.
        Unanswered: An answer is none that OpenAlex gives.
    """
    settings = Settings(feed)
    terms, select = settings.text("filter"), settings.text("select", _SELECT)
    recheck = settings.days("recheck_days", 90)
    begin = settings.day("from", dt.date(2000, 1, 1))
    settings.finish()
    if not terms:
        raise settings.wrong("filter", "a filter such as authorships.institutions.lineage:I4210161460")
    if since.start:
        begin = since.start
    elif since.watermark:
        begin = dt.datetime.fromisoformat(since.watermark).date() - recheck
    terms += f",from_publication_date:{begin}" + (f",to_publication_date:{since.end}" if since.end else "")
    cursor, page, received = "*", 0, 0
    while True:
        page += 1
        query = urlencode({"filter": terms, "select": select, "per_page": _PAGE, "cursor": cursor}, safe=":,*|")
        answer = yield Request(
            f"{feed.url}{'&' if '?' in feed.url else '?'}{query}", f"works from {begin}, page {page}"
        )
        try:
            told = strict_json(answer.content)
        except Unreadable as error:
            raise Unanswered(f"found {error} where a list of works was expected") from error
        if not _is_list(told):
            raise Unanswered(f"found {str(told)[:200]} where a list of works was expected")
        following = told["meta"]["next_cursor"]
        received += len(told["results"])
        if not told["results"] or not following:  # the end comes as an empty page
            told_of(received, told["meta"].get("count"), "works")
            return since.watermark if since.start or since.end else since.now.isoformat()
        cursor = following


SOURCE = Source(
    name="openalex_works",
    title="OpenAlex",
    things="works",
    row="One version of what OpenAlex tells of a work.",
    columns=_COLUMNS,
    expected="works of OpenAlex (an answer of its interface, or a part file of its snapshot)",
    licence="CC0 1.0",
    recognise=_recognise,
    parse=_parse,
    newest="published_on",
    positional=("citations", "updated_at"),
    fetch=_fetch,
    by_window=True,
)
