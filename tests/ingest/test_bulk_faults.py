"""What a person is shown of bulk files that are cut short, garbage, or not as their manifest has them."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest

from benchmarks.openalex_works import write_parts
from expectations.cross_table import list_checks
from orchestration.cli.report import describe_status, group_rejects, list_rejects
from orchestration.defs.checks import check_tables
from orchestration.ingest.accounts import log_accounts
from orchestration.ingest.raw_tables import list_raw_tables
from orchestration.ingest.snapshots import list_snapshots
from orchestration.run import LakeRun
from orchestration.sources.registry import get_source
from tests.conftest import run_aisle
from tests.sources.test_lab_sheet import GOOD, build_csv
from tests.support.raw_tables import update_and_read
from transforms.engine import LocalEngine
from warehouse.lake import Lake
from warehouse.release import publish_release

RECORDS = 300


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three parts of made-up works of OpenAlex and their manifest."""
    folder = tmp_path_factory.mktemp("parts")
    write_parts(folder, 3 * RECORDS, seed=4, works_per_part=RECORDS, scope_share=0.3, dirty_share=0.0)
    return folder


@pytest.fixture
def folder(parts: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(parts, tmp_path / "parts"))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def add_and_release(lake: Lake, *arguments: object) -> list[str]:
    """Add files, release the raw tables alone, and return the lines of the status."""
    run_aisle(lake.root, "add", "--ungated", *map(str, arguments))
    update_and_read(lake)
    publish_release(lake, list_raw_tables(), {})
    return describe_status(lake)


def test_each_file_that_is_cut_short_has_its_own_line(lake: Lake, folder: Path) -> None:
    plain, packed = folder / "plain.jsonl", folder / "part_0000.gz"
    content = gzip.decompress((folder / "part_0001.gz").read_bytes())
    plain.write_bytes(content[: content.rfind(b"\n", 0, -1) + 1000])
    packed.write_bytes(packed.read_bytes()[:-20_000])
    lines = [line for line in add_and_release(lake, packed, plain) if line.startswith("! ")]
    assert len(lines) == 2
    assert lines[0].startswith("! openalex_works: part_0000.gz: the file is damaged or cut short after this line")
    assert "! openalex_works: plain.jsonl: not valid JSON" in lines[1]
    assert lines[1].endswith("the file is cut short within this line; copy it again and add it")


def test_whole_file_has_no_such_line(lake: Lake, folder: Path) -> None:
    last = folder / "last.jsonl"
    last.write_bytes(gzip.decompress((folder / "part_0001.gz").read_bytes()).rstrip(b"\n"))  # without a line feed
    assert not [line for line in add_and_release(lake, folder / "part_0000.gz", last) if line.startswith("! ")]
    assert list_rejects(lake).is_empty()


def test_part_with_another_number_of_records_than_in_its_manifest_is_named(lake: Lake, folder: Path) -> None:
    manifest = json.loads((folder / "manifest").read_bytes())
    manifest["entries"][1]["meta"]["record_count"] += 5
    (folder / "manifest").write_text(json.dumps(manifest))
    lines = [line for line in add_and_release(lake, folder) if line.startswith("! ")]
    expected = f"{RECORDS} records were read, {RECORDS + 5} are in its manifest; copy it again and add it"
    assert lines == [f"! openalex_works: part_0001.gz: {expected}"]
    accounts = update_and_read(lake)["raw.parses"]
    manifest["entries"][1]["meta"]["record_count"] -= 5
    (folder / "manifest").write_text(json.dumps(manifest))
    assert not [line for line in add_and_release(lake, folder) if line.startswith("! ")]
    assert update_and_read(lake)["raw.parses"].equals(accounts)  # no file was read again for that


def test_part_that_is_short_by_its_manifest_is_not_added(lake: Lake, folder: Path) -> None:
    path = folder / "part_0001.gz"
    path.write_bytes(path.read_bytes()[:-10])
    for argument in (folder, folder / "manifest"):
        result = run_aisle(lake.root, "add", str(argument))
        assert result.returncode == 1
        assert "part_0001.gz has " in result.stderr
        assert "1 of 3 were not added" in result.stderr
        assert len(list_snapshots(lake)) == 2


def test_manifest_alone_stands_for_its_parts(lake: Lake, folder: Path) -> None:
    (folder / "note.txt").write_text("not in the manifest")
    result = run_aisle(lake.root, "add", str(folder / "manifest"))
    assert result.returncode == 0, result.stderr
    assert sorted(snapshot.original_name for snapshot in list_snapshots(lake)) == [
        f"part_000{number}.gz" for number in range(3)
    ]


@pytest.mark.parametrize("is_folder", [True, False])
def test_manifest_without_a_list_is_named(lake: Lake, tmp_path: Path, is_folder: bool) -> None:
    path = tmp_path / "manifest"
    path.write_text('{"entries":3}')
    result = run_aisle(lake.root, "add", str(tmp_path if is_folder else path))
    assert result.returncode == 1
    expected = f"✗ {path} is not a manifest with a list of entries, each with url and meta: it has entries that are 3"
    assert expected in result.stderr


def write_garbage(folder: Path, *, good: int, bad: int) -> Path:
    lines = gzip.decompress((folder / "part_0000.gz").read_bytes()).splitlines()[:good]
    path = folder / "garbage.jsonl"
    path.write_bytes(b"\n".join([*lines, *(b"%d garbage" % number for number in range(bad))]) + b"\n")
    return path


def test_garbage_is_refused_when_it_is_added(lake: Lake, folder: Path) -> None:
    result = run_aisle(lake.root, "add", str(write_garbage(folder, good=1, bad=500)))
    assert result.returncode == 1
    expected = "garbage.jsonl: refused: 199 of 200 records cannot be read, so it is no bulk file or damaged; line 2: "
    assert expected in result.stderr
    assert not list_snapshots(lake)


def test_garbage_after_a_good_beginning_is_refused_as_a_whole(lake: Lake, folder: Path) -> None:
    path = write_garbage(folder, good=3, bad=20_000)
    lines = add_and_release(lake, path)
    assert any("garbage.jsonl: 20,000 of 20,003 records cannot be read" in line for line in lines)
    assert list_rejects(lake)["where"].to_list() == ["whole file"]


def test_file_with_some_bad_lines_is_read(lake: Lake, folder: Path) -> None:
    add_and_release(lake, write_garbage(folder, good=20, bad=500))
    assert list_rejects(lake).height == 500


def test_amount_of_memory_is_checked_before_anything_is_added(lake: Lake, folder: Path) -> None:
    result = run_aisle(lake.root, "add", str(folder), AISLE_MEMORY="much")
    assert result.returncode == 1
    assert "AISLE_MEMORY is “much”, which is no amount of memory" in result.stderr
    assert not lake.root.exists()


def test_options_of_bulk_files_are_named_where_a_document_does_not_use_them(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "sheet.csv"
    path.write_bytes(build_csv(GOOD))
    result = run_aisle(lake.root, "add", "--in-place", "--ungated", str(path))
    assert result.returncode == 0, result.stderr
    assert "it is no bulk file: --in-place and --ungated not used" in result.stderr
    assert "not used" not in run_aisle(lake.root, "add", str(path)).stderr


def test_counts_of_accounts_have_separators(lake: Lake, folder: Path) -> None:
    run_aisle(lake.root, "add", str(folder / "part_0000.gz"))
    lines = list[str]()
    update_and_read(lake)
    counts = dict.fromkeys(("read", "kept", "repeated", "rejected", "out_of_scope"), 1_234_567)
    row = {f"records_{name}": count for name, count in counts.items()}
    (snapshot,) = list_snapshots(lake)
    source = get_source("openalex_works")
    log_accounts(source, [snapshot], [row | {"snapshot_id": snapshot.snapshot_id}], lines.append)
    assert lines == [
        "openalex_works: part_0000.gz: 1,234,567 read, 1,234,567 kept, 1,234,567 repeated, 1,234,567 rejected,"
        " 1,234,567 out of scope"
    ]


def test_many_rejects_are_counted_by_source_and_reason(lake: Lake, folder: Path, tmp_path: Path) -> None:
    good = [[GOOD[0], f"Title {number}", *GOOD[2:]] for number in range(5)]
    (tmp_path / "sheet.csv").write_bytes(build_csv(*good, [GOOD[0], "", GOOD[2], "", *GOOD[4:]]))
    add_and_release(lake, write_garbage(folder, good=50, bad=60), tmp_path / "sheet.csv")
    rows = list_rejects(lake)
    grouped = group_rejects(rows).rows(named=True)
    assert [(row["source"], row["rejects"], row["files"]) for row in grouped] == [
        ("openalex_works", 60, 1),
        ("lab_sheet", 1, 1),
    ]
    shown = run_aisle(lake.root, "rejects").stdout.splitlines()
    assert shown[0] == f"60 of openalex_works: {grouped[0]['reason']} (garbage.jsonl: line 51)"
    assert shown[1].startswith("1 of lab_sheet: ")
    assert shown[2] == "61 rejected; --each shows each"
    assert len(run_aisle(lake.root, "rejects", "--each").stdout.splitlines()) == 62
    as_csv = [run_aisle(lake.root, "rejects", "-f", "csv", *options).stdout for options in ((), ("--grouped",))]
    assert [len(text.splitlines()) for text in as_csv] == [62, 3]
    check = next(check for check in list_checks() if check.name == "nothing_was_rejected")
    result = check_tables(LakeRun(lake, "a run", "2025-06-03", is_whole=True), check, LocalEngine())
    assert str(result.description).startswith("broken by 61 rows of lab_sheet, openalex_works: source lab_sheet, ")
