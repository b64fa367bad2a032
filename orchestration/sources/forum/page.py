"""Captured text of a forum user's page of comments: one record per comment, as far as they can be separated.

Such a page of ForumMagnum (LessWrong, the Alignment Forum, the EA Forum) has the text in page order, without dates,
ids, authors, titles or marks of quotation. So the records have none of these, and their borders carry a confidence.
The owner of the page is known only from the person who added it, or for some pages from ``reference.captured_pages``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestration.sources.forum.segment_identity import identify_texts
from orchestration.sources.forum.segmentation import (
    find_segments,
    find_truncated_blocks,
    has_read_more,
    strip_read_more,
)
from orchestration.sources.shared.document import Document
from orchestration.sources.source import NotThisSource, ParseResult, Record, Source, hash_parts
from warehouse.reference import read_rows

_HEADERS = frozenset({"Posts", "Comments", "Quick takes", "Quick Takes", "Shortform", "Sequences"})
_COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "page_sha256": {
        "type": "text",
        "required": True,
        "matches": "^[0-9a-f]{64}$",
        "meaning": "SHA-256 of the text of the last page that had it, with line ends and white space at the ends of"
        " lines normalised.",
    },
    "page_owner": {
        "type": "text",
        "meaning": "Owner of the page, if given when it was added or in reference.captured_pages; never read from"
        " the text.",
    },
    "segment": {
        "type": "integer",
        "unit": "ordinal",
        "required": True,
        "minimum": 1,
        "meaning": "Position of the comment on that page, from 1.",
    },
    "first_line": {
        "type": "integer",
        "unit": "line",
        "minimum": 1,
        "meaning": "Its first line on that page, from 1.",
    },
    "last_line": {"type": "integer", "unit": "line", "minimum": 1, "meaning": "Its last line on that page."},
    "kind": {
        "type": "text",
        "required": True,
        "one_of": ["own_comment", "quick_take", "reply_by_other"],
        "meaning": "Comment or quick take of the page's owner, or reply by another user to one; estimated from position"
        " and wording. Quotations within the text are not separated.",
    },
    "is_truncated": {
        "type": "boolean",
        "required": True,
        "meaning": "Whether the page shows only its beginning (the site truncates comments over 750 characters).",
    },
    "confidence": {
        "type": "text",
        "required": True,
        "one_of": ["exact", "high", "medium"],
        "meaning": "Confidence of its borders: exact if it has the truncated length, high for clear openings,"
        " medium otherwise.",
    },
    "text": {"type": "text", "required": True, "meaning": "Its lines as on the page, including quotations."},
    "characters": {
        "type": "integer",
        "unit": "characters",
        "minimum": 1,
        "meaning": "Length without line ends and without the words “(read more)”; 565 for a truncated comment.",
    },
}


def _find_owner(document: Document, page_sha256: str) -> str | None:
    listed = {row["page_sha256"]: row["page_owner"] for row in read_rows("captured_pages")}
    return document.hints.get("owner") or listed.get(page_sha256)


def _split_headers(document: Document) -> tuple[int, list[tuple[int, str]]]:
    """Number of interface headers at the top of the page, and the other non-blank lines with their line numbers."""
    lines = [(number, line.rstrip()) for number, line in enumerate(document.lines, 1) if line.strip()]
    headers = next((index for index, (_, line) in enumerate(lines) if line not in _HEADERS), len(lines))
    return headers, lines[headers:]


def _recognise(document: Document) -> None:
    """Returns for a captured user page.

    At least two exact blocks are required, since one can arise by chance from any line that ends with dots, and most
    lines with dots must belong to a block, which is not so in prose.

    Raises:
        NotThisSource: The document has neither the headers nor truncated comments.
    """
    looked_for = "looked for headers “Posts” and “Comments”, “... (read more)” or two comments cut to 562 characters"
    if document.is_workbook or document.html_title is not None:
        raise NotThisSource(f"{looked_for}; found {document.description}")
    headers, numbered = _split_headers(document)
    lines = [line for _, line in numbered]
    if (lines and headers >= 2) or any(has_read_more(line) for line in lines):
        return
    dotted = sum(1 for line in lines if line.startswith("...") or strip_read_more(line).endswith("..."))
    blocks = find_truncated_blocks(lines) if dotted else []
    exact = sum(1 for block in blocks if block.confidence == "exact")
    if exact >= 2 and 2 * len(blocks) >= dotted:
        return
    raise NotThisSource(f"{looked_for}; found {headers} such headers, {exact} such comments, in {document.description}")


def _parse(document: Document) -> ParseResult:
    """The comments of a page, in page order; each line belongs to exactly one."""
    page_sha256 = hash_parts("\n".join(line.rstrip() for line in document.lines).rstrip())
    owner = _find_owner(document, page_sha256)
    _, numbered = _split_headers(document)
    result = ParseResult()
    segments = find_segments([line for _, line in numbered])
    texts = ["\n".join(line for _, line in numbered[segment.first : segment.last + 1]) for segment in segments]
    identities = identify_texts(texts)
    for ordinal, segment in enumerate(segments, 1):
        lines = numbered[segment.first : segment.last + 1]
        first, last = lines[0][0], lines[-1][0]
        values = {
            "page_sha256": page_sha256,
            "page_owner": owner,
            "segment": ordinal,
            "first_line": first,
            "last_line": last,
            "kind": segment.kind,
            "is_truncated": segment.is_truncated,
            "confidence": segment.confidence,
            "text": texts[ordinal - 1],
            "characters": sum(len(strip_read_more(line)) for _, line in lines),
        }
        locator = f"lines {first}-{last}" if last > first else f"line {first}"
        result.items.append(Record(identities[ordinal - 1], values, locator))
    return result


SOURCE = Source(
    name="forum_page",
    title="Forum page",
    record_noun="segments",
    row="One comment of a captured forum user page, as far as comments can be separated there.",
    columns=_COLUMNS,
    expected="a captured forum user page (headings such as “Posts” and “Comments”, or comments cut to 562 characters)",
    licence="comments belong to their authors; the text stays on this machine and is not passed on",
    recognise=_recognise,
    parse=_parse,
    volatile_columns=("page_sha256", "page_owner", "segment", "first_line", "last_line", "kind", "confidence"),
)
