"""Parsing of HTML from outside in linear time.

The HTML standard has a tag search among all open elements, the attributes of a tag compared with each other, and the
formatting elements that were not closed opened in each block again. With thousands of them that would be quadratic. No
page needs so many: tags beyond generous limits are left out, and their text stays.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser

_MAX_OPEN = 512  # elements; as in browsers
_MAX_FORMATTING = 16  # open formatting elements, such as <b>
MAX_ATTRIBUTES = 500  # of a tag
_MAX_OPTIONS = 1000  # of all lists to select from
_MAX_ROOTS = 4  # tags <html> or <body>, whose attributes are merged
_TAG = re.compile(rb"<(?:!--|(/?)([a-zA-Z][^\s/>]*))")
_ATTRIBUTE = re.compile(rb"""[\s/]*[^\s/>][^\s/>=]*(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s>"'][^\s>]*)?)?""")
_VOID = frozenset(b"area base br col embed hr img input link meta param source track wbr".split())
# closed by the next tag of their kind, or without effect on the open elements
_IMPLIED = frozenset(b"a p li dt dd tr td th tbody thead tfoot colgroup caption rp rt head".split())
_FORMATTING = frozenset(b"b big code em font i nobr s small strike strong tt u".split())
_RAW_TEXT = frozenset(b"script style title textarea iframe xmp noembed noframes".split())
_HTML_BLOCKS = frozenset(b"div span section article main header footer nav ul ol dl table center form".split())


def parse_html(html: bytes | str) -> LexborHTMLParser:
    """The tree of an HTML document or fragment."""
    from selectolax.lexbor import LexborHTMLParser

    return LexborHTMLParser(limit_nesting(html.encode("utf-8", "replace") if isinstance(html, str) else html))


def limit_nesting(html: bytes) -> bytes:
    """The HTML without the tags that are beyond the limits of open elements and attributes; unchanged if none is."""
    has_long_tag = _has_long_part(html)
    if html.count(b"<") <= _MAX_FORMATTING and not has_long_tag:
        return html
    kept: list[bytes] = []
    kept_until, position = 0, 0
    open_elements = _OpenElements()
    while tag := _TAG.search(html, position):
        name = (tag[2] or b"").lower()
        position = tag.end()
        if not name or (name in _RAW_TEXT and not tag[1]):
            position = _skip_text(html, position, name)
            if position < 0:
                break
            continue
        end = html.find(b">", position) + 1 or len(html)
        is_self_closing = html[end - 2 : end - 1] == b"/" and name not in _HTML_BLOCKS
        if not open_elements.add(name, is_closing=bool(tag[1]), is_self_closing=is_self_closing):
            kept.append(html[kept_until : tag.start()])
            kept_until = position = end
        elif has_long_tag and (long_end := _find_end_of_long_tag(html, position)):
            kept += [html[kept_until:position], b">"]
            kept_until = position = long_end
    return b"".join([*kept, html[kept_until:]]) if kept else html


class _OpenElements:
    """The elements that are open at a place in a document, as the parser will see them."""

    def __init__(self) -> None:
        self._stack: list[bytes] = []
        self._open, self._left_out, self._formatting = Counter[bytes](), Counter[bytes](), Counter[bytes]()
        self._roots = self._options = 0

    def add(self, name: bytes, *, is_closing: bool, is_self_closing: bool) -> bool:
        """Follow a tag; returns whether it is within the limits."""
        if name in {b"html", b"body"}:
            self._roots += not is_closing
            return self._roots <= _MAX_ROOTS
        if name in {b"option", b"optgroup"}:
            self._options += 1
            return self._options <= 2 * _MAX_OPTIONS
        if name in _VOID or name in _IMPLIED or is_self_closing:
            return True
        if is_closing:
            return self._close(name)
        is_formatting = name in _FORMATTING
        if len(self._stack) >= _MAX_OPEN or (is_formatting and self._formatting.total() >= _MAX_FORMATTING):
            self._left_out[name] += 1
            return False
        self._stack.append(name)
        self._open[name] += 1
        self._formatting[name] += is_formatting
        return True

    def _close(self, name: bytes) -> bool:
        if self._left_out[name]:
            self._left_out[name] -= 1
            return False
        # a formatting element stays in effect after the block that it was opened in
        self._formatting[name] -= self._formatting[name] > 0
        while self._open[name]:
            closed = self._stack.pop()
            self._open[closed] -= 1
            if closed == name:
                break
        return True


def _skip_text(html: bytes, position: int, name: bytes) -> int:
    """The end of a comment, or of the text of an element that has no tags in it; -1 if it does not end."""
    if not name:
        end = html.find(b"-->", max(position - 2, 0))
        return end + 3 if end >= 0 else -1
    closing = _CLOSING[name].search(html, position)
    return closing.end() if closing else -1


_CLOSING = {name: re.compile(rb"</" + name + rb"(?=[\s/>])", re.IGNORECASE) for name in _RAW_TEXT}


def count_most_attributes(markup: bytes) -> int:
    """The largest number of attributes of a tag, counted up to one more than the limit."""
    if not _has_long_part(markup):
        return 0
    most, position = 0, 0
    while most <= MAX_ATTRIBUTES and (tag := _TAG.search(markup, position)):
        position = tag.end()
        if tag[2]:
            count, position = _count_attributes(markup, position)
            most = max(most, count)
    return most


def _has_long_part(markup: bytes) -> bool:
    """Whether a tag may have too many attributes, each of at least two characters."""
    return max(map(len, markup.split(b">")), default=0) > 2 * MAX_ATTRIBUTES


def _count_attributes(markup: bytes, position: int) -> tuple[int, int]:
    """The number of attributes from the end of a tag's name on, at most one more than the limit, and where they end."""
    count = 0
    while count <= MAX_ATTRIBUTES and (attribute := _ATTRIBUTE.match(markup, position)):
        count, position = count + 1, attribute.end()
    return count, position


def _find_end_of_long_tag(html: bytes, position: int) -> int | None:
    """The end of a tag with too many attributes, from the end of its name; None for any other tag."""
    count, position = _count_attributes(html, position)
    if count <= MAX_ATTRIBUTES:
        return None
    while attribute := _ATTRIBUTE.match(html, position):
        position = attribute.end()
    return html.find(b">", position) + 1 or len(html)
