"""What Dagster loads: every table with its dependencies, description, columns, lineage, owner, code and checks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import dagster as dg
import pytest

from orchestration.definitions import load_definitions
from orchestration.defs.automation import DAILY, RUN_ALL, inbox
from orchestration.defs.catalog import list_tables, load_transforms, trace_table
from orchestration.defs.orphans import lease_executor
from orchestration.defs.specs import build_column_lineage
from orchestration.fetch.config import read_configuration
from orchestration.ingest.raw_tables import load_shared_tables
from orchestration.sources.registry import SOURCES
from tests.conftest import PROJECT
from transforms.reader import read_transforms
from warehouse.lake import Lake
from warehouse.sql import list_source_tables
from warehouse.table import DeclarationError, Table, parse_table

TOML = 'row = "r"\nkey = ["a"]\n[columns]\na = { type = "integer", meaning = "m" }'


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AISLE_LAKE", str(tmp_path_factory.mktemp("lake")))
        return load_definitions()


@pytest.fixture(scope="module")
def specs(definitions: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {".".join(spec.key.path): spec for spec in definitions.resolve_all_asset_specs()}


def upstream(spec: dg.AssetSpec) -> set[str]:
    return {".".join(dep.asset_key.path) for dep in spec.deps}


def test_loading_definitions_loads_neither_great_expectations_nor_pandas() -> None:
    script = (
        "import sys; from orchestration.definitions import load_definitions; load_definitions();"
        "print([m for m in ('great_expectations', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_import_of_the_definitions_opens_no_file_of_ours() -> None:
    script = f"""
import sys
opened = []
def record(event, arguments):
    if event == "open" and str(arguments[0]).startswith({str(PROJECT)!r}):
        opened.append(str(arguments[0]))
sys.addaudithook(record)
import orchestration.definitions
print([path for path in opened if not path.endswith((".py", ".pyc")) and "/.venv/" not in path and "__pycache__" not in path])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    read_by_macros = re.findall(
        r"'[^']*/warehouse/macros/[^']*'", done.stdout
    )  # SQL that warehouse.sql holds as a constant
    assert len(done.stdout.strip("[]\n").split(", ")) == len(read_by_macros), done.stdout


@pytest.mark.parametrize("table", list_tables(), ids=lambda table: table.name)
def test_every_table_is_an_asset_that_describes_itself(table: Table, specs: dict[str, dg.AssetSpec]) -> None:
    spec = specs[table.name]
    assert table.row in (spec.description or "")
    schema = spec.metadata["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchema)
    assert [column.name for column in schema.columns] == list(table.schema)
    assert all(column.description for column in schema.columns)
    assert spec.owners
    assert spec.kinds
    assert spec.tags["layer"] == table.layer
    assert spec.freshness_policy is not None
    (reference,) = spec.metadata["dagster/code_references"].code_references
    assert isinstance(reference, dg.LocalFileCodeReference)
    assert Path(reference.file_path).is_file()


def test_marts_are_grouped_by_subject(specs: dict[str, dg.AssetSpec]) -> None:
    groups = {spec.group_name for name, spec in specs.items() if name.startswith("mart.")}
    assert groups == {
        f"mart_{folder.name}" for folder in (PROJECT / "transforms" / "mart").iterdir() if folder.is_dir()
    }


def test_dependencies_are_those_of_the_query(specs: dict[str, dg.AssetSpec]) -> None:
    for name, transform in load_transforms().items():
        assert upstream(specs[name]) == set(list_source_tables(transform.query))
    assert upstream(specs["release"]) == {table.name for table in list_tables()}
    assert upstream(specs["clean.list_entries"]) == {
        "raw.lab_sheet_publications",
        "raw.sightings",
        "reference.labs",
        "reference.lab_aliases",
        "reference.categories",
    }


def test_the_graph_is_unbroken_from_feed_to_release(specs: dict[str, dg.AssetSpec]) -> None:
    feeds = read_configuration(Lake(Path("no-such-lake"))).feeds
    assert len(feeds) > 10
    for feed in feeds.values():
        assert f"feed.{feed.name}" in upstream(specs[feed.kind.table_name])
    assert all("inbox" in upstream(specs[source.table_name]) for source in SOURCES)
    for name in load_shared_tables():
        assert upstream(specs[f"raw.{name}"]) == {source.table_name for source in SOURCES}
    assert upstream(specs["reference.lineage"]) == set(load_transforms())
    with_downstream = {name for spec in specs.values() for name in upstream(spec)}
    assert set(specs) - with_downstream == {"release"}


def _trace(name: str) -> Mapping[str, Sequence[dg.TableColumnDep]]:
    return build_column_lineage(trace_table(name).drop("table_name").iter_rows()).deps_by_column


def test_column_lineage_names_the_columns_of_upstream_tables(specs: dict[str, dg.AssetSpec]) -> None:
    for name, transform in load_transforms().items():
        lineage = _trace(name)
        # what a function makes of the rows of its query is not in the query
        assert bool(lineage) == (transform.function is None), name
        for deps in lineage.values():
            assert {".".join(dep.asset_key.path) for dep in deps} <= upstream(specs[name])
    (origin,) = _trace("mart.publications_by_lab_year")["lab"]
    assert origin == dg.TableColumnDep(dg.AssetKey(["mart", "publications_by_lab_category_month"]), "lab")


def test_every_table_has_a_blocking_check(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    checks = graph.asset_check_keys
    assert {".".join(key.asset_key.path) for key in checks if key.name == "limits"} == {
        table.name for table in list_tables()
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
        "suggestions_stay_confident",
        "records_are_still_listed",
        "dates_are_past",
        "versions_are_in_order",
        "crosswalk_is_whole",
        "mappings_are_whole",
    }


def test_every_table_and_every_check_can_be_run_alone(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    keys = [*(dg.AssetKey(table.name.split(".")) for table in list_tables()), *graph.asset_check_keys]
    for key in keys:
        assert graph.get_execution_set_asset_and_check_keys(key) == {key}


def test_job_runs_daily_in_one_process(definitions: dg.Definitions) -> None:
    assert DAILY.cron_schedule == "15 6 * * *"
    job = definitions.resolve_job_def(RUN_ALL.name)
    assert job.executor_def is lease_executor
    assert job.get_node_named("ingest").definition.retry_policy is not None


def test_inbox_sensor_requests_a_run_when_files_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AISLE_LAKE", str(tmp_path))
    monkeypatch.setenv("AISLE_INBOX_SETTLE_SECONDS", "0")
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
        with (folder / "sheet.csv").open("a"), monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: 0)  # the file is held open by another process, seen from this one
            growing = inbox(context)
        assert isinstance(growing, dg.SkipReason)
        assert "still has it open for writing" in str(growing.skip_message)
        again = inbox(context)
        assert isinstance(again, dg.RunRequest)
        assert again.run_key == second.run_key


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("select 1 as a", "does not start with a comment"),
        (f"/*\n{TOML}\n*/\nselect 1 as a; select 2 as a", "not exactly one query"),
        (f"/*\n{TOML}\n*/\ndelete from raw.records", "not exactly one query"),
        (f"/*\n{TOML}\n*/\nselect a from records", "names no layer"),
        (f"/*\n{TOML}\n*/\nselect a from raw.no_such_table", "reads raw.no_such_table, which nothing makes"),
        (f"/*\n{TOML}\n*/\nselect a from mart.made", "in a circle"),
        ("/*\nrow = 1 2\n*/\nselect 1 as a", "made.sql"),
        ("/*\nrow = 'r'\nkey = ['a']\n[columns]\na = {}\n*/\nselect a from raw.others", "has no type"),
    ],
)
def test_wrong_sql_file_is_reported_by_name(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mart").mkdir()
    (tmp_path / "mart" / "made.sql").write_text(text)
    others = parse_table("raw.others", {"row": "r", "key": ["b"], "columns": {"b": {"type": "text", "meaning": "m"}}})
    with pytest.raises(DeclarationError, match=message):
        read_transforms([others], tmp_path)


def test_two_files_of_one_table_are_reported(tmp_path: Path) -> None:
    for folder in ("mart/one", "mart/other"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "made.sql").write_text(f"/*\n{TOML}\n*/\nselect 1 as a")
    with pytest.raises(DeclarationError, match="makes mart.made, which .* makes already"):
        read_transforms([], tmp_path)


def test_tables_read_are_found_in_ctes_and_subqueries() -> None:
    query = """
        with local as (select * from raw.first), other as (select * from local join clean.second using (a))
        select *, (select max(b) from mart.third) from other, range(3) where a in (select a from reference.fourth)
    """
    assert list_source_tables(query) == ("clean.second", "mart.third", "raw.first", "reference.fourth")
