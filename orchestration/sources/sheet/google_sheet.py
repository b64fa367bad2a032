"""Sheets at an address: Google's many addresses of one tab as the one that gives its cells, and what Google answers.

The export gives every row with cells as they are shown. The interface for charts (``gviz``) guesses one type for a
column and leaves out cells of other types, so that it is read where it is met, but never asked for.
"""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, urlencode, urlsplit

from orchestration.sources.shared.document import Document, Row, Unreadable, strict_json
from orchestration.sources.shared.fetch_plan import Conversation, Feed, Request, Since, WrongSettings
from orchestration.sources.shared.settings import Settings
from orchestration.sources.source import Damaged

_SHARED = re.compile(r"/spreadsheets/(?:u/\d+/)?d/(?!e/)(?P<id>[\w-]{20,})(?P<door>/[\w/]*)?")
_PUBLISHED = re.compile(r"/spreadsheets/(?:u/\d+/)?d/e/(?P<id>[\w-]{20,})/pub(?:html|chart)?")
_GVIZ = re.compile(
    rb"^\s*(?:/\*O_o\*/)?\s*google\.visualization\.Query\.setResponse\(\s*(\{.*\})\s*\)\s*;?\s*$", re.DOTALL
)
_GVIZ_DATE = re.compile(r"Date\((\d{4}),(\d{1,2}),(\d{1,2})(?:,[\d,]+)?\)")


def export_address(url: str) -> str:
    """The address that gives a tab's cells as CSV, for any address of a Google sheet; any other address as it is.

    Raises:
        ValueError: The address names its tab in a way that only a browser or the interface for charts understands.
    """
    parts = urlsplit(url)
    if parts.hostname != "docs.google.com":
        return url
    terms = {**parse_qs(parts.fragment), **parse_qs(parts.query)}
    gid = terms.get("gid", [""])[0]
    if found := _PUBLISHED.match(parts.path):
        tab = {"gid": gid, "single": "true"} if gid else {}
        query = urlencode({**tab, "output": terms.get("output", ["csv"])[0]})
        return f"https://docs.google.com/spreadsheets/d/e/{found['id']}/pub?{query}"
    if not (found := _SHARED.match(parts.path)):
        return url
    if "sheet" in terms and not gid:
        raise ValueError(
            f"the tab is named by sheet={terms['sheet'][0]}; open it in a browser and take the address with its gid"
        )
    form = terms.get("format", ["csv"])[0] if found["door"] == "/export" else "csv"
    query = urlencode({"format": form, **({"gid": gid} if gid else {})})
    return f"https://docs.google.com/spreadsheets/d/{found['id']}/export?{query}"


def fetch(known: frozenset[str], feed: Feed, since: Since) -> Conversation:
    """Ask for the whole tab; what has not changed is seen by its bytes.

    Settings: ``columns``, a table that says under which header the sheet has each of the columns, where it is not
    the usual one: ``columns = { lab = "Organisation", title = "Paper" }``.

    Args:
        known: The columns that can be named.
        feed: The feed.
        since: From where on; a sheet has no such place.

    Raises:
        WrongSettings: A setting or the address cannot be used.
    """
    settings = Settings(feed)
    columns = settings.mapping("columns")
    settings.finish()
    if unknown := sorted(set(columns) - known):
        raise settings.wrong("columns", f"names among {', '.join(sorted(known))}, not {', '.join(unknown)}")
    try:
        address = export_address(feed.url)
    except ValueError as error:
        raise WrongSettings(f"feed {feed.name}: url: {error}") from error
    yield Request(address, feed.name, hints={"columns": json.dumps(columns, sort_keys=True)} if columns else {})
    return since.now.isoformat()


def gviz_rows(document: Document) -> list[Row] | None:
    """The rows, header first, of an answer of the interface for charts; none for any other document.

    Its months are counted from zero, and a cell's shown text stands beside its value.

    Raises:
        Damaged: The answer is an error, or no table.
    """
    found = _GVIZ.match(document.data) if b"setResponse(" in document.data[:200] else None
    if found is None:
        return None
    try:
        told = strict_json(found[1])
    except Unreadable as error:
        raise Damaged(f"Google answers with {error}") from error
    if told.get("status") == "error" or "table" not in told:
        errors = [str(error.get("detailed_message") or error.get("message")) for error in told.get("errors", [])]
        raise Damaged(f"Google answers with an error: {'; '.join(errors)[:300] or 'no table'}")
    table = told["table"]
    header = [str(column.get("label") or "").strip() for column in table.get("cols", [])]
    rows = [Row(1, header)]
    for number, row in enumerate(table.get("rows", []), 2):
        rows.append(Row(number, [_cell(cell) for cell in row.get("c") or []]))
    return rows


def _cell(cell: object) -> str:
    value = cell.get("v") if isinstance(cell, dict) else None
    if value is None:
        return ""
    if isinstance(value, str) and (day := _GVIZ_DATE.fullmatch(value)):
        return f"{day[1]}-{int(day[2]) + 1:02}-{int(day[3]):02}"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
