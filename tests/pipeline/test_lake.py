"""The lake on disk: which folders can hold one, and that damaged or missing parts are made again."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from deltalake import DeltaTable

from orchestration import run
from orchestration.run import find_unchanged_release, hash_inputs
from tests.conftest import run_aisle
from tests.pipeline.test_faults import NASTIEST, write_numbers
from tests.support.damage import flip_byte
from warehouse.intact_files import IntactFiles
from warehouse.lake import Lake, UnusableLake
from warehouse.memory import InvalidMemory, read_engine_budget
from warehouse.parts import PartsDescription
from warehouse.release import publish_release, read_current_release
from warehouse.scratch import open_scratch
from warehouse.table import DeclarationError
from warehouse.terminal_text import escape_name


@pytest.mark.parametrize("character", [*"#?%\\|^[]", "\t", "\n", "\x01", "\x7f", "\x85", "\udcff"])
def test_path_that_a_lake_cannot_have_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, character: str
) -> None:
    monkeypatch.setenv("AISLE_LAKE", f"{tmp_path}/a{character}lake")
    with pytest.raises(UnusableLake, match="but may contain anything except") as error:
        Lake.from_environment()
    message = str(error.value)
    assert message.startswith(f"{tmp_path}/a{escape_name(character)}lake cannot hold a lake: ")
    assert message.isprintable()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["loop", "link to a#b", "~no such person at all/lake"])
def test_path_that_leads_nowhere_or_to_a_refused_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "a#b").mkdir()
    (tmp_path / "link to a#b").symlink_to("a#b")
    monkeypatch.setenv("AISLE_LAKE", name if name.startswith("~") else str(tmp_path / name))
    with pytest.raises(UnusableLake, match="cannot hold a lake"):
        Lake.from_environment()


@pytest.mark.parametrize("name", [*"*'\"{}$~;:&=+,@!`<>() ", "é", "\u202e", "a" * 200, NASTIEST])
def test_any_other_path_is_one_that_tables_and_releases_can_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("AISLE_LAKE", f"{tmp_path}/a{name}lake")
    lake = Lake.from_environment()
    numbers = write_numbers(lake, range(3))
    write_numbers(lake, range(4))
    assert lake.read(numbers).height == 4
    release, _ = publish_release(lake, [numbers], {})
    with release.connect() as connection:
        assert connection.execute("select count(*) from mart.numbers").fetchall() == [(4,)]
    assert list(tmp_path.iterdir()) == [lake.root]


def test_relative_path_and_home_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for text in ("here/lake", "./here/../here/lake", "~/here/lake"):
        monkeypatch.setenv("AISLE_LAKE", text)
        assert Lake.from_environment().root == tmp_path.resolve() / "here" / "lake"


def damage_commit(path: Path, content: bytes) -> None:
    max((path / "_delta_log").glob("*.json")).write_bytes(content)


TABLE_DAMAGES: dict[str, Callable[[Path], object]] = {
    "table": shutil.rmtree,
    "layer": lambda path: shutil.rmtree(path.parent),
    "tables": lambda path: shutil.rmtree(path.parents[1]),
    "rows": lambda path: [file.unlink() for file in path.glob("*.parquet")],
    "half of the rows": lambda path: [file.write_bytes(file.read_bytes()[:99]) for file in path.glob("*.parquet")],
    "one byte": lambda path: [flip_byte(file) for file in path.glob("*.parquet")],
    "log": lambda path: shutil.rmtree(path / "_delta_log"),
    "newest commit": lambda path: max((path / "_delta_log").glob("*.json")).unlink(),
    "half of the newest commit": lambda path: damage_commit(path, b'{"add": {"pa'),
    "content of the newest commit": lambda path: damage_commit(path, b""),
}


def delete(name: str) -> Callable[[Lake], object]:
    return lambda lake: (lake.root / name).unlink()


LAKE_DAMAGES: dict[str, Callable[[Lake], object]] = {
    **{
        name: lambda lake, damage=damage: damage(lake.locate_table("mart.numbers"))
        for name, damage in TABLE_DAMAGES.items()
    },
    "record of the last run": delete("last_run.json"),
    "results of checks": delete("checks.json"),
    "release": delete("releases/aisle.v1.duckdb"),
    "manifest": delete("releases/aisle.v1.json"),
    "pointer": delete("aisle.duckdb"),
    "half of the release": lambda lake: os.truncate(lake.releases / "aisle.v1.duckdb", 5000),
    "half of the record": lambda lake: os.truncate(lake.root / "last_run.json", 9),
    "half of the results": lambda lake: os.truncate(lake.root / "checks.json", 9),
}


@pytest.fixture
def released(tmp_path: Path) -> Lake:
    """A lake with two versions of a table, the second one released by a recorded run."""
    lake = Lake(tmp_path)
    write_numbers(lake, range(5))
    release, _ = publish_release(lake, [write_numbers(lake, range(7))], {})
    with run.record_run(lake, "a run", is_whole=True) as record:
        record.inputs, record.release = hash_inputs(lake), release.number
        record.add_check(run.CheckResult("mart.numbers", "limits", True, True))
    assert find_unchanged_release(lake) == release
    return lake


@pytest.mark.parametrize("name", LAKE_DAMAGES)
def test_run_does_not_find_everything_unchanged_if_a_part_is_missing(released: Lake, name: str) -> None:
    LAKE_DAMAGES[name](released)
    assert find_unchanged_release(released) is None


@pytest.mark.parametrize("name", TABLE_DAMAGES)
def test_damaged_table_is_made_again(released: Lake, name: str) -> None:
    TABLE_DAMAGES[name](released.locate_table("mart.numbers"))
    numbers = write_numbers(released, range(7))
    state = released.read_state("mart.numbers")
    assert state is not None
    assert state.rows == 7
    assert released.read(numbers).height == 7
    # with the same content in it as in the release, there is nothing to publish again
    assert json.loads((released.root / "last_run.json").read_bytes())["release"] == 1
    assert find_unchanged_release(released) is not None
    assert not publish_release(released, [numbers], {})[1]


def test_run_notices_other_bytes_in_any_layer_and_makes_those_tables_again(released_lake: Lake, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "data")
    shutil.copytree(released_lake.root, lake.root, symlinks=True)
    before = read_current_release(lake)
    names = ("raw.snapshots", "reference.labs", "clean.publications", "mart.publications_by_lab_year")
    paths = [path for name in names for path in lake.locate_table(name).glob("*.parquet")]
    raw_parts = [path for path in lake.root.glob("tables/raw/*/*.parquet") if PartsDescription.read(read_text(path))]
    paths.append(max(raw_parts, key=lambda path: path.stat().st_size))
    for path in paths:
        flip_byte(path)
    finished = run_aisle(lake.root, "run")
    assert finished.returncode == 0, finished.stderr
    for path in paths:
        assert f"{path} is missing or has other bytes than were written" in finished.stderr
    assert "  reference.labs: " in finished.stderr
    for name in ("reference.categories", "raw.fetches"):  # these have not changed
        assert f"{name}: " not in finished.stderr
    assert read_current_release(lake).content_sha256 == before.content_sha256
    assert find_unchanged_release(lake) is not None
    assert all(IntactFiles(lake.root).is_intact(path) for path in lake.root.glob("tables/*/*/*.parquet"))


def read_text(path: Path) -> str | None:
    return DeltaTable(path.parent).metadata().description


def test_log_is_read_again_only_if_it_has_changed(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    table = write_numbers(lake, range(3))
    versions = [lake.open_table(table.name) for _ in range(2)]
    write_numbers(lake, range(4))
    versions += [lake.open_table(table.name), Lake(tmp_path).open_table(table.name)]
    logs = [version[0] for version in versions if version is not None]
    assert [log.delta.version() for log in logs] == [0, 0, 1, 1]
    assert logs[0] is logs[1]
    assert logs[2] is logs[3]


def test_same_rows_in_another_order_make_no_new_version(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    table = write_numbers(lake, range(3000))
    before, files = lake.read_state(table.name), lake.open_table(table.name)
    for order in ("number desc", "hash(number)"):
        with open_scratch(tmp_path) as connection:
            lake.write_query(table, connection, f"select number from range(3000) as r (number) order by {order}")
        assert lake.read_state(table.name) == before
    assert files is not None
    assert {file.name for file in lake.locate_table(table.name).glob("*.parquet")} == {f.path.name for f in files[1]}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("select 'x' as number", "mart.numbers.number is varchar, declared is bigint"),
        ("select 1.5::double as number", "mart.numbers.number is double, declared is bigint"),
        ("select 1 as other", "missing .'number'., undeclared .'other'."),
        ("select 1 as number, 2 as more", "undeclared .'more'."),
    ],
)
def test_query_with_other_columns_or_types_is_no_table(tmp_path: Path, query: str, message: str) -> None:
    lake = Lake(tmp_path)
    table = write_numbers(lake, range(3))
    with open_scratch(tmp_path) as connection, pytest.raises(DeclarationError, match=message):
        lake.write_query(table, connection, query)
    assert lake.read(table).height == 3


def test_query_that_needs_more_than_its_memory_spills_to_the_lake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AISLE_MEMORY", "512MiB")
    lake = Lake(tmp_path)
    table = write_numbers(lake, range(3))
    with open_scratch(tmp_path) as connection:
        wide = "select i as number, repeat(md5(i::varchar), 8) as text from range(600000) as r (i) order by text"
        lake.write_query(table, connection, f"select number from ({wide}) order by hash(text)")
    state = lake.read_state(table.name)
    assert state is not None
    assert state.rows == 600_000


@pytest.mark.parametrize("text", ["much", "1", "5 kB", "-1GB", "100MB", "1TBB"])
def test_memory_that_is_no_amount_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("AISLE_MEMORY", text)
    with pytest.raises(InvalidMemory, match="must be at least 512MB|no amount of memory"):
        read_engine_budget()
