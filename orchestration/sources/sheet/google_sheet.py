"""Sheets at an address: the export address of a Google sheet's tab, the fetch plan, and answers of the chart API.

The export gives every row with cells as they are displayed. The chart API (``gviz``) guesses one type per column and
omits cells of other types, so a document of it is read but never requested.
"""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, urlencode, urlsplit

from orchestration.sources.shared.document import Document, Row, UnreadableDocument, parse_json
from orchestration.sources.shared.fetch_plan import Feed, FetchCursor, FetchPlan, InvalidSettings, Request
from orchestration.sources.shared.settings import Settings
from orchestration.sources.source import DamagedDocument

_EDIT_PATH = re.compile(r"/spreadsheets/(?:u/\d+/)?d/(?!e/)(?P<id>[\w-]{20,})(?P<action>/[\w/]*)?")
_PUBLISHED_PATH = re.compile(r"/spreadsheets/(?:u/\d+/)?d/e/(?P<id>[\w-]{20,})/pub(?:html|chart)?")
_GVIZ_CALL = re.compile(
    rb"^\s*(?:/\*O_o\*/)?\s*google\.visualization\.Query\.setResponse\(\s*(\{.*\})\s*\)\s*;?\s*$", re.DOTALL
)
_GVIZ_DATE = re.compile(r"Date\((\d{4}),(\d{1,2}),(\d{1,2})(?:,[\d,]+)?\)")


def build_export_address(url: str) -> str:
    """The address that gives a tab's cells as CSV, for any address of a Google sheet; other addresses are unchanged.

    Raises:
        ValueError: The address names its tab by title, which the export does not accept.
    """
    parts = urlsplit(url)
    if parts.hostname != "docs.google.com":
        return url
    parameters = {**parse_qs(parts.fragment), **parse_qs(parts.query)}
    gid = parameters.get("gid", [""])[0]
    if published := _PUBLISHED_PATH.match(parts.path):
        tab = {"gid": gid, "single": "true"} if gid else {}
        query = urlencode({**tab, "output": parameters.get("output", ["csv"])[0]})
        return f"https://docs.google.com/spreadsheets/d/e/{published['id']}/pub?{query}"
    shared = _EDIT_PATH.match(parts.path)
    if shared is None:
        return url
    if "sheet" in parameters and not gid:
        tab = parameters["sheet"][0]
        raise ValueError(f"the tab is named by sheet={tab}; open it in a browser and copy the address with its gid")
    file_format = parameters.get("format", ["csv"])[0] if shared["action"] == "/export" else "csv"
    query = urlencode({"format": file_format, **({"gid": gid} if gid else {})})
    return f"https://docs.google.com/spreadsheets/d/{shared['id']}/export?{query}"


def fetch_tab(column_names: frozenset[str], feed: Feed, cursor: FetchCursor) -> FetchPlan:
    """Request the whole tab; an unchanged tab is recognised by its bytes.

    Settings: ``columns``, a table of the sheet's headers by column, where they differ from the usual ones:
    ``columns = { lab = "Organisation", title = "Paper" }``; and ``list``, the name of the list, if it is not that of
    the feed.

    Args:
        column_names: The columns that ``columns`` may name.
        feed: The feed.
        cursor: Only its ``now`` is used, since the whole tab is requested each time.

    Raises:
        InvalidSettings: A setting or the address cannot be used.
    """
    settings = Settings(feed)
    headers = settings.mapping("columns")
    name = settings.text("list")
    settings.reject_unknown()
    if unknown := sorted(set(headers) - column_names):
        raise settings.build_error(
            "columns", f"names among {', '.join(sorted(column_names))}, not {', '.join(unknown)}"
        )
    try:
        address = build_export_address(feed.url)
    except ValueError as error:
        raise InvalidSettings(f"feed {feed.name}: url: {error}") from error
    hints = {"columns": json.dumps(headers, sort_keys=True) if headers else "", "list": name or ""}
    yield Request(address, feed.name, hints={key: value for key, value in hints.items() if value})
    return cursor.now.isoformat()


def read_gviz_rows(document: Document) -> list[Row] | None:
    """The rows of an answer of the chart API, header first; None for any other document.

    Raises:
        DamagedDocument: The answer is an error, or has no table.
    """
    call = _GVIZ_CALL.match(document.data) if b"setResponse(" in document.data[:200] else None
    if call is None:
        return None
    try:
        answer = parse_json(call[1])
    except UnreadableDocument as error:
        raise DamagedDocument(f"Google answers with {error}") from error
    if answer.get("status") == "error" or "table" not in answer:
        errors = [str(error.get("detailed_message") or error.get("message")) for error in answer.get("errors", [])]
        raise DamagedDocument(f"Google answers with an error: {'; '.join(errors)[:300] or 'no table'}")
    table = answer["table"]
    header = [str(column.get("label") or "").strip() for column in table.get("cols", [])]
    rows = [Row(1, header)]
    for number, row in enumerate(table.get("rows", []), 2):
        rows.append(Row(number, [_format_cell(cell) for cell in row.get("c") or []]))
    return rows


def _format_cell(cell: object) -> str:
    """The text of a cell's value; dates in ISO form, from months that the chart API counts from zero."""
    value = cell.get("v") if isinstance(cell, dict) else None
    if value is None:
        return ""
    if isinstance(value, str) and (date := _GVIZ_DATE.fullmatch(value)):
        return f"{date[1]}-{int(date[2]) + 1:02}-{int(date[3]):02}"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
