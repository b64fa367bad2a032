"""Works of OpenAlex, from its API (lists and single works) or from a part file of its snapshot.

Abstracts come as an inverted index of words, which can be incomplete or contain a whole page. Authors come with the
institutions matched by OpenAlex and the affiliations as printed; labs are assigned later, in SQL.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from orchestration.sources import openalex_bulk
from orchestration.sources.shared.bulk_sql import SEPARATOR, BulkForm
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
from orchestration.sources.shared.fields import Fields, count_unread_fields
from orchestration.sources.shared.html_text import html_to_text, join_texts, title_to_text
from orchestration.sources.shared.links import link_key
from orchestration.sources.shared.records import read_record
from orchestration.sources.shared.settings import Settings
from orchestration.sources.source import DamagedDocument, NotThisSource, ParseResult, Reject, Source, Value

_PAGE_SIZE = 100  # the maximum of the API
_MAX_AUTHORS = 100  # of a work in a list; further authors are left out by the API
_MAX_ABSTRACT_WORDS = 1500  # longer abstracts turned out to be whole pages
_WORK_ID = re.compile(r"(?:https://openalex\.org/)?(W\d+)")
_ENTITY_ID = re.compile(r"(?:https://openalex\.org/)?[A-Z]\d+")
_SELECT = (
    "id,doi,title,publication_date,publication_year,type,language,ids,primary_location,locations,authorships"
    ",cited_by_count,is_retracted,primary_topic,abstract_inverted_index,referenced_works,updated_date"
)
_COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "openalex_id": {"type": "text", "required": True, "matches": r"W\d+$", "meaning": "Id of the work in OpenAlex."},
    "doi": {"type": "text", "meaning": "DOI of the published version, in lower case."},
    "arxiv_id": {"type": "text", "meaning": "Id of the paper in arXiv, without version."},
    "title": {"type": "text", "meaning": "Title of the work."},
    "abstract": {"type": "text", "meaning": "Abstract, with white space normalised."},
    "published_on": {
        "type": "date",
        "meaning": "Day of publication; can be the first day of its month or year.",
    },
    "work_type": {"type": "text", "meaning": "Type of work in OpenAlex: article, preprint, book."},
    "language": {"type": "text", "meaning": "Language code: en."},
    "url": {"type": "text", "matches": r"https?://\S+$", "meaning": "Link to the work at its primary location."},
    "venue": {"type": "text", "meaning": "Journal, conference or repository of its primary location."},
    "authors": {"type": "text", "meaning": "Names of the authors, separated by semicolons."},
    "author_openalex_ids": {
        "type": "text",
        "meaning": "Ids of the authors in OpenAlex, in order, separated by semicolons.",
    },
    "affiliations": {"type": "text", "meaning": "JSON list of author and affiliation, as printed in the paper."},
    "institution_openalex_ids": {
        "type": "text",
        "meaning": "Ids in OpenAlex of the authors' institutions and their parents, separated by semicolons.",
    },
    "citations": {
        "type": "integer",
        "unit": "works",
        "minimum": 0,
        "meaning": "Number of citing works when last seen.",
    },
    "cited_openalex_ids": {
        "type": "text",
        "meaning": "Ids in OpenAlex of the cited works, separated by semicolons.",
    },
    "topic": {"type": "text", "meaning": "Primary topic in OpenAlex."},
    "is_retracted": {"type": "boolean", "meaning": "Whether it was retracted."},
    "updated_at": {"type": "timestamp", "meaning": "When OpenAlex last changed the record."},
    "reading_note": {"type": "text", "meaning": "Problems found when the record was read."},
}


def _rebuild_abstract(index: Any) -> tuple[str | None, str | None]:
    """The text of an inverted index of words, and a note on its problems."""
    if not index:
        return None, None
    try:
        words = sorted((int(position), str(word)) for word, positions in index.items() for position in positions)
    except (AttributeError, TypeError, ValueError, OverflowError):
        return None, "abstract_inverted_index is not an index of words and positions"
    if not words:
        return None, None
    if len(words) > _MAX_ABSTRACT_WORDS:
        return None, f"an abstract of {len(words):,} words left out: it is a whole page"
    note = "the abstract has gaps" if words[-1][0] - words[0][0] + 1 > len(words) else None
    return html_to_text(" ".join(word for _, word in words)).text, note


def _rebuild_for_query(text: str) -> str:
    """The text of an inverted index, which is JSON; a note on its problems, if there are some, before it.

    Most abstracts have each place from 0 on once: these need no sorting.
    """
    try:
        index = json.loads(text)
        try:
            words: list[str | None] = [None] * sum(map(len, index.values()))
            for word, places in index.items():
                for place in places:
                    words[place] = word
            is_complete = None not in words and "[-" not in text and ",-" not in text
        except (TypeError, IndexError):
            is_complete = False
        if is_complete and 0 < len(words) <= _MAX_ABSTRACT_WORDS:
            abstract, note = html_to_text(" ".join(map(str, words))).text, None
        else:
            abstract, note = _rebuild_abstract(index)
    except (ValueError, RecursionError):
        abstract, note = None, openalex_bulk.UNREADABLE
    if note is None and not (abstract or "").startswith(SEPARATOR):
        return abstract or ""
    return f"{SEPARATOR}{note or ''}{SEPARATOR}{abstract or ''}"


def _strip_prefix(address: str | None) -> str | None:
    """The id at the end of an address of OpenAlex."""
    return address.rpartition("/")[2] if address else None


def _find_arxiv_id(doi: str | None, addresses: list[str]) -> str | None:
    keys = (link_key(address) for address in [*([doi] if doi else []), *addresses])
    return next((key.removeprefix("arxiv:") for key in keys if key.startswith("arxiv:")), None)


def _read_work(work: Fields) -> tuple[str, dict[str, Value]]:
    """Identity and column values of a work.

    Raises:
        ValueError: It has no id of a work.
    """
    work.ignore("display_name", "publication_year", "ids", "best_oa_location", "topics", "abstract_inverted_index_v3")
    match = _WORK_ID.fullmatch(work.text("id") or "")
    if match is None:
        raise ValueError(f"id “{str(work.data.get('id'))[:60]}” is not an id of a work")
    doi, primary, topic = work.text("doi"), work.child("primary_location"), work.child("primary_topic")
    primary.ignore("is_oa", "pdf_url", "license", "license_id", "version", "is_accepted", "is_published", "id")
    topic.ignore("id", "score", "subfield", "field", "domain")
    venue = primary.child("source")
    venue.ignore(*venue.data)
    url = primary.text("landing_page_url")
    addresses = [url or ""]
    for location in work.children("locations"):
        addresses.append(location.text("landing_page_url") or "")
        location.ignore(*location.data)
    names, author_ids, affiliations, institutions = [], [], [], []
    for authorship in work.children("authorships"):
        authorship.ignore("author_position", "countries", "is_corresponding", "affiliations")
        author = authorship.child("author")
        author.ignore("orcid")
        names.append(author.line("display_name") or authorship.line("raw_author_name") or "")
        authorship.ignore("raw_author_name")
        author_ids.append(_strip_prefix(author.text("id")) or "")
        printed = authorship.texts("raw_affiliation_strings")
        affiliations += [{"author": names[-1], "affiliation": text} for text in printed]
        for institution in authorship.children("institutions"):
            institution.ignore("display_name", "ror", "country_code", "type")
            institutions += [_strip_prefix(institution.text("id")), *map(_strip_prefix, institution.texts("lineage"))]
    abstract, note = _rebuild_abstract(work.value("abstract_inverted_index"))
    notes = [note, "only the first 100 authors are listed" if len(names) == _MAX_AUTHORS else None]
    values: dict[str, Value] = {
        "openalex_id": match[1],
        "doi": link_key(doi).removeprefix("doi:") if doi and link_key(doi).startswith("doi:") else None,
        "arxiv_id": _find_arxiv_id(doi, addresses),
        "title": title_to_text(work.line("title")),
        "abstract": abstract,
        "published_on": work.day("publication_date"),
        "work_type": work.text("type"),
        "language": work.text("language"),
        "url": url if url and re.fullmatch(r"https?://\S+", url) else None,
        "venue": venue.line("display_name"),
        "authors": join_texts([name for name in names if name]),
        "author_openalex_ids": "; ".join(author_ids) or None,
        "affiliations": json.dumps(affiliations, ensure_ascii=False) if affiliations else None,
        "institution_openalex_ids": join_texts([identifier for identifier in institutions if identifier]),
        "citations": work.integer("cited_by_count"),
        "cited_openalex_ids": join_texts(
            [short for one in work.texts("referenced_works") if (short := _strip_prefix(one))]
        ),
        "topic": topic.line("display_name"),
        "is_retracted": work.flag("is_retracted"),
        "updated_at": work.moment("updated_date"),
        "reading_note": "; ".join(note for note in notes if note) or None,
    }
    return match[1], values


def _is_work(value: Any) -> bool:
    return isinstance(value, dict) and _WORK_ID.fullmatch(str(value.get("id"))) is not None


def _is_list(value: Any) -> bool:
    if not (isinstance(value, dict) and isinstance(value.get("meta"), dict) and isinstance(value.get("results"), list)):
        return False
    ids = [str(result.get("id")) if isinstance(result, dict) else "" for result in value["results"]]
    # a list of works can have damaged entries; a list with ids of authors or institutions only is another list
    has_works = any(map(_WORK_ID.fullmatch, ids)) or not any(map(_ENTITY_ID.fullmatch, ids))
    return "next_cursor" in value["meta"] and has_works


def _recognise(document: Document) -> None:
    lines = document.json_lines
    if len(lines) > 1:
        if _is_work(lines[0][1]):
            return
    elif _is_list(document.json) or _is_work(document.json):
        return
    raise NotThisSource(f"looked for works of OpenAlex; found {document.description}")


def _iterate_works(document: Document) -> Iterator[tuple[str, Any]]:
    """Locator and value of each work."""
    if len(document.json_lines) > 1:
        yield from ((f"line {number}", value) for number, value in document.json_lines)
    elif _is_list(document.json):
        yield from ((f"result {number}", value) for number, value in enumerate(document.json["results"], 1))
    else:
        yield "the work", document.json


def _parse(document: Document) -> ParseResult:
    """The works of a document, in document order.

    Raises:
        DamagedDocument: An empty page that is not the last one.
    """
    result = ParseResult(is_empty_valid=len(document.json_lines) <= 1 and _is_list(document.json))
    for locator, value in _iterate_works(document):
        if not isinstance(value, dict):
            reason = str(value) if isinstance(value, UnreadableDocument) else "no JSON object"
            result.items.append(Reject(locator, reason, ""))
            continue
        work = Fields(value)
        result.items.append(read_record(work, _read_work, locator))
        count_unread_fields(result.unparsed_fields, [work])
    if result.is_empty_valid and not result.items and document.json["meta"].get("next_cursor"):
        raise DamagedDocument("a page without works that is not the last one")
    return result


def _fetch(feed: Feed, cursor: FetchCursor) -> FetchPlan:
    """Fetch plan for the works of a filter that were published since the last fetch.

    OpenAlex adds works weeks after their publication, so each fetch also requests the days before the last one.
    Settings: ``filter`` (in OpenAlex's syntax), ``from`` (first day of publication), ``recheck_days``, ``select``
    (fields).

    Raises:
        InvalidSettings: A setting cannot be used.
        RequestFailed: A response is not a list of works, or the list is incomplete.
    """
    settings = Settings(feed)
    filters, select = settings.text("filter"), settings.text("select", _SELECT)
    recheck = settings.days("recheck_days", 90)
    begin = settings.day("from", dt.date(2000, 1, 1))
    settings.reject_unknown()
    if not filters:
        raise settings.build_error("filter", "a filter such as authorships.institutions.lineage:I4210161460")
    if cursor.start:
        begin = cursor.start
    elif cursor.watermark:
        begin = dt.datetime.fromisoformat(cursor.watermark).date() - recheck
    filters += f",from_publication_date:{begin}" + (f",to_publication_date:{cursor.end}" if cursor.end else "")
    page_cursor, page, received, total = "*", 0, 0, 0
    while True:
        page += 1
        terms = {"filter": filters, "select": select, "per_page": _PAGE_SIZE, "cursor": page_cursor}
        url = f"{feed.url}{'&' if '?' in feed.url else '?'}{urlencode(terms, safe=':,*|')}"
        response = yield Request(url, f"works from {begin}, page {page}")
        try:
            value = parse_json(response.content)
        except UnreadableDocument as error:
            raise RequestFailed(f"found {error} where a list of works was expected") from error
        if not _is_list(value):
            raise RequestFailed(f"found {str(value)[:200]} where a list of works was expected")
        page_cursor = value["meta"]["next_cursor"]
        received += len(value["results"])
        total = find_larger_total(total, value["meta"].get("count"))  # a blank page reports none
        if not value["results"] or not page_cursor:  # the last page is empty
            require_complete(received, total, "works")
            return cursor.advance(cursor.now if received else None)


SOURCE = Source(
    name="openalex_works",
    title="OpenAlex",
    record_noun="works",
    row="One version of OpenAlex's record of a work.",
    columns=_COLUMNS,
    expected="works of OpenAlex (a response of its API, or a part file of its snapshot)",
    licence="CC0 1.0",
    recognise=_recognise,
    parse=_parse,
    recency_column="published_on",
    volatile_columns=("citations", "updated_at"),
    fetch=_fetch,
    question_settings=("filter",),
    is_windowed=True,
    bulk=BulkForm(
        is_first_record=openalex_bulk.is_work,
        build_query=openalex_bulk.build_query,
        read_record=_read_work,
        fields=openalex_bulk.FIELDS,
        object_fields=openalex_bulk.OBJECT_FIELDS,
        functions={"rebuild_abstract": _rebuild_for_query},
    ),
)
