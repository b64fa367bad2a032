"""XML from outside, read without fetching or expanding anything, and its elements as fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestration.sources.source import Damaged

if TYPE_CHECKING:
    from lxml.etree import _Element


# a reference to half a character, which no text can hold
_HALF = re.compile(
    rb"&#(?:x0*d[89a-f][0-9a-f]{2}|0*(?:5529[6-9]|55[3-9]\d\d|56\d{3}|57[0-2]\d\d|573[0-3]\d|5734[0-3]));",
    re.IGNORECASE,
)


def whole_characters(data: bytes) -> bytes:
    """A document in which references to half a character stand for one that cannot be shown."""
    return _HALF.sub(b"&#xFFFD;", data)


def root_of(data: bytes, *, recover: bool = False) -> _Element:
    """The first element of an XML document.

    Args:
        data: The document.
        recover: Whether to make the best of a document that is not well formed.

    Raises:
        Damaged: It is not well formed; the text says where.
    """
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, recover=recover, huge_tree=False, remove_comments=True
    )
    try:
        root = etree.fromstring(whole_characters(data) if recover else data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Damaged(f"XML that is not well formed: {error}") from error
    if root is None:
        raise Damaged("XML without an element")
    return root


def local_name(element: _Element) -> str:
    """The element's name without its namespace or prefix."""
    tag = element.tag if isinstance(element.tag, str) else ""
    return tag.rpartition("}")[2].rpartition(":")[2]


def texts_of(root: _Element, name: str) -> list[str]:
    """The texts of all elements of that local name, in any namespace, without empty ones."""
    texts = ((element.text or "").strip() for element in root.iter(f"{{*}}{name}"))
    return [text for text in texts if text]


def as_fields(element: _Element) -> Mapping[str, Any]:
    """An element as an object: attributes as ``@name``, own text as ``#text``, children as lists by their local names.

    A child without children and attributes is its text; text is given with white space squeezed at the ends only.
    """
    made: dict[str, Any] = {f"@{name.rpartition('}')[2]}": value for name, value in element.attrib.items()}
    for child in element:
        if not isinstance(child.tag, str):
            continue
        value: Any = as_fields(child) if len(child) or child.attrib else (child.text or "").strip()
        made.setdefault(local_name(child), []).append(value)
    if text := (element.text or "").strip():
        made["#text"] = text
    return made


def closes(data: bytes, root: str) -> bool:
    """Whether the document ends with the end of that element, and so was not cut short."""
    return (
        re.search(rb"</\s*" + re.escape(root.encode()) + rb"\s*>\s*(?:<!--(?:[^-]|-(?!->))*-->\s*)*$", data[-4096:])
        is not None
    )
