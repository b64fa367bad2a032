"""Damage in the files of raw tables that keeps their length: it is noticed, and only what is lost is read again."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from orchestration.ingest.snapshots import DamagedSnapshot, list_snapshots
from tests.ingest.test_bulk_files import WORKS, add, count_reads, parts  # noqa: F401 - a fixture
from tests.ingest.test_raw import assert_accounts_hold, assert_same_tables
from tests.support.damage import flip_byte
from tests.support.raw_tables import read_raw_tables, update_and_read
from warehouse import intact_files
from warehouse.intact_files import IntactFiles
from warehouse.lake import Lake


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, parts: list[Path]) -> Lake:  # noqa: F811
    """A lake with three bulk files that are read where they are, beside it."""
    folder = tmp_path_factory.mktemp("filled")
    lake = Lake(folder / "lake")
    for path in parts:
        shutil.copy(path, folder)
        add(lake, folder / path.name, is_in_place=True)
    update_and_read(lake)
    return lake


@pytest.fixture
def lake(filled: Lake, tmp_path: Path) -> Lake:
    copy = Lake(tmp_path / "lake")
    shutil.copytree(filled.root, copy.root)
    return copy


def list_files(lake: Lake, name: str) -> list[Path]:
    opened = lake.open_table(name)
    assert opened is not None
    return [file.path for file in opened[1]]


@pytest.mark.parametrize("is_there", [True, False])
def test_damaged_part_is_read_again_alone(lake: Lake, monkeypatch: pytest.MonkeyPatch, is_there: bool) -> None:
    before, state = read_raw_tables(lake), lake.read_state(WORKS)
    path = list_files(lake, WORKS)[1]
    flip_byte(path) if is_there else path.unlink()
    assert lake.read_state(WORKS) is None
    read, lines = count_reads(monkeypatch), list[str]()
    assert_same_tables(update_and_read(lake, lines.append), before)
    assert len(read) == 1
    assert "openalex_works: reading 1 snapshot again, since a file with its records is damaged" in lines
    repaired = lake.read_state(WORKS)
    assert state is not None
    assert repaired is not None
    assert repaired.content_sha256 == state.content_sha256
    assert path in lake.intact_files.take_damaged()
    assert len(list_files(lake, WORKS)) == 3
    assert_accounts_hold(lake)


@pytest.mark.parametrize("name", ["raw.rejects", "raw.out_of_scope", "raw.parses"])
def test_after_damage_of_what_all_sources_share_everything_is_read_again(lake: Lake, name: str) -> None:
    before = read_raw_tables(lake)
    flip_byte(list_files(lake, name)[0])
    assert_same_tables(update_and_read(lake), before)
    assert_accounts_hold(lake)


@pytest.mark.parametrize("name", [WORKS, "raw.rejects", "raw.parses"])
def test_records_that_cannot_be_read_again_stop_the_run_instead_of_being_lost(
    filled: Lake, lake: Lake, tmp_path: Path, name: str
) -> None:
    before = read_raw_tables(lake)
    away = [Path(str(snapshot.path)) for snapshot in list_snapshots(lake)]
    flip_byte(list_files(lake, name)[0])
    for path in away:
        path.rename(tmp_path / path.name)
    try:
        with pytest.raises(DamagedSnapshot, match="damaged in the lake, and the file itself is not there"):
            update_and_read(lake)
    finally:
        for path in away:
            (tmp_path / path.name).rename(path)
    assert_same_tables(update_and_read(lake), before)


def test_file_is_read_once_until_it_has_changed(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed, hash_bytes = list[Path](), intact_files.hash_bytes

    def note(path: Path) -> str:
        hashed.append(path)
        return hash_bytes(path)

    monkeypatch.setattr(intact_files, "hash_bytes", note)
    first, *others = list_files(lake, WORKS)
    hashed.clear()
    lake.intact_files.save()
    known = IntactFiles(lake.root)  # as the next process has it
    assert all(known.is_intact(path) for path in (first, *others))
    assert hashed == []
    os.utime(first)
    assert known.is_intact(first)
    assert hashed == [first]
    known.forget()
    assert all(known.is_intact(path) for path in (first, *others))
    assert len(hashed) == 4
    flip_byte(first)
    assert not known.is_intact(first)
    assert not known.is_intact(first)
    assert len(hashed) == 5  # a damaged file is not read each time either
    assert known.take_damaged() == [first]
    assert known.take_damaged() == []


def test_file_of_an_earlier_version_is_compared_by_its_size(lake: Lake) -> None:
    path = list_files(lake, WORKS)[0]
    earlier = path.with_name(f"{path.name.partition('-')[0]}-80-{path.stat().st_size}.parquet")
    path.rename(earlier)
    flip_byte(earlier)
    assert lake.intact_files.is_intact(earlier, earlier.stat().st_size)
    assert not lake.intact_files.is_intact(earlier, earlier.stat().st_size + 1)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"a": 1}', b'{"a": [1, "x"]}'])
def test_damaged_list_of_intact_files_costs_only_that_they_are_read_again(lake: Lake, content: bytes) -> None:
    paths = list_files(lake, WORKS)
    (lake.root / "intact_files.json").write_bytes(content)
    assert all(IntactFiles(lake.root).is_intact(path) for path in paths)
