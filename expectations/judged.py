"""The kinds of limits on which DuckDB and Great Expectations were found to agree, kept with the code.

`judged_kinds.json` is written by `tests/expectations/test_judged.py`, where Great Expectations judges each kind of
limit of the declarations on rows that hold and rows that break it. What it was judged with is kept beside: with other
code or other libraries, a process begins without any kind.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeAlias

Kind: TypeAlias = tuple[str, ...]
"""What decides how a limit is evaluated: the limit, the types of its columns, and a pattern."""

PATH = Path(__file__).with_name("judged_kinds.json")
_LIBRARIES = ("duckdb", "great-expectations", "pandas", "polars", "pyarrow")
_MODULES = ("judge.py", "limit_sql.py", "limits.py", "patterns.py")


def describe_engines() -> dict[str, str]:
    """Versions of all that decides which rows break a limit: the libraries, and the code of this package."""
    code = "\n".join(PATH.with_name(name).read_text(encoding="utf-8") for name in _MODULES)
    return {**{name: _read_version(name) for name in _LIBRARIES}, "code": sha256(code.encode()).hexdigest()[:16]}


def _read_version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"


def read_judged_kinds() -> list[Kind]:
    """The kinds that were judged with the present code and libraries."""
    stored = json.loads(PATH.read_text(encoding="utf-8"))
    return [tuple(kind) for kind in stored["kinds"]] if stored["engines"] == describe_engines() else []


def describe_judged_kinds(kinds: Collection[Kind]) -> dict[str, Any]:
    """The content of the file for kinds that were judged with the present code and libraries."""
    return {"engines": describe_engines(), "kinds": sorted(map(list, kinds))}
