"""Bulk files in a lake: kept or read in place, read once, replaced alone, continued after a kill."""

from __future__ import annotations

import contextlib
import gzip
import shutil
from pathlib import Path

import pytest

from benchmarks.openalex_works import write_parts
from expectations.cross_table import list_checks
from orchestration.ingest import bulk_stage, raw
from orchestration.ingest.bulk_files import Places, add_bulk_file, find_bulk_source_of
from orchestration.ingest.raw import update_raw_tables
from orchestration.ingest.snapshots import AddedFile, get_content_path, list_snapshots
from tests.conftest import run_aisle
from tests.ingest.test_raw import Killed, assert_same_tables, kill_at_commit
from tests.support.raw_tables import preview_update, read_raw_tables, update_and_read
from warehouse.lake import Lake

WORKS = "raw.openalex_works"


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three parts of made-up works of OpenAlex."""
    folder = tmp_path_factory.mktemp("parts")
    write_parts(folder, 240, seed=3, works_per_part=80, scope_share=0.3)
    return sorted(folder.glob("part_*"))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def add(lake: Lake, path: Path, *, is_in_place: bool = False, is_gated: bool | None = None) -> AddedFile:
    source, places = find_bulk_source_of(path), Places(lake)
    assert source is not None
    added = add_bulk_file(lake, path, source, places, is_in_place=is_in_place, is_gated=is_gated)
    places.save()
    return added


def add_all(lake: Lake, paths: list[Path]) -> list[str]:
    """Add files that are read in place, as one command does; returns what is removed."""
    places = Places(lake)
    for path in paths:
        source = find_bulk_source_of(path)
        assert source is not None
        add_bulk_file(lake, path, source, places, is_in_place=True, is_gated=None)
    return places.save()


def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are read from now on."""
    read, read_bulk_part = list[Path](), bulk_stage.read_bulk_part

    def note(path: Path, *arguments: object, **options: object) -> object:
        read.append(path)
        return read_bulk_part(path, *arguments, **options)  # ty: ignore[invalid-argument-type]

    monkeypatch.setattr(bulk_stage, "read_bulk_part", note)
    return read


def test_every_line_is_accounted_for(lake: Lake, parts: list[Path]) -> None:
    for path in parts:
        assert add(lake, path).is_new
    tables = update_and_read(lake)
    accounts = tables["raw.parses"]
    assert accounts["records_read"].sum() == 240
    assert accounts["records_out_of_scope"].sum() == tables["raw.out_of_scope"]["records"].sum() > 100
    assert accounts["records_rejected"].sum() == tables["raw.rejects"].height > 0
    assert accounts["records_kept"].sum() == tables[WORKS]["record_id"].n_unique() > 30
    checks = {check.name: check for check in list_checks()}
    for name in ("accounts_add_up", "kept_records_are_held"):
        assert checks[name].find_violations(lake).count == 0


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_parts_added_in_any_order_and_runs_give_the_same_records(
    tmp_path: Path, parts: list[Path], order: tuple[int, ...]
) -> None:
    at_once, one_by_one = Lake(tmp_path / "at once"), Lake(tmp_path / "one by one")
    for path in parts:
        add(at_once, path)
    for number in order:
        shutil.copytree(
            at_once.snapshots / "openalex_works" / list_snapshots(at_once)[number].snapshot_id,
            one_by_one.snapshots / "openalex_works" / list_snapshots(at_once)[number].snapshot_id,
        )
        tables = update_and_read(one_by_one)
    assert_same_tables(tables, update_and_read(at_once))
    for name in (WORKS, "raw.rejects", "raw.sightings", "raw.parses"):
        states = [lake.read_state(name) for lake in (at_once, one_by_one)]
        assert len({state.content_sha256 for state in states if state}) == 1, name


def test_file_that_is_read_in_place_is_needed_only_until_it_is_read(
    lake: Lake, tmp_path: Path, parts: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "moved.gz"
    shutil.copy(parts[0], path)
    added = add(lake, path, is_in_place=True)
    assert "read in place" in added.remark
    assert get_content_path(lake, added.snapshot) == path
    first = update_and_read(lake)
    path.unlink()
    read = count_reads(monkeypatch)
    assert_same_tables(update_and_read(lake), first)
    assert read == []


def test_changed_file_is_not_read_before_it_is_added_again_and_then_replaces_its_rows_alone(
    lake: Lake, tmp_path: Path, parts: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / path.name for path in parts]
    for source, path in zip(parts, paths, strict=True):
        shutil.copy(source, path)
        add(lake, path, is_in_place=True)
    update_and_read(lake)
    shutil.copy(parts[0], paths[2])
    added = add(lake, paths[2], is_in_place=True)
    assert "the same bytes" not in added.remark
    update_and_read(lake)
    write_parts(tmp_path / "other", 80, seed=4, works_per_part=80, scope_share=0.3)
    shutil.copy(next((tmp_path / "other").glob("part_*")), paths[1])
    old = {one.path: one.snapshot_id for one in list_snapshots(lake)}[str(paths[1])]
    read = count_reads(monkeypatch)
    (line,) = add_all(lake, [paths[1]])
    assert line == f"removed the snapshot {old}: {paths[1]} has other bytes now"
    tables = update_and_read(lake)
    assert read == [paths[1]]
    assert old not in set(tables["raw.parses"]["snapshot_id"]) | set(tables["raw.sightings"]["snapshot_id"])
    assert_same_tables(tables, preview_update(lake))


@pytest.mark.parametrize("is_there", [True, False])
def test_file_that_is_away_is_named_and_waits_and_the_others_are_read(
    lake: Lake, tmp_path: Path, parts: list[Path], is_there: bool
) -> None:
    paths = [tmp_path / "one.gz", tmp_path / "two.gz"]
    for path, source in zip(paths, parts[:2], strict=True):
        shutil.copy(source, path)
        add(lake, path, is_in_place=True)
    kept = paths[0].read_bytes()
    paths[0].write_bytes(parts[2].read_bytes()) if is_there else paths[0].unlink()
    lines = list[str]()
    assert not update_raw_tables(lake, lines.append)
    problem = "has other bytes than when it was added" if is_there else "is not there"
    assert f"! {paths[0]} {problem}: it is not read; put it back, or add it again from where it is" in lines
    assert read_raw_tables(lake)["raw.parses"].height == 1
    checks = {check.name: check for check in list_checks()}
    assert checks["accounts_add_up"].find_violations(lake).count == 0
    paths[0].write_bytes(kept)
    assert update_raw_tables(lake, lines.append)
    assert read_raw_tables(lake)["raw.parses"].height == 2


def test_records_of_a_file_stay_while_it_is_away_although_the_parser_has_changed(
    lake: Lake, tmp_path: Path, parts: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "one.gz"
    shutil.copy(parts[0], path)
    add(lake, path, is_in_place=True)
    tables = update_and_read(lake)
    path.unlink()
    monkeypatch.setattr(raw, "compute_parser_version", lambda *_: "another")
    lines = list[str]()
    assert_same_tables(update_and_read(lake, lines.append), tables)
    assert any("is not there: its records stay as they are" in line for line in lines)
    shutil.copy(parts[0], path)
    assert update_and_read(lake)["raw.parses"]["parser_version"][0] != tables["raw.parses"]["parser_version"][0]


def test_files_that_change_their_names_among_each_other_lose_nothing(
    lake: Lake, tmp_path: Path, parts: list[Path]
) -> None:
    paths = [tmp_path / f"{number}.gz" for number in range(3)]
    for path, source in zip(paths, parts, strict=True):
        shutil.copy(source, path)
    add_all(lake, paths)
    assert update_and_read(lake)["raw.parses"].height == 3
    for path, source in zip(paths, (parts[1], parts[0], parts[2]), strict=True):  # two are swapped
        shutil.copy(source, path)
    assert add_all(lake, paths) == []
    assert update_and_read(lake)["raw.parses"].height == 3
    for path, source in zip(paths[:2], (parts[0], parts[2]), strict=True):  # one is gone, the last one moves up
        shutil.copy(source, path)
    paths[2].unlink()
    (line,) = add_all(lake, paths[:2])
    assert line.endswith("has other bytes now")
    tables = update_and_read(lake)
    assert tables["raw.parses"].height == 2
    assert {get_content_path(lake, one) for one in list_snapshots(lake)} == set(paths[:2])


def test_records_stay_as_long_as_one_path_has_the_bytes(lake: Lake, tmp_path: Path, parts: list[Path]) -> None:
    paths = [tmp_path / "one.gz", tmp_path / "two.gz"]
    for path in paths:
        shutil.copy(parts[0], path)
    add_all(lake, paths)
    for path, source in zip(reversed(paths), parts[1:], strict=True):
        shutil.copy(source, path)
        lines = add_all(lake, [path])
    assert len(lines) == 1  # only the second change leaves no path with the bytes
    assert update_and_read(lake)["raw.parses"].height == 2


@pytest.mark.parametrize("number", [0, 3])
def test_killed_run_is_continued_without_reading_again(
    lake: Lake, parts: list[Path], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    for path in parts:
        add(lake, path)
    expected = preview_update(lake)
    calls = iter(range(10))

    def stop_at_third(*_: object) -> bool:
        if next(calls) == 2:
            raise Killed
        return True

    with monkeypatch.context() as patch:
        if number:
            kill_at_commit(patch, number)
        else:
            patch.setattr(bulk_stage, "is_unchanged", stop_at_third)
        with contextlib.suppress(Killed):
            update_and_read(lake)
    read = count_reads(monkeypatch)
    assert_same_tables(update_and_read(lake), expected)
    assert len(read) == (1 if number == 0 else 0)
    update_and_read(lake)
    assert not list((lake.root / "parsed").rglob("*.parquet"))


def test_what_the_gate_left_out_can_be_had(lake: Lake, parts: list[Path]) -> None:
    add(lake, parts[0])
    gated = update_and_read(lake)
    assert add(lake, parts[0], is_gated=False).remark == "now with gate “off”"
    open_tables = update_and_read(lake)
    assert open_tables["raw.parses"]["records_out_of_scope"].to_list() == [0]
    left_out = gated["raw.parses"]["records_out_of_scope"].sum()
    sightings = [tables["raw.sightings"].height for tables in (gated, open_tables)]
    assert sightings[1] - sightings[0] == left_out
    assert set(gated[WORKS]["version_id"]) <= set(open_tables[WORKS]["version_id"])


@pytest.mark.parametrize("content", [b"", b"{", b"{}\n{}\n", b"PAR1", b"\x1f\x8b", b"not a bulk file"])
def test_other_files_are_documents(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert find_bulk_source_of(path) is None
    assert find_bulk_source_of(tmp_path) is None
    assert find_bulk_source_of(tmp_path / "missing") is None


def test_raw_tables_can_be_read_by_other_tools_as_delta(lake: Lake, parts: list[Path]) -> None:
    import polars as pl

    for path in parts:
        add(lake, path)
    tables = update_and_read(lake)
    rows = pl.read_delta(str(lake.locate_table(WORKS)))
    assert rows.height == tables["raw.sightings"].height
    assert set(rows["version_id"]) == set(tables[WORKS]["version_id"])


def test_gate_stays_as_it_was_until_a_person_changes_it(lake: Lake, parts: list[Path]) -> None:
    add(lake, parts[0], is_gated=False)
    assert add(lake, parts[0]).remark == "without the gate, as before: --gated uses it again"
    assert update_and_read(lake)["raw.parses"]["records_out_of_scope"].to_list() == [0]
    assert add(lake, parts[0], is_gated=True).remark == "now with gate “on” instead of gate “off”"
    assert update_and_read(lake)["raw.parses"]["records_out_of_scope"].to_list() > [0]


def test_single_work_given_by_hand_is_a_document(tmp_path: Path) -> None:
    write_parts(tmp_path, 20, seed=5, works_per_part=20, dirty_share=0.0)
    line = gzip.decompress((tmp_path / "part_0000.gz").read_bytes()).partition(b"\n")[0]
    path = tmp_path / "work.json"
    path.write_bytes(line + b"\n")
    assert find_bulk_source_of(path) is None


def test_file_read_in_place_can_be_kept_later(lake: Lake, parts: list[Path]) -> None:
    snapshot = add(lake, parts[0], is_in_place=True).snapshot
    kept = add(lake, parts[0])
    assert (kept.is_new, kept.remark) == (False, "it is kept in the lake now")
    assert get_content_path(lake, list_snapshots(lake)[0]).read_bytes() == parts[0].read_bytes()
    assert get_content_path(lake, list_snapshots(lake)[0]) != get_content_path(lake, snapshot)


def test_folder_with_a_manifest_is_checked_against_it(tmp_path: Path) -> None:
    write_parts(tmp_path / "[parts]=1", 40, seed=5, works_per_part=20)
    (tmp_path / "[parts]=1" / "part_0001.gz").unlink()
    result = run_aisle(tmp_path / "lake", "add", str(tmp_path / "[parts]=1"))
    assert result.returncode == 1
    assert "part_0001.gz is in the manifest and not in the folder" in result.stderr + result.stdout
    assert "part_0000.gz: openalex_works, a bulk file" in result.stderr + result.stdout
    assert not (tmp_path / "lake" / "refused").exists()
