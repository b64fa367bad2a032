"""From snapshots to raw tables: identity, evidence, accounts, and what a killed run leaves."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from orchestration.ingest import raw
from orchestration.ingest.snapshots import add_file, all_snapshots
from tests.sources.test_lab_sheet import GOOD, PAGE_HEADER, page_row, table
from warehouse.lake import Lake

OTHER = ["Anthropic", "Another title", "4-Mar-24", "https://www.anthropic.com/research/other", "Honest AI", ""]


def quiet(_: str) -> None:
    """Nothing is said."""


def add(lake: Lake, folder: Path, name: str, *rows: list[str]) -> None:
    path = folder / name
    path.write_bytes(table(*rows))
    add_file(lake, path)


def store(lake: Lake, made: dict[str, pl.DataFrame], first: int | None = None) -> None:
    for declared in raw.raw_tables()[:first]:
        lake.write(declared, made[declared.name])


def conformed(made: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    return {declared.name: declared.conform(made[declared.name]) for declared in raw.raw_tables()}


def accounts(made: dict[str, pl.DataFrame]) -> list[tuple[int, ...]]:
    frame = made["raw.parses"].select("records_read", "records_kept", "records_repeated", "records_rejected")
    return sorted(frame.rows())


def test_record_seen_again_is_one_record_with_all_evidence(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    add(lake, tmp_path, "first.csv", GOOD, OTHER)
    store(lake, raw.ingest(lake, quiet))
    add(lake, tmp_path, "second.csv", OTHER, [GOOD[0], "A title, corrected", *GOOD[2:]], OTHER)
    made = raw.ingest(lake, quiet)
    assert accounts(made) == [(2, 2, 0, 0), (3, 0, 3, 0)]
    rows = made["raw.lab_sheet_publications"]
    assert rows.height == 3  # two records, of which one has two versions
    assert rows["record_id"].n_unique() == 2
    assert made["raw.sightings"].height == 5
    seen_twice = rows.filter(pl.col("title") == "Another title").row(0, named=True)
    assert seen_twice["first_seen_at"] <= seen_twice["last_seen_at"]
    assert seen_twice["snapshot_id"] == all_snapshots(lake)[0].snapshot_id


def test_row_of_a_page_with_a_damaged_number_is_accounted_for(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    rows = [page_row("2", "One"), page_row("3", "Two"), page_row("4?x", "Lost"), page_row("5", "Three")]
    (tmp_path / "page.txt").write_text(PAGE_HEADER + "".join(rows), encoding="utf-8")
    taken = add_file(lake, tmp_path / "page.txt")
    assert (taken.records, taken.rejects) == (3, 1)
    made = raw.ingest(lake, quiet)
    assert accounts(made) == [(4, 3, 0, 1)]
    assert made["raw.rejects"]["reason"].to_list() == ["row 4 expected, got “4?x”"]


def test_order_of_rows_makes_no_new_version(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    for name, rows in (("one.csv", [GOOD, OTHER]), ("two.csv", [OTHER, GOOD])):
        content = table(*rows).decode().splitlines()
        numbered = [f"Row,{content[0]}", *(f"{n},{line}" for n, line in enumerate(content[1:], 2))]
        (tmp_path / name).write_text("\n".join(numbered), encoding="utf-8")
        add_file(lake, tmp_path / name)
    made = raw.ingest(lake, quiet)
    assert made["raw.lab_sheet_publications"].height == 2
    newest = all_snapshots(lake)[-1]
    expected = {"two.csv": ["A title", "Another title"], "one.csv": ["Another title", "A title"]}[newest.original_name]
    assert sorted(made["raw.lab_sheet_publications"].select("sheet_row", "title").rows()) == [
        (2, expected[1]),
        (3, expected[0]),
    ]


@pytest.mark.parametrize("written", range(len(raw.raw_tables())))
def test_killed_between_tables_nothing_is_counted_twice_or_lost(tmp_path: Path, written: int) -> None:
    lake = Lake(tmp_path / "lake")
    add(lake, tmp_path, "first.csv", GOOD)
    store(lake, raw.ingest(lake, quiet))
    add(lake, tmp_path, "second.csv", GOOD, OTHER, [*OTHER[:2], "31-Feb-24", *OTHER[3:]])
    whole = conformed(raw.ingest(lake, quiet))
    store(lake, whole, written)
    again = conformed(raw.ingest(lake, quiet))
    for name, frame in whole.items():
        assert_frame_equal(again[name], frame)


def test_nothing_new_changes_nothing(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    add(lake, tmp_path, "first.csv", GOOD, OTHER)
    first = conformed(raw.ingest(lake, quiet))
    store(lake, first)
    versions = [lake.state(declared.name) for declared in raw.raw_tables()]
    store(lake, raw.ingest(lake, quiet))
    assert [lake.state(declared.name) for declared in raw.raw_tables()] == versions


def test_changed_reader_reads_everything_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, told = Lake(tmp_path / "lake"), []
    add(lake, tmp_path, "first.csv", GOOD, OTHER)
    first = conformed(raw.ingest(lake, quiet))
    store(lake, first)
    monkeypatch.setattr(raw, "parser_version", lambda _: "another")
    again = conformed(raw.ingest(lake, told.append))
    assert "lab_sheet: the reader or a hint has changed, reading all 1 snapshots again" in told
    assert_frame_equal(again["raw.lab_sheet_publications"], first["raw.lab_sheet_publications"])
    assert accounts(again) == accounts(first)


def test_snapshot_that_can_no_longer_be_read_is_a_reject(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(tmp_path / "lake")
    add(lake, tmp_path, "first.csv", GOOD)
    (content,) = lake.snapshots.glob("*/*/content")
    content.chmod(0o644)
    content.write_bytes(b"\0 damaged on disk")
    made = raw.ingest(lake, quiet)
    assert accounts(made) == [(1, 0, 0, 1)]
    assert "can no longer be read: found a damaged file: binary data" in made["raw.rejects"]["reason"][0]


PAGE = "Posts\nComments\nThanks for this one, it helped me a lot.\nYep, that is how I see it too.\n"


def test_hint_that_is_told_later_is_used(tmp_path: Path) -> None:
    lake, page = Lake(tmp_path / "lake"), tmp_path / "page.txt"
    page.write_text(PAGE, encoding="utf-8")
    owners = []
    for hints in ({}, {"owner": "A"}, {"owner": "B"}, {}):
        taken = add_file(lake, page, hints=hints)
        made = raw.ingest(lake, quiet)
        store(lake, made)
        owners.append((taken.remark, set(made["raw.forum_page_segments"]["page_owner"])))
        account = made["raw.parses"].row(0, named=True)
        assert made["raw.parses"].height == 1
        assert account["records_read"] == made["raw.forum_page_segments"].height == account["records_kept"]
    assert owners == [
        ("", {None}),
        ("now with owner “A”", {"A"}),
        ("now with owner “B” in the place of owner “A”", {"B"}),
        ("", {"B"}),
    ]


@pytest.mark.parametrize("lost", ["raw.sightings", "raw.rejects", "raw.parses", "raw.lab_sheet_publications"])
def test_lost_table_is_made_again(tmp_path: Path, lost: str) -> None:
    lake = Lake(tmp_path / "lake")
    add(lake, tmp_path, "first.csv", GOOD, OTHER, [*OTHER[:2], "31-Feb-24", *OTHER[3:]])
    first = conformed(raw.ingest(lake, quiet))
    store(lake, first)
    shutil.rmtree(lake.path(lost))
    again = conformed(raw.ingest(lake, quiet))
    for name, frame in first.items():
        assert_frame_equal(again[name], frame)
