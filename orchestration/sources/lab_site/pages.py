"""Pages of labs' own sites: an article, or an index that lists articles by month.

A page is identified by its address. The place where its date was found is kept beside the date.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from orchestration.sources.lab_site.article import ArticlePage, read_article
from orchestration.sources.lab_site.index import find_index_nodes, read_index
from orchestration.sources.lab_site.query import fetch_site
from orchestration.sources.lab_site.sites import find_lab, get_host
from orchestration.sources.shared.document import Document
from orchestration.sources.source import NotThisSource, ParseResult, Reject, Source

_COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "lab": {"type": "text", "required": True, "meaning": "Lab whose site has the page."},
    "url": {"type": "text", "required": True, "matches": r"https?://\S+$", "meaning": "Address of the page."},
    "title": {"type": "text", "required": True, "meaning": "Title of the article."},
    "published_on": {
        "type": "date",
        "minimum": dt.date(2000, 1, 1),
        "maximum": dt.date(2100, 1, 1),
        "warn": frozenset({"minimum", "maximum"}),
        "meaning": "Day of publication; the first day of the month if only the month is known.",
    },
    "date_precision": {
        "type": "text",
        "one_of": ["day", "month"],
        "meaning": "Whether the day or only the month is known.",
    },
    "date_basis": {
        "type": "text",
        "one_of": ["structured data", "metadata", "page data", "text near the title", "time element", "index"],
        "meaning": "Where the date was found; the most reliable place is preferred.",
    },
    "authors": {"type": "text", "meaning": "Names of the authors, separated by semicolons, or the byline."},
    "summary": {"type": "text", "meaning": "The page's own description of itself."},
    "text": {"type": "text", "meaning": "Text of the page without markup, one line per block."},
    "links": {"type": "text", "meaning": "Distinct addresses that the text links to, separated by spaces."},
    "reading_note": {"type": "text", "meaning": "What was uncertain when the page was read."},
}


def _recognise(document: Document) -> None:
    """Return for an index, a page that was requested for a feed, or an article of a known lab's site.

    Raises:
        NotThisSource: Any other document; the message states what is missing.
    """
    if document.html_title is None:
        raise NotThisSource(f"looked for a lab's page; found {document.description}")
    if find_index_nodes(document) or document.hints.get("page_url"):
        return
    url = ArticlePage(document).find_url()
    if url is None:
        reason = (
            "a page that does not give its address; if it is a lab's, add it by its address, or give that with --url"
        )
        raise NotThisSource(reason, is_near_match=True)
    if find_lab(document, url) is None:
        raise NotThisSource(f"looked for a page of a known lab's site; found one of {get_host(url)}")
    if not urlsplit(url).path.strip("/"):
        raise NotThisSource(f"{get_host(url)}: its front page, which is not an article")


def _parse(document: Document) -> ParseResult:
    """The articles of an index, or the one article of a page."""
    if nodes := find_index_nodes(document):
        return read_index(document, nodes)
    try:
        return ParseResult([read_article(document)])
    except ValueError as error:
        return ParseResult([Reject("the page", str(error), (document.html_title or "")[:200])])


SOURCE = Source(
    name="lab_pages",
    title="Labs' own pages",
    record_noun="pages",
    row="One version of an article on a lab's own site, from its page or from the site's index.",
    columns=_COLUMNS,
    expected="a page of a lab's site (an article, or an index with months and titles)",
    licence="titles, days and links are facts; texts belong to the labs and stay on this machine",
    recognise=_recognise,
    parse=_parse,
    recency_column="published_on",
    fetch=fetch_site,
)
