"""Functions that SQL lacks: patterns of tables mean what DuckDB takes them for, at the cost of one compilation."""

from __future__ import annotations

import itertools

import duckdb
import pyarrow as pa
import pytest
import sqlglot
from sqlglot import exp

from orchestration.defs.catalog import load_transforms
from transforms import functions

TEXTS = ["a\nb", "A\r\nB", "é", "ÉCOLE", "x\x00y", "deep mind\n", "İ", "ſ", "K", "\u2028", "ß", "", None]
PATTERNS = ["a.b", "(?i)É", "^b", "b$", r"\bmind\b", r"\w", "(?i)k", "(?i)s", r"\s", "[^a]$", "(?s)a.b", "(?m)^b", None]


def test_a_pattern_of_a_table_matches_as_in_duckdb() -> None:
    pairs = list(itertools.product(TEXTS, PATTERNS))
    rows = pa.table({"written": [text for text, _ in pairs], "pattern": [pattern for _, pattern in pairs]})
    query = "select matches_pattern(written, pattern), regexp_matches(written, pattern) from pairs"
    with duckdb.connect() as connection, functions.register_functions(connection, query):
        connection.register("pairs", rows)
        found = connection.execute(query).fetchall()
    assert [own for own, _ in found] == [other for _, other in found]
    assert {own for own, _ in found} == {True, False, None}


def test_patterns_are_compiled_for_batches_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    query = "select count(*) from numbers, patterns where matches_pattern(written, pattern)"
    searched, search = list[str](), functions._search_pattern

    def note_search(texts: pa.Array, pattern: str) -> pa.Array:
        searched.append(pattern)
        return search(texts, pattern)

    monkeypatch.setattr(functions, "_search_pattern", note_search)
    with duckdb.connect() as connection, functions.register_functions(connection, query):
        connection.execute("create table numbers as select 'number ' || range as written from range(10000)")
        connection.execute("create table patterns as select 'r ' || range || '$' as pattern from range(3)")
        assert connection.execute(query).fetchall() == [(3,)]
    assert set(searched) == {"r 0$", "r 1$", "r 2$"}
    assert len(searched) < 300


def test_no_table_gives_a_pattern_to_a_function_that_compiles_it_for_each_row() -> None:
    """DuckDB keeps a compiled pattern only if it is written in the query."""
    names = (exp.RegexpLike, exp.RegexpReplace, exp.RegexpExtract, exp.RegexpExtractAll, exp.RegexpFullMatch)
    found = {
        f"{name}: {node.sql(dialect='duckdb')}"
        for name, transform in load_transforms().items()
        for node in sqlglot.parse_one(transform.query, read="duckdb").find_all(*names)
        if isinstance(node.expression, exp.Column)
    }
    assert not found
