"""A lake that an earlier version of the project left is taken over by the first run, with nothing lost."""

from __future__ import annotations

import tarfile

import duckdb
import pytest

from tests.conftest import PROJECT, run_aisle
from warehouse.lake import Lake
from warehouse.parts import PartsDescription
from warehouse.release import read_current_release, read_release
from warehouse.release_diff import explain_changes

# a lake with a made-up sheet of three rows and one release, written when a raw table was one row per version
STORED = PROJECT / "tests" / "stored" / "lake_before_parts.tar.gz"
SHEET = "raw.lab_sheet_publications"


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The stored lake after one run of the present version."""
    folder = tmp_path_factory.mktemp("migrated")
    with tarfile.open(STORED) as archive:
        archive.extractall(folder, filter="data")
    result = run_aisle(folder / "lake", "run", AISLE_BUNDLED="no")
    assert result.returncode == 0, result.stderr
    assert "the lake is of an earlier version" in result.stderr + result.stdout
    return Lake(folder / "lake")


def read_rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple]:
    return connection.execute(query).fetchall()


def test_raw_tables_are_parts_after_the_first_run(migrated: Lake) -> None:
    opened = migrated.open_table(SHEET)
    assert opened is not None
    assert PartsDescription.read(opened[0].delta.metadata().description) == PartsDescription(
        "lab_sheet", ("sheet_row",)
    )


def test_all_records_and_releases_are_there(migrated: Lake) -> None:
    old, new = read_release(migrated, 1), read_current_release(migrated)
    old.check()
    assert new.number == 2
    shared = "select column_name from information_schema.columns where table_schema || '.' || table_name = '{}'"
    with old.connect() as before, new.connect() as after:
        for table in (SHEET, "raw.sightings", "raw.rejects", "raw.parses", "raw.snapshots", "clean.publications"):
            # a version of a row belongs to its list, which earlier versions did not know; the record is the same
            names = {name for (name,) in read_rows(before, shared.format(table))} - {"parser_version", "version_id"}
            query = f"select {', '.join(sorted(names))} from {table} order by all"
            present = query.replace("clean.publications", "clean.list_entries")
            assert read_rows(after, present) == read_rows(before, query), table
            assert read_rows(before, query) or table == "raw.rejects"
        # the sheet counted as a part of the published mapping, and is a corpus of its own now
        (mapping,) = read_rows(after, "select count(*) from clean.publications")
        (listed,) = read_rows(after, "select count(distinct list) from clean.list_entries")
        assert (mapping, listed) == ((0,), (1,))
    changes = explain_changes(old, new, "mart.publications_by_lab_year")
    assert set(changes["cause"]) == {"source withdrawn"}


def test_the_next_run_finds_nothing_new(migrated: Lake) -> None:
    result = run_aisle(migrated.root, "run", AISLE_BUNDLED="no")
    assert "nothing new since release v2" in result.stderr + result.stdout
