"""Published counts, alarms of cut-short sources, overlaps of lists, and the evidence behind each publication."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from expectations.across import Check, checks
from tests.conftest import aisle
from tests.pipeline.test_pipeline import rows
from tests.support.builders import NOW, made, publication
from warehouse import reference
from warehouse.lake import Lake
from warehouse.release import Release, current
from warehouse.table import DeclarationError


def check_named(name: str) -> Check:
    return next(check for check in checks() if check.name == name)


def asked(release: Release, query: str) -> list[tuple]:
    with release.connect() as connection:
        return connection.execute(query).fetchall()


def snapshot(number: int, name: str, records: int, **facts: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Rows of ``raw.snapshots`` and ``raw.parses``."""
    identity = f"{number:016x}"
    kept = {
        "snapshot_id": identity,
        "source": "lab_sheet",
        "origin": "file",
        "original_name": name,
        "url": None,
        "sha256": f"{number:064x}",
        "size_bytes": 1,
        "fetched_at": NOW + dt.timedelta(days=number),
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
    }
    return kept, parse


def sighting(number: int, ordinal: int, key: object) -> dict[str, Any]:
    return {
        "snapshot_id": f"{number:016x}",
        "record_ordinal": ordinal,
        "source": "lab_sheet",
        "record_id": str(key),
        "version_id": f"{key}v",
        "occurrence": 1,
        "locator": f"row {ordinal}",
    }


def test_every_claim_of_the_study_comes_out(released_lake: Lake) -> None:
    found = dict(rows(released_lake, "select outcome, count(*) from mart.published_counts group by outcome"))
    assert found["agrees"] >= 48
    assert "differs" not in found
    assert rows(
        released_lake, "select count(*) from mart.published_counts where outcome != 'agrees' and why is null"
    ) == [(0,)]


def test_broken_contract_fails_its_check_with_the_rows_that_make_the_difference(tmp_path: Path) -> None:
    sheet = tmp_path / "more.csv"
    sheet.write_text(
        "Company,Title,Date,URL,Safety_category\n"
        "OpenAI,A late find,2-Mar-23,https://example.org/late,Robustness\n"
        "Anthropic,Sycophancy to subterfuge: Investigating reward tampering in language models,17-Jun-24,"
        "https://www.anthropic.com/research/reward-tampering,Honest AI\n"
    )
    lake = Lake(tmp_path / "lake")
    assert aisle(lake.root, "add", str(sheet)).returncode == 0
    done = aisle(lake.root, "run")
    assert done.returncode == 0, done.stderr
    assert "published_counts" in done.stderr
    assert "A late find" in done.stderr
    (told,) = [
        check
        for check in json.loads((lake.root / "last_run.json").read_text())["checks"]
        if check["check"] == "published_counts"
    ]
    assert not told["passed"]
    differs = "select published_value, counted_value, why from mart.published_counts where claim = 'included papers'"
    ((published, counted, why),) = rows(lake, differs)
    assert (published, counted) == (80, 81)
    assert "not in the study: 1" in why
    query = "select claim, title, difference, reason from mart.published_count_differences"
    reasons = {(claim, title[:12]): (difference, reason) for claim, title, difference, reason in rows(lake, query)}
    assert reasons["included papers", "A late find"] == (1, "not among the rows of the study")
    moved = "category was Power-seeking tendencies, is Honest AI"
    assert reasons["papers on Honest AI", "Sycophancy t"] == (1, moved)
    assert reasons["papers on Power-seeking tendencies", "Sycophancy t"] == (-1, moved)
    evidence = "select distinct basis, original_name from mart.publication_evidence where title = 'A late find'"
    assert rows(lake, evidence) == [("label of the source", "more.csv")]
    assert rows(lake, "select count(*) from mart.list_overlaps where both_works = 1") == [(1,)]


def test_a_snapshot_that_is_taken_away_takes_its_records_along(tmp_path: Path) -> None:
    lake, sheet = Lake(tmp_path / "lake"), tmp_path / "wrong.csv"
    sheet.write_text("Company,Title,Date,Safety_category\nOpenAI,A mistake,2-Mar-23,Robustness\n")
    assert aisle(lake.root, "add", str(sheet)).returncode == 0
    assert aisle(lake.root, "run").returncode == 0
    assert rows(lake, "select count(*) from clean.publications") == [(81,)]
    ((identity,),) = rows(lake, "select snapshot_id from raw.snapshots where original_name = 'wrong.csv'")
    shutil.rmtree(lake.snapshots / "lab_sheet" / identity)
    done = aisle(lake.root, "run")
    assert f"lab_sheet: {identity} taken away" in done.stderr
    assert rows(lake, "select count(*) from clean.publications") == [(80,)]
    told = aisle(lake.root, "diff", "v1", "v2", "--format", "csv").stdout
    assert "source withdrawn,-1,A mistake" in told


def test_unknown_setting_of_a_claim_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (reference.FOLDER / reference.PUBLISHED_COUNTS).read_text(encoding="utf-8")
    (tmp_path / reference.PUBLISHED_COUNTS).write_text(text.replace("value = 80,", "amount = 80,", 1))
    monkeypatch.setattr(reference, "FOLDER", tmp_path)
    (table,) = (table for table in reference.tables() if table.things == "published_counts")
    with pytest.raises(
        DeclarationError, match=r"published_counts\.toml: claim 'included papers': unknown settings \['amount'\]"
    ):
        reference.frame_of(table)


@pytest.mark.parametrize(
    ("weights", "is_whole"),
    [([1.0], True), ([0.5, 0.5], True), ([0.5], False), ([0.7, 0.7], False), ([], False)],
)
def test_crosswalk_must_be_whole(tmp_path: Path, weights: list[float], is_whole: bool) -> None:
    held = {table.things: reference.frame_of(table).to_dicts() for table in reference.tables()}
    others = [row for row in held["category_crosswalk"] if row["from_category"] != "Robustness"]
    robust = [
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
    lake = Lake(tmp_path)
    made(lake, [], only=[], reference__category_crosswalk=[*others, *robust])
    broken = check_named("crosswalk_is_whole").broken_by(lake)
    assert broken.is_empty() == is_whole
    if not is_whole:
        assert broken["category"].to_list() == ["Robustness"]


def test_snapshot_with_far_less_than_usual_raises_the_alarm(tmp_path: Path) -> None:
    given = [
        snapshot(1, "sheet.csv", 80),
        snapshot(2, "sheet.csv", 81),
        snapshot(3, "sheet.csv", 30),
        snapshot(4, "other.csv", 2),
    ]
    seen = [sighting(2, 1, "a"), sighting(2, 2, "b"), sighting(3, 1, "a")]
    tables = {"raw__snapshots": [s for s, _ in given], "raw__parses": [p for _, p in given], "raw__sightings": seen}
    lake = Lake(tmp_path)
    release = made(lake, [], **tables)
    broken = check_named("no_snapshot_was_cut_short").broken_by(lake)
    assert broken.select("stream", "records_read", "usual_records", "records_gone").rows() == [("sheet.csv", 30, 81, 1)]
    # the next whole snapshot ends it
    tables["raw__snapshots"].append(snapshot(5, "sheet.csv", 82)[0])
    tables["raw__parses"].append(snapshot(5, "sheet.csv", 82)[1])
    made(lake, [], **tables)
    assert check_named("no_snapshot_was_cut_short").broken_by(lake).is_empty()
    assert asked(release, "select count(*) from clean.publications") == [(0,)]


@pytest.mark.parametrize(("now", "is_cut"), [(64, False), (63, True)])
def test_a_list_that_grows_may_lose_a_fifth(tmp_path: Path, now: int, is_cut: bool) -> None:
    given = [snapshot(1, "sheet.csv", 80), snapshot(2, "sheet.csv", now)]
    lake = Lake(tmp_path)
    made(lake, [], raw__snapshots=[s for s, _ in given], raw__parses=[p for _, p in given])
    assert check_named("no_snapshot_was_cut_short").broken_by(lake).is_empty() != is_cut


def test_records_that_are_gone_are_told_and_kept(tmp_path: Path) -> None:
    lake, sheet = Lake(tmp_path / "lake"), tmp_path / "sheet.csv"
    header = "Company,Title,Date,URL,Safety_category,Authors,Author_labs\n"
    kept = "OpenAI,Kept,2-Mar-23,https://example.org/kept,Robustness,A; B;,OpenAI; xAI;\n"
    future = "xAI,Not yet,2-Mar-99,https://example.org/future,Robustness,C,xAI\n"
    gone = "OpenAI,Gone,3-Mar-23,https://example.org/gone,Robustness,D,-\n"
    reserved = "All,Of everyone,3-Mar-23,https://example.org/all,Robustness,,\n"
    for text in (header + kept + future + gone + reserved, header + kept + future):
        sheet.write_text(text)
        assert aisle(lake.root, "add", str(sheet)).returncode == 0
        done = aisle(lake.root, "run", AISLE_BUNDLED="no")
        assert done.returncode == 0, done.stderr
    assert "records_are_still_listed" in done.stderr
    assert "dates_are_past" in done.stderr
    titles = "select title, published_on is null from clean.publications order by title"
    assert rows(lake, titles) == [("Gone", False), ("Kept", False), ("Not yet", True)]
    assert rows(lake, "select reason from raw.rejects") == [
        ("company “All” is a word that the tables use for something else",)
    ]
    shared = "select lab, fractional_weight from mart.counted_publications as c inner join clean.publications using (publication_id) where title = 'Kept' order by 1"
    assert rows(lake, shared.replace("select lab", "select c.lab")) == [("OpenAI", 0.5), ("xAI", 0.5)]
    months = "select max(ends_on) from publication_counts(grain := 'month')"
    assert rows(lake, months) == [(dt.date(2024, 7, 31),)]  # a day in 2099 does not stretch what is covered


@pytest.mark.parametrize(("last", "is_alarming"), [(dt.date(2024, 7, 10), False), (dt.date(2024, 1, 31), True)])
def test_source_that_falls_silent_raises_the_alarm(tmp_path: Path, last: dt.date, is_alarming: bool) -> None:
    days = [dt.date(2022, 1, 1) + dt.timedelta(days=10 * n) for n in range(100)]
    lake = Lake(tmp_path)
    made(
        lake,
        [publication(day, published_on=day) for day in [*days, last] if day <= last],
        only=["mart.source_silences"],
    )
    assert check_named("no_source_fell_silent").broken_by(lake).is_empty() != is_alarming


def test_overlapping_lists_estimate_what_both_miss(tmp_path: Path) -> None:
    given = [snapshot(1, "one.csv", 40), snapshot(2, "two.csv", 35)]
    seen = [sighting(1, n, n) for n in range(1, 41)] + [sighting(2, n, n) for n in range(21, 56)]
    papers = [publication(n, published_on=dt.date(2023, 1, 1)) for n in range(1, 56)]
    release = made(
        Lake(tmp_path),
        papers,
        raw__snapshots=[s for s, _ in given],
        raw__parses=[p for _, p in given],
        raw__sightings=seen,
    )
    query = "select first_works, second_works, both_works, estimated_works, missed_low, missed_works, missed_high, assumptions from mart.list_overlaps"
    ((one, two, both, estimated, low, missed, high, assumptions),) = asked(release, query)
    assert (one, two, both) == (40, 35, 20)
    assert estimated == pytest.approx(41 * 36 / 21 - 1)
    assert low <= missed <= high
    assert "independently" in assumptions


def test_evidence_leads_from_every_number_to_its_snapshot(seeded_lake: Lake) -> None:
    query = """
        select count(distinct publication_id), count(*), count(distinct snapshot_id)
        from mart.publication_evidence
    """
    assert rows(seeded_lake, query) == [(80, 160, 2)]
    per_publication = "select distinct n from (select count(*) filter (where is_newest_version) as n from mart.publication_evidence group by publication_id)"
    assert {n for (n,) in rows(seeded_lake, per_publication)} <= {1, 2}
    known = set(current(seeded_lake).manifest["snapshots"])
    assert {s for (s,) in rows(seeded_lake, "select distinct snapshot_id from mart.publication_evidence")} <= known


def test_lab_watch_score_follows_its_formula(released_lake: Lake) -> None:
    found = rows(
        released_lake, "select lab, weighted_works_per_year, lab_watch_score from mart.lab_watch_scores order by lab"
    )
    elapsed = 213 / 365.25
    for (_, rate, score), works in zip(found, [(4, 12, 9), (14, 18, 10), (4, 2, 5)], strict=True):
        expected = (3 * works[0] + 2 * works[1] + works[2]) / (3 * elapsed + 3)
        assert rate == pytest.approx(expected, abs=1e-12)
        assert score == pytest.approx(min(1, (expected / 20) ** 0.75), abs=1e-12)
