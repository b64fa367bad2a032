"""Versions of a lake on an object store: keys that name their bytes, conditional commits, logs for other tools."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest

from tests.support.object_stores import make_store
from warehouse.lake import UnusableLake
from warehouse.object_store.client import DamagedObject, ObjectChanged, ObjectStore, open_store
from warehouse.object_store.versions import (
    STATE,
    LakeVersion,
    StoredFile,
    build_key,
    commit_version,
    publish_logs,
    read_version,
)

LOG = "tables/mart/x/_delta_log"


def store_file(store: ObjectStore, name: str, content: bytes) -> StoredFile:
    digest = hashlib.sha256(content).hexdigest()
    store.put(build_key(name, digest), content)
    return StoredFile(digest, len(content))


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("tables/mart/x/00-3-aaaaaaaaaaaaaaaa.parquet", "tables/mart/x/00-3-aaaaaaaaaaaaaaaa.parquet"),
        ("releases/aisle.v3.duckdb", "releases/aisle.v3-aaaaaaaaaaaaaaaa.duckdb"),
        ("checks.json", "state/checks-aaaaaaaaaaaaaaaa.json"),
        ("snapshots/lab_sheet/12/content", "snapshots/lab_sheet/12/content-aaaaaaaaaaaaaaaa"),
        (f"{LOG}/00.json", "tables/mart/x/_log_versions/00-aaaaaaaaaaaaaaaa.json"),
        ("fetch/feeds/ä b#/state.json", "fetch/feeds/%C3%A4%20b%23/state-aaaaaaaaaaaaaaaa.json"),
    ],
)
def test_a_key_names_the_bytes(path: str, key: str) -> None:
    assert build_key(path, "a" * 64) == key
    assert build_key(path, "b" * 64) != key


def test_of_two_commits_after_one_version_one_fails_and_changes_nothing() -> None:
    store = make_store()
    first, state = commit_version(store, LakeVersion(1), None, {"token": "1"})
    commit_version(store, LakeVersion(2, pointer="releases/a"), state, {"token": "2"})
    with pytest.raises(ObjectChanged):
        commit_version(store, LakeVersion(2, pointer="releases/b"), state, {"token": "3"})
    with pytest.raises(ObjectChanged):
        commit_version(store, LakeVersion(1), None, {"token": "4"})
    assert read_version(store)[0].pointer == "releases/a"
    assert first.number == 1


def test_a_write_whose_answer_was_lost_counts_as_done() -> None:
    store = make_store()
    written = store.replace("x", b"mine", None)
    assert store.replace("x", b"mine", None) == written  # as if the first answer had been lost
    with pytest.raises(ObjectChanged):
        store.replace("x", b"other", None)


def test_a_damaged_list_of_files_is_named() -> None:
    store = make_store()
    version, _ = commit_version(store, LakeVersion(1, {"a": StoredFile("0" * 64, 1)}), None, {"token": "1"})
    store.put(version.key, b"other bytes")
    with pytest.raises(DamagedObject, match=r"versions/00000001-.*missing or damaged"):
        read_version(store)
    store.put(STATE, b"no JSON")
    with pytest.raises(DamagedObject, match=r"lake\.json is not the state of a lake"):
        read_version(store)


def test_a_download_with_other_bytes_leaves_no_file(tmp_path: Path) -> None:
    store = make_store()
    store.put("x", b"other bytes")
    with pytest.raises(DamagedObject, match="other bytes"):
        store.download("x", tmp_path / "folder" / "x", hashlib.sha256(b"bytes").hexdigest())
    with pytest.raises(DamagedObject, match="missing"):
        store.download("y", tmp_path / "folder" / "y", "0" * 64)
    assert list((tmp_path / "folder").iterdir()) == []


def test_logs_of_tables_are_published_after_the_commit() -> None:
    store = make_store()
    files = {
        f"{LOG}/{number:020}.json": store_file(store, f"{LOG}/{number:020}.json", b"%d" % number) for number in (0, 1)
    }
    version, state = commit_version(store, LakeVersion(1, files), None, {"token": "1"})
    assert store.read(f"{LOG}/{0:020}.json") is None
    publish_logs(store, version)
    found = store.read(f"{LOG}/{1:020}.json")
    assert found is not None
    assert found.content == b"1"

    # the log was begun again: its first entry is another one, and there is no second one
    renewed = {f"{LOG}/{0:020}.json": store_file(store, f"{LOG}/{0:020}.json", b"again")}
    version, _ = commit_version(store, LakeVersion(2, renewed), state, {"token": "2"})
    publish_logs(store, version)
    found = store.read(f"{LOG}/{0:020}.json")
    assert found is not None
    assert found.content == b"again"
    assert store.read(f"{LOG}/{1:020}.json") is None


def test_the_state_names_the_release_for_other_tools() -> None:
    store = make_store()
    file = store_file(store, "releases/aisle.v1.duckdb", b"release")
    pointer = "releases/aisle.v1.duckdb"
    _, state = commit_version(store, LakeVersion(1, {pointer: file}, pointer), None, {"token": "1"})
    found = store.read(json.loads(state.content)["release_key"])
    assert found is not None
    assert found.content == b"release"


def test_without_the_client_the_message_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(UnusableLake, match=r"needs the package obstore .*make setup.* extra s3"):
        open_store("s3://bucket/lake")


@pytest.mark.parametrize("name", ["../x", "/x", "tables//x", ".brought.json", "tables/./x"])
def test_a_list_cannot_lead_out_of_the_folder(name: str) -> None:
    store = make_store()
    commit_version(store, LakeVersion(1, {name: StoredFile("0" * 64, 1)}), None, {"token": "1"})
    with pytest.raises(DamagedObject, match="names a file that no lake has"):
        read_version(store)


@pytest.mark.parametrize(
    "address", ["s3://", "s3://Bucket/x", "s3://bucket/../x", "s3://bucket/a b", "gs://bucket/x", "s3:/bucket/x"]
)
def test_an_address_of_another_form_is_refused(address: str) -> None:
    with pytest.raises(UnusableLake, match="s3://bucket/prefix"):
        open_store(address)
