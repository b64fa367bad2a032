"""Safe reading of documents from outside: decoding, format detection, and the cells of CSV, TSV and XLSX tables.

Whatever cannot be read raises `UnreadableDocument` with a sentence for the person who added the document.
"""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
import zlib
from functools import cached_property
from typing import Any

from orchestration.sources.shared.delimited import TooManyDamagedRows, read_delimited
from orchestration.sources.shared.encoding import UndecodableText, decode_text, find_encoding
from orchestration.sources.shared.rows import Row, Tab

MAX_BYTES = 64 * 2**20
MAX_LINE_CHARACTERS = 1_000_000
MAX_UNPACKED_BYTES = 256 * 2**20
_MAX_DIGITS = 4000
_JSON_START = re.compile(
    r"\{\s*[\"}]|\[\s*(?:[{\]]|null\b|(?:(?:-?[\d.]+|true|false|\"[^\"\\]{0,80}\")\s*,\s*){1,9}\{\s*[\"}])"
)
_INVALID_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_INVALID_CHARACTER = re.compile("[\ud800-\udfff\x00]")
_UTF16_DECLARATION = re.compile(
    rb"""\A((?:\xef\xbb\xbf)?\s*<\?xml\b[^>]{0,200}?\bencoding\s*=\s*["'])utf-?16(?:le|be)?(?=["'])""", re.IGNORECASE
)
_ENCODING_DECLARATION = re.compile(rb"\A\s*<\?xml\b[^>]{0,200}?\bencoding\s*=")
_XML_ROOT = re.compile(
    r"(?:<\?[^>]*>\s*|<!--(?:[^-]|-(?!->))*-->\s*|<!DOCTYPE[^>\[]*(?:\[[^\]]*\])?[^>]*>\s*)*<([A-Za-z][\w:.-]*)"
)


class UnreadableDocument(Exception):
    """The bytes are not a readable text or table; the text describes what was found."""


class Document:
    """The bytes of one file or response, with views of them as text, JSON, XML, HTML or table.

    Args:
        content: The bytes.
        name: File name or URL, for messages only; the format is detected from the content.
        hints: Facts that are not in the bytes, such as the ``owner`` of a captured page.
    """

    def __init__(self, content: bytes, name: str, hints: dict[str, str] | None = None) -> None:
        self.content = content
        self.name = name
        self.hints = hints or {}

    @cached_property
    def data(self) -> bytes:
        """The bytes, unpacked if they are gzipped, and converted to UTF-8 from another encoding.

        Raises:
            UnreadableDocument: Damaged, cut short, too large when unpacked, or not of its encoding.
        """
        data = _convert_utf16(self._unpacked)
        # XML parsers heed the encoding that the document declares itself
        if data.startswith(b"PK") or b"\0" in data[:4096] or _ENCODING_DECLARATION.match(data):
            return data
        encoding = find_encoding(data, self._charset)
        if encoding.startswith("utf-8"):
            return data
        try:
            return data.decode(encoding).encode()
        except UnicodeError as error:
            raise UnreadableDocument(f"not valid {encoding.upper()} ({error}); save the file as UTF-8") from error

    @property
    def _charset(self) -> str | None:
        """The encoding that the host or the user declares, if one does."""
        return self.hints.get("charset")

    @cached_property
    def _unpacked(self) -> bytes:
        if not self.content.startswith(b"\x1f\x8b"):
            return self.content
        unpacked, rest = b"", self.content
        try:
            while rest:  # a gzip file can have several members
                unpacker = zlib.decompressobj(wbits=31)
                unpacked += unpacker.decompress(rest, MAX_UNPACKED_BYTES - len(unpacked) + 1)
                if len(unpacked) > MAX_UNPACKED_BYTES:
                    raise UnreadableDocument(
                        f"gzipped data that unpacks to over {MAX_UNPACKED_BYTES:,} bytes, which are not read"
                    )
                if not unpacker.eof:
                    raise UnreadableDocument("gzipped data that is cut short")
                rest = unpacker.unused_data
        except zlib.error as error:
            raise UnreadableDocument(f"damaged gzipped data ({error})") from error
        return unpacked

    @cached_property
    def head(self) -> str:
        """The first 4 KiB as text, without leading white space and undecodable bytes; for format detection."""
        return self.data[:4096].decode("utf-8", "ignore").lstrip("\ufeff \t\r\n")

    @cached_property
    def json_lines(self) -> list[tuple[int, Any]]:
        """Number and value of each line of a JSON Lines document; empty if its first line is not valid JSON.

        A later line that is not valid has its `UnreadableDocument` as value, so that the other lines can be read.
        """
        if not _JSON_START.match(self.head) or self.head.startswith("["):
            return []
        values: list[tuple[int, Any]] = []
        for number, line in enumerate(self.data.splitlines(), 1):
            if line.strip():
                try:
                    values.append((number, parse_json(line)))
                except UnreadableDocument as error:
                    if not values:
                        return []
                    values.append((number, error))
        return values

    @cached_property
    def json(self) -> Any:
        """The value of a JSON object or list; None for other documents and for JSON Lines of several lines.

        Raises:
            UnreadableDocument: It begins like JSON and is not valid: cut short, or not UTF-8.
        """
        if not _JSON_START.match(self.head):
            return None
        if self.json_lines:
            return self.json_lines[0][1] if len(self.json_lines) == 1 else None
        return parse_json(self.data)

    @cached_property
    def is_workbook(self) -> bool:
        """Whether the bytes are a workbook: XLSX, or an OpenDocument spreadsheet.

        Raises:
            UnreadableDocument: A zip archive that is damaged, too large when unpacked, or not a workbook.
        """
        if self.content.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
            raise UnreadableDocument(
                "an old (.xls) or encrypted workbook; save it as XLSX without a password, or as CSV"
            )
        if not self.content.startswith(b"PK\x03\x04"):
            return False
        try:
            with zipfile.ZipFile(io.BytesIO(self.content)) as archive:
                unpacked = sum(part.file_size for part in archive.infolist())
                names = set(archive.namelist())
                is_ods = "content.xml" in names and _is_spreadsheet(archive)
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
            raise UnreadableDocument(f"a damaged zip archive ({error})") from error
        if "xl/workbook.xml" not in names and not is_ods:
            raise UnreadableDocument(_describe_archive(names))
        if unpacked > MAX_UNPACKED_BYTES:
            raise UnreadableDocument(
                f"a workbook that unpacks to {unpacked:,} bytes (at most {MAX_UNPACKED_BYTES:,} are read)"
            )
        return True

    @cached_property
    def text(self) -> str:
        """The text, without byte-order mark, with line feeds as line ends.

        Raises:
            UnreadableDocument: Empty, too large, binary, not UTF-8, or with a line too long to be text.
        """
        content = self.content
        if len(content) > MAX_BYTES:
            raise UnreadableDocument(f"{len(content):,} bytes (at most {MAX_BYTES:,} are read)")
        if b"\0" in content and find_encoding(content, self._charset).startswith("utf-8"):
            raise UnreadableDocument(f"binary data (a zero byte at offset {content.index(0):,})")
        try:
            text = decode_text(content, self._charset)
        except UndecodableText as error:
            raise UnreadableDocument(str(error)) from error
        if not text.strip():
            raise UnreadableDocument("an empty file")
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        for number, line in enumerate(text.split("\n"), 1):
            if len(line) > MAX_LINE_CHARACTERS:
                raise UnreadableDocument(
                    f"line {number} has {len(line):,} characters (at most {MAX_LINE_CHARACTERS:,} are read)"
                )
        return text

    @cached_property
    def lines(self) -> list[str]:
        """The lines of the text, each without its end."""
        return self.text.split("\n")

    @property
    def html_title(self) -> str | None:
        """Title of an HTML page (``(no title)`` if it has none); None for other documents."""
        if not re.match(r"<!doctype html|<html|<head|<\?xml[^>]*>\s*<!doctype html", self.head.lower()):
            return None
        head = self.data[:65536].decode("utf-8", "ignore")
        title = re.search(r"<title[^>]*>(.*?)</title>", head, re.DOTALL | re.IGNORECASE)
        return " ".join(title.group(1).split())[:80] if title else "(no title)"

    @property
    def xml_root(self) -> str | None:
        """Name of the root element of an XML document, with its prefix: ``rss``, ``rdf:RDF``; None for others."""
        root = _XML_ROOT.match(self.head)
        return root[1] if root and self.html_title is None else None

    @property
    def is_markup(self) -> bool:
        """Whether it begins like HTML, XML or JSON, so is neither a workbook nor plain text."""
        return self.html_title is not None or self.xml_root is not None or bool(_JSON_START.match(self.head))

    @cached_property
    def description(self) -> str:
        """What the document is, for messages: ``an XLSX workbook``, ``an HTML page titled …``."""
        if self.is_workbook:
            return "a workbook"
        if (title := self.html_title) is not None:
            return f"an HTML page titled “{title}”" + (", perhaps a sign-in page" if self._has_sign_in_form else "")
        if self.xml_root is not None:
            return f"an XML document of <{self.xml_root}>"
        if len(self.json_lines) > 1:
            return f"{len(self.json_lines):,} lines of JSON"
        if isinstance(self.json, dict):
            return f"a JSON object with {', '.join(list(self.json)[:6]) or 'nothing in it'}"[:120]
        if isinstance(self.json, list):
            return f"a JSON list of {len(self.json):,}"
        filled = sum(1 for line in self.lines if line.strip())
        opening = next(line.strip() for line in self.lines if line.strip())[:60]
        return f"a text of {filled:,} lines that begins “{opening}”"

    @property
    def _has_sign_in_form(self) -> bool:
        return (
            re.search(rb"""<input[^<>]*\btype\s*=\s*["']?password|<form[^<>]*\baccounts\.google\.com""", self.data)
            is not None
        )

    @cached_property
    def tabs(self) -> list[Tab]:
        """The tables of the document without blank rows: one for CSV and TSV, one per tab for a workbook.

        Raises:
            UnreadableDocument: A damaged workbook, or a text in which too many cells cannot be separated.
        """
        tabs = self._read_workbook() if self.is_workbook else [Tab("", self._read_delimited())]
        return [
            tab._replace(rows=[row for row in tab.rows if row.fault or any(map(str.strip, row.cells))]) for tab in tabs
        ]

    def _read_delimited(self) -> list[Row]:
        try:
            return read_delimited(self.lines)
        except TooManyDamagedRows as error:
            raise UnreadableDocument(str(error)) from error

    def _read_workbook(self) -> list[Tab]:
        from orchestration.sources.shared.workbook import read_tabs

        try:
            return read_tabs(self.content)
        except MemoryError:
            raise
        except Exception as error:  # the libraries raise various exceptions for a damaged workbook
            raise UnreadableDocument(f"a workbook that cannot be read ({error})") from error


def _is_spreadsheet(archive: zipfile.ZipFile) -> bool:
    """Whether an archive with a ``content.xml`` is an OpenDocument spreadsheet."""
    try:
        return archive.read("mimetype").strip() == b"application/vnd.oasis.opendocument.spreadsheet"
    except KeyError:
        return False


def _describe_archive(names: set[str]) -> str:
    """What a zip archive is that is no XLSX workbook, with the remedy if there is one."""
    if "xl/workbook.bin" in names:
        return "a binary workbook (.xlsb); save it as XLSX or CSV"
    if {"content.xml", "mimetype"} <= names:
        return "an OpenDocument file that is no spreadsheet; save its table as ODS, XLSX or CSV"
    if any(name.startswith("word/") for name in names):
        return "a Word document; copy its table to a spreadsheet and save that as XLSX or CSV"
    return "a zip archive that is not an XLSX workbook; unpack it, and add the files in it"


def _convert_utf16(data: bytes) -> bytes:
    """The text as UTF-8 if it is UTF-16 (byte-order mark, or ``<`` in UTF-16) or declares UTF-16; others unchanged.

    Raises:
        UnreadableDocument: It begins as UTF-16 but is not valid UTF-16, since it was cut or damaged.
    """
    codecs = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"<\0": "utf-16-le", b"\0<": "utf-16-be"}
    if codec := codecs.get(data[:2]):
        try:
            data = data.decode(codec).encode()
        except UnicodeError as error:
            raise UnreadableDocument(f"not valid UTF-16 ({error}); save the file as UTF-8") from error
    # XML parsers trust the declaration, which may be wrong since the text was stored again in another encoding
    return _UTF16_DECLARATION.sub(rb"\1utf-8", data, count=1)


def parse_json(data: bytes) -> Any:
    """The value of a JSON text, without characters that no table can hold (lone surrogates, U+0000).

    ``NaN``, ``Infinity`` and a number of thousands of digits become floats that are not finite, so that they cost their
    own field only.

    Raises:
        UnreadableDocument: Not JSON, not UTF-8, or nested too deeply.
    """
    try:
        text = data.decode("utf-8-sig")
        try:
            value = json.loads(text)
        except ValueError as error:
            if isinstance(error, json.JSONDecodeError):
                raise
            value = json.loads(text, parse_int=_parse_long_integer)
        return _replace_invalid_characters(value) if _INVALID_ESCAPE.search(data) else value
    except UnicodeDecodeError as error:
        raise UnreadableDocument(
            f"JSON that is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start:,}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise UnreadableDocument(f"not valid JSON ({error or 'nested too deeply'})") from error


def _parse_long_integer(digits: str) -> int | float:
    """The whole number; infinity for one with more digits than Python converts, whose limit is 4,300."""
    return int(digits) if len(digits) <= _MAX_DIGITS else math.copysign(math.inf, -1 if digits[0] == "-" else 1)


def _replace_invalid_characters(value: Any) -> Any:
    """The value with U+FFFD for each lone surrogate and zero character in its texts."""
    if isinstance(value, str):
        return _INVALID_CHARACTER.sub("\ufffd", value)
    if isinstance(value, list):
        return [_replace_invalid_characters(entry) for entry in value]
    return (
        {_replace_invalid_characters(key): _replace_invalid_characters(entry) for key, entry in value.items()}
        if isinstance(value, dict)
        else value
    )
