"""Snapshots on disk: what is damaged is noticed, named and repaired by adding the file again."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.ingest import raw
from orchestration.ingest.files import FileChanged, FileRefused, read_file
from orchestration.ingest.snapshots import DamagedSnapshot, add_file, list_snapshots
from orchestration.sources.source import DocumentRefused
from tests.sources.test_lab_sheet import GOOD, build_csv
from tests.support.raw_tables import drop_log
from warehouse.lake import Lake, replace_file

SHEET = build_csv(GOOD)


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    path = tmp_path / "sheet.csv"
    path.write_bytes(SHEET)
    return path


@pytest.fixture
def lake(tmp_path: Path, sheet: Path) -> Lake:
    """A lake with one snapshot, which is not parsed yet."""
    lake = Lake(tmp_path / "lake")
    add_file(lake, sheet)
    return lake


def change_facts(folder: Path, **facts: object) -> None:
    path = folder / "snapshot.json"
    replace_file(path, json.dumps(json.loads(path.read_bytes()) | facts).encode())


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a letter": (lambda f: replace_file(f / "content", SHEET.replace(b"t", b"T", 1)), "content has other bytes"),
    "two rows": (lambda f: replace_file(f / "content", SHEET[:-9] + SHEET[-9:][::-1]), "content has other bytes"),
    "cut": (lambda f: replace_file(f / "content", SHEET[:40]), f"content has 40 bytes instead of {len(SHEET)}"),
    "empty": (lambda f: replace_file(f / "content", b""), "content has 0 bytes"),
    "no content": (lambda f: (f / "content").unlink(), "content is missing"),
    "no facts": (lambda f: (f / "snapshot.json").unlink(), r"snapshot\.json is missing"),
    "cut facts": (lambda f: replace_file(f / "snapshot.json", b'{"snapshot_id"'), r"snapshot\.json is damaged"),
    "other facts": (lambda f: replace_file(f / "snapshot.json", b"[1]"), r"snapshot\.json is damaged"),
    "no moment": (lambda f: change_facts(f, fetched_at="soon"), r"snapshot\.json is damaged"),
    "not text": (lambda f: replace_file(f / "snapshot.json", b"\xff\xfe"), r"snapshot\.json is damaged"),
    "another hash": (lambda f: change_facts(f, sha256="0" * 64), "content has other bytes"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_noticed_before_anything_is_parsed(lake: Lake, name: str) -> None:
    damage, message = DAMAGES[name]
    (folder,) = lake.snapshots.glob("*/*")
    damage(folder)
    with pytest.raises(DamagedSnapshot, match=message) as error:
        raw.update_raw_tables(lake, drop_log)
    assert str(folder) in str(error.value)
    assert "restore it, or remove the folder and add the file again" in str(error.value)


def test_all_damaged_snapshots_are_named(lake: Lake, sheet: Path) -> None:
    sheet.write_bytes(build_csv([GOOD[0], "Other", *GOOD[2:]]))
    add_file(lake, sheet)
    folders = list(lake.snapshots.glob("*/*"))
    for folder in folders:
        replace_file(folder / "content", (folder / "content").read_bytes().upper())
    with pytest.raises(DamagedSnapshot) as error:
        raw.update_raw_tables(lake, drop_log)
    assert all(str(folder) in str(error.value) for folder in folders)


@pytest.mark.parametrize("name", ["a letter", "cut", "no content"])
def test_damaged_bytes_are_whole_again_once_the_file_is_added_again(lake: Lake, sheet: Path, name: str) -> None:
    (folder,) = lake.snapshots.glob("*/*")
    before = json.loads((folder / "snapshot.json").read_bytes())
    DAMAGES[name][0](folder)
    added = add_file(lake, sheet)
    assert not added.is_new
    assert added.remark == "its stored bytes were damaged and are whole again"
    assert (folder / "content").read_bytes() == SHEET
    assert json.loads((folder / "snapshot.json").read_bytes()) == before
    assert add_file(lake, sheet).remark == ""
    assert not (folder / "content").stat().st_mode & 0o222


def test_removed_folder_is_added_again(lake: Lake, sheet: Path) -> None:
    (folder,) = lake.snapshots.glob("*/*")
    shutil.rmtree(folder)
    assert list_snapshots(lake) == []
    assert add_file(lake, sheet).is_new


def test_other_files_among_the_snapshots_are_no_snapshots(lake: Lake) -> None:
    (lake.snapshots / "lab_sheet" / "notes.txt").write_text("mine")
    (lake.snapshots / "README").write_text("mine")
    assert len(list_snapshots(lake)) == 1


def test_file_that_changes_while_it_is_read_is_not_added(sheet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fstat = os.fstat

    def append_after_fstat(handle: int) -> os.stat_result:
        facts = fstat(handle)
        with sheet.open("ab") as file:
            file.write(SHEET)
        return facts

    monkeypatch.setattr(os, "fstat", append_after_fstat)
    with pytest.raises(FileChanged, match="changed while it was read"):
        read_file(sheet)


@pytest.mark.parametrize("name", [os.fsdecode(b"sheet\xff.csv"), os.fsdecode(b"\xe9t\xe9.csv")])
def test_name_that_is_not_utf8_is_not_added(lake: Lake, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(SHEET)
    with pytest.raises(FileRefused, match="its name is not valid UTF-8: rename it and add it again"):
        add_file(lake, tmp_path / name)
    assert (tmp_path / name).read_bytes() == SHEET


def test_bytes_in_a_folder_whose_name_is_not_utf8_are_added(lake: Lake, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"folder\xff")
    folder.mkdir()
    (folder / "sheet.csv").write_bytes(SHEET)
    assert add_file(lake, folder / "sheet.csv").records == 1


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_regular_file_is_refused_at_once(lake: Lake, tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "entry")
    with pytest.raises(DocumentRefused, match="not a regular file"):
        add_file(lake, tmp_path / "entry")
