"""HTML as plain text and links: what a search or a reader needs of a post, a feed's entry or a page."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_BLOCK = re.compile(
    r"<(?=/?(?:\w+:)?(?:title|p|div|li|ul|ol|h[1-6]|br|blockquote|tr|table|pre|section|article|header|footer|figure|figcaption|hr|dt|dd)\b)",
    re.IGNORECASE,
)
_TAG = re.compile(r"<[a-zA-Z/!]|&(?:#\w+|\w+);")
_HIDDEN = "script, style, noscript, template, svg"
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")


class Plain(NamedTuple):
    """Plain text, one line for each block, and the addresses it links to, each once, in its order."""

    text: str | None
    links: tuple[str, ...]


def plain(html: str | None) -> Plain:
    """The text and links of a piece of HTML; a text without any tag is taken as it is."""
    if not html:
        return Plain(None, ())
    html = _CONTROL.sub(" ", html)
    if not _TAG.search(html):
        return Plain(_lines(html), ())
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(_BLOCK.sub("\n<", html))
    for node in tree.css(_HIDDEN):
        node.decompose()
    links = dict.fromkeys(
        address
        for node in tree.css("a[href]")
        if re.match(r"https?://[^\s<>\"]+$", address := (node.attributes.get("href") or "").strip())
    )
    body = tree.body
    return Plain(_lines(body.text(deep=True, separator="")) if body else None, tuple(links))


def _lines(text: str) -> str | None:
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line) or None


def joined(entries: Iterable[str], separator: str = "; ") -> str | None:
    """The entries as one text, each once, in their order; none where there are none."""
    return separator.join(dict.fromkeys(entries)) or None
