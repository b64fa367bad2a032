"""Readers of a lake on an object store: one version, files brought down when they are read, and only then."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.builders import build_release
from tests.support.object_stores import ADDRESS, hold_all, make_store, write_files
from warehouse.lake import PROJECT, Lake
from warehouse.object_store.client import ObjectStore, StoreUnavailable
from warehouse.object_store.reading import ReadableCopy
from warehouse.object_store.versions import build_key
from warehouse.object_store.writing import WritableCopy
from warehouse.origin import need_releases
from warehouse.release import DamagedRelease, list_releases, read_current_release
from warehouse.release_file import read_file_facts


@pytest.fixture
def store() -> ObjectStore:
    return make_store()


@pytest.fixture
def writer(store: ObjectStore, tmp_path: Path) -> WritableCopy:
    return WritableCopy(ADDRESS, tmp_path / "work", store)


def publish(writer: WritableCopy, number: int, **others: str) -> None:
    with hold_all(writer):
        write_files(writer.root, **{f"releases__aisle.v{number}.duckdb": f"release {number}"}, last_run_=str(number))
        write_files(writer.root, **{f"releases__aisle.v{number}.json": "{}"}, **others)
        pointer = writer.root / "aisle.duckdb"
        pointer.unlink(missing_ok=True)
        pointer.symlink_to(f"releases/aisle.v{number}.duckdb")


def test_a_reader_brings_down_only_what_it_reads(store: ObjectStore, writer: WritableCopy, tmp_path: Path) -> None:
    publish(writer, 1, tables__mart__x__00="rows")
    publish(writer, 2)
    store.requests.clear()
    reader = ReadableCopy(ADDRESS, tmp_path / "read", store)
    lake = reader.open_for_reading(need_releases)
    assert {path.name for path in lake.root.rglob("*") if path.suffix} == {
        *("aisle.duckdb", "aisle.v1.json", "aisle.v2.json", "last_run.json", ".brought.json", ".brought.lock")
    }
    assert lake.measure_file(lake.releases / "aisle.v1.duckdb") == 9
    assert (lake.root / "aisle.duckdb").readlink() == Path("releases/aisle.v2.duckdb")
    assert lake.bring(lake.releases / "aisle.v1.duckdb").read_text() == "release 1"
    assert dict(store.requests) == {"get": 2 + 3 + 1}  # the state, the list of files, three files, one release
    reader.open_for_reading(need_releases)
    assert dict(store.requests) == {"get": 7}  # the state again, which had not changed


def test_a_reader_keeps_its_release_while_another_is_published(
    store: ObjectStore, writer: WritableCopy, tmp_path: Path
) -> None:
    publish(writer, 1)
    reader = ReadableCopy(ADDRESS, tmp_path / "read", store)
    lake = reader.open_for_reading(need_releases)
    publish(writer, 2)
    with hold_all(writer):  # and the first one is removed
        (writer.root / "releases/aisle.v1.json").unlink()
        (writer.root / "releases/aisle.v1.duckdb").unlink()
    assert lake.bring(lake.releases / "aisle.v1.duckdb").read_text() == "release 1"
    lake = reader.open_for_reading(need_releases)
    assert not (lake.releases / "aisle.v1.duckdb").exists()
    assert lake.bring(lake.releases / "aisle.v2.duckdb").read_text() == "release 2"


def test_files_of_the_readers_folder_that_were_removed_come_again(
    store: ObjectStore, writer: WritableCopy, tmp_path: Path
) -> None:
    publish(writer, 1)
    reader = ReadableCopy(ADDRESS, tmp_path / "read", store)
    lake = reader.open_for_reading(need_releases)
    (lake.root / "last_run.json").unlink()
    assert (reader.open_for_reading(need_releases).root / "last_run.json").read_text() == "1"
    (lake.root / ".brought.json").unlink()
    (lake.root / "last_run.json").unlink()
    (lake.root / "last_run.json").write_text("x")  # it is not known where this is from
    again = ReadableCopy(ADDRESS, tmp_path / "read", store).open_for_reading(need_releases)
    assert (again.root / "last_run.json").read_text() == "1"


def test_a_release_that_was_damaged_in_the_readers_folder_comes_again(
    store: ObjectStore, writer: WritableCopy, tmp_path: Path
) -> None:
    with hold_all(writer):
        build_release(Lake(writer.root), None)
    reader = ReadableCopy(ADDRESS, tmp_path / "read", store)
    release = read_current_release(reader.open_for_reading(need_releases))
    release.check()
    content = release.path.read_bytes()
    release.path.write_bytes(content[:1000])
    release.connect().close()
    assert release.path.read_bytes() == content
    # other bytes with the recorded size and time: only the hash shows it
    facts = release.path.stat()
    with release.path.open("r+b") as file:
        file.seek(len(content) // 2)
        file.write(bytes(64))
    os.utime(release.path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    read_file_facts.__globals__["_hash_unchanged_file"].cache_clear()
    release.check()
    assert release.path.read_bytes() == content
    release.path.write_bytes(b"")
    assert [one.number for one in list_releases(reader.open_for_reading(need_releases))] == [1]


def test_a_release_that_the_store_has_lost_is_damaged(store: ObjectStore, writer: WritableCopy, tmp_path: Path) -> None:
    with hold_all(writer):
        build_release(Lake(writer.root), None)
    release = read_current_release(ReadableCopy(ADDRESS, tmp_path / "read", store).open_for_reading(need_releases))
    store.delete(build_key(name, file.sha256) for name, file in writer.version.files.items() if "duckdb" in name)
    with pytest.raises(DamagedRelease, match=r"aisle\.v1.*is missing; .*`aisle run` replaces it"):
        release.connect()


def test_pages_go_on_while_the_store_cannot_be_reached(
    store: ObjectStore, writer: WritableCopy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(writer, 1)
    reader = ReadableCopy(ADDRESS, tmp_path / "read", store)
    reader.open_for_reading(need_releases, is_tolerant=True)

    def fail(*_: object) -> None:
        message = "the store is gone"
        raise StoreUnavailable(message)

    monkeypatch.setattr(store, "read", fail)
    reader._checked_at = -1e9
    lake = reader.open_for_reading(need_releases, is_tolerant=True)
    assert (lake.root / "last_run.json").read_text() == "1"
    with pytest.raises(StoreUnavailable):
        reader.open_for_reading(need_releases)
    with pytest.raises(StoreUnavailable):
        ReadableCopy(ADDRESS, tmp_path / "other", store).open_for_reading(need_releases, is_tolerant=True)


def test_readers_and_writers_of_one_machine_have_folders_of_their_own(
    store: ObjectStore, writer: WritableCopy, tmp_path: Path
) -> None:
    publish(writer, 1)
    reader = ReadableCopy(ADDRESS, tmp_path / "read", store)
    with hold_all(writer):
        write_files(writer.root, last_run_="not committed")
        lake = reader.open_for_reading(need_releases)
        assert (lake.root / "last_run.json").read_text() == "1"
    assert (reader.open_for_reading(need_releases).root / "last_run.json").read_text() == "not committed"


def test_nothing_of_object_storage_is_loaded_for_a_lake_on_disk(tmp_path: Path) -> None:
    script = (
        "import sys; from orchestration.cli.app import app; app(['status'], standalone_mode=False);"
        " import orchestration.definitions, dashboards.queries.release;"
        " print([name for name in sys.modules if 'object_store' in name or 'obstore' in name])"
    )
    finished = subprocess.run(
        [sys.executable, "-c", script],
        cwd=PROJECT,
        env={**os.environ, "AISLE_LAKE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stdout.splitlines()[-1] == "[]"
