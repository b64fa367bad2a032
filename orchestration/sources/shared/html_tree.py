"""The tree of an HTML page, in time that grows with its length even if its elements are nested without end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser

# HTML's rules look through all open elements at many a tag, so that the parser's time grows with the square of the
# depth; browsers too stop at some depth, at 512 levels
_MAX_LEVELS = 1_000
_TAG = re.compile(
    rb"<(?:(?P<raw>script|style|textarea|title|iframe|xmp)\b|(?P<comment>!--)|(?P<close>/)?(?P<name>[a-z][a-z0-9:-]*))",
    re.IGNORECASE,
)
# elements without content, and those that the next one closes
_FLAT = frozenset(
    b"area base br col embed hr img input link meta param source track wbr p li dd dt option optgroup tr td th tbody"
    b" thead tfoot html head body rp rt".split()
)


def parse_html(html: str | bytes) -> LexborHTMLParser:
    """The tree of a page or piece of HTML; tags nested deeper than any page needs are left out, their text stays."""
    from selectolax.lexbor import LexborHTMLParser

    data = html.encode("utf-8", "replace") if isinstance(html, str) else html
    return LexborHTMLParser(_limit_nesting(data))


def _limit_nesting(data: bytes) -> bytes:
    if data.count(b"<") <= _MAX_LEVELS:
        return data
    kept: list[bytes] = []
    position = copied = level = 0
    while found := _TAG.search(data, position):
        position = found.end()
        if found["raw"] or found["comment"]:
            ending = b"-->" if found["comment"] else b"</" + found["raw"]
            position = _find_end(data, ending, position - 2 if found["comment"] else position)  # <!--> is a whole one
            continue
        if found["name"].lower() in _FLAT:
            continue
        level = max(level - 1, 0) if found["close"] else level + 1
        if level > _MAX_LEVELS or (found["close"] and level == _MAX_LEVELS):
            end = data.find(b">", position)
            kept.append(data[copied : found.start()])
            position = copied = len(data) if end < 0 else end + 1
    return b"".join([*kept, data[copied:]]) if kept else data


def _find_end(data: bytes, ending: bytes, start: int) -> int:
    """Where an element whose content is not HTML ends; the end of the data if it is not closed."""
    found = re.compile(re.escape(ending), re.IGNORECASE).search(data, start)
    return found.end() if found else len(data)
