"""What a lake keeps: releases by policy and pins, the files of tables that somebody needs, and short logs."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.defs.catalog import list_tables
from tests.conftest import run_aisle
from tests.pipeline.test_release_file import NAMES, declare, publish, write_values
from tests.support.raw_tables import update_and_read
from warehouse import lake_tables, retention
from warehouse.lake import Lake
from warehouse.release import Release, find_damage, list_releases, publish_release, read_current_release
from warehouse.retention import (
    DamagedPins,
    RetentionPolicy,
    choose_releases,
    find_cited_releases,
    find_stale_files,
    finish_removals,
    locate_pins,
    prune_tables,
    read_pins,
    remove_release,
    write_pins,
)

NOW = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC)
LARGE = "raw.lab_sheet_publications"


def make_release(number: int, at: dt.datetime) -> Release:
    return Release(number, Path(f"aisle.v{number}.duckdb"), {"published_at": at.isoformat(), "tables": {}})


@pytest.fixture(scope="module")
def six_releases(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with six releases of three tables, of one day."""
    lake = Lake(tmp_path_factory.mktemp("six") / "lake")
    for name in NAMES:
        write_values(lake, name, 30)
    publish(lake)
    for turn in range(1, 6):
        write_values(lake, "mart.numbers", 30 + turn)
        publish(lake)
    return lake


@pytest.fixture
def lake(six_releases: Lake, tmp_path: Path) -> Lake:
    """A copy of the lake with six releases."""
    shutil.copytree(six_releases.root, tmp_path / "lake", symlinks=True)
    return Lake(tmp_path / "lake")


def list_numbers(lake: Lake) -> list[int]:
    return [release.number for release in list_releases(lake)]


def list_data_files(lake: Lake, name: str) -> list[str]:
    return sorted(path.name for path in lake.locate_table(name).glob("*.parquet"))


def test_newest_and_last_of_days_and_months_are_kept() -> None:
    moments = [NOW - dt.timedelta(days=days, hours=hours) for days in range(100) for hours in (0, 3)]
    releases = [make_release(number, at) for number, at in enumerate(reversed(moments), 1)]
    kept = RetentionPolicy(newest_releases=3, daily_days=5).choose(releases, NOW)
    assert [number for number, reason in kept.items() if "newest" in reason] == [200, 199, 198]
    assert {number for number, reason in kept.items() if reason.startswith("last of 2026-")} == {196, 194, 192}
    months = {number: reason for number, reason in kept.items() if re.fullmatch(r"last of [A-Z]\w+ \d+", reason)}
    assert list(months.values()) == ["last of October 2026", "last of September 2026", "last of August 2026"]
    for number in months:  # none of that month is newer
        month = moments[200 - number].month
        assert all(at.month != month for at in moments[: 200 - number])
    assert len(RetentionPolicy(3, 5, monthly_months=2).choose(releases, NOW)) == len(kept) - 2


@given(
    st.lists(st.integers(0, 500), min_size=1, max_size=40),
    st.builds(RetentionPolicy, st.integers(0, 5), st.integers(0, 40), st.none() | st.integers(0, 5)),
)
def test_policy_never_takes_the_newest_and_forgets_nothing_it_kept(hours: list[int], policy: RetentionPolicy) -> None:
    moments = sorted(NOW - dt.timedelta(hours=hour) for hour in hours)
    releases = [make_release(number, at) for number, at in enumerate(moments, 1)]
    kept = policy.choose(releases, NOW)
    assert len(releases) in kept
    left = [release for release in releases if release.number in kept]
    assert policy.choose(left, NOW).keys() == kept.keys()  # pruning again removes no more


def test_pinned_and_cited_releases_are_kept(lake: Lake) -> None:
    write_pins(lake, {2: "2026-01-01T00:00:00"})
    kept, superfluous = choose_releases(lake, RetentionPolicy(1, 0, 0), {4, 99}, NOW)
    assert sorted(kept) == [2, 4, 6]
    assert [release.number for release in superfluous] == [1, 3, 5]
    assert kept[2] == "kept by hand since 2026-01-01"
    assert find_cited_releases(["changes?old=v3&new=v12&counts=x", "https://x.example/trends?release=v7", 5, "v9"]) == {
        3,
        7,
        12,
    }


def test_damaged_list_of_pins_stops_pruning(lake: Lake) -> None:
    for content in (b"[]", b"{", b'{"vx": 1}', b"\xff"):
        locate_pins(lake).write_bytes(content)
        with pytest.raises(DamagedPins, match="kept_releases.json cannot be read"):
            read_pins(lake)
        pruned = run_aisle(lake.root, "prune", "--yes")
        assert pruned.returncode == 1
        assert "kept_releases.json" in pruned.stderr
    assert list_numbers(lake) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("steps", range(4))
def test_release_whose_removal_was_killed_is_gone_and_its_rest_removed(lake: Lake, steps: int) -> None:
    path = lake.releases / "aisle.v2.duckdb"
    path.with_suffix(".search").mkdir()
    done = [
        lambda: path.with_suffix(".json").rename(lake.releases / ".removed.v2.json"),
        path.unlink,
        path.with_suffix(".search").rmdir,
    ]
    for step in done[:steps]:
        step()
    assert list_numbers(lake) == [1, 3, 4, 5, 6] if steps else [1, 2, 3, 4, 5, 6]
    if not steps:
        remove_release(lake, list_releases(lake)[1])
    finish_removals(lake)
    assert not [entry.name for entry in lake.releases.iterdir() if "v2" in entry.name]
    assert list_numbers(lake) == [1, 3, 4, 5, 6]
    write_values(lake, "mart.numbers", 99)
    assert publish(lake).number == 7


def test_search_index_of_a_release_that_is_not_there_is_removed(lake: Lake) -> None:
    for number in (3, 40):
        (lake.releases / f"aisle.v{number}.search").mkdir()
    finish_removals(lake)
    assert [path.name for path in lake.releases.glob("*.search")] == ["aisle.v3.search"]


def test_only_the_newest_version_of_a_table_stays(lake: Lake) -> None:
    folder = lake.locate_table("mart.numbers")
    (folder / ".draft-0123.parquet").write_bytes(b"of a killed run")
    (folder / "0123-4-5.parquet").write_bytes(b"written and never committed")
    before = lake.read(declare("mart.numbers"))
    assert len(list_data_files(lake, "mart.numbers")) == 8
    (stale,) = find_stale_files(lake)
    assert (stale.table, len(stale.paths)) == ("mart.numbers", 7)
    assert prune_tables(lake) == stale.size_bytes
    assert len(list_data_files(lake, "mart.numbers")) == 1
    assert lake.read(declare("mart.numbers")).equals(before)
    assert list(find_stale_files(lake)) == []
    assert find_damage(lake) is None


def test_file_that_the_newest_version_shares_with_an_old_one_stays(lake: Lake) -> None:
    for count in (31, 50, 31):  # names are hashes: the file of the first of these versions comes back
        write_values(lake, "mart.numbers", count)
    prune_tables(lake)
    assert lake.read(declare("mart.numbers")).height == 31
    for count in (50, 31):  # and it is written again after it was removed
        write_values(lake, "mart.numbers", count)
        prune_tables(lake)
        assert lake.read(declare("mart.numbers")).height == count


def test_damaged_table_is_left_alone(lake: Lake) -> None:
    names = list_data_files(lake, "mart.numbers")
    newest = max(lake.locate_table("mart.numbers").glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    newest.unlink()
    prune_tables(lake)
    assert len(list_data_files(lake, "mart.numbers")) == len(names) - 1


def test_log_stays_short_and_readable(lake: Lake) -> None:
    table, folder = declare("mart.numbers"), lake.locate_table("mart.numbers")
    lengths = []
    for turn in range(45):
        write_values(lake, "mart.numbers", 100 + turn)
        prune_tables(lake)
        lengths.append(len(list((folder / "_delta_log").iterdir())))
    assert max(lengths) <= 2 * retention._CHECKPOINT_COMMITS + 5
    state = lake.read_state(table.name)
    assert state is not None
    assert (state.version, state.rows) == (50, 144)
    assert lake.read(table).height == 144
    assert pl.scan_delta(str(folder)).select(pl.len()).collect().item() == 144


def test_drafts_of_killed_commits_are_removed(lake: Lake) -> None:
    draft = lake.locate_table("mart.numbers") / "_delta_log" / "_commit_0123.json.tmp"
    draft.write_bytes(b"{}")
    prune_tables(lake)
    assert not draft.exists()


@pytest.fixture
def large(released_lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake whose second release pins a file that the newest version of its table does not have any more."""
    monkeypatch.setattr(lake_tables, "MAX_FILE_RECORDS", 50)
    lake = Lake(tmp_path / "large")
    shutil.copytree(released_lake.root, lake.root, symlinks=True)
    publish_release(lake, list_tables(), {})
    shutil.rmtree(lake.snapshots / "lab_sheet")
    update_and_read(lake)
    write_pins(lake, {2: "2026-01-01"})
    return lake


def test_file_that_a_release_pins_stays_until_the_release_goes(large: Lake) -> None:
    pinned = read_current_release(large).lake_tables[LARGE]
    prune_tables(large)
    assert [path.is_file() for path in pinned.locate_files(large.root)] == [True]
    assert find_damage(large) is None
    publish_release(large, list_tables(), {})
    prune_tables(large)
    assert [path.is_file() for path in pinned.locate_files(large.root)] == [True]
    assert LARGE not in read_current_release(large).lake_tables
    remove_release(large, list_releases(large)[1])
    prune_tables(large)
    assert list_data_files(large, LARGE) == []


def test_tables_that_a_damaged_manifest_may_pin_are_left_alone(large: Lake) -> None:
    publish_release(large, list_tables(), {})
    (large.releases / "aisle.v1.json").write_text("{")
    (large.locate_table(LARGE) / "0123-4-5.parquet").write_bytes(b"of nobody, or of release 1")
    prune_tables(large)
    assert len(list_data_files(large, LARGE)) == 2


def test_command_shows_first_and_removes_on_request(lake: Lake) -> None:
    settings = "[retention]\nnewest_releases = 2\ndaily_days = 0\nmonthly_months = 0\n"
    (lake.root / "feeds.toml").write_text(settings)
    files = sorted(lake.root.rglob("*"))
    shown = run_aisle(lake.root, "prune")
    assert shown.returncode == 0, shown.stderr
    assert "to be removed: 4 releases, 5 files of older versions of tables, 0 runs" in shown.stdout
    assert "nothing is removed yet" in shown.stdout
    assert [path for path in sorted(lake.root.rglob("*")) if path.name != "run.lock"] == [
        path for path in files if path.name != "run.lock"
    ]
    kept = run_aisle(lake.root, "prune", "--keep", "v3")
    assert "kept for good: v3" in kept.stdout
    pruned = run_aisle(lake.root, "prune", "--yes")
    assert "removed: 3 releases, 5 files of older versions of tables" in pruned.stdout
    assert list_numbers(lake) == [3, 5, 6]
    assert len(list(lake.root.glob("tables/*/*/*.parquet"))) == 3
    assert "kept for good: no release" in run_aisle(lake.root, "prune", "--let-go", "v3").stdout
    assert "removed: 1 release," in run_aisle(lake.root, "prune", "--yes").stdout
    assert list_numbers(lake) == [5, 6]
    for argument, message in (("--keep", "no release v9"), ("--let-go", "v9 is not kept by hand")):
        refused = run_aisle(lake.root, "prune", argument, "v9")
        assert refused.returncode == 1
        assert message in refused.stderr


def test_command_leaves_a_lake_alone_that_a_run_uses(lake: Lake) -> None:
    (lake.root / "feeds.toml").write_text("[retention]\nnewest_releases = 1\ndaily_days = 0\nmonthly_months = 0\n")
    with lake.lock():
        refused = run_aisle(lake.root, "prune", "--yes")
    assert refused.returncode == 1
    assert "another run uses the lake" in refused.stderr
    assert len(list_numbers(lake)) == 6


def test_command_names_damaged_releases_and_leaves_them_alone(lake: Lake) -> None:
    (lake.root / "feeds.toml").write_text("[retention]\nnewest_releases = 1\ndaily_days = 0\nmonthly_months = 0\n")
    (lake.releases / "aisle.v2.json").write_text("{")
    (lake.releases / "aisle.v3.duckdb").unlink()
    pruned = run_aisle(lake.root, "prune", "--yes")
    assert pruned.returncode == 0, pruned.stderr
    assert "damaged, and left alone: v2, v3" in pruned.stderr
    assert (lake.releases / "aisle.v2.duckdb").exists()
    assert (lake.releases / "aisle.v3.json").exists()
    assert list_numbers(lake) == [6]


def test_charts_have_the_releases_that_they_compare() -> None:
    from dashboards.queries.annotations import RELEASES_COMPARED
    from orchestration.defs.retention import KEPT_RUNS
    from orchestration.fetch.config import RetentionConfig

    assert RetentionConfig().dagster_runs == KEPT_RUNS
    assert RetentionConfig().newest_releases > RELEASES_COMPARED
    assert RetentionConfig().policy == RetentionPolicy()


def test_unknown_retention_is_reported(lake: Lake) -> None:
    (lake.root / "feeds.toml").write_text("[retention]\nnewest = 3\n")
    refused = run_aisle(lake.root, "prune")
    assert refused.returncode == 1
    assert "retention.newest: not a known key; expected one of: newest_releases, daily_days" in refused.stderr
    assert json.loads((lake.releases / "aisle.v1.json").read_text())["release"] == 1
