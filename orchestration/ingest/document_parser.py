"""What a document holds, as a response that can be sent from a parser process: its records, or why it is refused.

All that decides what is made of a document after its parser is here, so that a change of this file makes every
document be parsed again, and a change of how processes are run does not.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

from orchestration.sources.registry import get_source, recognise_source
from orchestration.sources.shared.column_proposal import ColumnProposal
from orchestration.sources.shared.document import Document, UnreadableDocument
from orchestration.sources.shared.failure_page import describe_failure_page
from orchestration.sources.shared.records import leave_out_odd_values
from orchestration.sources.shared.service_error import find_service_error
from orchestration.sources.source import (
    DamagedDocument,
    DocumentRefused,
    NotThisSource,
    ParseResult,
    Record,
    Reject,
    list_first,
)

_TOLERATED_FAULTS = 10  # with as many unreadable records, the response of a feed has probably changed its format


def parse_document(request: dict[str, Any], content: bytes) -> dict[str, Any]:
    """Recognise and parse one document, in a parser process; the response to its request."""
    document = Document(content, request["name"], request["hints"])
    try:
        failure_page = describe_failure_page(document)
        if request.get("only_failure_page"):
            error = find_service_error(document)
            return {"failure_page": failure_page or (f"an error of the service: {error}" if error else None)}
        if failure_page is not None:
            return {"refused": f"found {failure_page}"}
        source = get_source(request["source"]) if request["source"] else recognise_source(document)
        if request.get("must_recognise"):
            source.recognise(document)
        result = leave_out_odd_values(source, source.parse(document))
    except NotThisSource as reason:
        error = find_service_error(document)
        found = f"{document.description}, as {source.name}: {reason}; expected {source.expected}"
        refused = f"found an error of the service: {error}" if error else f"found {found}"
        return {"refused": refused, "proposal": _encode_proposal(reason.proposal)}
    except (DamagedDocument, UnreadableDocument) as damage:
        error = find_service_error(document)
        return {"refused": f"found an error of the service: {error}" if error else f"found a damaged file: {damage}"}
    except DocumentRefused as refusal:
        return {"refused": str(refusal), "proposal": _encode_proposal(refusal.proposal)}
    faults = [item for item in result.rejects if item.is_fault]
    # a response of a feed is often small: one damaged record in it must not block the feed
    tolerated = _TOLERATED_FAULTS if "feed" in request["hints"] else 1
    if len(faults) >= max(len(result.records), tolerated):
        worst = list_first([f"{item.locator}: {item.reason}" for item in faults])
        reason = f"{len(faults)} of its {len(result.items)} records are unreadable ({worst})"
        next_step = (
            "its format has probably changed"
            if "feed" in document.hints
            else "where half or more are, none is taken: correct or remove them in the file and add it again"
        )
        return {"refused": f"found a document of {source.name}, but {reason}; {next_step}"}
    if not result.records and not (result.is_empty_valid or (faults and tolerated > 1)):
        return {"refused": f"found a document of {source.name} without a single record"}
    return encode_result(source.name, result)


def _encode_proposal(proposal: ColumnProposal | None) -> dict[str, Any] | None:
    return proposal.to_response() if proposal else None


def encode_result(source: str, result: ParseResult) -> dict[str, Any]:
    """What a document of a source holds, as the response of a parser process."""
    return {
        "source": source,
        "items": [vars(item) for item in result.items],
        "unparsed_fields": result.unparsed_fields,
        "is_empty_valid": result.is_empty_valid,
    }


def decode_result(response: dict[str, Any]) -> tuple[str, ParseResult]:
    """The name of the source and what the document holds, from the response of a parser process."""
    items: list[Record | Reject] = [
        Record(item["identity"], {k: _decode_value(v) for k, v in item["values"].items()}, item["locator"])
        if "identity" in item
        else Reject(**item)
        for item in response["items"]
    ]
    return response["source"], ParseResult(items, Counter(response["unparsed_fields"]), response["is_empty_valid"])


def encode_value(value: object) -> object:
    """A day or a moment in a form that JSON has."""
    if isinstance(value, dt.datetime):
        return {"moment": value.isoformat()}
    if isinstance(value, dt.date):
        return {"date": value.isoformat()}
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _decode_value(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return dt.datetime.fromisoformat(value["moment"]) if "moment" in value else dt.date.fromisoformat(value["date"])
