"""The columns of tables with unusual headers: given, confirmed, or remembered in the lake by the headers.

``mappings.toml`` in the lake has an entry for each list whose columns were given or confirmed, so that the next version
of the list needs no question. It can be edited::

    [[list]]
    headers = ["Paper name", "Who", "When"]
    columns = { title = "Paper name", lab = "Who", date = "When" }
    separator = ","
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from orchestration.ingest.parser_process import parse_bytes
from orchestration.sources.shared.column_proposal import ColumnProposal
from orchestration.sources.source import DocumentRefused, ParseResult
from warehouse.lake import Lake, replace_file
from warehouse.names import build_title_key

MAPPINGS = "mappings.toml"
_HEAD = "# Columns of lists, by their headers. `aisle add` writes what is given or confirmed; entries can be edited.\n"
# settings of a list that are texts, and those that are lists or tables of texts
_TEXTS, _VALUES = ("lab", "separator"), ("columns", "tabs")

# whether the columns that a table probably has are right
ConfirmColumns = Callable[[ColumnProposal], bool]
Parse = Callable[[dict[str, str]], tuple[str, ParseResult]]


class InvalidMappings(DocumentRefused):
    """The file with the remembered columns cannot be used; the message names it and what is wrong."""


@dataclass(frozen=True)
class ListMapping:
    """How a list is read, by its headers.

    Args:
        headers: The headers of its table.
        hints: The hints for the parser.
    """

    headers: Sequence[str]
    hints: Mapping[str, str]

    @property
    def key(self) -> frozenset[str]:
        """The headers without their order, case, blanks and punctuation."""
        return frozenset(map(build_title_key, self.headers))


class ParsedTable(NamedTuple):
    """The source and content of a document, the hints with which it was read, and a remark on them."""

    source: str
    result: ParseResult
    hints: dict[str, str]
    remark: str = ""


def confirm_confident(proposal: ColumnProposal) -> bool:
    """Whether the columns are taken where nobody is at hand to confirm them."""
    return proposal.is_confident


def parse_with_columns(
    lake: Lake, parse: Parse, hints: dict[str, str], confirm: ConfirmColumns | None = None
) -> ParsedTable:
    """Parse a document; a table with unusual headers with the columns that are given, remembered or confirmed.

    Args:
        lake: The lake, which remembers what is given or confirmed.
        parse: Parses the document with some hints.
        hints: What is known of it from outside.
        confirm: Confirms the columns that a table probably has.

    Raises:
        DocumentRefused: It cannot be read, or its columns are not confirmed.
        OSError: The lake cannot be written.
    """
    given = json.loads(hints.get("columns", "{}"))
    try:
        table = parse_as_remembered(lake, parse, hints)
    except DocumentRefused as refusal:
        proposal = refusal.proposal
        is_taken = proposal is not None and proposal.columns and not any(given.values())
        if proposal is None or not (is_taken and (confirm or confirm_confident)(proposal)):
            raise
        hints = {**hints, "columns": _encode({**proposal.columns, **given})}
        table = ParsedTable(*parse(hints), hints, _describe(proposal.columns))
        remember_mapping(lake, proposal.headers, hints)
    else:
        if given:
            remember_mapping(lake, _find_headers(parse, hints), hints)
    return table


def parse_as_remembered(lake: Lake, parse: Parse, hints: dict[str, str]) -> ParsedTable:
    """Parse a document; a table with unusual headers with the columns that are given or remembered.

    Raises:
        DocumentRefused: It cannot be read.
    """
    try:
        return ParsedTable(*parse(hints), hints)
    except DocumentRefused as refusal:
        given = json.loads(hints.get("columns", "{}"))
        if refusal.proposal is None or any(given.values()):
            raise
        key = ListMapping(refusal.proposal.headers, {}).key
        mapping = next((mapping for mapping in read_mappings(lake) if mapping.key == key), None)
        if mapping is None:
            raise
        columns = json.loads(mapping.hints.get("columns", "{}")) | given
        hints = {**mapping.hints, **hints, "columns": _encode(columns)}
        return ParsedTable(*parse(hints), hints, f"read as {MAPPINGS} has it")


def parse_response(lake: Lake, content: bytes, name: str, hints: dict[str, str], source: str) -> ParsedTable:
    """Parse a response of a feed, as `parse_as_remembered` does.

    Raises:
        DocumentRefused: It cannot be read.
    """
    return parse_as_remembered(lake, lambda known: parse_bytes(content, name, known, source), hints)


def _find_headers(parse: Parse, hints: dict[str, str]) -> Sequence[str]:
    """The headers of a table that can be read with the given columns; none if it can without."""
    try:
        parse({name: value for name, value in hints.items() if name != "columns"})
    except DocumentRefused as refusal:
        return refusal.proposal.headers if refusal.proposal else []
    return []


def read_mappings(lake: Lake) -> list[ListMapping]:
    """The remembered lists.

    Raises:
        InvalidMappings: The file cannot be used.
    """
    path = lake.root / MAPPINGS
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("list", [])
        return [_read_mapping(entry) for entry in entries]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise InvalidMappings(f"{path} cannot be used: {error}; correct it or remove the entry") from error


def _read_mapping(entry: Mapping[str, Any]) -> ListMapping:
    if unknown := sorted(set(entry) - {"headers", *_TEXTS, *_VALUES}):
        raise ValueError(f"an entry has {', '.join(unknown)}; known are headers, {', '.join((*_VALUES, *_TEXTS))}")
    headers = entry.get("headers")
    if not isinstance(headers, list) or not headers or not all(isinstance(header, str) for header in headers):
        raise ValueError("an entry has no headers, which are a list of texts")
    hints = {name: str(entry[name]) for name in _TEXTS if name in entry}
    columns, tabs = entry.get("columns", {}), entry.get("tabs", [])
    if not isinstance(columns, dict) or not isinstance(tabs, list):
        raise TypeError(f"columns are a table and tabs a list of texts, in the entry with the header {headers[0]}")
    hints |= {"columns": _encode(columns)} if columns else {}
    return ListMapping(headers, hints | ({"tabs": json.dumps(tabs, ensure_ascii=False)} if tabs else {}))


def remember_mapping(lake: Lake, headers: Sequence[str], hints: Mapping[str, str]) -> None:
    """Write how a list is read into the lake, in place of an entry with the same headers.

    Raises:
        InvalidMappings: The file cannot be used.
        OSError: The lake cannot be written.
    """
    if not headers:
        return
    kept = {name: hints[name] for name in (*_VALUES, *_TEXTS) if hints.get(name)}
    new, mappings = ListMapping(list(headers), kept), read_mappings(lake)
    entries = [*(mapping for mapping in mappings if mapping.key != new.key), new]
    if entries != mappings:
        lake.root.mkdir(parents=True, exist_ok=True)
        replace_file(lake.root / MAPPINGS, (_HEAD + "".join(map(_format_entry, entries))).encode())


def _format_entry(mapping: ListMapping) -> str:
    lines = ["", "[[list]]", f"headers = {_format_texts(mapping.headers)}"]
    lines += [f"{name} = {_format_hint(name, hint)}" for name, hint in mapping.hints.items()]
    return "\n".join(lines) + "\n"


def _format_hint(name: str, hint: str) -> str:
    if name == "columns":
        columns = json.loads(hint).items()
        return "{ " + ", ".join(f"{column} = {_format_text(header)}" for column, header in columns) + " }"
    return _format_texts(json.loads(hint)) if name == "tabs" else _format_text(hint)


def _format_texts(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(_format_text, texts))}]"


def _format_text(text: str) -> str:
    """A text as TOML has it, which are the escapes of JSON."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _encode(columns: Mapping[str, str]) -> str:
    return json.dumps(dict(columns), ensure_ascii=False, sort_keys=True)


def _describe(columns: Mapping[str, str]) -> str:
    return "columns: " + ", ".join(f"{name} from “{header}”" for name, header in columns.items())
