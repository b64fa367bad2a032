"""Decisions as CSV: written for people and other lakes, and read back without a loss."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping

from warehouse.decisions.events import COLUMNS, Decision, InvalidDecision, build_decision, format_moment

_MAX_SHOWN = 5
_FORMULA = ("=", "+", "-", "@", "'")


def write_csv(decisions: Iterable[Decision]) -> str:
    """Decisions as CSV, one a row.

    An apostrophe stands before a text that a spreadsheet would run as a formula; `read_csv` takes it off again.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for decision in decisions:
        row = decision.to_row() | {"decided_at": format_moment(decision.decided_at)}
        writer.writerow([disarm_formula(row[name]) for name in COLUMNS])
    return buffer.getvalue()


def read_csv(text: str, defaults: Mapping[str, object], name: str) -> list[Decision]:
    """The decisions of a CSV file, all or none.

    Args:
        text: The file. Only the columns ``kind``, ``record_id`` and what the kind needs must be there.
        defaults: Values for columns that are missing or empty, such as who decided and when.
        name: Name of the file, for messages.

    Raises:
        InvalidDecision: Some rows are no decisions; the message names the first of them with the reasons.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True))
    except csv.Error as error:
        raise InvalidDecision(f"{name}: it is no CSV ({error})") from error
    decisions, problems = [], []
    for number, row in enumerate(rows, 2):
        given = {column: arm_formula(value) for column, value in row.items() if column and value}
        try:
            decisions.append(build_decision({**defaults, **given}))
        except InvalidDecision as problem:
            problems.append(f"row {number}: {problem}")
    if problems:
        more = f"; and {len(problems) - _MAX_SHOWN:,} more rows" if len(problems) > _MAX_SHOWN else ""
        raise InvalidDecision(f"{name}: nothing was imported; {'; '.join(problems[:_MAX_SHOWN])}{more}")
    if not rows:
        raise InvalidDecision(f"{name}: it has no rows; expected a header with {', '.join(COLUMNS)}")
    return decisions


def disarm_formula(text: str) -> str:
    """The text with an apostrophe before it, if a spreadsheet would run it as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def arm_formula(text: str | list[str]) -> str:
    """What `disarm_formula` was given; nothing for cells beyond the header."""
    if isinstance(text, list):  # cells beyond the header
        return ""
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text
