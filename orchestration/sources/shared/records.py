"""Records of documents: built from their fields, and without the values that their raw table cannot hold.

An odd value costs its own field, with a note in the column ``reading_note``. It costs the record only if the record
cannot do without that field: the column is required by a critical limit, as those that identify a record are.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from orchestration.sources.shared.fields import Fields, describe_value, join_notes
from orchestration.sources.source import ParseResult, Record, Reject, Source, Value

RecordReader = Callable[[Fields], tuple[str, dict[str, Value]]]
_TYPES: Mapping[str, tuple[type, ...]] = {
    "text": (str,),
    "integer": (int,),
    "real": (int, float),
    "boolean": (bool,),
    "date": (dt.date,),
    "timestamp": (dt.datetime,),
}
_MAX_INTEGER = 2**63 - 1
# years outside of these are a placeholder (year 1) or a slip; the default of columns that declare no range
_FIRST_YEAR, _LAST_YEAR = 1500, 2200


def read_record(fields: Fields, read: RecordReader, locator: str) -> Record | Reject:
    """The record of an object, with the notes on its odd fields; a reject if nothing identifies it."""
    try:
        identity, values = read(fields)
    except ValueError as error:
        reason = join_notes([str(error), *fields.notes]) or ""
        return Reject(locator, reason, json.dumps(fields.data, ensure_ascii=False, default=str)[:20_000])
    return add_notes(Record(identity, values, locator), fields.notes)


def add_notes(record: Record, notes: list[str]) -> Record:
    """The record with more notes after its own."""
    if not notes:
        return record
    own = record.values.get("reading_note")
    values = {**record.values, "reading_note": join_notes([str(own) if own else None, *notes])}
    return Record(record.identity, values, record.locator)


def leave_out_odd_values(source: Source, result: ParseResult) -> ParseResult:
    """The result with each value that its column cannot hold or does not allow left out, with a note.

    Values of a required column are left for the limits of the table to judge, unless no table could hold them: then
    the record becomes a reject.
    """
    result.items = [_leave_out_odd_values(source, item) if isinstance(item, Record) else item for item in result.items]
    return result


def _leave_out_odd_values(source: Source, record: Record) -> Record | Reject:
    notes: list[str] = []
    values = dict(record.values)
    for name, find_problem, is_required in _list_checks(source):
        value = values.get(name)
        if value is None or not (problem := find_problem(value)):
            continue
        note = f"{name} {describe_value(value)} is not used: {problem}"
        if not is_required:
            values[name] = None
            notes.append(note)
        elif problem.startswith("no "):
            return Reject(record.locator, note, str(values)[:2000])
    return add_notes(Record(record.identity, values, record.locator), notes) if notes else record


@cache
def _list_checks(source: Source) -> tuple[tuple[str, Callable[[Any], str | None], bool], ...]:
    """Name of each column, the check that returns the problem of a value, and whether the column is required."""
    return tuple(
        (name, _build_check(settings), bool(settings.get("required")) and "required" not in settings.get("warn", ()))
        for name, settings in source.columns.items()
    )


def _build_check(settings: Mapping[str, Any]) -> Callable[[Any], str | None]:
    kind = settings["type"]
    critical = {name: value for name, value in settings.items() if name not in settings.get("warn", ())}
    minimum, maximum = critical.get("minimum"), critical.get("maximum")
    if kind in {"date", "timestamp"} and not {"minimum", "maximum"} & settings.keys():
        minimum, maximum = dt.date(_FIRST_YEAR, 1, 1), dt.date(_LAST_YEAR, 12, 31)
    pattern = re.compile(f"(?:{critical['matches']})") if "matches" in critical else None
    options = critical.get("one_of")

    def find_problem(value: Any) -> str | None:
        if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
            return f"no {kind}"
        if isinstance(value, int) and abs(value) > _MAX_INTEGER:
            return "no number that a table can hold"
        if isinstance(value, float) and not math.isfinite(value):
            return "no finite number"
        compared = value.date() if isinstance(value, dt.datetime) else value
        if minimum is not None and compared < minimum:
            return f"it is below {minimum}"
        if maximum is not None and compared > maximum:
            return f"it is above {maximum}"
        if pattern is not None and not pattern.match(value):
            return f"it does not match {settings['matches']}"
        if isinstance(options, (tuple, list)) and value not in options:
            return f"it is none of {', '.join(options)}"
        return None

    return find_problem
