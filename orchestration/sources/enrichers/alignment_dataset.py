"""The alignment research dataset: texts of the field gathered by others, one JSON Lines file for each place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestration.sources.enrichers.records import columns, read_all
from orchestration.sources.shared.document import Document
from orchestration.sources.shared.fetch_plan import Conversation, Feed, Request, Since
from orchestration.sources.shared.fields import Fields
from orchestration.sources.shared.html_text import joined
from orchestration.sources.shared.links import link_key
from orchestration.sources.shared.settings import Settings
from orchestration.sources.source import NotThisSource, Parsed, Source, Value

_NEEDED = {"id", "source", "title", "url", "text", "date_published", "authors"}


def _text(row: Fields) -> tuple[str, dict[str, Value]]:
    """Identity and columns of a text.

    Raises:
        ValueError: A field holds what its column cannot.
    """
    key = row.text("id")
    if not key:
        raise ValueError("no id, by which it would be known")
    url = row.text("url")
    linked = link_key(url) if url else ""
    values: dict[str, Value] = {
        "dataset_id": key,
        "dataset_source": row.text("source"),
        "dataset_source_type": row.text("source_type"),
        "published_at": row.moment("date_published"),
        "summary": "\n".join(row.texts("summaries")) or None,
        "text": row.text("text"),
        "arxiv_id": linked.removeprefix("arxiv:") if linked.startswith("arxiv:") else None,
        "title": row.line("title"),
        "authors": joined(row.texts("authors")),
        "url": url,
    }
    return key, values


def _is_text(value: Any) -> bool:
    return isinstance(value, Mapping) and value.keys() >= _NEEDED


def _recognise(document: Document) -> None:
    if not (document.json_lines and _is_text(document.json_lines[0][1])):
        raise NotThisSource(f"looked for lines of the alignment research dataset; found {document.kind}")


def _parse(document: Document) -> Parsed:
    return read_all(((f"line {number}", value) for number, value in document.json_lines), _text, is_answer=False)


def _fetch(feed: Feed, since: Since) -> Conversation:
    """Ask for the whole file: what has not changed is seen by its bytes.

    Raises:
        WrongSettings: A setting was given; there is none.
    """
    Settings(feed).finish()
    yield Request(feed.url, feed.name)
    return since.now.isoformat()


SOURCE = Source(
    name="alignment_dataset",
    title="Alignment research dataset",
    things="texts",
    row="One version of a text of the alignment research dataset.",
    columns=columns(
        "arxiv_id",
        "title",
        "authors",
        "url",
        dataset_id={"type": "text", "required": True, "meaning": "The dataset's id of the text."},
        dataset_source={"type": "text", "meaning": "The dataset's name of the place it is from."},
        dataset_source_type={"type": "text", "meaning": "The dataset's kind of that place."},
        published_at={
            "type": "timestamp",
            "meaning": "When it was published; days without a time count from midnight.",
        },
        summary={"type": "text", "meaning": "Summaries of it that were published."},
        text={"type": "text", "meaning": "The text."},
    ),
    expected="lines of the alignment research dataset (JSON Lines)",
    licence="code MIT; texts belong to their authors and stay on this machine",
    recognise=_recognise,
    parse=_parse,
    newest="published_at",
    fetch=_fetch,
)
