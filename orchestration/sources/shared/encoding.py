"""The encoding of a text from outside: by its first bytes, by what it or its host declares, else UTF-8.

Bytes that are valid UTF-8 are UTF-8 whatever is declared, since hosts declare encodings for files that they have not
looked at. Nothing is guessed: a text in an undeclared encoding is refused with the byte that shows it.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like UTF-16, so it comes first
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHARSET = re.compile(r"""\bcharset\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE)
_META_CHARSET = re.compile(rb"""<meta\b[^>]{0,300}?\bcharset\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
_HTML = re.compile(rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|meta)\b", re.IGNORECASE | re.DOTALL)
# what browsers and spreadsheets write under these names
_SUPERSETS = {"iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932"}
# encodings in which other characters are made of ASCII bytes, so that they look like valid UTF-8
_SEVEN_BIT = re.compile(r"iso2022|hz$|utf-?7")


class UndecodableText(ValueError):
    """The bytes are not text of the encoding; the message names the byte, its place and the remedy."""


def build_charset_hint(headers: Mapping[str, str]) -> dict[str, str]:
    """The hint ``charset`` for a response whose Content-Type names an encoding other than UTF-8; else no hint."""
    charset = _CHARSET.search(headers.get("content-type", ""))
    name = find_codec(charset[1]) if charset else None
    return {"charset": name} if name and not name.startswith("utf-8") else {}


def find_encoding(content: bytes, declared: str | None = None) -> str:
    """The name of the encoding of a text.

    Args:
        content: The text.
        declared: The encoding that the host or the user declares, if one does.
    """
    for mark, name in _BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return name
    declared = find_codec(declared) if declared else None
    if declared and (_SEVEN_BIT.match(declared) or declared.startswith(("utf-16", "utf-32"))):
        return declared
    if _is_utf8(content):
        return "utf-8"
    if declared is None and _HTML.match(content[:4096]) and (meta := _META_CHARSET.search(content[:4096])):
        declared = find_codec(meta[1].decode("ascii"))
    return declared or "utf-8"


def decode_text(content: bytes, declared: str | None = None) -> str:
    """The text, without byte-order mark.

    Raises:
        UndecodableText: The bytes are not text of the encoding.
    """
    encoding = find_encoding(content, declared)
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        name = encoding.removesuffix("-sig").upper()
        remedy = "save the file as UTF-8"
        if not declared:
            remedy += ", or name its encoding: aisle add --encoding windows-1252"
        raise UndecodableText(
            f"not valid {name}: byte 0x{content[error.start]:02x} at offset {error.start:,}, line {line}; {remedy}"
        ) from error


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def find_codec(name: str) -> str | None:
    """Python's name of a text encoding; none if there is no such encoding."""
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError):
        return None
    if not getattr(codec, "_is_text_encoding", True):  # such as hex or zip, which are no encodings of text
        return None
    return _SUPERSETS.get(codec.name, codec.name)
