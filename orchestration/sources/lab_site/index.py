"""An index of a lab's site: lists articles below the month in which they were published."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestration.sources.lab_site.dates import PreciseDate, find_date
from orchestration.sources.lab_site.sites import find_lab
from orchestration.sources.shared.document import Document
from orchestration.sources.shared.html_text import html_to_text
from orchestration.sources.shared.html_tree import parse_html
from orchestration.sources.shared.links import link_key, resolve_address
from orchestration.sources.source import ParseResult, Record, Reject, Value, collapse_spaces

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_ADDRESSES_BY_TITLE = {  # for an index that was saved without its address
    "Transformer Circuits Thread": "https://transformer-circuits.pub/",
    "Alignment Science Blog": "https://alignment.anthropic.com/",
}


def find_index_nodes(document: Document) -> list[LexborNode]:
    """The months and entries of an index, in its order; none for a page that is not an index."""
    if document.html_title is None or b"toc" not in document.data:
        return []
    nodes = parse_html(document.data).css("div.toc > div.date, div.toc > a.paper, div.toc > a.note")
    return nodes if any(node.tag == "a" for node in nodes) and any(node.tag == "div" for node in nodes) else []


def read_index(document: Document, nodes: list[LexborNode]) -> ParseResult:
    """A record for each entry of an index, dated by the month above it."""
    hints = document.hints
    base = hints.get("url") or hints.get("page_url") or _ADDRESSES_BY_TITLE.get(document.html_title or "", "")
    result = ParseResult()
    month: PreciseDate | None = None
    number = 0
    for node in nodes:
        if node.tag == "div":
            month = find_date(node.text())
            continue
        number += 1
        url = resolve_address(base, node.attributes.get("href") or "")
        lab = find_lab(document, base or url)
        title = _read_text(node, "h3")
        if not title:
            result.items.append(Reject(f"entry {number}", "no title", node.html or ""))
        elif lab is None or not re.match(r"https?://\S+$", url):
            reason = "its address or lab is unknown: add the index by its address"
            result.items.append(Reject(f"entry {number}", reason, node.html or ""))
        else:
            values: dict[str, Value] = {
                "lab": lab,
                "url": re.sub(r"/index\.html$", "/", url),
                "title": title,
                "published_on": month.day if month else None,
                "date_precision": month.precision if month else None,
                "date_basis": "index" if month else None,
                "authors": _read_text(node, ".byline"),
                "summary": _read_text(node, ".description"),
                "text": None,
                "links": None,
                "reading_note": None,
            }
            result.items.append(Record(link_key(url), values, f"entry {number}"))
    return result


def _read_text(node: LexborNode, selector: str) -> str | None:
    """The text of the first element of an entry that the selector matches; None if there is none or it is empty."""
    element = node.css_first(selector)
    return collapse_spaces(html_to_text(element.html).text or "") or None if element else None
