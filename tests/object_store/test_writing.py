"""Writers of a lake on an object store: one commit for all that changed, continued after a kill, refused after another."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.object_stores import ADDRESS, hold_all, make_store, read_files, write_files
from warehouse.object_store.client import ObjectStore, StoreUnavailable
from warehouse.object_store.lake_files import ForeignEntry
from warehouse.object_store.lease import KEY, LeaseLost
from warehouse.object_store.versions import read_version
from warehouse.object_store.writing import LakeChanged, WritableCopy
from warehouse.origin import need_state, need_tables


def make_copy(store: ObjectStore, root: Path) -> WritableCopy:
    return WritableCopy(ADDRESS, root, store)


def test_what_changed_is_committed_once(tmp_path: Path) -> None:
    store, messages = make_store(), list[str]()
    copy = make_copy(store, tmp_path / "a")
    with hold_all(copy, messages):
        write_files(copy.root, checks_="1", tables__mart__x__00="rows", snapshots__s__1__content="bytes")
        write_files(copy.root, inbox__waiting="not of the lake", dagster__runs="nor this", parsed__s__1="nor this")
    assert messages == ["stored in s3://bucket/lake as version 1: 3 new or changed files"]
    with hold_all(copy, messages):  # nothing has changed
        pass
    assert read_version(store)[0].number == 1
    with hold_all(copy):
        write_files(copy.root, checks_="2")
        (copy.root / "tables/mart/x/00").unlink()
    assert read_files(store, tmp_path / "read") == {"checks.json": "2", "snapshots/s/1/content": "bytes"}
    assert store.requests["list"] == 0


def test_another_machine_continues_from_the_committed_version(tmp_path: Path) -> None:
    store = make_store()
    first, second = make_copy(store, tmp_path / "a"), make_copy(store, tmp_path / "b")
    with hold_all(first):
        write_files(first.root, checks_="1", tables__mart__x__00="rows")
    with hold_all(second):
        assert (second.root / "tables/mart/x/00").read_text() == "rows"
        write_files(second.root, checks_="2")
    with hold_all(first):
        assert (first.root / "checks.json").read_text() == "2"


def test_files_that_were_never_brought_here_stay(tmp_path: Path) -> None:
    store = make_store()
    first, second = make_copy(store, tmp_path / "a"), make_copy(store, tmp_path / "b")
    with hold_all(first):
        write_files(
            first.root, snapshots__s__1__snapshot_="{}", snapshots__s__1__content="bytes", tables__raw__s__00="x"
        )
    with second.hold(need_state, print):
        present = [path.name for path in second.root.rglob("*") if path.is_file() and not path.name.startswith(".")]
        assert present == ["snapshot.json"]
        content = second.root / "snapshots/s/1/content"
        assert second.get_size(content) == 5
        write_files(second.root, snapshots__s__2__snapshot_="{}", snapshots__s__2__content="more")
    with second.hold(need_state, print):
        second.bring(content)
        assert content.read_text() == "bytes"
    assert len(read_files(store, tmp_path / "read")) == 5


def test_a_document_or_release_whose_metadata_were_removed_goes_with_its_bytes(tmp_path: Path) -> None:
    store = make_store()
    first, second = make_copy(store, tmp_path / "a"), make_copy(store, tmp_path / "b")
    with hold_all(first):
        write_files(first.root, snapshots__s__1__snapshot_="{}", snapshots__s__1__content="bytes", checks_="1")
        for name in ("aisle.v1.json", "aisle.v1.duckdb", "aisle.v1.search/stamp.json", "aisle.v2.json"):
            write_files(first.root, **{f"releases__{name}": name})
    with second.hold(need_tables, print):  # without the large files
        (second.root / "snapshots/s/1/snapshot.json").unlink()
        (second.root / "releases/aisle.v1.json").unlink()
    assert read_files(store, tmp_path / "read") == {"checks.json": "1", "releases/aisle.v2.json": "aisle.v2.json"}


def test_what_a_killed_writer_left_is_committed_by_the_next_one_here(tmp_path: Path) -> None:
    store, messages = make_store(), list[str]()
    killed = make_copy(store, tmp_path / "a")
    with hold_all(killed):
        write_files(killed.root, checks_="1", tables__mart__x__00="rows")
    holding = hold_all(killed)
    holding.__enter__()
    write_files(killed.root, checks_="2", tables__mart__x__01="more rows")
    (killed.root / "tables/mart/x/00").unlink()
    # its lock and its threads go with a process; here it is a second object that takes over its folder
    killed._state = None
    next_copy = WritableCopy(ADDRESS, tmp_path / "a", store)
    lock = tmp_path / "a" / ".writer.lock"
    lock.rename(lock.with_name(".writer.lock.of-the-killed"))
    with hold_all(next_copy, messages):
        assert (next_copy.root / "checks.json").read_text() == "2"
    assert messages == ["stored in s3://bucket/lake as version 2: 2 new or changed files"]
    with pytest.raises((LeaseLost, LakeChanged)):
        holding.__exit__(None, None, None)
    assert read_files(store, tmp_path / "read") == {"checks.json": "2", "tables/mart/x/01": "more rows"}


def test_what_a_killed_writer_had_brought_down_can_be_removed(tmp_path: Path) -> None:
    store = make_store()
    first, second = make_copy(store, tmp_path / "a"), make_copy(store, tmp_path / "b")
    with hold_all(first):
        write_files(first.root, tables__mart__x___delta_log__0_="0", tables__mart__x___delta_log__1_="1")
    with second.hold(lambda _: False, print):
        pass
    killed = make_copy(store, tmp_path / "b")
    killed._begin(lambda _: True)  # and nothing is recorded of what it has brought down
    following = make_copy(store, tmp_path / "b")
    assert following.brought.files == {}
    with hold_all(following):
        shutil.rmtree(following.root / "tables/mart/x/_delta_log")
        write_files(following.root, tables__mart__x___delta_log__0_="again")
    assert read_files(store, tmp_path / "read") == {"tables/mart/x/_delta_log/0.json": "again"}


def test_after_another_commit_only_documents_and_own_settings_are_kept(tmp_path: Path) -> None:
    store = make_store()
    first, second = make_copy(store, tmp_path / "a"), make_copy(store, tmp_path / "b")
    with hold_all(first):
        write_files(first.root, checks_="1", **{"feeds.toml": "# one", "snapshots__s__0__content": "old"})
    # a run on the first machine was killed before its commit
    write_files(first.root, checks_="lost", tables__mart__x__00="lost", snapshots__s__1__content="added")
    write_files(first.root, **{"feeds.toml": "# mine"})
    with hold_all(second):
        write_files(second.root, checks_="2")
        (second.root / "snapshots/s/0/content").unlink()
    with hold_all(first):
        pass
    assert read_files(store, tmp_path / "read") == {
        "checks.json": "2",
        "feeds.toml": "# mine",
        "snapshots/s/1/content": "added",
    }


def test_a_writer_that_lost_its_lease_commits_nothing(tmp_path: Path) -> None:
    store = make_store()
    slow, fast = make_copy(store, tmp_path / "a"), make_copy(store, tmp_path / "b")
    with pytest.raises((LeaseLost, LakeChanged)), hold_all(slow):  # noqa: PT012 - the error comes at the end
        write_files(slow.root, checks_="slow", snapshots__s__1__content="added")
        found = store.read(KEY)
        assert found is not None
        store.put(KEY, b"")  # as if it had expired
        with hold_all(fast):
            write_files(fast.root, checks_="fast")
    assert read_files(store, tmp_path / "read") == {"checks.json": "fast"}
    with hold_all(slow):
        pass
    assert read_files(store, tmp_path / "read2") == {"checks.json": "fast", "snapshots/s/1/content": "added"}


def test_an_error_of_the_writer_does_not_lose_what_it_stored(tmp_path: Path) -> None:
    store = make_store()
    copy = make_copy(store, tmp_path / "a")
    with pytest.raises(ValueError, match="wrong"), hold_all(copy):  # noqa: PT012 - both belong together
        write_files(copy.root, snapshots__s__1__content="added")
        message = "wrong"
        raise ValueError(message)
    assert read_files(store, tmp_path / "read") == {"snapshots/s/1/content": "added"}


def test_an_upload_that_was_interrupted_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make_store()
    copy = make_copy(store, tmp_path / "a")
    large = "x" * 2**21

    def fail(*_: object) -> None:
        message = "the store is gone"
        raise StoreUnavailable(message)

    with monkeypatch.context() as patch, pytest.raises(StoreUnavailable), hold_all(copy):  # noqa: PT012
        write_files(copy.root, tables__mart__x__00=large)
        patch.setattr(store, "replace", fail)
    uploads = store.requests["put"]
    with hold_all(copy):
        pass
    assert store.requests["put"] == uploads + 1  # the list of files
    assert read_files(store, tmp_path / "read") == {"tables/mart/x/00": large}


def test_a_folder_behind_a_link_is_not_left_out_silently(tmp_path: Path) -> None:
    copy = make_copy(make_store(), tmp_path / "a")
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(ForeignEntry, match="snapshots/s is a link to a folder"), hold_all(copy):  # noqa: PT012
        write_files(copy.root, snapshots__t__1__content="x")
        (copy.root / "snapshots/s").symlink_to(tmp_path / "elsewhere")


def test_what_a_cleaner_of_caches_removes_stays_in_the_lake(tmp_path: Path) -> None:
    store = make_store()
    copy = make_copy(store, tmp_path / "a")
    with hold_all(copy):
        for number in range(3):
            write_files(
                copy.root, **{f"snapshots__s__{number}__snapshot_": "{}", f"snapshots__s__{number}__content": "x"}
            )
    (copy.root / "snapshots/s/0/content").unlink()
    shutil.rmtree(copy.root / "snapshots/s/1")  # this is how a person removes a document
    with hold_all(copy):
        assert (copy.root / "snapshots/s/0/content").read_text() == "x"
    assert {name.split("/")[2] for name in read_files(store, tmp_path / "read")} == {"0", "2"}
    shutil.rmtree(copy.root / "snapshots")
    with hold_all(copy):
        pass
    assert len(read_files(store, tmp_path / "read")) == 4


def test_unneeded_objects_are_found_by_their_age(tmp_path: Path) -> None:
    from warehouse.object_store.sweeping import sweep_objects

    store = make_store()
    copy = make_copy(store, tmp_path / "a")
    for number in range(3):
        with hold_all(copy):
            write_files(copy.root, checks_=str(number), tables__mart__x___delta_log__0_=str(number))
    store.put("tables/mart/x/orphan.parquet", b"of a writer that was killed")
    assert copy.sweep(print, is_confirmed=True).objects == 0  # all are younger than a day
    found = sweep_objects(store, copy.version, is_confirmed=False, grace_seconds=-60)
    assert found.objects == 7  # two older lists, two versions each of two files, and the orphan
    assert sweep_objects(store, copy.version, is_confirmed=True, grace_seconds=-60) == found
    assert sweep_objects(store, copy.version, is_confirmed=True, grace_seconds=-60).objects == 0
    assert len(read_files(store, tmp_path / "read")) == 2
