"""Damage to releases: every kind is noticed, named with its file and reason, and replaced by the next publication."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from dashboards.queries import annotations
from orchestration.run import find_unchanged_release, hash_inputs
from tests.conftest import run_aisle
from tests.pipeline.test_faults import write_numbers
from warehouse.lake import PROJECT, Lake
from warehouse.release import (
    DamagedRelease,
    NoRelease,
    find_damage,
    list_releases,
    publish_release,
    read_current_release,
    read_release,
)
from warehouse.release_diff import explain_changes
from warehouse.release_draft import BLOCK_BYTES


def change_byte(path: Path, at: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(len(content) * at)] ^= 0xFF
    path.write_bytes(content)


def put_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "something of mine").write_text("keep me")


def point_to(pointer: Path, target: str) -> None:
    pointer.unlink()
    pointer.symlink_to(target)


def replace_link_by_copy(pointer: Path) -> None:
    content = pointer.read_bytes()
    pointer.unlink()
    pointer.write_bytes(content)


def get_file(lake: Lake) -> Path:
    return lake.releases / "aisle.v1.duckdb"


def get_pointer(lake: Lake) -> Path:
    return lake.root / "aisle.duckdb"


FILE_DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "half of it": (lambda path: os.truncate(path, path.stat().st_size // 2), "bytes, and was published with"),
    "one byte short": (lambda path: os.truncate(path, path.stat().st_size - 1), "bytes, and was published with"),
    "one byte long": (lambda path: path.write_bytes(path.read_bytes() + b"\0"), "bytes, and was published with"),
    "zero bytes": (lambda path: path.write_bytes(b""), "it has 0 bytes"),
    "a foreign file": (lambda path: path.write_text("id,title\n1,A\n" * 9), "bytes, and was published with"),
    "zeros of its size": (lambda path: path.write_bytes(bytes(path.stat().st_size)), "another SHA-256"),
    "byte changed in its head": (lambda path: change_byte(path, 0.0001), "another SHA-256"),
    "byte changed in the middle": (lambda path: change_byte(path, 0.5), "another SHA-256"),
    "byte changed at its end": (lambda path: change_byte(path, 0.9999), "another SHA-256"),
    "missing": (Path.unlink, "the file is missing"),
    "a folder": (put_folder, "a folder lies in its place"),
    "a stale log": (lambda path: path.with_name(path.name + ".wal").write_bytes(b"log" * 99), "remove aisle.v1.duckdb"),
}
MANIFEST_DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "empty object": lambda path: path.write_text("{}"),
    "a list": lambda path: path.write_text("[]"),
    "not text": lambda path: path.write_bytes(b"\xff\xfe\x00"),
    "nested beyond measure": lambda path: path.write_text("[" * 100_000),
    "tables of another form": lambda path: path.write_text('{"published_at": "x", "tables": [1]}'),
    "a folder": put_folder,
}
POINTER_DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "to nowhere": lambda path: point_to(path, "releases/aisle.v77.duckdb"),
    "to another name": lambda path: point_to(path, "elsewhere/other.db"),
    "to itself": lambda path: point_to(path, "aisle.duckdb"),
    "a copy of the file": replace_link_by_copy,
    "a folder": put_folder,
}
DAMAGES: dict[str, tuple[Callable[[Lake], object], str]] = {
    **{
        f"file: {name}": (lambda lake, act=act: act(get_file(lake)), reason)
        for name, (act, reason) in FILE_DAMAGES.items()
    },
    **{
        f"manifest: {name}": (lambda lake, act=act: act(get_file(lake).with_suffix(".json")), "aisle.v1.json")
        for name, act in MANIFEST_DAMAGES.items()
    },
    **{
        f"link: {name}": (lambda lake, act=act: act(get_pointer(lake)), "aisle.")
        for name, act in POINTER_DAMAGES.items()
    },
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named_and_the_release_replaced(tmp_path: Path, name: str) -> None:
    lake, (damage, reason) = Lake(tmp_path / "lake"), DAMAGES[name]
    numbers = write_numbers(lake, range(10))
    publish_release(lake, [numbers], {})
    assert find_damage(lake) is None
    damage(lake)
    found = find_damage(lake)
    assert found is not None
    assert reason in str(found)
    assert "`aisle run` replaces it" in str(found)
    release, is_new = publish_release(lake, [numbers], {})
    assert is_new
    assert release.number > 1
    assert find_damage(lake) is None
    assert read_current_release(lake) == release
    with read_current_release(lake).connect() as connection:
        assert connection.execute("select count(*) from mart.numbers").fetchall() == [(10,)]
    assert publish_release(lake, [numbers], {}) == (release, False)
    if name.endswith("a folder"):
        assert [path.read_text() for path in lake.root.rglob("something of mine")] == ["keep me"]


@pytest.mark.parametrize(
    "name", ["aisle.v1.duckdb.bak", "aisle.v9.duckdb.tmp", "aisle.vX.duckdb", "aisle.v2.duckdb-journal", "notes"]
)
def test_stray_files_beside_releases_do_not_matter(tmp_path: Path, name: str) -> None:
    lake = Lake(tmp_path)
    publish_release(lake, [write_numbers(lake, range(10))], {})
    (lake.releases / name).write_bytes(b"stray")
    release, is_new = publish_release(lake, [write_numbers(lake, range(11))], {})
    assert (release.number, is_new) == (2, True)
    assert [release.number for release in list_releases(lake)] == [1, 2]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_file_without_permission_is_damage(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    release, _ = publish_release(lake, [write_numbers(lake, range(10))], {})
    release.path.chmod(0)
    assert "cannot be read: Permission denied" in str(find_damage(lake))


def test_release_of_an_earlier_version_is_checked_by_its_rows(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    release, _ = publish_release(lake, [write_numbers(lake, range(10))], {})
    manifest = {name: value for name, value in release.manifest.items() if name != "file"}
    release.path.with_suffix(".json").write_text(json.dumps(manifest))
    assert find_damage(lake) is None
    with duckdb.connect(release.path) as connection:
        connection.execute("delete from mart.numbers where number = 3")
    assert "mart.numbers has 9 rows, and was published with 10" in str(find_damage(lake))


def test_unchanged_release_is_found_only_while_its_file_is_whole(released_lake: Lake, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    shutil.copytree(released_lake.root, lake.root, symlinks=True)
    record = json.loads((lake.root / "last_run.json").read_text())
    (lake.root / "last_run.json").write_text(json.dumps({**record, "inputs": hash_inputs(lake)}))
    release = find_unchanged_release(lake)
    assert release is not None
    change_byte(release.path, 0.6)
    assert find_unchanged_release(lake) is None


@pytest.mark.parametrize("content", ["[]", "{}", "null", '{"release": 1}'])
def test_damaged_record_of_the_last_run_does_not_matter(released_lake: Lake, tmp_path: Path, content: str) -> None:
    lake = Lake(tmp_path / "lake")
    (lake.root / "releases").mkdir(parents=True)
    (lake.root / "last_run.json").write_text(content)
    assert find_unchanged_release(lake) is None
    assert run_aisle(lake.root, "status").returncode == 0


@pytest.mark.parametrize("name", ["half of it", "zero bytes", "missing", "a folder"])
def test_commands_name_the_damaged_file(copy_release: Callable[..., Lake], name: str) -> None:
    lake = copy_release()
    FILE_DAMAGES[name][0](get_file(lake))
    for command in (
        ["sql", "from clean.publications"],
        ["rejects"],
        ["status"],
        ["sql", "--release", "v1", "select 1"],
    ):
        result = run_aisle(lake.root, *command)
        assert result.returncode == (command[0] != "status")
        assert f"{get_file(lake)} is damaged" in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1


def test_command_that_meets_a_changed_byte_names_the_file(copy_release: Callable[..., Lake]) -> None:
    lake = copy_release()
    with duckdb.connect(get_file(lake)) as connection:
        blocks = connection.execute("select block_id from pragma_storage_info('clean.publications')").fetchall()
    block = next(number for (number,) in blocks if number is not None and number >= 0)
    content = bytearray(get_file(lake).read_bytes())
    content[3 * 4096 + block * BLOCK_BYTES + 100] ^= 0xFF
    get_file(lake).write_bytes(content)
    result = run_aisle(lake.root, "sql", "from clean.publications")
    assert result.returncode == 1
    assert "checksum" in result.stderr


def test_damaged_older_release_is_left_out_and_named_when_it_is_needed(copy_release: Callable[..., Lake]) -> None:
    copy_release()
    lake = copy_release("delete from clean.publications where lab = 'OpenAI'", number=2)
    assert run_aisle(lake.root, "diff", "v1", "v2").returncode == 0
    change_byte(get_file(lake), 0.5)
    result = run_aisle(lake.root, "diff", "v1", "v2")
    assert result.returncode == 1
    assert f"{get_file(lake)} is damaged: its bytes are not those that were published" in result.stderr
    os.truncate(get_file(lake), 1000)
    assert [release.number for release in list_releases(lake)] == [2]
    with pytest.raises(DamagedRelease, match=r"aisle\.v1\.duckdb is damaged: it has 1,000 bytes"):
        explain_changes(read_release(lake, 1), read_release(lake, 2), "mart.publications_by_lab_year")
    for command in (["diff", "v1", "v2"], ["sql", "--release", "1", "select 1"]):
        assert "it has 1,000 bytes" in run_aisle(lake.root, *command).stderr
    assert run_aisle(lake.root, "sql", "select 1").returncode == 0
    with pytest.raises(NoRelease, match="no release v7"):
        read_release(lake, 7)


def test_damaged_older_release_costs_only_its_corrections(
    copy_release: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_release()
    lake = copy_release(number=2)
    monkeypatch.setenv("AISLE_LAKE", str(lake.root))
    content = get_file(lake).read_bytes()
    get_file(lake).write_bytes(content[:20_000] + bytes(len(content) - 20_000))  # of the same size
    older, newer = list_releases(lake)
    monkeypatch.setattr(annotations, "_get_counts_hash", lambda release: release.number)
    monkeypatch.setattr(annotations, "list_readable_releases", lambda: [older, newer])
    spans = annotations.pl.DataFrame({"period": ["2023"], "starts_on": [None], "ends_on": [None]})
    assert annotations._find_corrections(newer, annotations.Selection(rule="works"), spans, None) == []


def test_every_duckdb_since_1_1_can_open_a_release(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    release, _ = publish_release(lake, [write_numbers(lake, range(10))], {})
    with release.connect() as connection:
        ((tags,),) = connection.execute("select tags from duckdb_databases() where path is not null").fetchall()
    assert tags["storage_version"] == "v1.0.0+"
    # the version number of the main header, after the checksum and the letters DUCK: 64 is that of DuckDB 1.0 and 1.1
    assert int.from_bytes(release.path.read_bytes()[12:20], "little") == 64


def test_release_files_are_opened_in_one_place() -> None:
    """DuckDB refuses a second connection of a process that has other settings, and only these close the file."""
    for folder in ("orchestration", "dashboards", "warehouse", "transforms", "expectations"):
        for path in (PROJECT / folder).rglob("*.py"):
            opened = re.findall(r"duckdb\.connect\((?!\))", path.read_text(encoding="utf-8"))
            assert not opened or path.name in {"release_file.py", "release_draft.py", "child.py"}, path


def test_table_that_a_release_lacks_is_no_damage(copy_release: Callable[..., Lake]) -> None:
    lake = copy_release("drop table raw.parses")
    result = run_aisle(lake.root, "status")
    assert result.returncode == 0
    assert "damaged" not in result.stderr + result.stdout
    copy_release("drop table clean.publications", number=2)
    result = run_aisle(lake.root, "diff", "v1", "v2")
    assert result.returncode == 1
    assert "damaged" not in result.stderr
    assert "lacks a table or column" in result.stderr


def test_connections_of_a_release_share_their_settings(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    release, _ = publish_release(lake, [write_numbers(lake, range(10))], {})
    with release.connect() as first, replace(release, manifest={}).connect() as second:
        for connection in (first, second):
            query = "select current_setting('TimeZone'), current_setting('lock_configuration')"
            assert connection.execute(query).fetchall() == [("UTC", True)]
