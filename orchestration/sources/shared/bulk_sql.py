"""Bulk files: what a source declares to have them read by one SQL statement, and the expressions that these share.

A statement reads the table ``lines`` (``line_number``, ``record_ordinal``, ``line``) and returns one row per line with
its ``outcome``: ``kept``, with the columns of the source; ``odd`` for a line that it does not read, because a value is
not of the usual form, so that the parser of the source reads that line; or ``out of scope``, with the ``reason``. The
expressions give what the parsers give: texts of ordinary characters are handled in SQL, others by their functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestration.sources.gate import Gate

if TYPE_CHECKING:
    from orchestration.sources.shared.fields import Fields

ID_LENGTH = 16
# between texts that are tested together: a character of private use, which no parser changes
SEPARATOR = "\ue000"
# characters that stay as they are when a line is cleaned: visible, and composed with no neighbour; without < and &
ORDINARY = (
    r"!-%\x{27}-;=-~\x{a1}-\x{ac}\x{ae}-\x{2af}\x{391}-\x{3a1}\x{3a3}-\x{3c9}\x{400}-\x{482}\x{48a}-\x{52f}\x{621}-\x{63a}"
    r"\x{641}-\x{64a}\x{2010}-\x{2027}\x{2030}-\x{205e}\x{20a0}-\x{20bf}\x{2190}-\x{2328}\x{232b}-\x{27ff}"
    r"\x{3001}-\x{3029}\x{3041}-\x{3096}\x{30a1}-\x{30fa}\x{4e00}-\x{9fff}\x{ac00}-\x{d7a3}"
)
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_MOMENT = rf"{_DAY}(?:[T ][0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(?:[.][0-9]{{1,6}})?(?:Z|[+-][0-9]{{2}}(?::[0-9]{{2}})?)?)?"
_NUMBER = "-?[0-9]+(?:[.][0-9]+)?(?:[eE][+-]?[0-9]+)?"
# a value of another type that became a text
_NO_TEXT = rf"(?:^|{SEPARATOR})(?:[\[{{]|(?:true|false|-?Infinity|NaN|{_NUMBER})(?:{SEPARATOR}|$))"


@dataclass(frozen=True)
class BulkForm:
    """How bulk files of a source are recognised and read.

    Args:
        is_first_record: Whether the JSON object on the first line is a record of the source.
        build_query: The statement, for a gate or for none, that reads the table ``lines``.
        read_record: Identity and column values of one record, for the lines that the statement does not read.
        fields: Names of the fields that it reads, which are the columns of a bulk file in Parquet.
        object_fields: Those that hold an object; in Parquet they can be columns of JSON text.
        functions: Functions that the statement calls, of one text each, besides those that all statements have.
    """

    is_first_record: Callable[[Mapping[str, Any]], bool]
    build_query: Callable[[Gate | None], str]
    read_record: Callable[[Fields], tuple[str, dict[str, Any]]]
    fields: tuple[str, ...]
    object_fields: tuple[str, ...] = ()
    functions: Mapping[str, Callable[[str], str]] = field(default_factory=dict)


def quote(text: str) -> str:
    """A text as SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def sift_lines(id_form: str, is_candidate: str) -> str:
    """SQL of ``found`` and ``sifted``: each line with its id, empty if it is of another form, and ``is_candidate``.

    Args:
        id_form: Regular expression of the whole id.
        is_candidate: SQL of whether a line with an id may be in scope.
    """
    return f"""
found as (
    select line_number, record_ordinal, line,
        regexp_extract(try(json_extract_string(line, '$.id')), '^(?:{id_form})$') as id_text
    from lines
),
sifted as (
    select *, coalesce(id_text != '', false) and {is_candidate} as is_candidate
    from found
)"""


def clean_text(text: str) -> str:
    """SQL of a text as `clean_line` gives it; null if nothing is left."""
    return _clean(text, f"{ORDINARY}&<", f"nullif(clean_line({text}), '')")


def clean_title(text: str) -> str:
    """SQL of a title as `title_to_text` gives it."""
    return _clean(text, ORDINARY, f"nullif(title_to_text({text}), '')")


def _clean(text: str, ordinary: str, other: str) -> str:
    return (
        f"case when regexp_full_match({text}, '[{ordinary}]+(?: [{ordinary}]+)*') then {text}"
        f" when regexp_full_match({text}, '[ \\t\\r\\n{ordinary}]*')"
        f" then nullif(trim(regexp_replace({text}, '[ \\t\\r\\n]+', ' ', 'g')), '') else {other} end"
    )


def squeeze(text: str) -> str:
    """SQL of a text of ordinary characters as `clean_line` gives it: without blanks at the ends or beside another."""
    return f"case when contains({text}, '  ') then trim(regexp_replace({text}, ' +', ' ', 'g')) else trim({text}) end"


def has_odd_text(joined: str) -> str:
    """SQL of whether a text of several, joined by the separator, needs a parser: for a character, or no text at all."""
    return f"coalesce(regexp_matches({joined}, '[^ {ORDINARY}&<{SEPARATOR}]|{_NO_TEXT}'), false)"


def has_other_types(text_paths: Sequence[str], other_paths: Mapping[str, str]) -> str:
    """SQL of whether a value has another type than it should, by the list ``types`` of `list_types`; never null."""
    texts = f"list_has_any(types[1:{len(text_paths)}], ['UBIGINT', 'BIGINT', 'DOUBLE', 'BOOLEAN', 'OBJECT', 'ARRAY'])"
    others = (
        f"types[{place}] not in ('NULL', {', '.join(map(quote, kinds.split()))})"
        for place, kinds in enumerate(other_paths.values(), len(text_paths) + 1)
    )
    return f"({texts} or coalesce({' or '.join(others)}, false))"


def list_types(text_paths: Sequence[str], other_paths: Mapping[str, str]) -> str:
    """SQL of the list of the JSON types of the values at some paths of ``line``."""
    return f"json_type(line, [{', '.join(quote(f'$.{path}') for path in (*text_paths, *other_paths))}])"


def parse_day(text: str) -> str:
    """SQL of the day at the start of an ISO 8601 text; null for another form, see `is_odd_date`."""
    return f"case when regexp_full_match({text}, '{_DAY}.*') then try_cast({text}[:10] as date) end"


def parse_moment(text: str) -> str:
    """SQL of the moment of an ISO 8601 text; null for another form, see `is_odd_date`."""
    return f"case when regexp_full_match({text}, '{_MOMENT}') then try_cast({text} as timestamp with time zone) end"


def is_odd_date(text: str, parsed: str, first_year: int = 1500, last_year: int = 2200) -> str:
    """SQL of whether a text is not of the usual form of a date, or its year is out of range."""
    return f"coalesce({text} != '' and coalesce(year({parsed}) not between {first_year} and {last_year}, true), false)"


def has_keyword(gate: Gate, *texts: str) -> str:
    """SQL of whether one of the texts has a keyword of the gate; never null."""
    text = f"concat_ws('{SEPARATOR}', {', '.join(texts)})"
    tests = [
        f"regexp_matches({text}, {quote(keywords)})"
        + (f" and regexp_matches({text}, {quote(context)})" if context else "")
        for keywords, context in gate.keywords
    ]
    return f"(({') or ('.join(tests)}))"


def has_lab(gate: Gate, affiliations: str) -> str:
    """SQL of whether printed affiliations have a lab of the gate; never null."""
    tests = (f"coalesce(regexp_matches({affiliations}, {quote(pattern)}), false)" for pattern in gate.affiliations)
    return f"({' or '.join(tests)})"


def join_distinct(texts: str) -> str:
    """SQL of the distinct texts of a list in order, joined as `join_texts` does; null if there are none."""
    # quadratic, but for the rare lists of hundreds that have repetitions
    distinct = f"list_filter({texts}, lambda x, i: list_position({texts}, x) = i)"
    distinct = f"case when list_unique({texts}) = len({texts}) then {texts} else {distinct} end"
    return f"nullif(array_to_string({distinct}, '; '), '')"


def build_version_text(columns: Iterable[str], types: Mapping[str, str]) -> str:
    """SQL of the JSON text of the columns as Python's ``json.dumps`` writes it, but for characters outside of ASCII."""
    parts = [f"""'"{name}": ' || {_build_json_value(name, types[name])}""" for name in sorted(columns)]
    return "'{' || " + " || ', ' || ".join(parts) + " || '}'"


def _build_json_value(name: str, kind: str) -> str:
    if kind == "text":
        return f"coalesce(cast(to_json({name}) as varchar), 'null')"
    if kind == "timestamp":
        fraction = f"case when microsecond({name}) % 1000000 = 0 then '' else strftime({name}, '.%f') end"
        return f"""coalesce('"' || strftime({name}, '%Y-%m-%d %H:%M:%S') || {fraction} || '+00:00"', 'null')"""
    if kind == "date":
        return f"""coalesce('"' || cast({name} as varchar) || '"', 'null')"""
    return f"coalesce(cast({name} as varchar), 'null')"
