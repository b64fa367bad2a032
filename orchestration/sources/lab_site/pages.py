"""Pages of labs' own sites: an article by what it tells machines and people, or an index that lists articles.

What a site says of its pages differs, so each fact has several places where it is looked for, surest first; where
the day was found stands beside it. An index gives months only. A page is known by its address.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from orchestration.sources.lab_site.query import fetch
from orchestration.sources.shared.document import Document
from orchestration.sources.shared.html_text import joined, plain
from orchestration.sources.shared.links import joined_address, link_key
from orchestration.sources.source import NotThisSource, Parsed, Record, Reject, Source, Value
from warehouse.reference import rows_of

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

# sites whose pages are taken without being asked for, and whose they are where that is no lab of the reference table
_SITES = {
    "transformer-circuits.pub": "Anthropic",
    "metr.org": "METR",
    "aisi.gov.uk": "UK AI Security Institute",
    "far.ai": "FAR.AI",
    "transluce.org": "Transluce",
    "timaeus.co": "Timaeus",
    "goodfire.ai": "Goodfire",
    "apolloresearch.ai": "Apollo Research",
    "redwoodresearch.org": "Redwood Research",
}
_INDEXES = {  # an index that was saved without its address is known by its title
    "Transformer Circuits Thread": "https://transformer-circuits.pub/",
    "Alignment Science Blog": "https://alignment.anthropic.com/",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAMED = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_DATE = re.compile(
    rf"(?<!\d)(?:(?P<iso>\d{{4}}[-/]\d\d[-/]\d\d)|(?:(?P<day>\d{{1,2}})(?:[a-z]{{2}})?\s+)?\b(?P<month>{_NAMED})\b\.?"
    rf"(?:\s+(?P<later>\d{{1,2}})(?:[a-z]{{2}})?,)?\s+(?P<year>20\d\d))(?!\d)",
    re.IGNORECASE,
)
_NEAR_TITLE = 600  # characters; a date further off belongs to something else
_ARTICLES = {"Article", "BlogPosting", "NewsArticle", "ScholarlyArticle", "TechArticle", "Report"}
_FLIGHT_DATE = re.compile(rb'\\?"publishedOn\\?":\\?"(\d{4}-\d\d-\d\d)')
_FLIGHT_PATH = re.compile(rb'\\?"(research|news|engineering)\\?",\{\\?"children\\?":\[\[\\?"slug\\?",\\?"([\w.-]+)')
_COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "lab": {"type": "text", "required": True, "meaning": "The lab whose site it is on."},
    "url": {"type": "text", "required": True, "matches": r"https?://\S+$", "meaning": "Address of the page."},
    "title": {"type": "text", "required": True, "meaning": "Title of the article."},
    "published_on": {
        "type": "date",
        "minimum": dt.date(2000, 1, 1),
        "maximum": dt.date(2100, 1, 1),
        "warn": frozenset({"minimum", "maximum"}),
        "meaning": "Day of publication; the first of the month where only that is told.",
    },
    "date_precision": {"type": "text", "one_of": ["day", "month"], "meaning": "Whether the day or the month is told."},
    "date_basis": {
        "type": "text",
        "one_of": ["structured data", "metadata", "page data", "text near the title", "time element", "index"],
        "meaning": "Where the date was found, surest first.",
    },
    "authors": {"type": "text", "meaning": "Names of the authors, between semicolons, or the byline."},
    "summary": {"type": "text", "meaning": "The page's own description of itself."},
    "text": {"type": "text", "meaning": "Its text without markup, one line for each block."},
    "links": {"type": "text", "meaning": "Addresses that the text links to, between spaces, each once."},
    "reading_note": {"type": "text", "meaning": "What was uncertain when the page was read."},
}


def dated(text: str) -> tuple[dt.date, str] | None:
    """The first day or month that a text names, with ``day`` or ``month``; none where it names none that exists."""
    for found in _DATE.finditer(text):
        try:
            if found["iso"]:
                return dt.date.fromisoformat(found["iso"].replace("/", "-")), "day"
            month, day = _MONTHS.index(found["month"][:3].lower()) + 1, found["day"] or found["later"]
            return dt.date(int(found["year"]), month, int(day or 1)), "day" if day else "month"
        except ValueError:
            continue
    return None


def _host(url: str | None) -> str:
    try:
        return (urlsplit(url or "").hostname or "").removeprefix("www.")
    except ValueError:  # brackets that are no address of a host
        return ""


def _lab(document: Document, url: str) -> str | None:
    """Whose site an address is on: as the feed says, as the table of labs says, or one of the sites known here."""
    if lab := document.hints.get("lab"):
        return lab
    sites = {**_SITES, **{_host(row["website"]): row["lab"] for row in rows_of("labs")}}
    host = _host(url)
    return next((lab for site, lab in sites.items() if host == site or host.endswith(f".{site}")), None)


class _Page:
    """A page with what it tells machines."""

    def __init__(self, document: Document) -> None:
        from selectolax.lexbor import LexborHTMLParser

        self.document = document
        self.tree: LexborHTMLParser = LexborHTMLParser(document.data)
        self.meta: dict[str, list[str]] = {}
        for node in self.tree.css("meta[content]"):
            name = node.attributes.get("property") or node.attributes.get("name")
            if name and (content := " ".join((node.attributes.get("content") or "").split())):
                self.meta.setdefault(name, []).append(content)
        self.article = next(self._articles(), {})

    def _articles(self) -> Iterator[Mapping[str, Any]]:
        for node in self.tree.css('script[type="application/ld+json"]'):
            try:
                told = json.loads(node.text())
            except ValueError:  # some sites have damaged ones
                continue
            entries = told.get("@graph", [told]) if isinstance(told, dict) else told
            for entry in entries if isinstance(entries, list) else []:
                kinds = entry.get("@type") if isinstance(entry, dict) else None
                if _ARTICLES & set(kinds if isinstance(kinds, list) else [kinds]):
                    yield entry

    def first_meta(self, *names: str) -> str | None:
        return next((self.meta[name][0] for name in names if name in self.meta), None)

    def url(self) -> str | None:
        """The address: the page's own word, else the one it was asked at."""
        node = self.tree.css_first('link[rel="canonical"][href]')
        own = node.attributes.get("href") if node else None
        told = [own, self.first_meta("og:url", "citation_public_url"), self.article.get("url")]
        told += [self.document.hints.get("url"), self.document.hints.get("page_url")]
        heading = self.tree.css_first("title")
        is_anthropic = heading is not None and heading.text().strip().endswith("\\ Anthropic")
        if is_anthropic and (path := _FLIGHT_PATH.search(self.document.data)):
            told.append(f"https://www.anthropic.com/{path[1].decode()}/{path[2].decode()}")
        return next((one for one in told if isinstance(one, str) and re.match(r"https?://[^\s/]+/?\S*$", one)), None)

    def title(self) -> str | None:
        headings = [" ".join(node.text(separator=" ").split()) for node in self.tree.css("h1")]
        told = [self.article.get("headline"), self.first_meta("citation_title"), *headings, self.first_meta("og:title")]
        found = next(
            (" ".join(one.split()) for one in told if isinstance(one, str) and re.search(r"[^\W\d]", one)), None
        )
        shown = self.first_meta("og:title")
        # a heading can be the first part of the title alone
        return shown if found and shown and shown.startswith(f"{found}:") else found

    def body(self) -> LexborNode | None:
        return self.tree.css_first("main") or self.tree.css_first("article") or self.tree.body

    def date(self, title: str, text: str) -> tuple[dt.date, str, str] | None:
        """Day, precision, and where it was found."""
        meta = self.first_meta("article:published_time", "citation_publication_date", "citation_date")
        flight = _FLIGHT_DATE.search(self.document.data)
        body = self.body()
        times = [node.attributes.get("datetime") or node.text() for node in (body.css("time") if body else [])]
        for basis, told in (
            ("structured data", self.article.get("datePublished")),
            ("metadata", meta),
            ("page data", flight[1].decode() if flight else None),
            ("text near the title", _near(title, text)),
            ("text near the title", _near(title, plain(self.tree.body.html if self.tree.body else None).text or "")),
            ("time element", times[0] if times else None),
        ):
            if told and (found := dated(str(told))):
                return *found, basis
        return None

    def authors(self) -> str | None:
        told = self.article.get("author") or []
        people = [
            one.get("name") if isinstance(one, dict) else one for one in (told if isinstance(told, list) else [told])
        ]
        names = [" ".join(one.split()) for one in people if isinstance(one, str) and one.strip()]
        return joined(names or self.meta.get("citation_author", []))


def _near(title: str, text: str) -> str:
    """What stands around the title, if it stands in the text."""
    at = text.find(title[:60])
    return text[max(at - _NEAR_TITLE, 0) : at + len(title) + _NEAR_TITLE] if at >= 0 else ""


def _article(document: Document) -> Record:
    """The record of an article's page.

    Raises:
        ValueError: Its address, lab or title cannot be told.
    """
    page = _Page(document)
    url, title = page.url(), page.title()
    if url is None:
        raise ValueError("the page does not say its address: add it by its address")
    if (lab := _lab(document, url)) is None:
        raise ValueError(f"{_host(url)} is no known lab's site: follow it as a feed with the setting lab")
    if not title:
        raise ValueError("no title")
    body = page.body()
    text = plain(body.html if body else None)
    date = page.date(title, text.text or "")
    values: dict[str, Value] = {
        "lab": lab,
        "url": url,
        "title": title,
        "published_on": date[0] if date else None,
        "date_precision": date[1] if date else None,
        "date_basis": date[2] if date else None,
        "authors": page.authors(),
        "summary": page.first_meta("description", "og:description"),
        "text": text.text,
        "links": joined(text.links, " "),
        "reading_note": None if date else "no date was found",
    }
    return Record(link_key(url), values, "the page")


def _index_nodes(document: Document) -> list[LexborNode]:
    from selectolax.lexbor import LexborHTMLParser

    if document.html_title is None or b"toc" not in document.data:
        return []
    nodes = LexborHTMLParser(document.data).css("div.toc > div.date, div.toc > a.paper, div.toc > a.note")
    return nodes if any(node.tag == "a" for node in nodes) and any(node.tag == "div" for node in nodes) else []


def _index(document: Document, nodes: list[LexborNode]) -> Parsed:
    """The articles of an index: each stands below the month it is of."""
    parsed = Parsed()
    base = document.hints.get("url") or document.hints.get("page_url") or _INDEXES.get(document.html_title or "")
    month: tuple[dt.date, str] | None = None
    number = 0
    for node in nodes:
        if node.tag == "div":
            month = dated(node.text())
            continue
        number += 1
        heading, description, byline = (node.css_first(name) for name in ("h3", ".description", ".byline"))
        title = " ".join(heading.text().split()) if heading else ""
        url = joined_address(base or "", node.attributes.get("href") or "")
        lab = _lab(document, base or url)
        if not title or not re.match(r"https?://\S+$", url) or lab is None:
            reason = "no title" if not title else "its address or lab cannot be told: add the index by its address"
            parsed.items.append(Reject(f"entry {number}", reason, node.html or ""))
            continue
        values: dict[str, Value] = dict.fromkeys(_COLUMNS)
        values |= {
            "lab": lab,
            "url": re.sub(r"/index\.html$", "/", url),
            "title": title,
            "published_on": month[0] if month else None,
            "date_precision": month[1] if month else None,
            "date_basis": "index" if month else None,
            "authors": " ".join(byline.text().split()) or None if byline else None,
            "summary": " ".join(description.text().split()) or None if description else None,
        }
        parsed.items.append(Record(link_key(url), values, f"entry {number}"))
    return parsed


def _recognise(document: Document) -> None:
    if document.html_title is None:
        raise NotThisSource(f"looked for a lab's page; found {document.kind}")
    if _index_nodes(document) or document.hints.get("page_url"):
        return
    url = _Page(document).url()
    if url is None:
        told = (
            "a page that does not say its address; if a lab's site has it, add it by its address, or tell that by --url"
        )
        raise NotThisSource(told, is_close=True)
    if _lab(document, url) is None:
        raise NotThisSource(f"looked for a page of a known lab's site; found one of {_host(url)}")
    if not urlsplit(url).path.strip("/"):
        raise NotThisSource(f"{_host(url)}: its front page, which is no article")


def _parse(document: Document) -> Parsed:
    if nodes := _index_nodes(document):
        return _index(document, nodes)
    try:
        return Parsed([_article(document)])
    except ValueError as error:
        return Parsed([Reject("the page", str(error), (document.html_title or "")[:200])])


SOURCE = Source(
    name="lab_pages",
    title="Labs' own pages",
    things="pages",
    row="One version of an article on a lab's own site, from its page or from the site's index.",
    columns=_COLUMNS,
    expected="a page of a lab's site (an article, or an index with months and titles)",
    licence="titles, days and links are facts; texts belong to the labs and stay on this machine",
    recognise=_recognise,
    parse=_parse,
    newest="published_on",
    fetch=fetch,
)
