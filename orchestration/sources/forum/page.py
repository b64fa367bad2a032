"""A forum user's page of comments as captured text: one record per comment, as far as they can be told apart.

Such a page of ForumMagnum (LessWrong, the Alignment Forum, the EA Forum) gives the text in its order and
nothing else: no dates, ids, authors, titles or marks of quotation. So a record has none of these, its
borders carry a confidence, and the page's owner is known only if whoever added the page says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestration.sources.forum.segmentation import has_read_more, segments_of, shown, truncated_blocks
from orchestration.sources.shared.document import Document
from orchestration.sources.source import NotThisSource, Parsed, Record, Source, digest

_HEADERS = frozenset({"Posts", "Comments", "Quick takes", "Quick Takes", "Shortform", "Sequences"})
_COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "page_sha256": {
        "type": "text",
        "required": True,
        "matches": "^[0-9a-f]{64}$",
        "meaning": "SHA-256 of the page's text, with line ends and white space at the ends of lines made equal.",
    },
    "page_owner": {
        "type": "text",
        "meaning": "Whose page it is, if that was said when the page was added; never read from the text.",
    },
    "segment": {
        "type": "integer",
        "unit": "ordinal",
        "required": True,
        "minimum": 1,
        "meaning": "Place of the comment on the page, from 1; with page_sha256 it tells equal short texts apart.",
    },
    "first_line": {"type": "integer", "unit": "line", "minimum": 1, "meaning": "First line of it on the page, from 1."},
    "last_line": {"type": "integer", "unit": "line", "minimum": 1, "meaning": "Last line of it on the page."},
    "kind": {
        "type": "text",
        "required": True,
        "one_of": ["own_comment", "quick_take", "reply_by_other"],
        "meaning": "Whether the page's owner wrote it as a comment or as a quick take, or another as a reply to one;"
        " a guess from the place and the words. Quotations within it are not told apart.",
    },
    "is_truncated": {
        "type": "boolean",
        "required": True,
        "meaning": "Whether the page shows only its beginning (the site cuts comments of more than 750 characters).",
    },
    "confidence": {
        "type": "text",
        "required": True,
        "one_of": ["exact", "high", "medium"],
        "meaning": "How sure its borders are: the site's cut to the character, unmistakable openers, or a guess.",
    },
    "text": {"type": "text", "required": True, "meaning": "Its lines as on the page, with quotations in it."},
    "characters": {
        "type": "integer",
        "unit": "characters",
        "minimum": 1,
        "meaning": "Length of its lines without line ends and without the words “(read more)”; 565 for a cut comment.",
    },
}


def _filled_lines(document: Document) -> tuple[int, list[tuple[int, str]]]:
    """How many headers of the interface stand at the top, and the other lines, with their numbers, if not blank."""
    lines = [(number, line.rstrip()) for number, line in enumerate(document.lines, 1) if line.strip()]
    headers = next((place for place, (_, line) in enumerate(lines) if line not in _HEADERS), len(lines))
    return headers, lines[headers:]


def _recognise(document: Document) -> None:
    """Returns for a captured user page.

    Two exact blocks are asked for because one line with dots can have any sum of characters before it by
    chance; and most dots must belong to a block, which they do not in prose.

    Raises:
        NotThisSource: Neither headers of the interface nor cut comments were found.
    """
    looked_for = (
        "looked for headers “Posts” and “Comments” at the top, “... (read more)” or two comments cut at 562 letters"
    )
    if document.is_workbook or document.html_title is not None:
        raise NotThisSource(f"{looked_for}; found {document.kind}")
    headers, numbered = _filled_lines(document)
    lines = [line for _, line in numbered]
    if (lines and headers >= 2) or any(has_read_more(line) for line in lines):
        return
    dotted = sum(1 for line in lines if line.startswith("...") or shown(line).endswith("..."))
    blocks = truncated_blocks(lines) if dotted else []
    exact = sum(1 for block in blocks if block.confidence == "exact")
    if exact >= 2 and 2 * len(blocks) >= dotted:
        return
    raise NotThisSource(f"{looked_for}; found {headers} such headers, {exact} comments cut so, in {document.kind}")


def _parse(document: Document) -> Parsed:
    """The comments of a page, in its order; every line belongs to exactly one."""
    page = digest("\n".join(line.rstrip() for line in document.lines).rstrip())
    _, numbered = _filled_lines(document)
    parsed = Parsed()
    for ordinal, found in enumerate(segments_of([line for _, line in numbered]), 1):
        lines = numbered[found.first : found.last + 1]
        first, last = lines[0][0], lines[-1][0]
        values = {
            "page_sha256": page,
            "page_owner": document.hints.get("owner") or None,
            "segment": ordinal,
            "first_line": first,
            "last_line": last,
            "kind": found.kind,
            "is_truncated": found.is_truncated,
            "confidence": found.confidence,
            "text": "\n".join(line for _, line in lines),
            "characters": sum(len(shown(line)) for _, line in lines),
        }
        locator = f"lines {first}-{last}" if last > first else f"line {first}"
        parsed.items.append(Record(digest(page, ordinal), values, locator))
    return parsed


SOURCE = Source(
    name="forum_page",
    title="Forum page",
    things="segments",
    row="One comment of a captured forum user page, as far as comments can be told apart there.",
    columns=_COLUMNS,
    expected="a captured forum user page (headings such as “Posts” and “Comments”, or comments cut at 562 characters)",
    licence="comments belong to those who wrote them; the text stays on this machine and is not passed on",
    recognise=_recognise,
    parse=_parse,
)
