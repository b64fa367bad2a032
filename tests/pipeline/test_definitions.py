"""What Dagster loads: every table with its real dependencies, description, columns and checks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from orchestration.definitions import JOB, daily, defs, inbox
from orchestration.defs.tables import all_tables, transforms
from transforms.reader import read_transforms
from warehouse.lake import Lake
from warehouse.sql import tables_read
from warehouse.table import DeclarationError, Table, table_from_toml

SPECS = {".".join(spec.key.path): spec for spec in defs.resolve_all_asset_specs()}
TOML = 'row = "r"\nkey = ["a"]\n[columns]\na = { type = "integer", meaning = "m" }'


def test_loading_definitions_loads_neither_great_expectations_nor_pandas() -> None:
    script = "import sys, orchestration.definitions; print([m for m in ('great_expectations', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("table", all_tables(), ids=lambda table: table.name)
def test_every_table_is_an_asset_that_describes_itself(table: Table) -> None:
    spec = SPECS[table.name]
    assert table.row in (spec.description or "")
    schema = spec.metadata["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchema)
    assert [column.name for column in schema.columns] == list(table.schema)
    assert all(column.description for column in schema.columns)


def test_dependencies_are_those_of_the_query() -> None:
    for name, transform in transforms().items():
        assert {".".join(dep.asset_key.path) for dep in SPECS[name].deps} == set(tables_read(transform.query))
    assert {".".join(dep.asset_key.path) for dep in SPECS["release"].deps} == {table.name for table in all_tables()}
    assert {".".join(dep.asset_key.path) for dep in SPECS["clean.publications"].deps} == {
        "raw.lab_sheet_publications",
        "raw.sightings",
        "reference.labs",
        "reference.lab_aliases",
        "reference.categories",
    }


def test_every_table_has_a_blocking_check() -> None:
    checks = defs.resolve_asset_graph().asset_check_keys
    assert {".".join(key.asset_key.path) for key in checks if key.name == "limits"} == {
        table.name for table in all_tables()
    }
    assert {key.name for key in checks} == {
        "limits",
        "warnings",
        "accounts_add_up",
        "kept_records_are_held",
        "nothing_was_rejected",
        "published_counts",
        "no_snapshot_was_cut_short",
        "no_source_fell_silent",
        "records_are_still_listed",
        "dates_are_past",
        "crosswalk_is_whole",
    }


def test_job_runs_daily_in_one_process() -> None:
    assert daily.cron_schedule == "15 6 * * *"
    job = defs.resolve_job_def(JOB)
    assert job.executor_def is dg.in_process_executor
    assert job.get_node_named("ingest").definition.retry_policy is not None


def test_inbox_sensor_asks_for_a_run_when_files_lie_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AISLE_LAKE", str(tmp_path))
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance)
        assert isinstance(inbox(context), dg.SkipReason)
        folder = Lake(tmp_path).inbox
        folder.mkdir()
        (folder / ".draft").write_text("x")
        assert isinstance(inbox(context), dg.SkipReason)
        (folder / "sheet.csv").write_text("x")
        first = inbox(context)
        assert isinstance(first, dg.RunRequest)
        (folder / "sheet.csv").write_text("xy")
        second = inbox(context)
        assert isinstance(second, dg.RunRequest)
        assert first.run_key != second.run_key


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("select 1 as a", "does not begin with a comment"),
        (f"/*\n{TOML}\n*/\nselect 1 as a; select 2 as a", "not exactly one query"),
        (f"/*\n{TOML}\n*/\ndelete from raw.things", "not exactly one query"),
        (f"/*\n{TOML}\n*/\nselect a from things", "names no layer"),
        (f"/*\n{TOML}\n*/\nselect a from raw.no_such_table", "reads raw.no_such_table, which nothing makes"),
        (f"/*\n{TOML}\n*/\nselect a from mart.made", "in a circle"),
        ("/*\nrow = 1 2\n*/\nselect 1 as a", "made.sql"),
        ("/*\nrow = 'r'\nkey = ['a']\n[columns]\na = {}\n*/\nselect a from raw.others", "has no type"),
    ],
)
def test_wrong_sql_file_is_told_by_name(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "mart").mkdir()
    (tmp_path / "mart" / "made.sql").write_text(text)
    others = table_from_toml(
        "raw.others", {"row": "r", "key": ["b"], "columns": {"b": {"type": "text", "meaning": "m"}}}
    )
    with pytest.raises(DeclarationError, match=told):
        read_transforms([others], tmp_path)


def test_tables_read_sees_through_ctes_and_subqueries() -> None:
    query = """
        with local as (select * from raw.first), other as (select * from local join clean.second using (a))
        select *, (select max(b) from mart.third) from other, range(3) where a in (select a from reference.fourth)
    """
    assert tables_read(query) == ("clean.second", "mart.third", "raw.first", "reference.fourth")
