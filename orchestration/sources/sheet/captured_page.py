"""Rows of a captured page of the lab sheet: splits the lines of the page by their row numbers.

The page has each row number on a line of its own, then the row's text: company, title, date, link, category and
abstract without a separator. Line breaks are only around cells that were wrapped on the screen.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import NamedTuple

from orchestration.sources.sheet.glued_text import (
    DATE,
    DATED_LINK,
    GLUED_CELL,
    GLUED_OR_WRAPPED_CELL,
    compile_row_date,
    compile_row_start,
    get_known_labs,
    is_header,
    match_any,
)

_MIN_COMPLETE_ROWS = 3  # of a page without its header


class CapturedRow(NamedTuple):
    """One row of the page.

    Args:
        number: Its row number in the sheet, or that of the row before it where its own cannot be read.
        text: Its glued text, with the page's line breaks.
        fault: Why it cannot be separated from the rows around it, if so.
        is_numbered: Whether ``number`` is its own.
    """

    number: int
    text: str
    fault: str = ""
    is_numbered: bool = True


class _NumberLine(NamedTuple):
    """A line of digits that may be a row number; ``is_blank`` if the row below it has no text."""

    line_index: int
    number: int
    is_blank: bool


class _UnnumberedRow(NamedTuple):
    """A row without a readable number, by offsets into its section.

    Args:
        start: Where it begins, with the remains of its number; the text of the row before it ends here.
        text_start: Where its text begins.
        number_remains: What is left of its number, in quotes; empty if nothing is.
    """

    start: int
    text_start: int
    number_remains: str


def split_rows(lines: list[str]) -> list[CapturedRow]:
    """The rows of a captured page, without its header and blank rows; none if the lines are not such a page.

    A line of digits is a row number if the text up to the next line of digits looks like a row or is blank, and if the
    number is in order with the others; otherwise (a year alone on a line of an abstract) it is part of the text. A row
    found within the text of another one, because its number is damaged or missing, is returned with a fault.
    """
    number_lines = _select_in_order(_find_number_lines(lines))
    if not number_lines:
        return []
    # before the first number there is no row, except one whose number is damaged
    starts = [(0, -1), *((line.number, line.line_index) for line in number_lines)]
    ends = [*(line.line_index for line in number_lines), len(lines)]
    rows: list[CapturedRow] = []
    has_header = False
    for position, ((number, start), end) in enumerate(zip(starts, ends, strict=True)):
        next_number = starts[position + 1][0] if position + 1 < len(starts) else None
        own_row, *faulty_rows = _split_section(number, "\n".join(lines[start + 1 : end]), next_number)
        is_first_header = not has_header and all(row.fault for row in rows) and is_header(own_row.text)
        has_header = has_header or is_first_header
        if own_row.text.strip() and start >= 0 and not is_first_header:
            rows.append(own_row)
        rows += faulty_rows
    complete_rows = sum(1 for row in rows if not row.fault and DATED_LINK.search(row.text))
    return rows if has_header or complete_rows >= _MIN_COMPLETE_ROWS else []


def _find_number_lines(lines: list[str]) -> list[_NumberLine]:
    """The lines of digits that may be row numbers, judged by the text below them."""
    indexes = [index for index, line in enumerate(lines) if re.fullmatch(r"[0-9]{1,7}", line.strip())]
    number_lines: list[_NumberLine] = []
    for index, next_index in zip(indexes, [*indexes[1:], len(lines)][: len(indexes)], strict=True):
        number, text = int(lines[index]), "\n".join(lines[index + 1 : next_index])
        is_blank = not text.strip() and (next_index == len(lines) or int(lines[next_index]) > number)
        is_row = text.lstrip().startswith(tuple(get_known_labs())) or DATED_LINK.search(text) is not None
        if number and (is_blank or is_row or is_header(text)):
            number_lines.append(_NumberLine(index, number, is_blank))
    return number_lines


def _select_in_order(number_lines: list[_NumberLine]) -> list[_NumberLine]:
    """The lines whose numbers rise: as many rows with text as possible, so that a wrong number costs no other row.

    Blank rows are added only where they fit: a list of numbers in an abstract looks like blank rows.
    """
    filled = [line for line in number_lines if not line.is_blank]
    numbers = [line.number for line in filled]
    positions = _resolve_repeated_numbers(numbers, _find_longest_rising(numbers))
    selected_indexes = {filled[position].line_index for position in positions}
    next_number = 10**9
    upper_limits: dict[int, int] = {}  # by line index: the next number of a row with text, which a blank row is below
    for line in reversed(number_lines):
        if line.line_index in selected_indexes:
            next_number = line.number
        upper_limits[line.line_index] = next_number
    selected: list[_NumberLine] = []
    for line in number_lines:
        is_above_last = not selected or line.number > selected[-1].number
        is_fitting_blank = line.is_blank and is_above_last and line.number < upper_limits[line.line_index]
        if line.line_index in selected_indexes or is_fitting_blank:
            selected.append(line)
    return selected


def _find_longest_rising(numbers: list[int]) -> list[int]:
    """Positions of a longest strictly rising subsequence, by patience sorting."""
    tails: list[int] = []  # for each length, the position of the smallest number that ends a subsequence of that length
    predecessors: dict[int, int | None] = {}
    for position, number in enumerate(numbers):
        length = bisect_left(tails, number, key=lambda tail: numbers[tail])
        if length < len(tails) and numbers[tails[length]] == number:
            continue
        predecessors[position] = tails[length - 1] if length else None
        tails[length : length + 1] = [position]
    rising: list[int] = []
    last: int | None = tails[-1] if tails else None
    while last is not None:
        rising.append(last)
        last = predecessors[last]
    return rising[::-1]


def _resolve_repeated_numbers(numbers: list[int], rising: list[int]) -> list[int]:
    """The rising positions; of two rows with one number, the one that leaves no gap, since the other's is damaged."""
    resolved = list(rising)
    for index, position in enumerate(rising[:-1]):
        number, next_position = numbers[position], rising[index + 1]
        repetition = next((other for other in range(position + 1, next_position) if numbers[other] == number), 0)
        has_gap_before = number > (numbers[rising[index - 1]] if index else 0) + 1
        if repetition and has_gap_before and numbers[next_position] == number + 1:
            resolved[index] = repetition
    return resolved


def _split_section(number: int, text: str, next_number: int | None) -> list[CapturedRow]:
    """The row of a number, and any rows without a number that follow it in the same section.

    Args:
        number: The row number above the section; 0 for the section before the first one.
        text: The lines up to the next row number.
        next_number: The next row number, if there is one.
    """
    unnumbered_rows = _find_unnumbered_rows(text, has_own_row=number > 0 and not is_header(text))
    if unnumbered_rows is None:
        return [CapturedRow(number, text, "another row runs into it, and where that one begins is unclear")]
    ends = [*(row.start for row in unnumbered_rows), len(text)]
    expected = _describe_expected_number(number, next_number)
    return [
        CapturedRow(number, text[: ends[0]]),
        *(
            CapturedRow(
                number,
                text[row.text_start : end],
                f"{expected}, got {row.number_remains or 'no number'}",
                is_numbered=False,
            )
            for row, end in zip(unnumbered_rows, ends[1:], strict=True)
        ),
    ]


def _find_unnumbered_rows(text: str, *, has_own_row: bool) -> list[_UnnumberedRow] | None:
    """The rows of a section besides its own; None if there is one whose beginning cannot be found."""
    own_start = len(text) - len(text.lstrip()) if has_own_row else -1
    labs = [
        lab
        for lab in compile_row_start().finditer(text)
        if lab.start("lab") > own_start and GLUED_OR_WRAPPED_CELL.match(text, lab.end("lab"))
    ]
    glued_labs = [lab for lab in labs if GLUED_CELL.match(text, lab.end("lab"))]
    # an abstract that quotes a link with its date has a space between them
    dates = [date.start() for date in compile_row_date().finditer(text) if text[date.end("year")] not in " \t"]
    # a row without a readable date still shows by the remains of its number
    rows = {row.text_start: row for lab in glued_labs if (row := _read_row_start(text, lab)).number_remains}
    for position, date in enumerate(dates):
        previous_date = dates[position - 1] if position else 0
        is_own_date = has_own_row and position == 0
        lab = _find_last_between(glued_labs if is_own_date else labs, previous_date, date)
        if lab:
            row = _read_row_start(text, lab)
            rows[row.text_start] = row
        elif not is_own_date:
            if row := _find_row_of_unknown_lab(text, previous_date, date):
                rows[row.text_start] = row
            elif _is_date_of_another_row(text, previous_date, date):
                return None
    return sorted(rows.values())


def _find_last_between(labs: list[re.Match[str]], start: int, end: int) -> re.Match[str] | None:
    """The last of the labs that begins from ``start`` on and before ``end``."""
    index = bisect_left(labs, end, key=lambda lab: lab.start()) - 1
    return labs[index] if index >= 0 and labs[index].start() >= start else None


def _read_row_start(text: str, lab: re.Match[str]) -> _UnnumberedRow:
    """The row that begins with a lab; the remains of its number are before the lab or on the line above."""
    if remains := lab["number"].strip():
        return _UnnumberedRow(lab.start(), lab.start("lab"), f"“{remains}”")
    window_start = max(0, lab.start() - 100)
    text_above = text[window_start : lab.start()].rstrip()
    line_above = text_above.rpartition("\n")[2]
    if _is_damaged_number(line_above):
        line_start = window_start + len(text_above) - len(line_above)
        return _UnnumberedRow(line_start, lab.start("lab"), f"“{line_above.strip()}”")
    return _UnnumberedRow(lab.start(), lab.start("lab"), "")


def _is_damaged_number(line: str) -> bool:
    """Whether a line may be the remains of a row number, such as ``1x4``, ``l4`` or ``??``, rather than a word."""
    line = line.strip()
    letters = len(re.findall(r"[^\W\d_]", line))
    return len(line) <= 8 and letters <= 2 and re.fullmatch(r"\W+|\S*\d\S*|[\d\W]+|[lIOo]+", line) is not None


def _find_row_of_unknown_lab(text: str, previous_date: int, date: int) -> _UnnumberedRow | None:
    """The row of a date that names no known lab: it begins below the remains of its number."""
    lines = list(re.finditer(r"[^\n]+", text[previous_date:date]))
    for line in reversed(lines[1:]):  # the first line is that of the previous date
        if _is_damaged_number(line[0]) and re.search(r"\d|\ufffd", line[0]):
            start, end = previous_date + line.start(), previous_date + line.end()
            return _UnnumberedRow(start, end + 1, f"“{line[0].strip()}”")
    return None


def _is_date_of_another_row(text: str, previous_date: int, date: int) -> bool:
    """Whether a further date belongs to another row, rather than to an abstract that quotes a dated link."""
    if re.compile(rf"(?<=\S){DATE}https?://").match(text, date):
        return True
    return re.search(rf"(?:{match_any(get_known_labs())}){GLUED_CELL.pattern}", text[previous_date:date]) is not None


def _describe_expected_number(number: int, next_number: int | None) -> str:
    """Which row numbers fit between two others, for a message."""
    if next_number is None or next_number <= number + 1:
        return f"a row after row {number} expected"
    if next_number == number + 2:
        return f"row {number + 1} expected"
    return f"row {number + 1} to {next_number - 1} expected"
