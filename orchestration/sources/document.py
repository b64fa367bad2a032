"""A document: bytes from outside, and the safe ways to look into them.

Decoding, HTML and binary detection and the reading of CSV, TSV and XLSX cells are here once, for every
source. Anything that cannot be read raises `Unreadable` with a sentence for the person who added it.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import zipfile
from functools import cached_property
from typing import NamedTuple

MAX_BYTES = 64 * 2**20
MAX_LINE = 1_000_000
MAX_UNPACKED = 256 * 2**20
MAX_CELL = 200_000


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
        head = self.text[:4096].lstrip().lower()
        if not re.match(r"<!doctype html|<html|<head|<\?xml[^>]*>\s*<!doctype html", head):
            return None
        title = re.search(r"<title[^>]*>(.*?)</title>", self.text[:65536], re.DOTALL | re.IGNORECASE)
        return " ".join(title.group(1).split())[:80] if title else "(no title)"

    @cached_property
    def kind(self) -> str:
        """What the document is, for a person: ``an XLSX workbook``, ``an HTML page titled …``."""
        if self.is_workbook:
            return "an XLSX workbook"
        if (title := self.html_title) is not None:
            return f"an HTML page titled “{title}”, perhaps a sign-in page"
        filled = sum(1 for line in self.lines if line.strip())
        opening = next(line.strip() for line in self.lines if line.strip())[:60]
        return f"a text of {filled:,} lines that begins “{opening}”"

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


def _cell(value: object) -> str:
    """A workbook's value as the text a CSV export would hold; dates in ISO form."""
    if isinstance(value, dt.datetime) and value.time() == dt.time():
        return value.date().isoformat()
    if isinstance(value, (dt.date, dt.datetime)):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
