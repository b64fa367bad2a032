"""Guesses which column of a table is which: by known names in several languages, by similar names, and by content.

A guess changes nothing by itself: it is shown, and what is confirmed is stored with the document.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from orchestration.sources.shared.column_proposal import ColumnProposal
from orchestration.sources.shared.rows import Row
from orchestration.sources.sheet.cell_links import parse_links
from orchestration.sources.sheet.dates import parse_date
from orchestration.sources.sheet.glued_text import get_known_labs
from orchestration.sources.sheet.headers import INDISPENSABLE, match_columns, normalize_header, read_header_names
from orchestration.sources.source import DamagedDocument, collapse_spaces

SAMPLE_ROWS = 3
_ROWS_LOOKED_AT = 200
_MAX_HEADER_CHARACTERS = 60
_SIMILAR_NAME = 86.0  # of 100: one letter in seven may differ
_MIN_NAME_CHARACTERS = 4
_CONFIDENT_COLUMNS = 3
_BY_CONTENT = ("url", "date", "lab", "title")


class _Values(NamedTuple):
    """The filled cells of a column, and whether an address is behind each."""

    texts: list[str]
    has_link: list[bool]


def propose_columns(rows: Sequence[Row], header_index: int, left_out: Collection[str] = ()) -> ColumnProposal | None:
    """The columns that a table probably has; none unless one of them is a title or a link and there are two.

    Args:
        rows: The rows of the table.
        header_index: The row that is taken for its header.
        left_out: Columns that are not wanted.
    """
    header = rows[header_index]
    if not is_likely_header(header):
        return None
    values = [_collect_values(rows[header_index + 1 :], index) for index in range(len(header.cells))]
    try:
        named = match_columns(header, dict.fromkeys(left_out, ""))
    except DamagedDocument:
        return None
    columns = {name: index for name, index in named.items() if _fits(name, values[index])}
    basis = dict.fromkeys(columns, "name")
    is_doubted = len(columns) < len(named)
    _add_similar_names(header, values, columns, basis)
    _add_by_content(header, values, columns, basis)
    columns = {name: index for name, index in columns.items() if name not in left_out}
    basis = {name: why for name, why in basis.items() if name in columns}
    if len(columns) < 2 or not any(name in columns for name in INDISPENSABLE):
        return None
    return ColumnProposal(
        columns={name: collapse_spaces(header.cells[index]) for name, index in columns.items()},
        basis=basis,
        headers=list_headers(header),
        samples={name: _list_samples(rows[header_index + 1 :], index) for name, index in columns.items()},
        is_confident=not is_doubted
        and "title" in columns
        and len(columns) >= _CONFIDENT_COLUMNS
        and all(why == "name" for why in basis.values()),
    )


def is_likely_header(row: Row) -> bool:
    """Whether a row may be a header: several short names, each once, none of them a link or a date."""
    cells = [cell.strip() for cell in row.cells if cell.strip()]
    return (
        len(cells) >= 2
        and not row.fault
        and len({cell.casefold() for cell in cells}) == len(cells)
        and all(len(cell) <= _MAX_HEADER_CHARACTERS and not parse_links(cell).addresses for cell in cells)
        and not any(_is_date(cell) for cell in cells)
    )


def list_headers(row: Row) -> list[str]:
    """The headers of a header row."""
    return [collapse_spaces(cell) for cell in row.cells if cell.strip()]


def _collect_values(rows: Sequence[Row], index: int) -> _Values:
    texts, links = list[str](), list[bool]()
    for row in rows[:_ROWS_LOOKED_AT]:
        if index < len(row.cells) and (row.cells[index].strip() or (row.links or {}).get(index)):
            texts.append(collapse_spaces(row.cells[index]))
            links.append(bool((row.links or {}).get(index)) or bool(parse_links(row.cells[index]).addresses))
    return _Values(texts, links)


def _add_similar_names(row: Row, values: list[_Values], columns: dict[str, int], basis: dict[str, str]) -> None:
    """Add the columns whose names are nearly known ones, the most similar first."""
    from rapidfuzz import fuzz, process

    spellings = {
        spelling: name
        for is_usual in (False, True)
        for name, names in read_header_names(is_usual=is_usual).items()
        for spelling in names
        if len(spelling) >= _MIN_NAME_CHARACTERS
    }
    found = []
    for index, cell in enumerate(row.cells):
        header = normalize_header(cell)
        if index in columns.values() or len(header) < _MIN_NAME_CHARACTERS:
            continue
        if match := process.extractOne(header, sorted(spellings), scorer=fuzz.ratio, score_cutoff=_SIMILAR_NAME):
            found.append((-match[1], index, spellings[match[0]]))
    for _, index, name in sorted(found):
        if name not in columns and index not in columns.values() and _fits(name, values[index]):
            columns[name], basis[name] = index, "similar name"


def _add_by_content(row: Row, values: list[_Values], columns: dict[str, int], basis: dict[str, str]) -> None:
    """Add the columns that are still missing by what is in them; a column with few filled cells shows nothing."""
    for name in _BY_CONTENT:
        if name in columns:
            continue
        free = [index for index, cell in enumerate(row.cells) if cell.strip() and index not in columns.values()]
        found = [(_RATES[name](values[index]), -index) for index in free if values[index].texts]
        rate, index = max(found, default=(0.0, 0))
        if rate > 0.0:
            columns[name], basis[name] = -index, "content"


def _fits(name: str, values: _Values) -> bool:
    """Whether the values of a column can be what its name states; an empty column can be anything."""
    if not values.texts:
        return True
    if name == "url":
        return sum(values.has_link) >= 0.5 * len(values.texts)
    if name == "date":
        return sum(map(_is_date, values.texts)) >= 0.5 * len(values.texts)
    if name == "title":
        return any(not text.replace(".", "").isdigit() for text in values.texts)
    return True


def _rate_links(values: _Values) -> float:
    share = sum(values.has_link) / len(values.texts)
    shown = sum(bool(parse_links(text).addresses) for text in values.texts) / len(values.texts)
    return share + shown if shown >= 0.6 else 0.0


def _rate_dates(values: _Values) -> float:
    share = sum(map(_is_date, values.texts)) / len(values.texts)
    return share if share >= 0.8 else 0.0


def _rate_labs(values: _Values) -> float:
    known = {name.casefold() for name in get_known_labs()}
    share = sum(text.casefold() in known for text in values.texts) / len(values.texts)
    return share if share >= 0.3 else 0.0


def _rate_titles(values: _Values) -> float:
    """Titles are different from each other, several words long, and no sentences."""
    if _count_links_shown(values) or len(set(values.texts)) < 0.9 * len(values.texts):
        return 0.0
    words = sorted(len(text.split()) for text in values.texts)[len(values.texts) // 2]
    return float(words) if 3 <= words <= 25 else 0.0


_RATES: dict[str, Callable[[_Values], float]] = {
    "url": _rate_links,
    "date": _rate_dates,
    "lab": _rate_labs,
    "title": _rate_titles,
}


def _count_links_shown(values: _Values) -> int:
    return sum(bool(parse_links(text).addresses) for text in values.texts)


def _is_date(text: str) -> bool:
    try:
        return parse_date(text).day is not None
    except ValueError:
        return False


def _list_samples(rows: Sequence[Row], index: int) -> list[str]:
    """The first filled cells of a column, else the addresses behind them."""
    samples = []
    for row in rows:
        text = collapse_spaces(row.cells[index]) if index < len(row.cells) else ""
        if text or (row.links or {}).get(index):
            samples.append((text or (row.links or {}).get(index, ""))[:80])
        if len(samples) == SAMPLE_ROWS:
            break
    return samples
