"""Published counts, checks for truncated sources, overlaps of lists, and the evidence of each publication."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from expectations.cross_table import CrossTableCheck, list_checks
from orchestration.defs.catalog import list_tables, load_transforms
from orchestration.sources.sheet.list_names import MAPPING
from tests.conftest import copy_lake, run_aisle
from tests.pipeline.test_pipeline import query_lake
from tests.support.builders import NOW, build_release, fetch_rows, make_publication
from transforms import engine
from warehouse import reference
from warehouse.lake import Lake
from warehouse.release import read_current_release
from warehouse.table import DeclarationError


def find_check(name: str) -> CrossTableCheck:
    return next(check for check in list_checks() if check.name == name)


def make_snapshot(number: int, name: str, records: int, **facts: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Rows of ``raw.snapshots`` and ``raw.parses``."""
    identity = f"{number:016x}"
    snapshot = {
        "snapshot_id": identity,
        "source": "lab_sheet",
        "origin": "file",
        "original_name": name,
        "url": None,
        "sha256": f"{number:064x}",
        "size_bytes": 1,
        "fetched_at": NOW + dt.timedelta(days=number),
        "last_seen_at": NOW + dt.timedelta(days=number),
        "licence": "x",
        "feed": None,
        **facts,
    }
    parse = {
        "snapshot_id": identity,
        "source": "lab_sheet",
        "parser_version": "1",
        "records_read": records,
        "records_kept": records,
        "records_repeated": 0,
        "records_rejected": 0,
        "records_out_of_scope": 0,
    }
    return snapshot, parse


def make_sighting(number: int, ordinal: int, key: object) -> dict[str, Any]:
    return {
        "snapshot_id": f"{number:016x}",
        "record_ordinal": ordinal,
        "source": "lab_sheet",
        "record_id": str(key),
        "version_id": f"{key}v",
        "occurrence": 1,
        "locator": f"row {ordinal}",
    }


def test_every_claim_of_the_study_is_reproduced(released_lake: Lake) -> None:
    outcomes = dict(query_lake(released_lake, "select outcome, count(*) from mart.published_counts group by outcome"))
    assert outcomes["agrees"] >= 48
    assert "differs" not in outcomes
    assert query_lake(
        released_lake, "select count(*) from mart.published_counts where outcome != 'agrees' and why is null"
    ) == [(0,)]


def test_differing_claim_fails_its_check_until_the_records_are_withdrawn(released_lake: Lake, tmp_path: Path) -> None:
    sheet = tmp_path / "more.csv"
    sheet.write_text(
        "Company,Title,Date,URL,Safety_category\n"
        "OpenAI,A late find,2-Mar-23,https://example.org/late,Robustness\n"
        "Anthropic,Sycophancy to subterfuge: Investigating reward tampering in language models,17-Jun-24,"
        "https://www.anthropic.com/research/reward-tampering,Honest AI\n"
    )
    lake = copy_lake(released_lake, tmp_path / "lake")
    assert run_aisle(lake.root, "add", "--list", MAPPING, str(sheet)).returncode == 0
    done = run_aisle(lake.root, "run")
    assert done.returncode == 0, done.stderr
    assert "published_counts" in done.stderr
    assert "A late find" in done.stderr
    (result,) = [
        check
        for check in json.loads((lake.root / "last_run.json").read_text())["checks"]
        if check["check"] == "published_counts"
    ]
    assert not result["passed"]
    query = "select published_value, counted_value, why from mart.published_counts where claim = 'included papers'"
    ((published, counted, why),) = query_lake(lake, query)
    assert (published, counted) == (80, 81)
    assert "not in the study: 1" in why
    query = "select claim, title, difference, reason from mart.published_count_differences"
    reasons = {
        (claim, title[:12]): (difference, reason) for claim, title, difference, reason in query_lake(lake, query)
    }
    assert reasons["included papers", "A late find"] == (1, "not among the rows of the study")
    moved = "category was Power-seeking tendencies, is Honest AI"
    assert reasons["papers on Honest AI", "Sycophancy t"] == (1, moved)
    assert reasons["papers on Power-seeking tendencies", "Sycophancy t"] == (-1, moved)
    evidence = "select distinct basis, original_name from mart.publication_evidence where title = 'A late find'"
    assert query_lake(lake, evidence) == [("label of the source", "more.csv")]
    assert query_lake(lake, "select count(*) from mart.list_overlaps where both_works = 1") == [(1,)]
    ((identity,),) = query_lake(lake, "select snapshot_id from raw.snapshots where original_name = 'more.csv'")
    shutil.rmtree(lake.snapshots / "lab_sheet" / identity)
    done = run_aisle(lake.root, "run")
    assert f"lab_sheet: {identity} removed" in done.stderr
    assert query_lake(lake, "select count(*) from clean.publications") == [(80,)]
    diff = run_aisle(lake.root, "diff", "v2", "v3", "--format", "csv").stdout
    assert "source withdrawn,-1,A late find" in diff


def test_unknown_setting_of_a_claim_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (table,) = (table for table in reference.list_reference_tables() if table.short_name == "published_counts")
    text = (reference.FOLDER / reference.PUBLISHED_COUNTS).read_text(encoding="utf-8")
    (tmp_path / reference.PUBLISHED_COUNTS).write_text(text.replace("value = 80,", "amount = 80,", 1))
    monkeypatch.setattr(reference, "FOLDER", tmp_path)
    with pytest.raises(
        DeclarationError, match=r"published_counts\.toml: claim 'included papers': unknown settings \['amount'\]"
    ):
        reference.read_table(table)


@pytest.mark.parametrize(
    ("weights", "is_complete"),
    [([1.0], True), ([0.5, 0.5], True), ([0.5], False), ([0.7, 0.7], False), ([], False)],
)
def test_crosswalk_must_be_complete(tmp_path: Path, weights: list[float], is_complete: bool) -> None:
    rows = {table.short_name: reference.read_table(table).to_dicts() for table in reference.list_reference_tables()}
    others = [row for row in rows["category_crosswalk"] if row["from_category"] != "Robustness"]
    robustness = [
        {
            "from_taxonomy": "iaps",
            "from_category": "Robustness",
            "to_taxonomy": "unsolved_problems",
            "to_category": category,
            "weight": weight,
            "confidence": "low",
            "basis": "b",
        }
        for category, weight in zip(("Robustness", "Monitoring"), weights, strict=False)
    ]
    lake, check = Lake(tmp_path), find_check("crosswalk_is_whole")
    build_release(lake, [], only=check.source_tables, reference__category_crosswalk=[*others, *robustness])
    broken = check.find_violations(lake)
    assert (broken.count == 0) == is_complete
    if not is_complete:
        assert broken.rows["category"].to_list() == ["Robustness"]


def test_snapshot_with_far_too_few_records_fails_its_check(tmp_path: Path) -> None:
    snapshots = [
        make_snapshot(1, "sheet.csv", 80),
        make_snapshot(2, "sheet.csv", 81),
        make_snapshot(3, "sheet.csv", 30),
        make_snapshot(4, "other.csv", 2),
    ]
    sightings = [make_sighting(2, 1, "a"), make_sighting(2, 2, "b")]
    sightings += [make_sighting(number, 1, "a") for number in (1, 3, 5)]
    tables = {
        "raw__snapshots": [s for s, _ in snapshots],
        "raw__parses": [p for _, p in snapshots],
        "raw__sightings": sightings,
    }
    lake = Lake(tmp_path)
    check = find_check("no_snapshot_was_cut_short")
    release = build_release(lake, [], only=check.source_tables, **tables)
    broken = check.find_violations(lake).rows
    assert broken.select("stream", "records_read", "usual_records", "records_gone").rows() == [("sheet.csv", 30, 81, 1)]
    # the next complete snapshot passes
    tables["raw__snapshots"].append(make_snapshot(5, "sheet.csv", 82)[0])
    tables["raw__parses"].append(make_snapshot(5, "sheet.csv", 82)[1])
    build_release(lake, [], only=check.source_tables, **tables)
    assert check.find_violations(lake).count == 0
    assert fetch_rows(release, "select count(*) from clean.publications") == [(0,)]


@pytest.mark.parametrize(("records", "is_cut_short"), [(64, False), (63, True)])
def test_growing_list_may_lose_a_fifth(tmp_path: Path, records: int, is_cut_short: bool) -> None:
    snapshots = [make_snapshot(1, "sheet.csv", 80), make_snapshot(2, "sheet.csv", records)]
    lake, check = Lake(tmp_path), find_check("no_snapshot_was_cut_short")
    build_release(
        lake,
        [],
        only=check.source_tables,
        raw__snapshots=[s for s, _ in snapshots],
        raw__parses=[p for _, p in snapshots],
        raw__sightings=[make_sighting(number, 1, "a") for number in (1, 2)],
    )
    assert (check.find_violations(lake).count > 0) == is_cut_short


@pytest.mark.parametrize(
    ("name", "records_of_files", "streams"),
    [
        ("two people", ["abcd", "efgh"], ["sheet.csv", "sheet.csv (2)"]),
        ("two lists with a work in common", ["abcd", "defg"], ["sheet.csv", "sheet.csv (2)"]),
        ("a list that grows", ["ab", "abcdef"], ["sheet.csv", "sheet.csv"]),
        ("a list that was cut", ["abcdefgh", "ab", "abcdefghi"], ["sheet.csv"] * 3),
        ("a page of the newest that moves on", ["abcd", "cdef", "efgh", "ghij"], ["sheet.csv"] * 4),
        ("two lists by turns", ["abcd", "wxyz", "abce", "vwxyz"], ["sheet.csv", "sheet.csv (2)"] * 2),
        ("three lists", ["ab", "cd", "ef"], ["sheet.csv", "sheet.csv (2)", "sheet.csv (3)"]),
        ("a record twice in a file", ["aaab", "acdefg"], ["sheet.csv", "sheet.csv"]),
        ("a file without a record", ["", "ab"], ["sheet.csv", "sheet.csv (2)"]),
    ],
)
def test_files_of_one_name_are_one_document_if_they_share_records(
    tmp_path: Path, name: str, records_of_files: list[str], streams: list[str]
) -> None:
    numbered = list(enumerate(records_of_files, 1))
    snapshots = [make_snapshot(number, "sheet.csv", len(records)) for number, records in numbered]
    snapshots.append(make_snapshot(9, "other.csv", 4))
    lake = Lake(tmp_path)
    tables = {"raw.snapshots": [s for s, _ in snapshots], "raw.parses": [p for _, p in snapshots]}
    tables["raw.sightings"] = [
        make_sighting(number, ordinal, record)
        for number, records in [*numbered, (9, "abcd")]
        for ordinal, record in enumerate(records, 1)
    ]
    for table in list_tables():
        if table.name in tables:
            lake.write(table, table.frame(tables[table.name]))
    for transform in ("clean.snapshot_streams", "mart.snapshot_yields"):
        engine.make_table(load_transforms()[transform], lake)
    found = lake.read(load_transforms()["clean.snapshot_streams"].table).sort("fetched_at", "snapshot_id")
    assert found["stream"].to_list() == [*streams, "other.csv"], name
    gone = find_check("records_are_still_listed").find_violations(lake).rows
    assert set(gone["stream"]) <= {stream for stream in streams if streams.count(stream) > 1}


def test_missing_records_are_reported_and_kept(empty_lake: Lake, tmp_path: Path) -> None:
    lake, sheet = copy_lake(empty_lake, tmp_path / "lake"), tmp_path / "sheet.csv"
    header = "Company,Title,Date,URL,Safety_category,Authors,Author_labs\n"
    kept = "OpenAI,Kept,2-Mar-23,https://example.org/kept,Robustness,A; B;,OpenAI; xAI;\n"
    future = "xAI,Not yet,2-Mar-99,https://example.org/future,Robustness,C,xAI\n"
    gone = "OpenAI,Gone,3-Mar-23,https://example.org/gone,Robustness,D,-\n"
    reserved = "All,Of everyone,3-Mar-23,https://example.org/all,Robustness,,\n"
    lake.inbox.mkdir(parents=True, exist_ok=True)
    (lake.inbox / "not yet.csv.part").write_text("a")
    os.mkfifo(lake.inbox / "pipe.csv")
    for text in (header + kept + future + gone + reserved, header + kept + future):
        sheet.write_text(text)
        assert run_aisle(lake.root, "add", "--list", MAPPING, str(sheet)).returncode == 0
        done = run_aisle(lake.root, "run", AISLE_BUNDLED="no")
        assert done.returncode == 0, done.stderr
    assert done.stderr.count("left not yet.csv.part in the inbox") == 1
    assert done.stderr.count("refused pipe.csv: found") == 1
    assert "records_are_still_listed" in done.stderr
    removed = (
        "sheet.csv: 2 rows of an earlier snapshot are no longer in it, but still counted; to leave out a row, mark"
    )
    assert removed in done.stdout
    assert removed in run_aisle(lake.root, "status").stdout
    titles = "select title from mart.removed_publications join clean.publications using (publication_id) order by 1"
    assert query_lake(lake, titles) == [("Gone",), ("Of everyone",)]
    assert "dates_are_past" in done.stderr
    titles = "select title, published_on is null from clean.publications order by title"
    assert query_lake(lake, titles) == [("Gone", False), ("Kept", False), ("Not yet", True), ("Of everyone", False)]
    notes = "select lab, reading_note from raw.lab_sheet_publications where title = 'Of everyone'"
    assert query_lake(lake, notes) == [(None, "company “All” is a reserved word of the tables")]
    shared = "select lab, fractional_weight from mart.counted_publications as c inner join clean.publications using (publication_id) where title = 'Kept' order by 1"
    assert query_lake(lake, shared.replace("select lab", "select c.lab")) == [("OpenAI", 0.5), ("xAI", 0.5)]
    months = "select max(ends_on) from publication_counts(grain := 'month')"
    assert query_lake(lake, months) == [(dt.date(2024, 7, 31),)]  # a day in 2099 does not extend the coverage


@pytest.mark.parametrize(("last", "is_alarming"), [(dt.date(2024, 7, 10), False), (dt.date(2024, 1, 31), True)])
def test_silent_source_fails_its_check(tmp_path: Path, last: dt.date, is_alarming: bool) -> None:
    days = [dt.date(2022, 1, 1) + dt.timedelta(days=10 * n) for n in range(100)]
    lake = Lake(tmp_path)
    build_release(
        lake,
        [make_publication(day, published_on=day) for day in [*days, last] if day <= last],
        only=["mart.source_silences"],
    )
    assert (find_check("no_source_fell_silent").find_violations(lake).count > 0) == is_alarming


def make_rows(name: str, facts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of a table: of these facts those that it has columns for; other columns are missing."""
    schema = next(table for table in list_tables() if table.name == name).schema
    return [{column: row.get(column) for column in schema} for row in facts]


def query_overlap(folder: Path, first: range, second: range, equal: int) -> tuple[object, ...]:
    """The row of two lists of works; so many of the works of the second list have the same row as in the first."""
    snapshots = [make_snapshot(1, "one.csv", len(first)), make_snapshot(2, "two.csv", len(second))]
    sightings = [make_sighting(1, n, n) for n in first]
    copied = set([n for n in second if n in first][:equal])
    sightings += [make_sighting(2, n, n) | ({} if n in copied else {"version_id": f"{n} otherwise"}) for n in second]
    entries = {str(n): make_publication(n, published_on=dt.date(2023, 1, 1), list=MAPPING) for n in {*first, *second}}
    versions = {s["version_id"]: entries[s["record_id"]] | s for s in sightings}
    release = build_release(
        Lake(folder),
        None,
        only=["mart.list_overlaps"],
        raw__snapshots=[s for s, _ in snapshots],
        raw__parses=[p for _, p in snapshots],
        raw__sightings=sightings,
        raw__lab_sheet_publications=make_rows("raw.lab_sheet_publications", versions.values()),
        clean__list_entries=make_rows("clean.list_entries", entries.values()),
    )
    query = """
        select both_works, equal_works, estimated_works, missed_low, missed_works, missed_high, no_estimate_reason, assumptions
        from mart.list_overlaps
    """
    (row,) = fetch_rows(release, query)
    return row


def test_overlap_of_independent_lists_estimates_missed_works(tmp_path: Path) -> None:
    both, equal, estimated, low, missed, high, reason, assumptions = query_overlap(
        tmp_path, range(1, 41), range(21, 56), equal=10
    )
    assert (both, equal, reason) == (20, 10, None)
    assert estimated == pytest.approx(41 * 36 / 21 - 1)
    assert low <= missed <= high
    assert "independently" in str(assumptions)


@pytest.mark.parametrize(
    ("first", "second", "equal", "reason"),
    [
        (range(1, 41), range(1, 41), 40, "40 of the 40 works of the shorter list stand in the other"),  # two copies
        (range(1, 41), range(1, 41), 0, "40 of the 40 works"),  # a copy with another column
        (range(1, 101), range(92, 102), 0, "9 of the 10 works"),  # an extract with one addition
        (range(1, 41), range(21, 56), 11, "11 of the 20 common works have equal rows"),  # a copy that was edited
        (range(1, 41), range(40, 80), 1, "1 of the 1 common works"),
    ],
)
def test_lists_that_come_from_each_other_give_no_estimate(
    tmp_path: Path, first: range, second: range, equal: int, reason: str
) -> None:
    _, _, *estimates, refusal, _ = query_overlap(tmp_path, first, second, equal)
    assert estimates == [None] * 4
    assert reason in str(refusal)


def test_every_publication_has_evidence_in_a_snapshot(seeded_lake: Lake) -> None:
    query = """
        select count(distinct publication_id), count(*), count(distinct snapshot_id)
        from mart.publication_evidence
    """
    assert query_lake(seeded_lake, query) == [(80, 160, 2)]
    per_publication = "select distinct n from (select count(*) filter (where is_newest_version) as n from mart.publication_evidence group by publication_id)"
    assert {n for (n,) in query_lake(seeded_lake, per_publication)} <= {1, 2}
    known = set(read_current_release(seeded_lake).manifest["snapshots"])
    assert {
        s for (s,) in query_lake(seeded_lake, "select distinct snapshot_id from mart.publication_evidence")
    } <= known


def test_lab_watch_score_follows_its_formula(released_lake: Lake) -> None:
    scores = query_lake(
        released_lake, "select lab, weighted_works_per_year, lab_watch_score from mart.lab_watch_scores order by lab"
    )
    elapsed = 213 / 365.25
    for (_, rate, score), works in zip(scores, [(4, 12, 9), (14, 18, 10), (4, 2, 5)], strict=True):
        expected = (3 * works[0] + 2 * works[1] + works[2]) / (3 * elapsed + 3)
        assert rate == pytest.approx(expected, abs=1e-12)
        assert score == pytest.approx(min(1, (expected / 20) ** 0.75), abs=1e-12)
