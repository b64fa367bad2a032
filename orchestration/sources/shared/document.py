"""A document: bytes from outside, and the safe ways to look into them.

Decoding, HTML and binary detection and the reading of CSV, TSV and XLSX cells are here once, for every
source. Anything that cannot be read raises `Unreadable` with a sentence for the person who added it.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
import zipfile
import zlib
from functools import cached_property
from typing import Any, NamedTuple

MAX_BYTES = 64 * 2**20
MAX_LINE = 1_000_000
MAX_UNPACKED = 256 * 2**20
MAX_CELL = 200_000
_JSON_OPENING = re.compile(r"\{\s*[\"}]|\[\s*(?:[{\]]|null\b)")
_MENDABLE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_UNHOLDABLE = re.compile("[\ud800-\udfff\x00]")
_SAYS_UTF16 = re.compile(
    rb"""\A((?:\xef\xbb\xbf)?\s*<\?xml\b[^>]{0,200}?\bencoding\s*=\s*["'])utf-?16(?:le|be)?(?=["'])""", re.IGNORECASE
)
_XML_ROOT = re.compile(
    r"(?:<\?[^>]*>\s*|<!--(?:[^-]|-(?!->))*-->\s*|<!DOCTYPE[^>\[]*(?:\[[^\]]*\])?[^>]*>\s*)*<([A-Za-z][\w:.-]*)"
)


class Unreadable(Exception):
    """The bytes are not a readable text or table; the sentence says what was found instead."""


class Row(NamedTuple):
    """One row of a table: its number in the file or sheet (the first is 1) and its cells."""

    number: int
    cells: list[str]


class Document:
    """Bytes with the name they came under.

    Args:
        content: The bytes, never changed.
        name: File name or URL, for messages only; it never decides what a document is.
        hints: What is known of the document from outside it, such as ``owner`` of a captured page.
    """

    def __init__(self, content: bytes, name: str, hints: dict[str, str] | None = None) -> None:
        self.content = content
        self.name = name
        self.hints = hints or {}

    @cached_property
    def data(self) -> bytes:
        """The bytes, unpacked if they are gzipped, and as UTF-8 if they are UTF-16 by their mark or first characters.

        Raises:
            Unreadable: Damaged, cut short, or unpacking to more than is read.
        """
        return _without_utf16(self._unpacked)

    @cached_property
    def _unpacked(self) -> bytes:
        if not self.content.startswith(b"\x1f\x8b"):
            return self.content
        unpacked, rest = b"", self.content
        try:
            while rest:  # gzip files may be several, one after the other
                unpacker = zlib.decompressobj(wbits=31)
                unpacked += unpacker.decompress(rest, MAX_UNPACKED - len(unpacked) + 1)
                if len(unpacked) > MAX_UNPACKED:
                    raise Unreadable(f"gzipped data that unpacks to over {MAX_UNPACKED:,} bytes, which are not read")
                if not unpacker.eof:
                    raise Unreadable("gzipped data that is cut short")
                rest = unpacker.unused_data
        except zlib.error as error:
            raise Unreadable(f"damaged gzipped data ({error})") from error
        return unpacked

    @cached_property
    def head(self) -> str:
        """The beginning, as text as far as it is one, without leading white space; for looking at only."""
        return self.data[:4096].decode("utf-8", "ignore").lstrip("\ufeff \t\r\n")

    @cached_property
    def json_lines(self) -> list[tuple[int, Any]]:
        """Number and value of each line of a JSON Lines document; nothing where its first line is no whole object.

        A line that is no JSON has its `Unreadable` as value, so that one damaged line costs only itself.
        """
        if not _JSON_OPENING.match(self.head) or self.head.startswith("["):
            return []
        values: list[tuple[int, Any]] = []
        for number, line in enumerate(self.data.splitlines(), 1):
            if line.strip():
                try:
                    values.append((number, strict_json(line)))
                except Unreadable as error:
                    if not values:
                        return []
                    values.append((number, error))
        return values

    @cached_property
    def json(self) -> Any:
        """The value of a JSON document; none for one that does not begin like an object or list, or of several lines.

        Raises:
            Unreadable: It begins like one and is not one: cut short, not UTF-8, or with NaN or Infinity.
        """
        if not _JSON_OPENING.match(self.head):
            return None
        if self.json_lines:
            return self.json_lines[0][1] if len(self.json_lines) == 1 else None
        return strict_json(self.data)

    @cached_property
    def is_workbook(self) -> bool:
        """Whether the bytes are a zip archive with the parts of an XLSX workbook."""
        if not self.content.startswith(b"PK\x03\x04"):
            return False
        try:
            with zipfile.ZipFile(io.BytesIO(self.content)) as archive:
                unpacked = sum(part.file_size for part in archive.infolist())
                names = set(archive.namelist())
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
            raise Unreadable(f"a damaged zip archive ({error})") from error
        if "xl/workbook.xml" not in names:
            raise Unreadable("a zip archive that is not an XLSX workbook")
        if unpacked > MAX_UNPACKED:
            raise Unreadable(f"a workbook that unpacks to {unpacked:,} bytes (at most {MAX_UNPACKED:,} are read)")
        return True

    @cached_property
    def text(self) -> str:
        """The text, without byte-order mark, with line feeds as line ends.

        Raises:
            Unreadable: Empty, too large, binary, not UTF-8, or with a line too long to be text.
        """
        content = self.content
        if len(content) > MAX_BYTES:
            raise Unreadable(f"{len(content):,} bytes (at most {MAX_BYTES:,} are read)")
        if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
            text = self._decoded("utf-16")
        else:
            if b"\0" in content:
                raise Unreadable(f"binary data (a zero byte at offset {content.index(0):,})")
            text = self._decoded("utf-8-sig")
        if not text.strip():
            raise Unreadable("an empty file")
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        for number, line in enumerate(text.split("\n"), 1):
            if len(line) > MAX_LINE:
                raise Unreadable(f"line {number} has {len(line):,} characters (at most {MAX_LINE:,} are read)")
        return text

    def _decoded(self, encoding: str) -> str:
        try:
            return self.content.decode(encoding)
        except UnicodeDecodeError as error:
            line = self.content.count(b"\n", 0, error.start) + 1
            raise Unreadable(
                f"not valid {encoding.removesuffix('-sig').upper()}: byte 0x{self.content[error.start]:02x} at offset"
                f" {error.start:,}, line {line}; save the file as UTF-8"
            ) from error

    @cached_property
    def lines(self) -> list[str]:
        """The lines of the text, each without its end."""
        return self.text.split("\n")

    @property
    def html_title(self) -> str | None:
        """Title of the page if the text is HTML (``(no title)`` where it has none), else nothing."""
        if not re.match(r"<!doctype html|<html|<head|<\?xml[^>]*>\s*<!doctype html", self.head.lower()):
            return None
        head = self.data[:65536].decode("utf-8", "ignore")
        title = re.search(r"<title[^>]*>(.*?)</title>", head, re.DOTALL | re.IGNORECASE)
        return " ".join(title.group(1).split())[:80] if title else "(no title)"

    @property
    def xml_root(self) -> str | None:
        """Name of the first element if the bytes are XML and no HTML page, with its prefix: ``rss``, ``rdf:RDF``."""
        root = _XML_ROOT.match(self.head)
        return root[1] if root and self.html_title is None else None

    @property
    def is_markup(self) -> bool:
        """Whether it begins like HTML, XML or JSON, and so is neither a workbook nor lines for people."""
        return self.html_title is not None or self.xml_root is not None or bool(_JSON_OPENING.match(self.head))

    @cached_property
    def kind(self) -> str:
        """What the document is, for a person: ``an XLSX workbook``, ``an HTML page titled …``."""
        if self.is_workbook:
            return "an XLSX workbook"
        if (title := self.html_title) is not None:
            return f"an HTML page titled “{title}”" + (", perhaps a sign-in page" if self._asks_to_sign_in else "")
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
    def _asks_to_sign_in(self) -> bool:
        return (
            re.search(rb"""<input[^>]*\btype\s*=\s*["']?password|<form[^>]*\baccounts\.google\.com""", self.data)
            is not None
        )

    @cached_property
    def sheets(self) -> list[list[Row]]:
        """The tables of the document: one for CSV and TSV, one per tab for a workbook; no blank rows.

        Raises:
            Unreadable: The cells cannot be told apart (an unclosed quote, a damaged workbook).
        """
        tables = self._workbook() if self.is_workbook else [self._delimited()]
        return [[row for row in table if any(cell.strip() for cell in row.cells)] for table in tables]

    def _delimited(self) -> list[Row]:
        head = "\n".join(self.lines[:20])
        delimiter = max("\t,;", key=head.count)
        csv.field_size_limit(MAX_CELL)
        reader = csv.reader(io.StringIO(self.text, newline=""), delimiter=delimiter, strict=True)
        rows: list[Row] = []
        try:
            for cells in reader:
                rows.append(Row(len(rows) + 1, cells))
        except csv.Error as error:
            raise Unreadable(
                f"table record {len(rows) + 1}, up to line {reader.line_num}: {error};"
                " probably a quote that is opened and never closed"
            ) from error
        return rows

    def _workbook(self) -> list[list[Row]]:
        import python_calamine

        try:
            book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(self.content))
            tabs = [book.get_sheet_by_index(index) for index in range(len(book.sheet_names))]
            return [
                [
                    Row(number, [_cell(value) for value in row])
                    for number, row in enumerate(tab.iter_rows(), (tab.start or (0, 0))[0] + 1)
                ]
                for tab in tabs
            ]
        except Exception as error:  # the library raises many kinds for a damaged workbook
            raise Unreadable(f"a workbook that cannot be read ({error})") from error


def _without_utf16(data: bytes) -> bytes:
    """The same text as UTF-8, where it is UTF-16 (with its mark, or beginning with ``<``) or only says so of itself.

    Raises:
        Unreadable: It begins as UTF-16 and is none as a whole, so that it was cut or damaged.
    """
    codecs = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"<\0": "utf-16-le", b"\0<": "utf-16-be"}
    if codec := codecs.get(data[:2]):
        try:
            data = data.decode(codec).encode()
        except UnicodeError as error:
            raise Unreadable(f"not valid UTF-16 ({error}); save the file as UTF-8") from error
    # readers of XML trust what it says of itself, and a text that was stored anew may still say that it is UTF-16
    return _SAYS_UTF16.sub(rb"\1utf-8", data, count=1)


def strict_json(data: bytes) -> Any:
    """The value of a JSON text.

    Raises:
        Unreadable: No JSON, not UTF-8, with NaN or Infinity (which JSON has not), or nested too deeply.
    """

    def refused(constant: str) -> Any:
        raise ValueError(f"{constant} is no JSON number")

    try:
        value = json.loads(data.decode("utf-8-sig"), parse_constant=refused)
        return _mended(value) if _MENDABLE.search(data) else value
    except UnicodeDecodeError as error:
        raise Unreadable(f"JSON that is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start:,}") from error
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"no whole JSON ({error or 'nested too deeply'})") from error


def _mended(value: Any) -> Any:
    """The value without lone surrogates and zero characters in its texts, which no table can hold."""
    if isinstance(value, str):
        return _UNHOLDABLE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_mended(entry) for entry in value]
    return {_mended(key): _mended(entry) for key, entry in value.items()} if isinstance(value, dict) else value


def _cell(value: object) -> str:
    """A workbook's value as the text a CSV export would hold; dates in ISO form."""
    if isinstance(value, dt.datetime) and value.time() == dt.time():
        return value.date().isoformat()
    if isinstance(value, (dt.date, dt.datetime)):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
