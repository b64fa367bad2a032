"""Papers of arXiv, from OAI-PMH, the query API, the bulk file, or a paper's page.

A paper is identified by its id without version and dated by its first version: later versions and changes of the record
(the datestamp of OAI-PMH) do not move it in time. Each changed record is a new row of the raw table.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

from orchestration.sources.arxiv.query import fetch_papers
from orchestration.sources.shared.document import Document, UnreadableDocument
from orchestration.sources.shared.fields import Fields, count_unread_fields
from orchestration.sources.shared.html_text import join_texts
from orchestration.sources.shared.links import link_key
from orchestration.sources.shared.xml import element_to_dict, find_texts, get_local_name, parse_xml
from orchestration.sources.source import DamagedDocument, NotThisSource, ParseResult, Record, Reject, Source, Value

_ID = re.compile(
    r"(?:https?://arxiv\.org/abs/|oai:arXiv\.org:)?(?P<id>\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Za-z]{2})?/\d{7})(?:v(?P<version>\d+))?"
)
_BULK_KEYS = {"id", "authors_parsed", "categories", "versions", "update_date"}
_EMPTY_RESULT_CODES = {"noRecordsMatch", "badResumptionToken"}  # no change in the window; token expired
_COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "arxiv_id": {
        "type": "text",
        "required": True,
        "matches": r"(?:\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Za-z]{2})?/\d{7})$",
        "meaning": "Id of the paper in arXiv, without version.",
    },
    "version_number": {
        "type": "integer",
        "unit": "ordinal",
        "minimum": 1,
        "meaning": "Version described by the record.",
    },
    "title": {"type": "text", "meaning": "Title of the version."},
    "abstract": {"type": "text", "meaning": "Abstract, with white space normalised."},
    "authors": {"type": "text", "meaning": "Names of the authors, separated by semicolons."},
    "affiliations": {"type": "text", "meaning": "JSON list of author and affiliation, where given to arXiv."},
    "primary_category": {"type": "text", "meaning": "Primary category in arXiv: cs.LG."},
    "categories": {"type": "text", "meaning": "All categories in arXiv, separated by semicolons."},
    "submitted_on": {
        "type": "date",
        "minimum": dt.date(1986, 1, 1),
        "maximum": dt.date(2100, 1, 1),
        "meaning": "Day of the first version.",
    },
    "revised_on": {"type": "date", "meaning": "Day of that version."},
    "record_changed_on": {"type": "date", "meaning": "Day on which arXiv last changed the record."},
    "version_history": {"type": "text", "meaning": "JSON list of versions with their times, where given."},
    "doi": {"type": "text", "meaning": "DOI of the published version, in lower case."},
    "journal_reference": {"type": "text", "meaning": "Where it was published, as stated by the authors."},
    "author_note": {"type": "text", "meaning": "Comment of the authors: pages, venue, changes of a version."},
    "report_number": {"type": "text", "meaning": "Report number of the authors' institution."},
    "text_licence": {"type": "text", "meaning": "Address of the paper's licence."},
    "is_deleted": {"type": "boolean", "required": True, "meaning": "Whether arXiv has withdrawn the record."},
}


def _parse_arxiv_id(text: str | None) -> tuple[str, int | None]:
    """Id and version of a paper, from an id, an address or an OAI identifier.

    Raises:
        ValueError: The text is none of these.
    """
    match = _ID.fullmatch((text or "").strip())
    if match is None:
        raise ValueError(f"“{(text or '')[:60]}” is not an id of an arXiv paper")
    return match["id"], int(match["version"]) if match["version"] else None


def _build_record(values: Mapping[str, Value], locator: str) -> Record:
    """The record of a paper; columns without a value stay empty."""
    row = {**dict.fromkeys(_COLUMNS), "is_deleted": False, **values}
    return Record(link_key(f"arxiv:{row['arxiv_id']}"), row, locator)


def _first_text(fields: Fields, name: str) -> str | None:
    """The text of the first element of that name."""
    return next(iter(fields.texts(name)), None)


def _parse_doi(text: str | None) -> str | None:
    return re.split(r"[,;\s]+", text)[0].lower() if text else None


def _parse_day(text: str | None, name: str) -> dt.date | None:
    return Fields({name: text}).day(name) if text else None


def _join_words(text: str | None) -> str | None:
    return join_texts((text or "").split())


def _read_oai_record(record: Fields, locator: str) -> Record:
    """The paper of an OAI-PMH record, in the formats ``arXiv`` and ``arXivRaw``.

    Raises:
        ValueError: A field does not fit its column.
    """
    header = record.children("header")[0]
    header.ignore("setSpec")
    arxiv_id, _ = _parse_arxiv_id(_first_text(header, "identifier"))
    values: dict[str, Value] = {
        "arxiv_id": arxiv_id,
        "record_changed_on": _parse_day(_first_text(header, "datestamp"), "datestamp"),
    }
    if header.text("@status") == "deleted":
        return _build_record({**values, "is_deleted": True}, locator)
    metadata = record.children("metadata")
    forms = metadata[0].children("arXiv") or metadata[0].children("arXivRaw") if metadata else []
    if not forms:
        raise ValueError("neither arXiv nor arXivRaw metadata: request one of these as metadataPrefix")
    paper = forms[0]
    paper.ignore("@schemaLocation", "id", "submitter", "msc-class", "acm-class", "proxy")
    categories = _first_text(paper, "categories")
    values |= {
        "title": _first_text(paper, "title"),
        "abstract": _first_text(paper, "abstract"),
        "primary_category": categories.split()[0] if categories else None,
        "categories": _join_words(categories),
        "doi": _parse_doi(_first_text(paper, "doi")),
        "journal_reference": _first_text(paper, "journal-ref"),
        "author_note": _first_text(paper, "comments"),
        "report_number": _first_text(paper, "report-no"),
        "text_licence": _first_text(paper, "license"),
    }
    if versions := paper.children("version"):
        values["authors"] = _split_authors(_first_text(paper, "authors"))
        return _build_record({**values, **_summarise_versions(_read_raw_versions(versions))}, locator)
    created, updated = _first_text(paper, "created"), _first_text(paper, "updated")
    names, affiliations = [], []
    for author in (author for group in paper.children("authors") for author in group.children("author")):
        parts = (_first_text(author, "forenames"), _first_text(author, "keyname"), _first_text(author, "suffix"))
        names.append(" ".join(part for part in parts if part))
        affiliations += [{"author": names[-1], "affiliation": text} for text in author.texts("affiliation")]
    values |= {
        "authors": join_texts([name for name in names if name.strip(" :")]),
        "affiliations": json.dumps(affiliations, ensure_ascii=False) if affiliations else None,
        "submitted_on": _parse_day(created, "created"),
        "revised_on": _parse_day(updated or created, "updated"),
    }
    return _build_record(values, locator)


def _read_raw_versions(versions: Iterable[Fields]) -> Iterator[tuple[str, str]]:
    for version in versions:
        version.ignore("size", "source_type")
        yield version.text("@version") or "", _first_text(version, "date") or ""


def _summarise_versions(dated_versions: Iterable[tuple[str, str]]) -> dict[str, Value]:
    """The columns that depend on a paper's versions.

    Args:
        dated_versions: Name and time of each version: ``("v1", "Mon, 2 Apr 2007 19:18:42 GMT")``.

    Raises:
        ValueError: A version or its time cannot be read, or there is none.
    """
    versions: list[tuple[int, dt.datetime]] = []
    for name, time in dated_versions:
        if not re.fullmatch(r"v\d+", name):
            raise ValueError(f"version “{name[:20]}” is not of the form v1")
        versions.append((int(name[1:]), parsedate_to_datetime(time).astimezone(dt.UTC)))
    if not versions:
        raise ValueError("no version")
    versions.sort()
    return {
        "version_number": versions[-1][0],
        "submitted_on": versions[0][1].date() if versions[0][0] == 1 else None,
        "revised_on": versions[-1][1].date(),
        "version_history": json.dumps([{"version": number, "at": time.isoformat()} for number, time in versions]),
    }


def _split_authors(text: str | None) -> str | None:
    """The names in a text such as ``A. Ann, B. Ben and C. Cem (Some Place)``, without the parts in brackets."""
    if not text:
        return None
    while text != (shorter := re.sub(r"\s*\([^()]*\)", "", text)):
        text = shorter
    return join_texts([name for part in re.split(r",\s+and\s+|,\s*|\s+and\s+", text) if (name := part.strip(" :"))])


def _read_atom_entry(entry: Fields, locator: str) -> Record:
    """The paper of an entry of the query API.

    Raises:
        ValueError: A field does not fit its column.
    """
    arxiv_id, version = _parse_arxiv_id(_first_text(entry, "id"))
    authors = entry.children("author")
    names = [_first_text(author, "name") for author in authors]
    affiliations = [
        {"author": name, "affiliation": text}
        for name, author in zip(names, authors, strict=True)
        for text in author.texts("affiliation")
    ]
    entry.ignore("link")
    subjects = entry.children("category")
    for subject in subjects:
        subject.ignore("@scheme")
    categories = [term for subject in subjects if (term := subject.text("@term"))]
    primary = [term for subject in entry.children("primary_category") if (term := subject.text("@term"))]
    values: dict[str, Value] = {
        "arxiv_id": arxiv_id,
        "version_number": version,
        "title": _first_text(entry, "title"),
        "abstract": _first_text(entry, "summary"),
        "authors": join_texts([name for name in names if name]),
        "affiliations": json.dumps(affiliations, ensure_ascii=False) if affiliations else None,
        "primary_category": primary[0] if primary else None,
        "categories": join_texts(categories),
        "submitted_on": _parse_day(_first_text(entry, "published"), "published"),
        "revised_on": _parse_day(_first_text(entry, "updated"), "updated"),
        "doi": _parse_doi(_first_text(entry, "doi")),
        "journal_reference": _first_text(entry, "journal_ref"),
        "author_note": _first_text(entry, "comment"),
    }
    return _build_record(values, locator)


def _read_bulk_line(paper: Fields, locator: str) -> Record:
    """The paper of a line of the bulk file.

    Raises:
        ValueError: A field does not fit its column.
    """
    paper.ignore("submitter", "authors")
    names = [" ".join(filter(None, (*parts[1:2], parts[0], *parts[2:3]))) for parts in paper.value("authors_parsed")]
    versions = paper.children("versions")
    categories = paper.line("categories")
    values: dict[str, Value] = {
        "arxiv_id": _parse_arxiv_id(paper.text("id"))[0],
        "title": paper.line("title"),
        "abstract": paper.line("abstract"),
        "authors": join_texts(names),
        "primary_category": categories.split()[0] if categories else None,
        "categories": _join_words(categories),
        "record_changed_on": paper.day("update_date"),
        "doi": _parse_doi(paper.line("doi")),
        "journal_reference": paper.line("journal-ref"),
        "author_note": paper.line("comments"),
        "report_number": paper.line("report-no"),
        "text_licence": paper.line("license"),
        **_summarise_versions((version.text("version") or "", version.text("created") or "") for version in versions),
    }
    return _build_record(values, locator)


def _read_page(document: Document) -> Record:
    """The paper of a captured page, from its ``citation_`` metadata.

    Raises:
        ValueError: A field does not fit its column.
    """
    from selectolax.lexbor import LexborHTMLParser

    metadata: dict[str, list[str]] = {}
    for node in LexborHTMLParser(document.data).css('meta[name^="citation_"]'):
        name, content = node.attributes.get("name") or "", " ".join((node.attributes.get("content") or "").split())
        metadata.setdefault(name.removeprefix("citation_"), []).append(content)
    first = {name: texts[0] for name, texts in metadata.items() if texts[0]}
    names = [" ".join(reversed(name.split(", ", 1))) for name in metadata.get("author", [])]
    values: dict[str, Value] = {
        "arxiv_id": _parse_arxiv_id(first.get("arxiv_id"))[0],
        "title": first.get("title"),
        "abstract": first.get("abstract"),
        "authors": join_texts(names),
        "submitted_on": _parse_day(first.get("date", "").replace("/", "-"), "citation_date"),
        "revised_on": _parse_day(
            first.get("online_date", first.get("date", "")).replace("/", "-"), "citation_online_date"
        ),
        "doi": _parse_doi(first.get("doi")),
    }
    return _build_record(values, "the page")


def _is_page(document: Document) -> bool:
    return document.html_title is not None and b'name="citation_arxiv_id"' in document.data


def _recognise(document: Document) -> None:
    if document.xml_root == "OAI-PMH" and b"arxiv" in document.data[:2000].lower():
        return
    if document.xml_root == "feed" and b"://arxiv.org/api" in document.data[:2000]:
        return
    if not _is_page(document):
        lines = document.json_lines
        if not (lines and isinstance(lines[0][1], dict) and lines[0][1].keys() >= _BULK_KEYS):
            raise NotThisSource(f"looked for papers of arXiv; found {document.description}")


def _iterate_papers(document: Document) -> Iterator[tuple[str, Fields | Exception, Callable[[Fields, str], Record]]]:
    """Locator, fields and reader of each paper of a document; an error instead of the fields of a damaged line."""
    if document.json_lines:
        for number, value in document.json_lines:
            error = value if isinstance(value, UnreadableDocument) else ValueError("no JSON object")
            yield f"line {number}", Fields(value) if isinstance(value, dict) else error, _read_bulk_line
        return
    root = parse_xml(document.data)
    element_name, read = ("record", _read_oai_record) if document.xml_root == "OAI-PMH" else ("entry", _read_atom_entry)
    for number, element in enumerate((node for node in root.iter() if get_local_name(node) == element_name), 1):
        yield f"{element_name} {number}", Fields(element_to_dict(element)), read


def _parse(document: Document) -> ParseResult:
    """The papers of a document, in document order.

    Raises:
        DamagedDocument: It is not well formed, has an error of arXiv, or is an empty page before the end of a list.
    """
    if _is_page(document):
        return ParseResult([_read_or_reject(partial(_read_page, document), "the page", document.html_title or "")])
    result = ParseResult(is_empty_valid=not document.json_lines)
    for locator, paper, read in _iterate_papers(document):
        if isinstance(paper, Exception):
            result.items.append(Reject(locator, str(paper), ""))
            continue
        raw_text = json.dumps(paper.data, ensure_ascii=False, default=str)
        result.items.append(_read_or_reject(partial(read, paper, locator), locator, raw_text))
        count_unread_fields(result.unparsed_fields, [paper])
    if document.xml_root == "OAI-PMH":
        for error in parse_xml(document.data).iter("{*}error"):
            if (code := error.get("code")) not in _EMPTY_RESULT_CODES:
                raise DamagedDocument(f"arXiv responds with an error: {code}: {(error.text or '').strip()[:200]}")
    elif document.xml_root == "feed":
        result.items += _find_missing_ids(document, result)
    return result


def _read_or_reject(read: Callable[[], Record], locator: str, raw_text: str) -> Record | Reject:
    try:
        return read()
    except (ValueError, TypeError, IndexError) as error:
        return Reject(locator, str(error), raw_text)


def _find_missing_ids(document: Document, result: ParseResult) -> Iterator[Reject]:
    """A reject for each requested id without a paper: arXiv silently leaves out unknown ids.

    Raises:
        DamagedDocument: The page is empty before the end of the list, as arXiv sometimes responds under load.
    """
    root = parse_xml(document.data)
    total, start = (
        int(texts[0]) if (texts := find_texts(root, name)) and texts[0].isdigit() else 0
        for name in ("totalResults", "startIndex")
    )
    if total > start and not result.items:
        raise DamagedDocument(f"an empty page of {total} results from {start}")
    id_list = re.search(r"[?&;: ]id_list=([^&<]+)", next(iter(find_texts(root, "title")), ""))
    requested_ids = filter(None, re.split(r"[,\s]+", id_list[1])) if id_list and not start else ()
    existing = {record.identity for record in result.records}
    for number, requested_id in enumerate(requested_ids, 1):
        identity = link_key(f"arxiv:{re.sub(r'v[0-9]+$', '', requested_id)}")
        if identity not in existing and total <= len(result.items):
            reason = f"{requested_id} was requested, and arXiv has no such paper"
            yield Reject(f"requested id {number}", reason, requested_id, is_fault=False)


SOURCE = Source(
    name="arxiv_papers",
    title="arXiv",
    record_noun="papers",
    row="One version of arXiv's record of a paper.",
    columns=_COLUMNS,
    expected="papers of arXiv (a response of OAI-PMH or the query API, lines of its bulk file, or a paper's page)",
    licence="CC0 1.0 for arXiv's metadata; papers under their own licences",
    recognise=_recognise,
    parse=_parse,
    recency_column="submitted_on",
    volatile_columns=("record_changed_on",),
    fetch=fetch_papers,
    is_windowed=True,
)
