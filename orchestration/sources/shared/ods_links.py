"""The addresses behind the cells of an OpenDocument spreadsheet."""

from __future__ import annotations

import re
import zipfile
from typing import TYPE_CHECKING

from orchestration.sources.shared.rows import Row
from orchestration.sources.shared.xml import get_local_name, iterate_elements

if TYPE_CHECKING:
    from lxml.etree import _Element

CONTENT = "content.xml"
_FORMULA = re.compile(r'=\s*HYPERLINK\(\s*"((?:[^"]|"")*)"', re.IGNORECASE)
_MAX_REPEATED = 1000  # rows and columns beyond the data are one element that is repeated a million times


def add_ods_links(archive: zipfile.ZipFile, tables: dict[str, tuple[list[Row], int]]) -> dict[str, list[Row]]:
    """The rows of each sheet with the addresses behind their cells.

    Args:
        archive: The file.
        tables: The rows of each sheet by its name, and the column of their first cell.
    """
    linked = {name: rows for name, (rows, _) in tables.items()}
    with archive.open(CONTENT) as file:
        for sheet in iterate_elements(file, "table"):
            name = _get_attribute(sheet, "name")
            if name in tables:
                rows, first_column = tables[name]
                links = _find_links(sheet, first_column)
                linked[name] = [row._replace(links=links[row.number]) if row.number in links else row for row in rows]
    return linked


def _find_links(sheet: _Element, first_column: int) -> dict[int, dict[int, str]]:
    """The address behind each cell that has one, by the number of its row and the index of the cell."""
    links: dict[int, dict[int, str]] = {}
    number = 1
    for row in sheet.iter("{*}table-row"):
        column = 0
        for cell in row:
            if get_local_name(cell) not in {"table-cell", "covered-table-cell"}:
                continue
            if address := _find_address(cell):
                links.setdefault(number, {})[column - first_column] = address
            column += _count_repeats(cell, "number-columns-repeated")
        number += _count_repeats(row, "number-rows-repeated")
    return links


def _find_address(cell: _Element) -> str:
    for link in cell.iter("{*}a"):
        if address := _get_attribute(link, "href"):
            return address
    formula = _FORMULA.search(_get_attribute(cell, "formula"))
    return formula[1].replace('""', '"') if formula else ""


def _count_repeats(element: _Element, attribute: str) -> int:
    text = _get_attribute(element, attribute)
    return min(int(text), _MAX_REPEATED) if text.isdecimal() else 1


def _get_attribute(element: _Element, name: str) -> str:
    return next((str(value) for key, value in element.attrib.items() if str(key).rpartition("}")[2] == name), "")
