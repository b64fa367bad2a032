"""Plain text and links of HTML, for posts, feed entries and pages."""

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
_CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")


class HtmlText(NamedTuple):
    """Plain text with one line per block, and the distinct addresses that it links to, in order."""

    text: str | None
    links: tuple[str, ...]


def html_to_text(html: str | None) -> HtmlText:
    """The text and links of a piece of HTML; a text without tags keeps its words."""
    if not html:
        return HtmlText(None, ())
    html = _CONTROL_CHARACTERS.sub(" ", html)
    if not _TAG.search(html):
        return HtmlText(_squeeze_lines(html), ())
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
    return HtmlText(_squeeze_lines(body.text(deep=True, separator="")) if body else None, tuple(links))


def _squeeze_lines(text: str) -> str | None:
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line) or None


def join_texts(texts: Iterable[str], separator: str = "; ") -> str | None:
    """The distinct texts, joined in order; None if there are none."""
    return separator.join(dict.fromkeys(texts)) or None
