"""Functions on texts that SQL cannot compute itself, registered in DuckDB for the queries that call them.

Only values that need them reach Python: titles that are not ASCII, pairs that blocking has found, and texts that are
compared with the patterns of a table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import rapidfuzz
from duckdb.func import PythonUDFType
from duckdb.sqltypes import BOOLEAN, DOUBLE, VARCHAR, DuckDBPyType
from rapidfuzz import fuzz, process

from transforms.embeddings.models import find_model, read_model_version
from warehouse import names

_EMBEDDINGS = Path(__file__).parent / "embeddings"


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


def _search_pattern(texts: pa.Array, pattern: str) -> pa.Array:
    return pc.call_function("match_substring_regex", [texts], pc.MatchSubstringOptions(pattern))


def _match_patterns(texts: pa.ChunkedArray, patterns: pa.ChunkedArray) -> pa.Array:
    texts, patterns = texts.combine_chunks(), patterns.combine_chunks()
    matches = pa.nulls(len(texts), pa.bool_())
    for pattern in patterns.unique().drop_null().to_pylist():
        chosen = pc.call_function("equal", [patterns, pa.scalar(pattern)])
        matching = _search_pattern(texts.filter(chosen), pattern)
        matches = pc.call_function("replace_with_mask", [matches, chosen, matching])
    return matches


def _match_at_start(texts: pa.ChunkedArray, patterns: pa.ChunkedArray) -> pa.Array:
    found = [
        re.compile(pattern).match(text) is not None  # compiled once: the module keeps what it has compiled
        for text, pattern in zip(texts.to_pylist(), patterns.to_pylist(), strict=True)
    ]
    return pa.array(found, pa.bool_())


def _embed_texts(texts: pa.ChunkedArray) -> pa.Array:
    folder = find_model()
    if folder is None:
        return pa.array([""] * len(texts), pa.string())  # DuckDB allows no missing result for a known text
    from threadpoolctl import threadpool_limits

    from transforms.embeddings.encoder import load_encoder
    from transforms.embeddings.vectors import format_vector

    model = load_encoder(folder)
    with threadpool_limits(limits=1, user_api="blas"):  # threads that wait for each other cost several times the work
        return pa.array([format_vector(model.encode(text)) for text in texts.to_pylist()], pa.string())


_FUNCTIONS = {
    # as Python's re.match
    "matches_at_start": _Function((VARCHAR, VARCHAR), BOOLEAN, _match_at_start),
    # as regexp_matches, by the same library: DuckDB compiles a pattern again for each row, unless the query has it
    "matches_pattern": _Function((VARCHAR, VARCHAR), BOOLEAN, _match_patterns),
    # the key of `warehouse.names.build_title_key`
    "unicode_title_key": _Function((VARCHAR,), VARCHAR, _compute_title_keys),
    # 0 to 100: share of the letters that need not be inserted or deleted (rapidfuzz's ratio)
    "title_similarity": _Function((VARCHAR, VARCHAR), DOUBLE, _compare_titles),
    # 0 to 100: the same of two texts with their words sorted, 0 below 60 (rapidfuzz's token_sort_ratio)
    "text_similarity": _Function((VARCHAR, VARCHAR), DOUBLE, _compare_texts),
    # the embedding of `transforms.embeddings`, empty where there is no embedding model
    "text_embedding": _Function((VARCHAR,), VARCHAR, _embed_texts),
}
RESULT_TYPES = {name: str(function.result).lower() for name, function in _FUNCTIONS.items()}
"""The type that each function returns, as DuckDB writes it."""


def compute_texts(name: str, columns: tuple[pa.Array, ...]) -> pa.Array:
    """The values of the function of that name; a missing argument gives a missing result."""
    is_known = reduce(lambda a, b: pc.call_function("and", [a, b]), (column.is_valid() for column in columns))
    known = [pa.chunked_array([column.filter(is_known)]) for column in columns]
    values = _FUNCTIONS[name].compute(*known)
    return pc.call_function("replace_with_mask", [pa.nulls(len(is_known), values.type), is_known, values])


def read_function_code(query: str) -> list[str]:
    """The code of these functions, if a query calls one."""
    if not any(f"{name}(" in query for name in _FUNCTIONS):
        return []
    embedding = []
    if "text_embedding(" in query:
        embedding = [
            read_model_version(),
            *(file.read_text(encoding="utf-8") for file in sorted(_EMBEDDINGS.glob("*.py"))),
        ]
    return [
        rapidfuzz.__version__,
        *(Path(file).read_text(encoding="utf-8") for file in (__file__, str(names.__file__))),
        *embedding,
    ]


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
