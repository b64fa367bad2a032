"""The plain form of `aisle sql`: no query, whatever it is, writes or reads a file; only ``--output`` writes one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import PROJECT, run_aisle
from tests.sql_box.test_sql import ATTEMPTS, Canary, release
from warehouse.lake import Lake
from warehouse.release import Release, read_current_release

__all__ = ["release"]

# attempts that only the plain form has to bear, since the gate of the sandbox refuses whole kinds of statements
MORE_ATTEMPTS = r"""
copy (select 'x') to 'RELEASE' (format csv, use_tmp_file true)
copy (select 'x') to 'RELEASE' (format parquet)
copy (select 'x') to 'RELEASE' (format json)
copy (select 'x') to 'RELEASE.wal' (format csv)
copy (select 'x') to 'FOLDER/link.duckdb' (format csv, use_tmp_file false)
copy (select 'x') to 'FOLDER/link.duckdb' (format csv, overwrite_or_ignore true)
copy (select 1 as a, 2 as b) to 'FOLDER' (format parquet, partition_by (a), overwrite true)
copy (select 'x') to 'FOLDER/secret.txt' (format csv, append true)
export database 'FOLDER/exported' (format parquet)
attach 'RELEASE' as again (read_write)
attach 'FOLDER/link.duckdb' as again
attach 'OUT' as o (type duckdb); create table o.t as select 1
attach ':memory:' as m; create table m.t as select 1; copy m.t to 'OUT'
create temp table t as select 1 as a; copy t to 'OUT'
create temp table t (note varchar); copy t from 'TABLE'; from t
create temp table t as select range as a from range(300000) order by random(); select count(*) from t
set temp_directory = 'FOLDER/spill'; select count(*) from (select md5(range::varchar) h from range(1000000) order by h)
set home_directory = 'FOLDER'; install httpfs
set extension_directory = 'FOLDER/extensions'; install httpfs
set secret_directory = 'FOLDER/secrets'; create persistent secret s (type http, bearer_token 'x')
set log_query_path = 'OUT'; select 1
set custom_profiling_settings = '{}'; set enable_profiling = 'json'; set profile_output = 'OUT'; select 1
pragma enable_profiling; pragma profile_output = 'OUT'; select 1
pragma enable_logging('file'); select 1
call enable_logging(storage := 'file', storage_path := 'FOLDER/log'); select 1
set enable_external_access = true; from read_text('SECRET')
set disabled_filesystems = ''; copy (select 1) to 'OUT'
reset disabled_filesystems; copy (select 1) to 'OUT'
set lock_configuration = false; set disabled_filesystems = ''; copy (select 1) to 'OUT'
reset global lock_configuration; reset global disabled_filesystems; copy (select 1) to 'OUT'
pragma lock_configuration = false; copy (select 1) to 'OUT'
set allowed_paths = ['OUT']; copy (select 1) to 'OUT'
set allowed_directories = ['FOLDER']; copy (select 1) to 'OUT'
from read_blob('FOLDER/link.duckdb')
from read_text('FOLDER/link.txt')
from read_blob('RELEASE.wal')
from read_text('/proc/self/fd/0')
copy (select 1) to '/proc/self/fd/1'
copy (select 1) to '/dev/fd/1'
from read_csv('/dev/stdin')
import database 'FOLDER'
load 'FOLDER/link.txt'
from query('copy (select 1) to ''OUT''')
prepare p as copy (select 1) to 'OUT'; execute p
begin; copy (select 1) to 'OUT'; commit
explain analyze copy (select 1) to 'RELEASE' (format csv, use_tmp_file false)
create macro w() as table (from read_text('SECRET')); from w()
create temp view v as from read_text('SECRET'); from v
with t as materialized (from read_text('SECRET')) from t
checkpoint; force checkpoint
drop table clean.publications; checkpoint
update extensions
from duckdb_secrets()
create temp table t as from FRAME; from t
""".strip().splitlines()
ALL_QUERIES = [query for queries in ATTEMPTS.values() for query in queries.strip().splitlines()] + MORE_ATTEMPTS

RUN_QUERIES = """
import json, sys
from pathlib import Path
import polars as pl
from warehouse.release import Release
FRAME = A_PYTHON_OBJECT = pl.DataFrame({"note": ["a secret of the parent"]})
connection = Release(1, Path(sys.argv[1]), {}).connect()
for query in json.load(sys.stdin):
    cursor = connection.cursor()
    try:
        relation = cursor.sql(query)
        outcome = "" if relation is None else str(relation.limit(1000).fetchall())
    except BaseException as error:
        outcome = f"{type(error).__name__}: {error}"
    print(json.dumps(outcome), flush=True)
"""


def run_plainly(release: Release, queries: list[str]) -> list[str]:
    """The outcome of each query in a process of its own, since some may crash DuckDB; the next ones get a new one."""
    outcomes: list[str] = []
    while len(outcomes) < len(queries):
        left = queries[len(outcomes) :]
        finished = subprocess.run(
            [sys.executable, "-c", RUN_QUERIES, str(release.path)],
            input=json.dumps(left),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            cwd=PROJECT,
        )
        outcomes += [json.loads(line) for line in finished.stdout.splitlines()]
        if len(outcomes) < len(queries):
            outcomes.append(f"the process ended with {finished.returncode}: {finished.stderr[-200:]}")
    return outcomes


@pytest.fixture
def canary(release: Release, tmp_path: Path) -> Canary:
    """A copy of the release, with links to it and files beside it."""
    folder, path = tmp_path / "canary", tmp_path / "releases" / release.path.name
    folder.mkdir()
    path.parent.mkdir()
    shutil.copy(release.path, path)
    (folder / "secret.txt").write_text("a canary sings", encoding="utf-8")
    (folder / "table.csv").write_text("note\na canary sings\n", encoding="utf-8")
    (folder / "schema.sql").write_text("create table imported (a int);", encoding="utf-8")
    (folder / "link.duckdb").symlink_to(path)
    (folder / "link.txt").symlink_to(folder / "secret.txt")
    return Canary(replace(release, path=path), folder)


@pytest.mark.trials("queries that write or read files in the plain form", 250)
def test_no_query_writes_or_reads_a_file(canary: Canary) -> None:
    before, home = canary.read_hashes(), Path("~/.duckdb").expanduser()
    home_files = sorted(home.rglob("*"))
    queries = [canary.fill_paths(query) for query in ALL_QUERIES]
    assert len(queries) > 250
    for query, outcome in zip(queries, run_plainly(canary.release, queries), strict=True):
        assert "a canary sings" not in outcome, query
        assert "a secret of the parent" not in outcome, query
        assert "the process ended" not in outcome, query
    assert canary.read_hashes() == before
    assert sorted(home.rglob("*")) == home_files


def test_query_on_the_command_line_cannot_overwrite_the_release(canary: Canary, released_lake: Lake) -> None:
    release, before = read_current_release(released_lake), canary.read_hashes()
    for query in (
        f"copy (select 'x') to '{release.path}' (format csv, use_tmp_file false)",
        f"copy (select 'x') to '{canary.folder / 'out'}'",
        f"from read_text('{canary.folder / 'secret.txt'}')",
    ):
        result = run_aisle(released_lake.root, "sql", query)
        assert result.returncode == 1
        assert "disabled" in result.stderr
        assert "canary" not in result.stdout
    release.check()
    assert canary.read_hashes() == before


@pytest.mark.parametrize("form", ["csv", "json", "parquet", "markdown", "table"])
@pytest.mark.parametrize("place", ["aisle.duckdb", "releases/aisle.v1.duckdb", "link", "tables/new.csv", "hard link"])
def test_rows_are_not_written_over_the_lake(canary: Canary, tmp_path: Path, form: str, place: str) -> None:
    lake = Lake(tmp_path)
    path = canary.release.path.rename(canary.release.path.with_name("aisle.v1.duckdb"))
    manifest = {key: value for key, value in canary.release.manifest.items() if key != "file"}
    path.with_suffix(".json").write_text(json.dumps(manifest))
    (lake.root / "aisle.duckdb").symlink_to(Path("releases") / path.name)
    (tmp_path / "link").symlink_to(path)
    os.link(path, tmp_path.parent / f"{tmp_path.name}-{form}")
    before = path.read_bytes()
    output = tmp_path.parent / f"{tmp_path.name}-{form}" if place == "hard link" else tmp_path / place
    result = run_aisle(lake.root, "sql", "select 1 as a", "--format", form, "--output", str(output))
    assert result.returncode == 1
    assert "belongs to the lake" in result.stderr
    assert path.read_bytes() == before


def test_output_goes_to_the_file_that_was_named(released_lake: Lake, tmp_path: Path) -> None:
    output = tmp_path / "rows.csv"
    assert run_aisle(released_lake.root, "sql", "select 1 as a", "-f", "csv", "-o", str(output)).returncode == 0
    assert output.read_text() == "a\n1\n"
