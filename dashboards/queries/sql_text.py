"""SQL of a page as text that runs as it stands, with its parameters filled in."""

from __future__ import annotations

import datetime as dt
import re
import textwrap
from collections.abc import Mapping
from typing import Any

from warehouse.sql import quote_literal

# matches strings and comments too, so that a dollar sign within them is left alone
_PARAMETER = re.compile(r"'(?:[^']|'')*'|--[^\n]*|\$(\w+)")


def fill_parameters(sql: str, parameters: Mapping[str, Any] | None) -> str:
    """A query with the values of its parameters written in, as literals of DuckDB.

    Raises:
        KeyError: A parameter has no value.
    """
    values = parameters or {}
    filled = _PARAMETER.sub(lambda match: _format_literal(values[match[1]]) if match[1] else match[0], sql)
    return textwrap.dedent(filled).strip()


def _format_literal(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_format_literal(part) for part in value)}]"
    if isinstance(value, dt.date):
        return f"date '{value}'"
    return quote_literal(str(value))
