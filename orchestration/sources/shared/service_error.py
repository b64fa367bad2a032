"""The error message of a service in a response that has an error instead of records, with whatever status it came.

Known forms: ``error``, ``errors``, ``message`` or ``detail`` of a JSON object (OpenAlex, Crossref, Semantic Scholar,
Hugging Face, GraphQL), ``<error>`` of OAI-PMH, and the entry that arXiv's query API puts in place of papers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from orchestration.sources.shared.document import Document, UnreadableDocument
from orchestration.sources.shared.xml import get_local_name, parse_xml
from orchestration.sources.source import DamagedDocument, collapse_spaces

# codes of OAI-PMH that are no fault: no change in the window, or a token that has expired
EMPTY_RESULT_CODES = frozenset({"noRecordsMatch", "badResumptionToken"})
_ERROR_KEYS = ("errors", "error", "message", "detail")
_RESULT_KEYS = ("data", "results", "items", "message-type")
_ERROR_ENTRY = re.compile(r"https?://arxiv\.org/api/errors\b")
_MAX_CHARACTERS = 300


def find_service_error(document: Document) -> str | None:
    """The message of a service that responds with an error; None for a document that is no such response."""
    try:
        if document.xml_root in {"OAI-PMH", "feed"}:
            messages = list(_find_xml_errors(document))
        else:
            messages = list(_find_json_errors(document.json))
    except (UnreadableDocument, DamagedDocument):
        return None
    return collapse_spaces("; ".join(dict.fromkeys(messages)))[:_MAX_CHARACTERS] or None


def _find_xml_errors(document: Document) -> Iterator[str]:
    root = parse_xml(document.data)
    for error in root.iter("{*}error"):
        if (code := error.get("code")) not in EMPTY_RESULT_CODES:
            yield f"{code}: {error.text or ''}"
    for entry in root.iter("{*}entry") if get_local_name(root) == "feed" else ():
        if _ERROR_ENTRY.match((entry.findtext("{*}id") or "").strip()):
            yield entry.findtext("{*}summary") or entry.findtext("{*}title") or "an unknown error"


def _find_json_errors(value: Any) -> Iterator[str]:
    """The messages of an object that has no results."""
    if not isinstance(value, Mapping) or (any(value.get(key) for key in _RESULT_KEYS) and not value.get("errors")):
        failed = isinstance(value, Mapping) and value.get("status") in {"failed", "error"}
        if not failed:
            return
    for key in _ERROR_KEYS:
        yield from _list_messages(value.get(key))


def _list_messages(error: Any) -> Iterator[str]:
    if isinstance(error, str) and error.strip():
        yield error
    elif isinstance(error, list):
        for entry in error[:5]:
            yield from _list_messages(entry)
    elif isinstance(error, Mapping):
        yield from _list_messages(error.get("message") or error.get("detail"))
