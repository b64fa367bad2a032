"""The file of a release: only changed tables are written, whatever the last file is, and nothing incomplete is published."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from warehouse import release as releases
from warehouse import release_draft
from warehouse.lake import Lake
from warehouse.release import Release, find_damage, publish_release, read_current_release
from warehouse.release_draft import BLOCK_BYTES
from warehouse.release_file import DamagedFile, check_written, read_file_facts
from warehouse.table import Table, parse_table

NAMES = ("clean.letters", "mart.numbers", "raw.words")
FACTS = {"code_version": "one"}


def declare(name: str, meaning: str = "The value.") -> Table:
    columns = {"value": {"type": "integer", "meaning": meaning}, "note": {"type": "text", "meaning": "A note."}}
    return parse_table(name, {"row": "A value.", "key": ["value"], "columns": columns})


TABLES = [declare(name) for name in NAMES]


def write_values(lake: Lake, name: str, count: int, note: str = "of old") -> None:
    table = declare(name)
    lake.write(table, table.frame({"value": value, "note": f"{note} {value}"} for value in range(count)))


def publish(lake: Lake, tables: list[Table] = TABLES, **facts: Any) -> Release:
    return publish_release(lake, tables, {**FACTS, **facts})[0]


def count_written(release: Release) -> int:
    return release.manifest["file"]["tables_written"]


def read_file(release: Release) -> dict[str, Any]:
    """All that a release file has: the rows in their order, and the comments."""
    with release.connect() as connection:
        tables = connection.execute(
            "select schema_name || '.' || table_name, comment from duckdb_tables() order by all"
        ).fetchall()
        comments = connection.execute("select table_name, column_name, comment from duckdb_columns() order by all")
        functions = "select function_name, macro_definition from duckdb_functions() where not internal order by all"
        return {
            "tables": tables,
            "comments": comments.fetchall(),
            "rows": {name: connection.execute(f"from {name}").fetchall() for name, _ in tables},
            "macros": connection.execute(functions).fetchall(),
        }


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake with a release of three tables."""
    lake = Lake(tmp_path / "lake")
    for name in NAMES:
        write_values(lake, name, 300)
    publish(lake)
    return lake


def test_unchanged_tables_are_copied_and_the_file_is_as_if_all_were_written(lake: Lake, tmp_path: Path) -> None:
    first = read_current_release(lake)
    assert count_written(first) == 4  # the dictionary too
    first_bytes = first.path.read_bytes()
    write_values(lake, "mart.numbers", 310)
    second = publish(lake)
    assert count_written(second) == 1
    assert first.path.read_bytes() == first_bytes
    whole = Lake(tmp_path / "another lake")
    for name in NAMES:
        write_values(whole, name, 310 if name == "mart.numbers" else 300)
    assert read_file(second) == read_file(publish(whole))
    assert find_damage(lake) is None
    # the version number of the main header: 64 is that of DuckDB 1.0 and 1.1
    assert int.from_bytes(second.path.read_bytes()[12:20], "little") == 64


def test_emptied_and_filled_table_is_replaced(lake: Lake) -> None:
    for count in (0, 5, 0):
        write_values(lake, "clean.letters", count)
        release = publish(lake)
        assert count_written(release) == 1
        assert len(read_file(release)["rows"]["clean.letters"]) == count


def damage_middle(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def change_manifest(**entries: Any) -> Callable[[Path], object]:
    def change(path: Path) -> None:
        manifest = path.with_suffix(".json")
        facts = json.loads(manifest.read_text())
        facts["file"] |= entries
        manifest.write_text(json.dumps(facts))

    return change


@pytest.mark.parametrize(
    "change",
    [
        Path.unlink,
        damage_middle,
        lambda path: os.truncate(path, path.stat().st_size - 1),
        lambda path: path.with_suffix(".json").unlink(),
        change_manifest(form="v1.5.0, blocks of 65536 bytes, duckdb 2.0.0"),
        change_manifest(form="v1.0.0, blocks of 65536 bytes, duckdb 1.4.0"),
    ],
    ids=["missing", "damaged", "short", "no manifest", "other storage version", "other DuckDB"],
)
def test_all_tables_are_written_where_the_last_file_cannot_be_used(lake: Lake, change: Callable[[Path], Any]) -> None:
    change(read_current_release(lake).path)
    write_values(lake, "mart.numbers", 310)
    release = publish(lake)
    assert count_written(release) == 4
    assert find_damage(lake) is None


def test_file_of_an_earlier_version_without_its_form_is_not_used(lake: Lake) -> None:
    path = read_current_release(lake).path
    manifest = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps({**manifest, "file": read_file_facts(path)}))
    write_values(lake, "mart.numbers", 310)
    assert count_written(publish(lake)) == 4


def test_all_tables_are_written_by_other_code_and_with_other_declarations(lake: Lake) -> None:
    write_values(lake, "mart.numbers", 310)
    assert count_written(publish(lake, code_version="two")) == 4
    write_values(lake, "mart.numbers", 311)
    other = [declare(name, "Another meaning.") for name in NAMES]
    release = publish(lake, other, code_version="two")
    assert count_written(release) == 4
    assert ("numbers", "value", "Another meaning.") in read_file(release)["comments"]


def test_all_tables_are_written_if_most_have_changed(lake: Lake) -> None:
    for name in NAMES[:2]:
        write_values(lake, name, 300, "of now")
    assert count_written(publish(lake)) == 4


def test_dead_space_is_bounded(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    write_values(lake, "clean.letters", 20_000)
    whole_bytes = publish(lake).manifest["file"]["bytes"]
    for turn in range(8):
        write_values(lake, "mart.numbers", 8000 + turn)
        release = publish(lake)
        assert count_written(release) == 1 or not turn
    assert release.manifest["file"]["bytes"] < 2 * whole_bytes
    monkeypatch.setattr(release_draft, "_MAX_FREE_SHARE", -1)
    write_values(lake, "mart.numbers", 300)
    whole = publish(lake)
    assert count_written(whole) == 4
    assert whole.manifest["file"]["bytes"] <= release.manifest["file"]["bytes"]


def cut_off(path: Path, count_bytes: int) -> None:
    os.truncate(path, path.stat().st_size - count_bytes)


def delete_rows(path: Path, _: int) -> None:
    with duckdb.connect(path) as connection:
        connection.execute("delete from mart.numbers where value > 300")


@pytest.mark.parametrize(
    ("change", "count_bytes"), [(cut_off, 1), (cut_off, BLOCK_BYTES), (cut_off, 3 * BLOCK_BYTES), (delete_rows, 0)]
)
def test_file_that_is_not_complete_is_not_published(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path, int], None], count_bytes: int
) -> None:
    def write_partly(path: Path, *arguments: Any) -> list[str]:
        written = release_draft.write_release_file(path, *arguments)
        change(path, count_bytes)
        return written

    before = read_current_release(lake)
    write_values(lake, "mart.numbers", 310)
    monkeypatch.setattr(releases, "write_release_file", write_partly)
    with pytest.raises((DamagedFile, duckdb.Error)):
        publish(lake)
    assert read_current_release(lake) == before
    assert find_damage(lake) is None
    assert not list(lake.releases.glob(".building-*"))


def test_log_beside_a_written_file_is_noticed(lake: Lake) -> None:
    release = read_current_release(lake)
    release.path.with_name(f"{release.path.name}.wal").write_bytes(b"")
    with pytest.raises(DamagedFile, match="write-ahead log"):
        check_written(release.path, release.manifest["tables"])


def test_file_system_without_copying_in_the_kernel_will_do(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> int:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "copy_file_range", refuse)
    write_values(lake, "mart.numbers", 310)
    assert count_written(publish(lake)) == 1
    assert find_damage(lake) is None


def test_full_disk_while_the_last_file_is_copied_leaves_it(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    before = read_current_release(lake)
    write_values(lake, "mart.numbers", 310)
    with monkeypatch.context() as full:
        full.setattr(os, "copy_file_range", fail)
        full.setattr("shutil.copyfileobj", fail)
        with pytest.raises(OSError, match="No space left"):
            publish(lake)
    assert read_current_release(lake) == before
    assert find_damage(lake) is None
    assert not list(lake.releases.glob(".building-*"))
    assert count_written(publish(lake)) == 1
