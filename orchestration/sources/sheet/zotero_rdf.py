"""Zotero's export as RDF: the items of a collection, with the fields of a reference.

Format: the RDF translator of Zotero, https://github.com/zotero/translators (Zotero RDF.js).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from orchestration.sources.shared.document import Document
from orchestration.sources.shared.xml import parse_xml
from orchestration.sources.source import collapse_spaces

if TYPE_CHECKING:
    from lxml.etree import _Element

_ZOTERO = b"http://www.zotero.org/namespaces/export#"
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_NO_REFERENCES = frozenset({"attachment", "note", "annotation"})
_PEOPLE = ("authors", "contributors", "editors")  # the first of these that an item has


class ZoteroItem(NamedTuple):
    """The fields of one item; the links are addresses, and DOIs and arXiv ids with their prefix."""

    title: str
    authors: str
    date: str
    links: tuple[str, ...]
    abstract: str
    tags: str
    kind: str


def is_zotero_rdf(document: Document) -> bool:
    """Whether a document is an export of Zotero as RDF."""
    return (document.xml_root or "").rpartition(":")[2] == "RDF" and _ZOTERO in document.data


def read_items(document: Document) -> Iterator[ZoteroItem]:
    """The items, without attachments, notes and journals.

    Raises:
        DamagedDocument: The XML is not well formed.
    """
    for element in parse_xml(document.data):
        kind = _read_text(element, "itemType")
        if kind and kind not in _NO_REFERENCES:
            yield ZoteroItem(
                _read_text(element, "title"),
                _read_people(element),
                _read_text(element, "date"),
                tuple(dict.fromkeys(_list_links(element))),
                _read_text(element, "abstract"),
                "; ".join(dict.fromkeys(_list_tags(element))),
                kind,
            )


def _read_text(element: _Element, name: str) -> str:
    """The text of the child of that name; empty without one."""
    child = element.find(f"{{*}}{name}")
    return collapse_spaces(child.text or "") if child is not None else ""


def _read_people(element: _Element) -> str:
    for role in _PEOPLE:
        people = element.findall(f"{{*}}{role}//{{*}}Person")
        if people:
            names = (f"{_read_text(one, 'givenName')} {_read_text(one, 'surname')}".strip() for one in people)
            return "; ".join(filter(None, names))
    return ""


def _list_links(element: _Element) -> Iterator[str]:
    """The address, DOI and arXiv id of an item; those of a journal article stand at the journal inside of it."""
    # an ISBN or ISSN names a book or a journal, not a work
    for identifier in element.iterfind(".//{*}identifier"):
        for value in [identifier.text, *(uri.text for uri in identifier.iterfind(".//{*}value"))]:
            text = collapse_spaces(value or "")
            if text.upper().startswith("DOI "):
                yield f"doi:{text[4:]}"
            elif "://" in text:
                yield text
    note = _read_text(element, "description")
    if note.casefold().startswith("arxiv:"):
        yield f"arxiv:{note[6:].split('[')[0].strip()}"
    about = element.get(f"{_RDF}about") or ""
    if about.startswith(("http://", "https://")):
        yield about


def _list_tags(element: _Element) -> Iterator[str]:
    for subject in element.iterfind("{*}subject"):
        for text in [subject.text, *(value.text for value in subject.iterfind(".//{*}value"))]:
            if tag := collapse_spaces(text or ""):
                yield tag
