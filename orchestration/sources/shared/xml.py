"""Safe parsing of XML from outside: no network access and no entity expansion."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any

from orchestration.sources.source import DamagedDocument

if TYPE_CHECKING:
    from lxml.etree import _Element


# a character reference to a surrogate (U+D800 to U+DFFF), which is not a character
_SURROGATE_REFERENCE = re.compile(
    rb"&#(?:x0*d[89a-f][0-9a-f]{2}|0*(?:5529[6-9]|55[3-9]\d\d|56\d{3}|57[0-2]\d\d|573[0-3]\d|5734[0-3]));",
    re.IGNORECASE,
)


def replace_surrogate_references(data: bytes) -> bytes:
    """The document with the replacement character (U+FFFD) for each reference to a surrogate."""
    return _SURROGATE_REFERENCE.sub(b"&#xFFFD;", data)


def parse_xml(data: bytes, *, recover: bool = False) -> _Element:
    """The root element of an XML document.

    Args:
        data: The document.
        recover: Whether to read as much as possible of a document that is not well formed.

    Raises:
        DamagedDocument: It is not well formed; the text says where.
    """
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, recover=recover, huge_tree=False, remove_comments=True
    )
    try:
        root = etree.fromstring(replace_surrogate_references(data) if recover else data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise DamagedDocument(f"XML that is not well formed: {error}") from error
    if root is None:
        raise DamagedDocument("XML without an element")
    return root


def get_local_name(element: _Element) -> str:
    """The element's name without its namespace or prefix."""
    tag = element.tag if isinstance(element.tag, str) else ""
    return tag.rpartition("}")[2].rpartition(":")[2]


def find_texts(root: _Element, name: str) -> list[str]:
    """The non-empty texts of all elements with that local name, in any namespace."""
    texts = ((element.text or "").strip() for element in root.iter(f"{{*}}{name}"))
    return [text for text in texts if text]


def element_to_dict(element: _Element) -> Mapping[str, Any]:
    """An element as an object: attributes as ``@name``, own text as ``#text``, children as lists by local name.

    A child without children and attributes becomes its text, stripped of white space at the ends.
    """
    values: dict[str, Any] = {f"@{name.rpartition('}')[2]}": value for name, value in element.attrib.items()}
    for child in element:
        if not isinstance(child.tag, str):
            continue
        value: Any = element_to_dict(child) if len(child) or child.attrib else (child.text or "").strip()
        values.setdefault(get_local_name(child), []).append(value)
    if text := (element.text or "").strip():
        values["#text"] = text
    return values


def has_closing_tag(data: bytes, root: str) -> bool:
    """Whether the document ends with the closing tag of its root element, so was not cut short."""
    return (
        re.search(rb"</\s*" + re.escape(root.encode()) + rb"\s*>\s*(?:<!--(?:[^-]|-(?!->))*-->\s*)*$", data[-4096:])
        is not None
    )


def iterate_elements(file: IO[bytes], *names: str) -> Iterator[_Element]:
    """The elements of a long document with these local names, one after the other; each is emptied after its use.

    Raises:
        DamagedDocument: It is not well formed; the text says where.
    """
    from lxml import etree

    tags = [f"{{*}}{name}" for name in names]
    try:
        for _, element in etree.iterparse(
            file, tag=tags, resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True
        ):
            yield element
            element.clear()
            parent = element.getparent()
            while parent is not None and element.getprevious() is not None:
                del parent[0]
    except etree.XMLSyntaxError as error:
        raise DamagedDocument(f"XML that is not well formed: {error}") from error
