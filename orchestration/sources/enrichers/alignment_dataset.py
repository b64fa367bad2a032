"""The alignment research dataset: texts of the field collected by others, one JSON Lines file per origin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestration.sources.enrichers import alignment_bulk
from orchestration.sources.enrichers.records import build_columns, parse_records
from orchestration.sources.shared.bulk_sql import BulkForm
from orchestration.sources.shared.document import Document
from orchestration.sources.shared.fetch_plan import Feed, FetchCursor, FetchPlan, Request
from orchestration.sources.shared.fields import Fields
from orchestration.sources.shared.html_text import join_texts
from orchestration.sources.shared.links import link_key
from orchestration.sources.shared.settings import Settings
from orchestration.sources.source import NotThisSource, ParseResult, Source, Value

_REQUIRED_KEYS = {"id", "source", "title", "url", "text", "date_published", "authors"}


def _read_text(row: Fields) -> tuple[str, dict[str, Value]]:
    """Identity and column values of a text.

    Raises:
        ValueError: It has no id.
    """
    dataset_id = row.text("id")
    if not dataset_id:
        raise ValueError("no id, which identifies it")
    url = row.text("url")
    key = link_key(url) if url else ""
    values: dict[str, Value] = {
        "dataset_id": dataset_id,
        "dataset_source": row.text("source"),
        "dataset_source_type": row.text("source_type"),
        "published_at": row.moment("date_published"),
        "summary": "\n".join(row.texts("summaries")) or None,
        "text": row.text("text"),
        "arxiv_id": key.removeprefix("arxiv:") if key.startswith("arxiv:") else None,
        "title": row.line("title"),
        "authors": join_texts(row.texts("authors")),
        "url": url,
    }
    return dataset_id, values


def _is_text(value: Any) -> bool:
    return isinstance(value, Mapping) and value.keys() >= _REQUIRED_KEYS


def _recognise(document: Document) -> None:
    if not (document.json_lines and _is_text(document.json_lines[0][1])):
        raise NotThisSource(f"looked for lines of the alignment research dataset; found {document.description}")


def _parse(document: Document) -> ParseResult:
    return parse_records(
        ((f"line {number}", value) for number, value in document.json_lines), _read_text, is_empty_valid=False
    )


def _fetch(feed: Feed, cursor: FetchCursor) -> FetchPlan:
    """Fetch plan for the whole file; an unchanged file is recognised by its bytes.

    Raises:
        InvalidSettings: There is a setting; the source has none.
    """
    Settings(feed).reject_unknown()
    yield Request(feed.url, feed.name)
    return cursor.now.isoformat()


SOURCE = Source(
    name="alignment_dataset",
    title="Alignment research dataset",
    record_noun="texts",
    row="One version of a text of the alignment research dataset.",
    columns=build_columns(
        "arxiv_id",
        "title",
        "authors",
        "url",
        dataset_id={"type": "text", "required": True, "meaning": "Id of the text in the dataset."},
        dataset_source={"type": "text", "meaning": "Origin of the text, as named by the dataset."},
        dataset_source_type={"type": "text", "meaning": "Type of the origin, as named by the dataset."},
        published_at={
            "type": "timestamp",
            "meaning": "When it was published; midnight UTC if the time is unknown.",
        },
        summary={"type": "text", "meaning": "Published summaries of the text."},
        text={"type": "text", "meaning": "The text."},
    ),
    expected="lines of the alignment research dataset (JSON Lines)",
    licence="code MIT; texts belong to their authors and stay on this machine",
    recognise=_recognise,
    parse=_parse,
    recency_column="published_at",
    fetch=_fetch,
    bulk=BulkForm(
        is_first_record=_is_text,
        build_query=alignment_bulk.build_query,
        read_record=_read_text,
        fields=alignment_bulk.FIELDS,
        object_fields=alignment_bulk.OBJECT_FIELDS,
    ),
)
