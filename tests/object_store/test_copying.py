"""Copies of lakes between folders and object stores: verified, continued, never over a lake that was used."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import run_aisle
from tests.support.object_stores import ADDRESS, hold_all, make_store, read_files, write_files
from warehouse.lake import Lake, UnusableLake
from warehouse.object_store import copying
from warehouse.object_store.client import DamagedObject, ObjectStore
from warehouse.object_store.copying import UnfitTarget, copy_lake
from warehouse.object_store.versions import build_key, read_version
from warehouse.object_store.writing import WritableCopy

OTHER = "s3://bucket/other"


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, ObjectStore]:
    """Stores in memory at two addresses, where a copy finds them."""
    found = {address: make_store(address) for address in (ADDRESS, OTHER)}
    monkeypatch.setattr(copying, "open_store", found.__getitem__)
    monkeypatch.setenv("AISLE_CACHE", str(tmp_path / "cache"))
    return found


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    root = tmp_path / "lake"
    write_files(root, checks_="1", snapshots__s__1__content="bytes", tables__mart__x___delta_log__00_="log")
    write_files(root, **{"releases__aisle.v1.duckdb": "release", "releases__aisle.v1.json": "{}"})
    write_files(root, inbox__waiting="x", dagster__runs="x", intact_files_="{}")
    (root / "aisle.duckdb").symlink_to("releases/aisle.v1.duckdb")
    return root


def list_files(root: Path) -> dict[str, str]:
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    paths = [path for path in files if not path.name.startswith(".") and path.name != "run.lock"]
    return {str(path.relative_to(root)): path.read_text() for path in paths}


EXPECTED = {
    "aisle.duckdb": "release",
    "checks.json": "1",
    "releases/aisle.v1.duckdb": "release",
    "releases/aisle.v1.json": "{}",
    "snapshots/s/1/content": "bytes",
    "tables/mart/x/_delta_log/00.json": "log",
}


def test_a_copy_to_a_folder_and_back_is_the_same(lake: Path, tmp_path: Path) -> None:
    result = copy_lake(str(lake), str(tmp_path / "copy"), print)
    assert (result.files, result.copied_files) == (5, 5)
    assert list_files(tmp_path / "copy") == EXPECTED
    assert copy_lake(str(lake), str(tmp_path / "copy"), print).copied_files == 0
    copy_lake(str(tmp_path / "copy"), str(tmp_path / "restored"), print)
    assert list_files(tmp_path / "restored") == EXPECTED


def test_a_copy_by_way_of_two_stores_is_the_same(lake: Path, tmp_path: Path, stores: dict[str, ObjectStore]) -> None:
    assert copy_lake(str(lake), ADDRESS, print).copied_files == 5
    assert copy_lake(ADDRESS, OTHER, print).copied_files == 5
    assert copy_lake(OTHER, str(tmp_path / "restored"), print).copied_files == 5
    assert list_files(tmp_path / "restored") == EXPECTED
    assert [copy_lake(ADDRESS, OTHER, print).copied_files, read_version(stores[OTHER])[0].number] == [0, 1]
    published = stores[OTHER].read("tables/mart/x/_delta_log/00.json")
    assert published is not None
    assert published.content == b"log"


def test_the_next_backup_copies_what_is_new_and_drops_what_is_gone(
    lake: Path, tmp_path: Path, stores: dict[str, ObjectStore]
) -> None:
    targets = [ADDRESS, str(tmp_path / "copy")]
    for target in targets:
        copy_lake(str(lake), target, print)
    write_files(lake, checks_="2")
    (lake / "snapshots/s/1/content").unlink()
    for target in targets:
        result = copy_lake(str(lake), target, print)
        assert (result.files, result.copied_files, result.copied_bytes) == (4, 1, 1)
    expected = {name: text for name, text in EXPECTED.items() if "snapshots" not in name} | {"checks.json": "2"}
    assert list_files(tmp_path / "copy") == expected
    assert read_files(stores[ADDRESS], tmp_path / "read") == {n: t for n, t in expected.items() if n != "aisle.duckdb"}


def test_an_interrupted_copy_is_no_lake_and_goes_on(
    lake: Path, tmp_path: Path, stores: dict[str, ObjectStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, kept = stores[ADDRESS], build_key("checks.json", copying.hash_file(lake / "checks.json"))
    upload = store.upload

    def fail(key: str, path: Path) -> None:
        if key != kept:
            message = "the store is gone"
            raise OSError(message)
        upload(key, path)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="gone"):  # noqa: PT012
        patch.setattr(store, "upload", fail)
        copy_lake(str(lake), ADDRESS, print)
    with pytest.raises(UnfitTarget, match="no lake at s3://bucket/lake"):
        copy_lake(ADDRESS, str(tmp_path / "restored"), print)
    assert copy_lake(str(lake), ADDRESS, print).copied_files == 4

    download = store.download

    def stop(key: str, path: Path, digest: str) -> None:
        if "releases" in str(path):
            message = "the disk is full"
            raise OSError(message)
        download(key, path, digest)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="full"):  # noqa: PT012
        patch.setattr(store, "download", stop)
        copy_lake(ADDRESS, str(tmp_path / "restored"), print)
    assert not (tmp_path / "restored/aisle.duckdb").exists()
    monkeypatch.setenv("AISLE_LAKE", str(tmp_path / "restored"))
    with pytest.raises(UnusableLake, match=r"unfinished copy of s3://bucket/lake: repeat `aisle lake copy s3:"):
        Lake.from_environment()
    with pytest.raises(UnfitTarget, match="unfinished copy of s3://bucket/lake"):
        copy_lake(str(tmp_path / "restored"), str(tmp_path / "next"), print)
    copy_lake(ADDRESS, str(tmp_path / "restored"), print)
    assert list_files(tmp_path / "restored") == EXPECTED
    assert Lake.from_environment().root == tmp_path / "restored"


def test_damaged_files_of_a_copy_are_copied_again_and_damaged_ones_of_the_source_named(
    lake: Path, tmp_path: Path, stores: dict[str, ObjectStore]
) -> None:
    copy_lake(str(lake), ADDRESS, print)
    copy_lake(ADDRESS, str(tmp_path / "copy"), print)
    write_files(tmp_path / "copy", checks_="3")
    assert copy_lake(ADDRESS, str(tmp_path / "copy"), print).copied_files == 1
    stores[ADDRESS].put(build_key("checks.json", copying.hash_file(lake / "checks.json")), b"4")
    with pytest.raises(DamagedObject, match=r"state/checks-.*other bytes"):
        copy_lake(ADDRESS, str(tmp_path / "another"), print)


def test_a_lake_that_was_used_is_not_replaced_by_a_copy(
    lake: Path, tmp_path: Path, stores: dict[str, ObjectStore]
) -> None:
    copy_lake(str(lake), ADDRESS, print)
    copy_lake(ADDRESS, str(tmp_path / "copy"), print)
    used = WritableCopy(ADDRESS, tmp_path / "work", stores[ADDRESS])
    with hold_all(used):
        write_files(used.root, checks_="used")
    with pytest.raises(UnfitTarget, match="no copy, or was used since"):
        copy_lake(str(lake), ADDRESS, print)
    write_files(tmp_path / "copy", **{"releases__aisle.v2.json": "{}"})
    with pytest.raises(UnfitTarget, match="has release v2"):
        copy_lake(ADDRESS, str(tmp_path / "copy"), print)


@pytest.mark.parametrize("target", ["lake", "lake/backup", "other"])
def test_a_place_with_other_files_is_refused(lake: Path, tmp_path: Path, target: str) -> None:
    write_files(tmp_path / "other", notes_="mine")
    with pytest.raises(UnfitTarget, match="name a folder outside of it|name an empty folder"):
        copy_lake(str(lake), str(tmp_path / target), print)
    assert list_files(lake).keys() >= EXPECTED.keys()
    assert list_files(tmp_path / "other") == {"notes.json": "mine"}
    assert not (tmp_path / "other/run.lock").exists()
    with pytest.raises(UnfitTarget, match="no lake in"):
        copy_lake(str(tmp_path / "nothing"), str(tmp_path / "copy"), print)


def test_the_command_names_what_it_copied_or_why_not(lake: Path, tmp_path: Path) -> None:
    finished = run_aisle(tmp_path, "lake", "copy", str(lake), str(tmp_path / "copy"))
    assert finished.returncode == 0
    assert "has all 5 files of" in finished.stdout
    assert "5 copied now" in finished.stdout
    finished = run_aisle(tmp_path, "lake", "copy", str(tmp_path / "nothing"), str(tmp_path / "other"))
    assert finished.returncode == 1
    assert "there is no lake in" in finished.stderr
    finished = run_aisle(tmp_path, "lake", "copy", str(lake), "gs://bucket/lake")
    assert finished.returncode == 1
    assert "s3://bucket/prefix" in finished.stderr
