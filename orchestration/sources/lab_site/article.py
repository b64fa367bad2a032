"""An article on a lab's site: reads its facts from structured data, metadata, page data and visible text.

Sites differ in where they state a fact, so each fact is looked up in several places, the most reliable first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from orchestration.sources.lab_site.dates import PreciseDate, find_date
from orchestration.sources.lab_site.sites import find_lab, get_host
from orchestration.sources.shared.document import Document, UnreadableDocument, parse_json
from orchestration.sources.shared.html_text import html_to_text, join_texts
from orchestration.sources.shared.html_tree import parse_html
from orchestration.sources.shared.links import link_key
from orchestration.sources.source import Record, Value, collapse_spaces

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_NEAR_TITLE_CHARACTERS = 600  # a date further away is not that of the article
_ARTICLE_TYPES = {"Article", "BlogPosting", "NewsArticle", "ScholarlyArticle", "TechArticle", "Report"}
# page data that Next.js puts into scripts
_PAGE_DATA_DATE = re.compile(rb'\\?"publishedOn\\?":\\?"(\d{4}-\d\d-\d\d)')
_PAGE_DATA_PATH = re.compile(rb'\\?"(research|news|engineering)\\?",\{\\?"children\\?":\[\[\\?"slug\\?",\\?"([\w.-]+)')


def read_article(document: Document) -> Record:
    """The record of an article's page.

    Raises:
        ValueError: The page has no address, known lab or title.
    """
    page = ArticlePage(document)
    url, title = page.find_url(), page.find_title()
    if url is None:
        raise ValueError("the page does not give its address: add it by its address")
    if (lab := find_lab(document, url)) is None:
        raise ValueError(f"{get_host(url)} is not the site of a known lab: add it as a feed with the setting lab")
    if not title:
        raise ValueError("no title")
    text = html_to_text(page.body.html if page.body else None)
    date, basis = page.find_date(title, text.text or "")
    values: dict[str, Value] = {
        "lab": lab,
        "url": url,
        "title": title,
        "published_on": date.day if date else None,
        "date_precision": date.precision if date else None,
        "date_basis": basis,
        "authors": page.find_authors(),
        "summary": page.get_meta("description", "og:description"),
        "text": text.text,
        "links": join_texts(text.links, " "),
        "reading_note": None if date else "no date was found",
    }
    return Record(link_key(url), values, "the page")


class ArticlePage:
    """A parsed page, with its metadata and the structured data of its article."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._tree = parse_html(document.data)
        self._meta: dict[str, list[str]] = {}
        for node in self._tree.css("meta[content]"):
            name = node.attributes.get("property") or node.attributes.get("name")
            if name and (content := collapse_spaces(node.attributes.get("content") or "")):
                self._meta.setdefault(name, []).append(content)
        self._article = next(self._read_structured_articles(), {})
        self.body: LexborNode | None = (
            self._tree.css_first("main") or self._tree.css_first("article") or self._tree.body
        )

    def _read_structured_articles(self) -> Iterator[Mapping[str, Any]]:
        """The articles that the page describes in JSON-LD."""
        for node in self._tree.css('script[type="application/ld+json"]'):
            try:
                data = parse_json(node.text().encode())
            except UnreadableDocument:  # some sites have damaged JSON-LD
                continue
            entries = data.get("@graph", [data]) if isinstance(data, dict) else data
            for entry in entries if isinstance(entries, list) else []:
                types = entry.get("@type") if isinstance(entry, dict) else None
                if any(isinstance(kind, str) and kind in _ARTICLE_TYPES for kind in _as_list(types)):
                    yield entry

    def get_meta(self, *names: str) -> str | None:
        """The content of the first of the meta elements that the page has."""
        return next((self._meta[name][0] for name in names if name in self._meta), None)

    def find_url(self) -> str | None:
        """The address that the page gives for itself, else the one that it was requested at."""
        canonical = self._tree.css_first('link[rel="canonical"][href]')
        candidates = [
            canonical.attributes.get("href") if canonical else None,
            self.get_meta("og:url", "citation_public_url"),
            self._article.get("url"),
            self._document.hints.get("url"),
            self._document.hints.get("page_url"),
        ]
        title = self._tree.css_first("title")
        is_anthropic = title is not None and title.text().strip().endswith("\\ Anthropic")
        if is_anthropic and (path := _PAGE_DATA_PATH.search(self._document.data)):
            candidates.append(f"https://www.anthropic.com/{path[1].decode()}/{path[2].decode()}")
        urls = (text for text in candidates if isinstance(text, str) and re.match(r"https?://[^\s/]+/?\S*$", text))
        return next(urls, None)

    def find_title(self) -> str | None:
        """The article's title; that of ``og:title`` where a heading is only its first part."""
        headings = [collapse_spaces(node.text(separator=" ")) for node in self._tree.css("h1")]
        og_title = self.get_meta("og:title")
        candidates = [self._article.get("headline"), self.get_meta("citation_title"), *headings, og_title]
        with_letters = (text for text in candidates if isinstance(text, str) and re.search(r"[^\W\d]", text))
        title = next(map(collapse_spaces, with_letters), None)
        return og_title if title and og_title and og_title.startswith(f"{title}:") else title

    def find_date(self, title: str, text: str) -> tuple[PreciseDate | None, str | None]:
        """The date of publication and the place where it was found (column ``date_basis``), or None and None."""
        meta = self.get_meta("article:published_time", "citation_publication_date", "citation_date")
        page_data = _PAGE_DATA_DATE.search(self._document.data)
        times = self.body.css("time") if self.body else []
        whole_text = html_to_text(self._tree.body.html if self._tree.body else None).text or ""
        for basis, candidate in (
            ("structured data", self._article.get("datePublished")),
            ("metadata", meta),
            ("page data", page_data[1].decode() if page_data else None),
            ("text near the title", _cut_near_title(title, text)),
            ("text near the title", _cut_near_title(title, whole_text)),
            ("time element", (times[0].attributes.get("datetime") or times[0].text()) if times else None),
        ):
            if candidate and (date := find_date(str(candidate))):
                return date, basis
        return None, None

    def find_authors(self) -> str | None:
        """The names of the authors, between semicolons."""
        authors = self._article.get("author") or []
        names = [author.get("name") if isinstance(author, dict) else author for author in _as_list(authors)]
        names = [collapse_spaces(name) for name in names if isinstance(name, str) and name.strip()]
        return join_texts(names or self._meta.get("citation_author", []))


def _as_list(value: Any) -> list[Any]:
    """The value if it is a list, else a list of it."""
    return value if isinstance(value, list) else [value]


def _cut_near_title(title: str, text: str) -> str:
    """The text around the title; empty if the title is not in the text."""
    start = text.find(title[:60])
    if start < 0:
        return ""
    return text[max(start - _NEAR_TITLE_CHARACTERS, 0) : start + len(title) + _NEAR_TITLE_CHARACTERS]
