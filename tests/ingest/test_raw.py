"""From snapshots to raw tables: identity, evidence, list_accounts, and what a killed run leaves."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from expectations.cross_table import list_checks
from orchestration.ingest import parts, raw
from orchestration.ingest.fetch_log import FetchLogLine
from orchestration.ingest.raw_tables import declare_record_table, list_raw_tables, load_shared_tables
from orchestration.ingest.snapshots import add_file, list_snapshots
from orchestration.sources.registry import get_source
from tests.sources.test_lab_sheet import GOOD, PAGE_HEADER, build_csv, build_page_row
from tests.support.raw_tables import preview_update, update_and_read
from warehouse.lake import Lake, TableState, replace_file

OTHER = ["Anthropic", "Another title", "4-Mar-24", "https://www.anthropic.com/research/other", "Honest AI", ""]


def add_sheet(lake: Lake, folder: Path, name: str, *rows: list[str]) -> None:
    """Add a version of one list."""
    path = folder / name
    path.write_bytes(build_csv(*rows))
    add_file(lake, path, hints={"list": "papers"})


def list_accounts(tables: dict[str, pl.DataFrame]) -> list[tuple[int, ...]]:
    frame = tables["raw.parses"].select("records_read", "records_kept", "records_repeated", "records_rejected")
    return sorted(frame.rows())


def test_record_seen_again_is_one_record_with_all_evidence(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    add_sheet(lake, tmp_path, "first.csv", GOOD, OTHER)
    update_and_read(lake)
    add_sheet(lake, tmp_path, "second.csv", OTHER, [GOOD[0], "A title, corrected", *GOOD[2:]], OTHER)
    tables = update_and_read(lake)
    assert list_accounts(tables) == [(2, 2, 0, 0), (3, 0, 3, 0)]
    rows = tables["raw.lab_sheet_publications"]
    assert rows.height == 3  # two records, of which one has two versions
    assert rows["record_id"].n_unique() == 2
    assert tables["raw.sightings"].height == 5
    seen_twice = rows.filter(pl.col("title") == "Another title").row(0, named=True)
    assert seen_twice["first_seen_at"] <= seen_twice["last_seen_at"]
    assert seen_twice["snapshot_id"] == list_snapshots(lake)[0].snapshot_id


def test_row_of_a_page_with_a_damaged_number_is_accounted_for(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    rows = [
        build_page_row("2", "One"),
        build_page_row("3", "Two"),
        build_page_row("4?x", "Lost"),
        build_page_row("5", "Three"),
    ]
    (tmp_path / "page.txt").write_text(PAGE_HEADER + "".join(rows), encoding="utf-8")
    added = add_file(lake, tmp_path / "page.txt")
    assert (added.records, added.rejects) == (3, 1)
    tables = update_and_read(lake)
    assert list_accounts(tables) == [(4, 3, 0, 1)]
    assert tables["raw.rejects"]["reason"].to_list() == ["row 4 expected, got “4?x”"]


def test_order_of_rows_makes_no_new_version(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    for name, rows in (("one.csv", [GOOD, OTHER]), ("two.csv", [OTHER, GOOD])):
        content = build_csv(*rows).decode().splitlines()
        numbered = [f"Row,{content[0]}", *(f"{n},{line}" for n, line in enumerate(content[1:], 2))]
        (tmp_path / name).write_text("\n".join(numbered), encoding="utf-8")
        add_file(lake, tmp_path / name, hints={"list": "papers"})
    tables = update_and_read(lake)
    assert tables["raw.lab_sheet_publications"].height == 2
    newest = list_snapshots(lake)[-1]
    expected = {"two.csv": ["A title", "Another title"], "one.csv": ["Another title", "A title"]}[newest.original_name]
    assert sorted(tables["raw.lab_sheet_publications"].select("sheet_row", "title").rows()) == [
        (2, expected[1]),
        (3, expected[0]),
    ]


class Killed(BaseException):
    """The process is killed."""


def kill_at_commit(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let the update end as if killed at its commit with this number, from 0."""
    numbers, commit = itertools.count(), Lake.commit

    def commit_or_die(*arguments: Any, **options: Any) -> TableState:
        if next(numbers) == number:
            raise Killed
        return commit(*arguments, **options)

    monkeypatch.setattr(Lake, "commit", commit_or_die)


Prepared = tuple[Lake, dict[str, pl.DataFrame]]


@pytest.fixture(scope="module")
def prepared_sheets(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """A lake with a sheet in its tables and another that is not in them yet, and the tables with both."""
    folder = tmp_path_factory.mktemp("sheets")
    lake = Lake(folder / "lake")
    add_sheet(lake, folder, "first.csv", GOOD)
    update_and_read(lake)
    add_sheet(lake, folder, "second.csv", GOOD, OTHER, [*OTHER[:2], "31-Feb-24", *OTHER[3:]])
    return lake, preview_update(lake)


@pytest.mark.parametrize("number", range(8))
def test_run_killed_between_tables_counts_nothing_twice_and_loses_nothing(
    prepared_sheets: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    lake, expected = Lake(tmp_path / "lake"), prepared_sheets[1]
    shutil.copytree(prepared_sheets[0].root, lake.root)
    with monkeypatch.context() as patch:
        kill_at_commit(patch, number)
        with contextlib.suppress(Killed):
            update_and_read(lake)
    assert_same_tables(update_and_read(lake), expected)


def test_parts_are_written_anew_without_the_snapshots_that_are_withdrawn(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    add_sheet(lake, tmp_path, "first.csv", GOOD)
    only_first = update_and_read(lake)
    add_sheet(lake, tmp_path, "second.csv", GOOD, OTHER, [*OTHER[:2], "31-Feb-24", *OTHER[3:]])
    update_and_read(lake)
    shutil.rmtree(lake.snapshots / "lab_sheet" / list_snapshots(lake)[1].snapshot_id)
    assert_same_tables(update_and_read(lake), only_first)
    assert_accounts_hold(lake)


def test_many_small_parts_are_merged(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    for number in range(24):
        add_sheet(lake, tmp_path, "sheet.csv", [GOOD[0], f"Title {number}", *GOOD[2:]])
        if number % 2 == 0:
            update_and_read(lake, sources=[SHEET])
    opened = lake.open_table(SHEET.table_name)
    assert opened is not None
    many = len(opened[1])
    expected = preview_update(lake)
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setattr(parts, "_MAX_SMALL_FILES", 11)
        assert_same_tables(update_and_read(lake), expected)
    opened = lake.open_table(SHEET.table_name)
    assert opened is not None
    assert many == 12
    assert len(opened[1]) == 1
    assert_accounts_hold(lake)


def test_nothing_new_changes_nothing(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    add_sheet(lake, tmp_path, "first.csv", GOOD, OTHER)
    update_and_read(lake)
    versions = [lake.read_state(declaration.name) for declaration in list_raw_tables()]
    update_and_read(lake)
    assert [lake.read_state(declaration.name) for declaration in list_raw_tables()] == versions


def test_changed_parser_reads_everything_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, lines = Lake(tmp_path / "lake"), []
    add_sheet(lake, tmp_path, "first.csv", GOOD, OTHER)
    first = update_and_read(lake)
    monkeypatch.setattr(raw, "compute_parser_version", lambda *_: "another")
    again = update_and_read(lake, lines.append)
    assert "lab_sheet: the parser or a hint has changed, reading 1 snapshot again" in lines
    assert_frame_equal(again["raw.lab_sheet_publications"], first["raw.lab_sheet_publications"])
    assert list_accounts(again) == list_accounts(first)


def test_snapshot_that_can_no_longer_be_read_is_a_reject(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    add_sheet(lake, tmp_path, "first.csv", GOOD)
    (path,) = lake.snapshots.glob("*/*/content")
    content, facts = b"\0 what an earlier parser could read", path.with_name("snapshot.json")
    metadata = json.loads(facts.read_bytes()) | {"sha256": sha256(content).hexdigest(), "size_bytes": len(content)}
    replace_file(path, content)
    replace_file(facts, json.dumps(metadata).encode())
    shutil.rmtree(lake.root / "parsed")  # what the parser gave when it was added
    tables = update_and_read(lake)
    assert list_accounts(tables) == [(1, 0, 0, 1)]
    assert "can no longer be read: found a damaged file: binary data" in tables["raw.rejects"]["reason"][0]


PAGE = "Posts\nComments\nThanks for this one, it helped me a lot.\nYep, that is how I see it too.\n"


def test_hint_added_later_is_used(tmp_path: Path) -> None:
    lake, page = Lake(tmp_path / "lake"), tmp_path / "page.txt"
    page.write_text(PAGE, encoding="utf-8")
    owners = []
    for hints in ({}, {"owner": "A"}, {"owner": "B"}, {}):
        added = add_file(lake, page, hints=hints)
        tables = update_and_read(lake)
        owners.append((added.remark, set(tables["raw.forum_page_segments"]["page_owner"])))
        account = tables["raw.parses"].row(0, named=True)
        assert tables["raw.parses"].height == 1
        assert account["records_read"] == tables["raw.forum_page_segments"].height == account["records_kept"]
    assert owners == [
        ("", {None}),
        ("now with owner “A”", {"A"}),
        ("now with owner “B” instead of owner “A”", {"B"}),
        ("", {"B"}),
    ]


@pytest.mark.parametrize("lost", ["raw.sightings", "raw.rejects", "raw.parses", "raw.lab_sheet_publications"])
def test_lost_table_is_made_again(tmp_path: Path, lost: str) -> None:
    lake = Lake(tmp_path / "lake")
    add_sheet(lake, tmp_path, "first.csv", GOOD, OTHER, [*OTHER[:2], "31-Feb-24", *OTHER[3:]])
    first = update_and_read(lake)
    shutil.rmtree(lake.locate_table(lost))
    again = update_and_read(lake)
    for name, frame in first.items():
        assert_frame_equal(again[name], frame)


SHEET = get_source("lab_sheet")


def add_page(lake: Lake, folder: Path, name: str, text: str, owner: str) -> None:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    add_file(lake, path, hints={"owner": owner})


def log_fetches(lake: Lake, moment: str) -> None:
    """Log a fetch of the newest snapshot of each source."""
    newest = {snapshot.source: snapshot for snapshot in list_snapshots(lake)}
    for source, snapshot in newest.items():
        facts = {"original_name": "a file", "url": "https://example.org/", "digest": "", "result": "unchanged"}
        line = FetchLogLine(moment, 1, source, source, moment, **facts, snapshot_id=snapshot.snapshot_id)
        path = lake.root / "fetch" / "feeds" / source / "log" / f"{moment[:10]}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(line)) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def prepared_sources(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """A lake with a sheet and a forum page in its tables, and new snapshots of both; and the tables with all."""
    tmp_path = tmp_path_factory.mktemp("sources")
    lake = Lake(tmp_path / "lake")
    third = [GOOD[0], "A third title", GOOD[2], "https://openai.com/research/third", *GOOD[4:]]
    add_sheet(lake, tmp_path, "first.csv", GOOD, third, [*OTHER[:2], "31-Feb-24", *OTHER[3:]])
    add_page(lake, tmp_path, "first.txt", PAGE, "A")
    log_fetches(lake, "2040-01-01T00:00:00+00:00")
    update_and_read(lake)
    add_sheet(lake, tmp_path, "second.csv", GOOD, OTHER)
    add_page(lake, tmp_path, "second.txt", PAGE.replace("Yep", "Yes"), "B")
    log_fetches(lake, "2041-01-01T00:00:00+00:00")
    return lake, preview_update(lake)


@pytest.fixture
def two_sources(prepared_sources: Prepared, tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake")
    shutil.copytree(prepared_sources[0].root, lake.root)
    return lake


@pytest.fixture
def expected(prepared_sources: Prepared) -> dict[str, pl.DataFrame]:
    return prepared_sources[1]


def assert_same_tables(tables: dict[str, pl.DataFrame], expected: dict[str, pl.DataFrame]) -> None:
    assert tables.keys() == expected.keys()
    for name, frame in expected.items():
        assert_frame_equal(tables[name], frame)


def assert_accounts_hold(lake: Lake) -> None:
    checks = {check.name: check for check in list_checks()}
    for name in ("accounts_add_up", "kept_records_are_held"):
        assert checks[name].find_violations(lake).count == 0


def test_update_of_one_source_changes_its_rows_alone(two_sources: Lake, expected: dict[str, pl.DataFrame]) -> None:
    lake, shared = two_sources, load_shared_tables()
    before = {name: lake.read(declaration) for name, declaration in shared.items()}
    page = lake.read_state("raw.forum_page_segments")
    tables = update_and_read(lake, sources=[SHEET])
    for name, declaration in shared.items():
        updated = declaration.conform(tables[declaration.name])
        if name in {"refused_files", "decisions"}:  # of no source
            assert_frame_equal(updated, expected[declaration.name])
            continue
        is_sheet = pl.col("source") == SHEET.name
        assert_frame_equal(updated.filter(is_sheet), expected[declaration.name].filter(is_sheet))
        assert_frame_equal(updated.filter(~is_sheet), before[name].filter(~is_sheet))
    assert_frame_equal(declare_record_table(SHEET).conform(tables[SHEET.table_name]), expected[SHEET.table_name])
    assert tables["raw.snapshots"].group_by("source").len().sort("source").rows() == [
        ("forum_page", 1),
        ("lab_sheet", 2),
    ]
    assert lake.read_state("raw.forum_page_segments") == page
    assert_accounts_hold(lake)


def test_full_update_after_one_of_a_source_is_as_a_full_update_alone(
    two_sources: Lake, expected: dict[str, pl.DataFrame]
) -> None:
    update_and_read(two_sources, sources=[SHEET])
    tables = update_and_read(two_sources)
    assert_same_tables(tables, expected)
    assert_accounts_hold(two_sources)


def test_sources_can_be_updated_one_after_the_other_from_nothing(tmp_path: Path) -> None:
    lake, lines = Lake(tmp_path / "lake"), []
    add_sheet(lake, tmp_path, "first.csv", GOOD)
    add_page(lake, tmp_path, "first.txt", PAGE, "A")
    expected = preview_update(lake)
    for name in ("forum_page", "lab_sheet"):
        update_and_read(lake, lines.append, [get_source(name)])
        assert_accounts_hold(lake)
    assert_same_tables(update_and_read(lake), expected)
    assert not any("again" in line for line in lines)


@pytest.mark.parametrize("number", range(9))
def test_update_of_one_source_after_a_killed_run_keeps_the_accounts(
    two_sources: Lake, expected: dict[str, pl.DataFrame], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    with monkeypatch.context() as patch:
        kill_at_commit(patch, number)
        with contextlib.suppress(Killed):
            update_and_read(two_sources)
    update_and_read(two_sources, sources=[SHEET])
    assert_accounts_hold(two_sources)
    assert_same_tables(update_and_read(two_sources), expected)


@pytest.mark.parametrize("lost", ["raw.sightings", "raw.snapshots", "raw.forum_page_segments"])
def test_lost_table_is_made_again_when_its_sources_are_updated(
    two_sources: Lake, expected: dict[str, pl.DataFrame], lost: str
) -> None:
    lake = two_sources
    shutil.rmtree(lake.locate_table(lost))
    update_and_read(lake, sources=[SHEET])
    assert_accounts_hold(lake)
    assert_same_tables(update_and_read(lake), expected)
