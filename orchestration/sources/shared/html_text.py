"""Plain text and links of HTML, for posts, feed entries and pages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from orchestration.sources.shared.html_tree import parse_html
from warehouse.names import clean_line

_BLOCK = re.compile(
    r"<(?=/?(?:\w+:)?(?:title|p|div|li|ul|ol|dl|dt|dd|h[1-6]|br|hr|blockquote|pre|table|caption|tr|td|th|section|article"
    r"|header|footer|main|nav|aside|address|figure|figcaption|details|summary|fieldset|legend|form|option)\b)",
    re.IGNORECASE,
)
_TAG = re.compile(r"<[a-zA-Z/!]|&(?:#\w+|\w+);")
_HIDDEN = "script, style, noscript, template, svg"
# a tag as titles have them: a name, and attributes only with their values
_TITLE_TAG = re.compile(
    r"<(?P<close>/?)(?P<name>[a-z][\w:.-]*)(?:\s+[\w:.-]+\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'|[^\s\"'<>=]+))*\s*(?P<void>/?)>",
    re.IGNORECASE,
)
_TITLE_TAG_NAME = re.compile(
    r"a|abbr|b|big|bdi|cite|code|del|dfn|div|em|font|h[1-3]|i|inf|ins|italic|bold|kbd|mark|math|p|pre|q|roman|s|samp|sc"
    r"|scp|small|span|strike|strong|sub|sup|title|tt|u|underline|var|[\w.-]+:[\w:.-]+"
)
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
    tree = parse_html(_BLOCK.sub("\n<", html))
    for node in tree.css(_HIDDEN):
        node.decompose()
    links = dict.fromkeys(
        address
        for node in tree.css("a[href]")
        if re.match(r"https?://[^\s<>\"]+$", address := (node.attributes.get("href") or "").strip())
    )
    body = tree.body
    return HtmlText(_squeeze_lines(body.text(deep=True, separator="")) if body else None, tuple(links))


def read_plain_text(text: str | None) -> HtmlText:
    """A plain text in the form of `html_to_text`: no markup, so that text in angle brackets stays."""
    return HtmlText(_squeeze_lines(_CONTROL_CHARACTERS.sub(" ", text)) if text else None, ())


def title_to_text(title: str | None) -> str | None:
    """The text of a title in one line, which may be plain text or HTML: only tags of titles are taken for markup.

    These are the tags of words and formulas (``<i>``, ``<sub>``, ``<mml:mi>``) that are opened and closed. Any other
    text in angle brackets stays, as in “What <think> tokens hide” or “P(x<y)”.
    """
    if not title:
        return None
    tags = [(tag, tag["name"].lower()) for tag in _TITLE_TAG.finditer(title)]
    opened = {name for tag, name in tags if not tag["close"]}
    pairs = {name for tag, name in tags if tag["close"] and name in opened and _TITLE_TAG_NAME.fullmatch(name)}
    kept, end = [], 0
    for tag, name in tags:
        if name in pairs or name in {"br", "wbr"} or (tag["void"] and ":" in name):
            kept += [title[end : tag.start()].replace("<", "&lt;"), tag[0]]
            end = tag.end()
    text = html_to_text("".join([*kept, title[end:].replace("<", "&lt;")])).text
    return " ".join(text.split()) or None if text else None


def _squeeze_lines(text: str) -> str | None:
    lines = (clean_line(line) for line in text.splitlines())
    return "\n".join(line for line in lines if line) or None


def join_texts(texts: Iterable[str], separator: str = "; ") -> str | None:
    """The distinct texts, joined in order; None if there are none."""
    return separator.join(dict.fromkeys(texts)) or None
