"""Rows of CSV and TSV texts; a row with a misplaced quote costs at most itself."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice

from orchestration.sources.shared.rows import Row

MAX_CELL_CHARACTERS = 200_000
_MAX_DAMAGED_ROWS = 500  # each is looked at again, so many of them would take long
_MAX_LINES_OF_ROW = 50  # of a row with a misplaced quote
_DELIMITERS = "\t,;"


class TooManyDamagedRows(ValueError):
    """Too many rows have misplaced quotes for the text to be a table."""


def read_delimited(lines: list[str]) -> list[Row]:
    """The rows of a table in lines of text, without their ends; the delimiter is the most frequent one.

    Raises:
        TooManyDamagedRows: So many rows have misplaced quotes that it is hardly such a table.
    """
    head = "\n".join(lines[:20])
    delimiter = max(_DELIMITERS, key=head.count)
    csv.field_size_limit(MAX_CELL_CHARACTERS)
    rows: list[Row] = []
    width = damaged_rows = index = 0
    while index < len(lines):
        try:
            for cells, line_count in _read_strictly(lines, index, delimiter):
                rows.append(Row(len(rows) + 1, cells))
                index += line_count
                width = width or len(cells)
            break
        except csv.Error as error:
            damaged_rows += 1
            if damaged_rows > _MAX_DAMAGED_ROWS:
                raise TooManyDamagedRows(
                    f"over {_MAX_DAMAGED_ROWS} rows with misplaced quotes, the last in line {index + 1} ({error})"
                ) from error
            cells, end = _read_leniently(lines, index, delimiter, width)
            fault = "" if cells else f"line {index + 1}: a misplaced quote, so that its cells cannot be separated"
            cells = cells or ["\n".join(lines[index:end])[:MAX_CELL_CHARACTERS]]
            rows.append(Row(len(rows) + 1, cells, fault=fault))
            index = end
    return rows


def _read_strictly(lines: list[str], start: int, delimiter: str) -> Iterator[tuple[list[str], int]]:
    """The cells of each row from a line on, and the number of its lines.

    Raises:
        csv.Error: A quote is misplaced, or a cell is too long.
    """
    reader = csv.reader((f"{line}\n" for line in islice(lines, start, None)), delimiter=delimiter, strict=True)
    lines_before = 0
    for cells in reader:
        yield cells, reader.line_num - lines_before
        lines_before = reader.line_num


def _read_leniently(lines: list[str], start: int, delimiter: str, width: int) -> tuple[list[str], int]:
    """The cells of a row with a misplaced quote, and the index of the line after it.

    There are no cells if they are not as many as in the first row, however many lines belong to the row.
    """
    for end in range(start + 1, min(start + _MAX_LINES_OF_ROW, len(lines)) + 1):
        text = "\n".join(lines[start:end])
        cells = _split_leniently(text, delimiter)
        is_whole = end == start + 1 or text.count('"') % 2 == 0
        if cells and is_whole and len(cells) == (width or len(cells)) and max(map(len, cells)) <= MAX_CELL_CHARACTERS:
            return cells, end
        if len(text) > MAX_CELL_CHARACTERS:
            break
    return [], _find_next_row(lines, start + 1, delimiter, width)


def _split_leniently(text: str, delimiter: str) -> list[str]:
    """The cells of a row, none if it is several; a quote that does not enclose a whole cell is part of its text."""
    mark = re.escape(delimiter)
    cells = list(re.finditer(rf'(?:"((?:[^"]|"")*)"|([^{mark}]*))(?:{mark}|\Z)', text))
    if any("\n" in match[2] and not match[2].startswith('"') for match in cells if match[1] is None):
        return []  # a line ends within a cell without quotes: these are several rows
    texts = [match[2] if match[1] is None else match[1].replace('""', '"') for match in cells]
    # after a last delimiter there is one empty cell, and after a last cell one match that is none
    return texts if text.endswith(delimiter) else texts[:-1] or [""]


def _find_next_row(lines: list[str], start: int, delimiter: str, width: int) -> int:
    """The index of the next line that is a row by itself, with as many cells as the others."""
    for index in range(start, len(lines)):
        try:
            cells = next(csv.reader(io.StringIO(lines[index]), delimiter=delimiter, strict=True), [])
        except csv.Error:
            continue
        if len(cells) == width and any(cells):
            return index
    return len(lines)
