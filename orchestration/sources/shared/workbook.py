"""Tabs of a workbook (XLSX, ODS): the texts of cells, and the addresses behind them (hyperlinks and formulae)."""

from __future__ import annotations

import datetime as dt
import io
import posixpath
import re
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from orchestration.sources.shared.ods_links import CONTENT, add_ods_links
from orchestration.sources.shared.rows import Row, Tab
from orchestration.sources.shared.xml import get_local_name, iterate_elements, parse_xml

if TYPE_CHECKING:
    from lxml.etree import _Element
    from python_calamine import CalamineWorkbook

_CHUNK_BYTES = 2**20
_REFERENCE = re.compile(r"(\$?)([A-Z]{1,3})(\$?)([1-9]\d{0,6})")
_PART = r'"(?:[^"]|"")*"|\$?[A-Z]{1,3}\$?[1-9]\d{0,6}'
_HYPERLINK_FORMULA = re.compile(rf"\s*HYPERLINK\(\s*((?:{_PART})(?:\s*&\s*(?:{_PART}))*)\s*[,;)]", re.IGNORECASE)
_HYPERLINK_CALL = re.compile(r"\bHYPERLINK\s*\(", re.IGNORECASE)


class _Position(NamedTuple):
    """A cell by row and column, both from 0."""

    row: int
    column: int


def read_tabs(content: bytes) -> list[Tab]:
    """All tabs of a workbook in order, with their blank rows."""
    import python_calamine

    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
    tabs: list[Tab] = []
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if CONTENT in archive.namelist():
            return _read_ods(book, archive)
        parts = _find_sheet_parts(archive)
        for index, metadata in enumerate(book.sheets_metadata):
            if metadata.typ != python_calamine.SheetTypeEnum.WorkSheet:
                tabs.append(Tab(metadata.name, [], "chart"))
                continue
            rows, first_column = _read_rows(book, index)
            if part := parts.get(metadata.name):
                rows = _add_links(archive, part, rows, first_column)
            is_visible = metadata.visible == python_calamine.SheetVisibleEnum.Visible
            tabs.append(Tab(metadata.name, rows, "table" if is_visible else "hidden"))
    return tabs


def _read_ods(book: CalamineWorkbook, archive: zipfile.ZipFile) -> list[Tab]:
    """All tabs of an OpenDocument spreadsheet."""
    import python_calamine

    tables = {metadata.name: _read_rows(book, index) for index, metadata in enumerate(book.sheets_metadata)}
    linked = add_ods_links(archive, tables)
    visible = python_calamine.SheetVisibleEnum.Visible
    kinds = {metadata.name: "table" if metadata.visible == visible else "hidden" for metadata in book.sheets_metadata}
    return [Tab(name, rows, kinds[name]) for name, rows in linked.items()]


def _read_rows(book: CalamineWorkbook, index: int) -> tuple[list[Row], int]:
    """The rows of a sheet from its first row on, and the column of their first cell."""
    sheet = book.get_sheet_by_index(index)
    first_column = (sheet.start or (0, 0))[1]
    rows = [Row(number, [_format_cell(value) for value in row]) for number, row in enumerate(sheet.iter_rows(), 1)]
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or []:
        column = left - first_column
        # one cell over several rows holds for each of them; one over several columns is a heading
        if left == right and 0 <= top < len(rows) and 0 <= column < len(rows[top].cells):
            for row in rows[top + 1 : bottom + 1]:
                row.cells[column] = row.cells[column] or rows[top].cells[column]
    return rows, first_column


def _find_sheet_parts(archive: zipfile.ZipFile) -> dict[str, str]:
    """The path within the archive of each sheet, by its name."""
    targets = _read_relations(archive, "xl/workbook.xml")
    return {
        sheet.get("name", ""): targets[identity]
        for sheet in parse_xml(archive.read("xl/workbook.xml")).iter("{*}sheet")
        if (identity := _get_relation(sheet)) in targets
    }


def _read_relations(archive: zipfile.ZipFile, part: str) -> dict[str, str]:
    """The targets of a part's relations by their identity; those within the archive as paths."""
    folder, name = posixpath.split(part)
    path = f"{folder}/_rels/{name}.rels"
    if path not in archive.namelist():
        return {}
    return {
        relation.get("Id", ""): target
        if relation.get("TargetMode") == "External"
        else posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
        for relation in parse_xml(archive.read(path)).iter("{*}Relationship")
        if (target := relation.get("Target"))
    }


def _get_relation(element: _Element) -> str:
    return next((value for name, value in element.attrib.items() if str(name).endswith("}id")), "")


def _add_links(archive: zipfile.ZipFile, part: str, rows: list[Row], first_column: int) -> list[Row]:
    """The rows with the addresses behind their cells."""
    has_formulae, has_hyperlinks = _has_text(archive, part, b"hyperlink("), _has_text(archive, part, b"hyperlink ")
    if not (has_formulae or has_hyperlinks):
        return rows
    texts = {
        _Position(row.number - 1, first_column + column): cell
        for row in (rows if has_formulae else [])
        for column, cell in enumerate(row.cells)
    }
    links: dict[int, dict[int, str]] = {}
    for position, address in _iterate_links(archive, part, texts, is_walking_cells=has_formulae):
        links.setdefault(position.row, {})[position.column - first_column] = address
    return [row._replace(links=links[row.number - 1]) if row.number - 1 in links else row for row in rows]


def _has_text(archive: zipfile.ZipFile, part: str, text: bytes) -> bool:
    """Whether a part holds a text, in any case."""
    rest = b""
    with archive.open(part) as file:
        while chunk := file.read(_CHUNK_BYTES):
            chunk = rest + chunk.lower()
            if text in chunk:
                return True
            rest = chunk[-len(text) :]
    return False


def _iterate_links(
    archive: zipfile.ZipFile, part: str, texts: dict[_Position, str], *, is_walking_cells: bool
) -> Iterator[tuple[_Position, str]]:
    """The position and address of each cell with an address behind it; a hyperlink comes after a formula."""
    targets = _read_relations(archive, part)
    shared: dict[str, tuple[_Position, str]] = {}  # formulae that other cells repeat, with their own position
    with archive.open(part) as file:
        for element in iterate_elements(file, "row", "hyperlink"):
            if get_local_name(element) == "hyperlink":
                address = targets.get(_get_relation(element), "")
                first, _, last = element.get("ref", "").partition(":")
                if address and (start := _parse_reference(first)):
                    end = _parse_reference(last) or start
                    for row in range(start.row, min(end.row, start.row + 1000) + 1):
                        yield _Position(row, start.column), address
            elif is_walking_cells:
                for cell in element.iterchildren("{*}c"):
                    formula = cell.find("{*}f")
                    position = _parse_reference(cell.get("r", ""))
                    if formula is None or position is None:
                        continue
                    origin, text = position, formula.text or ""
                    if index := formula.get("si"):
                        origin, text = shared.setdefault(index, (position, text))
                    if _HYPERLINK_CALL.search(text):
                        yield position, _evaluate(text, origin, position, texts)


def _evaluate(formula: str, origin: _Position, position: _Position, texts: dict[_Position, str]) -> str:
    """The address of a HYPERLINK formula; the formula itself if it has more than texts and cells of its sheet.

    Args:
        formula: The formula.
        origin: The cell for which it is written.
        position: The cell that repeats it, whose references are moved accordingly.
        texts: The texts of the sheet's cells.
    """
    call = _HYPERLINK_FORMULA.match(formula)
    if call is None:
        return f"={formula}"
    address = ""
    for part in re.findall(_PART, call[1], re.IGNORECASE):
        if part.startswith('"'):
            address += part[1:-1].replace('""', '"')
        elif (target := _parse_reference(part.upper())) and (reference := _REFERENCE.fullmatch(part.upper())):
            row = target.row if reference[3] else target.row + position.row - origin.row
            column = target.column if reference[1] else target.column + position.column - origin.column
            address += texts.get(_Position(row, column), "")
    return address


def _parse_reference(text: str) -> _Position | None:
    """The position of a reference such as ``D2``."""
    reference = _REFERENCE.fullmatch(text)
    if reference is None:
        return None
    column = 0
    for letter in reference[2]:
        column = column * 26 + ord(letter) - ord("A") + 1
    return _Position(int(reference[4]) - 1, column - 1)


def _format_cell(value: object) -> str:
    """The text that a CSV export has for a workbook's value; dates in ISO form."""
    if isinstance(value, dt.datetime) and value.time() == dt.time():
        return value.date().isoformat()
    if isinstance(value, (dt.date, dt.datetime)):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
