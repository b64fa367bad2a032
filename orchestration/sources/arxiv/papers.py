"""Papers of arXiv, from OAI-PMH, the query API, the bulk file, or a paper's page.

A paper is identified by its id without version and dated by its first version: later versions and changes of the record
(the datestamp of OAI-PMH) do not move it in time. Each changed record is a new row of the raw table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from orchestration.sources.arxiv import bulk
from orchestration.sources.arxiv.query import fetch_papers
from orchestration.sources.arxiv.readers import COLUMNS, read_atom_entry, read_bulk_line, read_oai_record, read_page
from orchestration.sources.shared.bulk_sql import BulkForm
from orchestration.sources.shared.document import Document, UnreadableDocument
from orchestration.sources.shared.fields import Fields, count_unread_fields
from orchestration.sources.shared.html_tree import parse_html
from orchestration.sources.shared.links import link_key
from orchestration.sources.shared.records import RecordReader, read_record
from orchestration.sources.shared.service_error import find_service_error
from orchestration.sources.shared.xml import element_to_dict, find_texts, get_local_name, parse_xml
from orchestration.sources.source import DamagedDocument, NotThisSource, ParseResult, Reject, Source

_PAGE_VERSION = re.compile(r"\[(v\d{1,9})\]\s+([A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} [\d:]{8} (?:UTC|GMT))")


def _find_page_metadata(document: Document) -> Fields:
    """The contents of the ``citation_`` metadata of a page, as lists by name, and its versions, as in the bulk file."""
    page = parse_html(document.data)
    metadata: dict[str, list[Any]] = {}
    for node in page.css('meta[name^="citation_"]'):
        name = (node.attributes.get("name") or "").removeprefix("citation_")
        metadata.setdefault(name, []).append(node.attributes.get("content") or "")
    for history in page.css("div.submission-history")[:1]:
        versions = _PAGE_VERSION.findall(history.text())
        metadata["versions"] = [{"version": version, "created": time} for version, time in versions]
        # the others have links to them
        metadata["shown_version"] = [
            node.text().strip(" []") for node in history.css("strong") if node.css_first("a") is None
        ]
    return Fields(metadata)


def _is_page(document: Document) -> bool:
    return document.html_title is not None and b'name="citation_arxiv_id"' in document.data


def _recognise(document: Document) -> None:
    if document.xml_root == "OAI-PMH" and b"arxiv" in document.data[:2000].lower():
        return
    if document.xml_root == "feed" and b"://arxiv.org/api" in document.data[:2000]:
        return
    if not _is_page(document):
        lines = document.json_lines
        if not (lines and isinstance(lines[0][1], dict) and lines[0][1].keys() >= bulk.KEYS):
            raise NotThisSource(f"looked for papers of arXiv; found {document.description}")


def _iterate_papers(document: Document) -> Iterator[tuple[str, Fields | Exception, RecordReader]]:
    """Locator, fields and reader of each paper of a document; an error instead of the fields of a damaged line."""
    if document.json_lines:
        for number, value in document.json_lines:
            error = value if isinstance(value, UnreadableDocument) else ValueError("no JSON object")
            yield f"line {number}", Fields(value) if isinstance(value, dict) else error, read_bulk_line
        return
    root = parse_xml(document.data)
    element_name, read = ("record", read_oai_record) if document.xml_root == "OAI-PMH" else ("entry", read_atom_entry)
    for number, element in enumerate((node for node in root.iter() if get_local_name(node) == element_name), 1):
        yield f"{element_name} {number}", Fields(element_to_dict(element)), read


def _parse(document: Document) -> ParseResult:
    """The papers of a document, in document order.

    Raises:
        DamagedDocument: It is not well formed, has an error of arXiv, or is an empty page before the end of a list.
    """
    if _is_page(document):
        return ParseResult([read_record(_find_page_metadata(document), read_page, "the page")])
    if not document.json_lines and (error := find_service_error(document)):
        raise DamagedDocument(f"arXiv responds with an error: {error}")
    result = ParseResult(is_empty_valid=not document.json_lines)
    for locator, paper, read in _iterate_papers(document):
        if isinstance(paper, Exception):
            result.items.append(Reject(locator, str(paper), ""))
            continue
        result.items.append(read_record(paper, read, locator))
        count_unread_fields(result.unparsed_fields, [paper])
    if document.xml_root == "feed":
        result.items += _find_missing_ids(document, result)
    return result


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
    columns=COLUMNS,
    expected="papers of arXiv (a response of OAI-PMH or the query API, lines of its bulk file, or a paper's page)",
    licence="CC0 1.0 for arXiv's metadata; papers under their own licences",
    recognise=_recognise,
    parse=_parse,
    recency_column="submitted_on",
    volatile_columns=("record_changed_on",),
    fetch=fetch_papers,
    question_settings=("search", "ids", "sets"),
    is_windowed=True,
    bulk=BulkForm(
        is_first_record=bulk.is_paper,
        build_query=bulk.build_query,
        read_record=read_bulk_line,
        fields=bulk.FIELDS,
        object_fields=bulk.OBJECT_FIELDS,
    ),
)
