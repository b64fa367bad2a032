"""Functions on texts that SQL cannot compute itself, registered in DuckDB for the queries that call them.

Only values that need them reach Python: titles that are not ASCII, and pairs that blocking has found.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from duckdb.func import PythonUDFType
from duckdb.sqltypes import DOUBLE, VARCHAR, DuckDBPyType
from rapidfuzz import fuzz, process

from warehouse import names


@dataclass(frozen=True)
class _Function:
    parameters: tuple[DuckDBPyType, ...]
    result: DuckDBPyType
    compute: Callable[..., pa.Array]


def _compute_title_keys(titles: pa.Array) -> pa.Array:
    return pa.array([names.build_title_key(title) for title in titles.to_pylist()], pa.string())


def _compare_titles(first: pa.Array, second: pa.Array) -> pa.Array:
    scores = process.cpdist(first.to_pylist(), second.to_pylist(), scorer=fuzz.ratio)
    return pa.array(scores, pa.float64())


def _compare_texts(first: pa.Array, second: pa.Array) -> pa.Array:
    scores = process.cpdist(first.to_pylist(), second.to_pylist(), scorer=fuzz.token_sort_ratio, score_cutoff=60)
    return pa.array(scores, pa.float64())


_FUNCTIONS = {
    # the key of `warehouse.names.build_title_key`
    "unicode_title_key": _Function((VARCHAR,), VARCHAR, _compute_title_keys),
    # 0 to 100: share of the letters that need not be inserted or deleted (rapidfuzz's ratio)
    "title_similarity": _Function((VARCHAR, VARCHAR), DOUBLE, _compare_titles),
    # 0 to 100: the same of two texts with their words sorted, 0 below 60 (rapidfuzz's token_sort_ratio)
    "text_similarity": _Function((VARCHAR, VARCHAR), DOUBLE, _compare_texts),
}


def read_function_code(query: str) -> list[str]:
    """The code of these functions, if a query calls one."""
    if not any(f"{name}(" in query for name in _FUNCTIONS):
        return []
    return [Path(file).read_text(encoding="utf-8") for file in (__file__, str(names.__file__))]


@contextmanager
def register_functions(connection: duckdb.DuckDBPyConnection, query: str) -> Generator[None]:
    """Register the functions that a query calls, and remove them afterwards.

    A missing argument gives a missing result.
    """
    called: dict[str, Any] = {name: function for name, function in _FUNCTIONS.items() if f"{name}(" in query}
    for name, function in called.items():
        connection.create_function(
            name, function.compute, list(function.parameters), function.result, type=PythonUDFType.ARROW
        )
    try:
        yield
    finally:
        for name in called:  # they would outlive the connection and cause warnings at exit
            connection.remove_function(name)
