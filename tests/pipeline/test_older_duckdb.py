"""A release opens in DuckDB 1.1 and newer, as the documentation promises: every table, every macro, the same rows."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.support.old_duckdb import install_duckdb, run_script
from warehouse.lake import Lake
from warehouse.release import read_current_release
from warehouse.sql import SCALAR_MACROS, TABLE_MACROS

READ_ALL = """
import json
import duckdb
with duckdb.connect(sys.argv[1], read_only=True) as connection:
    connection.execute("set threads = 1")
    tables = connection.execute("select schema_name || '.' || table_name from duckdb_tables()").fetchall()
    # every value is read; its Python client would need another package for moments
    read = "select count(*), bit_xor(hash(rows)) from {} as rows"
    counts = {name: connection.execute(read.format(name)).fetchall()[0][0] for (name,) in tables}
    answers = {query: repr(sorted(map(str, connection.execute(query).fetchall()))) for query in sys.argv[2:]}
    comments = connection.execute("select comment from duckdb_tables() where table_name = 'snapshots'").fetchall()
print(json.dumps({"version": duckdb.__version__, "counts": counts, "answers": answers, "comments": comments}))
"""
# a call of every macro; those without a call here fail the test
CALLS = {
    "wilson_low": "select round(wilson_low(3, 10), 12)",
    "wilson_high": "select round(wilson_high(3, 10), 12)",
    "share_of": "select share_of(3, 10)",
    "share_caution": "select share_caution(3, 10)",
    "change_finding": "select change_finding(7, 30, 1.2, 2.5, 1.0)",
    "corrected_alpha": "select corrected_alpha(3, 10)",
    "growth_shown": "select growth_shown(7, 9, 0.4)",
    "season_shown": "select season_shown(48, 0.4)",
    "provisional_since": "select provisional_since(date '2024-07-24', 3)",
    "link_without_scheme": "select link_without_scheme('https://www.example.org/a')",
    "arxiv_id_in": "select arxiv_id_in('arxiv.org/abs/2401.01234v2')",
    "link_key": "select link_key('https://arxiv.org/pdf/2401.01234v2')",
    "words_of": "select words_of('Sparse, probing  of features')",
    "blank_words": "select blank_words('Sparse, probing  of features')",
    "taxonomy_of": "select taxonomy_of(null, 'iaps_mapping')",
    "publications_behind": "from publications_behind(rule := 'rows')",
    "publication_periods": "from publication_periods(grain := 'quarter')",
    "publication_cells": "from publication_cells(grain := 'month')",
    "publication_counts": "from publication_counts(rule := 'works', grain := 'quarter', in_taxonomy := 'iaps')",
    "publication_shares": "from publication_shares(dimension := 'category')",
}


@pytest.fixture(scope="module")
def read_by_oldest(released_lake: Lake) -> dict[str, Any]:
    """What DuckDB 1.1.3 reads of the bundled default."""
    path = read_current_release(released_lake).path
    return json.loads(run_script(install_duckdb("1.1.3"), READ_ALL, str(path), *CALLS.values()))


def test_every_macro_is_called() -> None:
    assert set(CALLS) == set(re.findall(r"create or replace macro (\w+)", SCALAR_MACROS + TABLE_MACROS))


def test_every_table_is_read(released_lake: Lake, read_by_oldest: dict[str, Any]) -> None:
    tables = read_current_release(released_lake).manifest["tables"]
    assert read_by_oldest["version"] == "1.1.3"
    assert read_by_oldest["counts"] == {name: entry["rows"] for name, entry in tables.items()}
    assert read_by_oldest["comments"][0][0]


@pytest.mark.parametrize("name", CALLS)
def test_every_macro_gives_the_same(released_lake: Lake, read_by_oldest: dict[str, Any], name: str) -> None:
    with read_current_release(released_lake).connect() as connection:
        rows = connection.execute(CALLS[name]).fetchall()
    assert rows
    assert read_by_oldest["answers"][CALLS[name]] == repr(sorted(map(str, rows)))
