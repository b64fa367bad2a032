"""Faults: a broken limit, a killed run, a full disk or two runs at once never damage a published release."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from orchestration.sources.sheet.list_names import MAPPING
from tests.conftest import PROJECT, run_aisle
from tests.sources.test_lab_sheet import GOOD, build_csv
from tests.support.trials import pick_trials, scale_trials
from warehouse.lake import Lake, LakeBusy, replace_file
from warehouse.release import NoRelease, list_releases, publish_release, read_current_release
from warehouse.table import Table, parse_table

NUMBERS = {"row": "A number.", "key": ["number"], "columns": {"number": {"type": "integer", "meaning": "The number."}}}

PUBLISHER_KILLS = scale_trials(3, 20)
FILE_LIMITS_BYTES = (100_000, 10_000, 30_000, 60_000, 90_000, 150_000, 200_000)

NASTIEST = "a 'lake' \"*\" (1) {1} $HOME ~ ü;&=+,@!`<x> é\u200d:"
# runs the whole job with the SQL files of the folder that is its argument
WITH_SQL = """
import functools, sys
from pathlib import Path
import transforms.reader as reader
reader.FOLDER = Path(sys.argv[1])
reader.read_transforms = functools.partial(reader.read_transforms, folder=reader.FOLDER)
sys.argv[1:] = ["run"]
from orchestration.cli.app import main
main()
"""


@pytest.fixture
def lake(released_lake: Lake, tmp_path: Path) -> Lake:
    """A copy of the released lake, in a folder whose name has every kind of character that it may have."""
    root = tmp_path / NASTIEST
    shutil.copytree(released_lake.root, root, symlinks=True)
    return Lake(root)


def write_numbers(lake: Lake, values: range) -> Table:
    table = parse_table("mart.numbers", NUMBERS)
    lake.write(table, table.frame({"number": value} for value in values))
    return table


def write_letters(lake: Lake) -> Table:
    table = parse_table("mart.letters", NUMBERS)
    lake.write(table, table.frame({"number": value} for value in range(3000)))
    return table


def test_broken_critical_limit_keeps_the_last_release(lake: Lake, tmp_path: Path) -> None:
    folder = tmp_path / "transforms"
    shutil.copytree(PROJECT / "transforms", folder)
    path = folder / "mart" / "publications" / "publications_by_lab_year.sql"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("    works,\n    total_works,", "    cast(-1 as bigint) as works,\n    total_works,"),
        encoding="utf-8",
    )
    new = tmp_path / "new.csv"
    new.write_bytes(build_csv(GOOD))
    assert run_aisle(lake.root, "add", str(new)).returncode == 0
    command = [sys.executable, "-c", WITH_SQL, str(folder)]
    environment = {**os.environ, "AISLE_LAKE": str(lake.root)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 1
    assert "works breaks minimum 0 in 9 rows" in result.stderr
    assert "no release" in result.stderr
    assert read_current_release(lake).number == 1
    assert "✗ mart.publications_by_lab_year: limits" in run_aisle(lake.root, "status").stdout
    repaired = run_aisle(lake.root, "run")
    assert repaired.returncode == 0, repaired.stderr
    assert read_current_release(lake).number == 2


@pytest.mark.trials("two runs at once")
def test_runs_wait_for_another_and_one_alone_works_and_rejects_a_bad_row_and_warns_of_a_new_category(
    lake: Lake, tmp_path: Path
) -> None:
    path = tmp_path / "a (1).csv"
    other = ["OpenAI", "Another title", "1-Jan-2024", "https://openai.com/another", *GOOD[4:]]
    nameless = ["OpenAI", "", "1-Jan-2024", "", *GOOD[4:]]
    path.write_bytes(build_csv([*GOOD[:4], "Scalable oversight", ""], other, nameless))
    assert run_aisle(lake.root, "add", "--list", MAPPING, str(path)).returncode == 0
    with lake.lock():
        command = [sys.executable, "-c", "from orchestration.cli.app import main; main()", "run"]
        environment = {**os.environ, "AISLE_LAKE": str(lake.root), "COLUMNS": "200"}
        runs = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        for waiting in runs:
            assert waiting.stderr is not None
            line = ""
            while "waiting for it to end" not in line:
                line = waiting.stderr.readline()
                assert line, "the run ended without waiting"
            assert "another run uses the lake" in line
        assert read_current_release(lake).number == 1
    idle, messages = sorted((waiting.communicate(timeout=300)[1] for waiting in runs), key=len)
    assert [waiting.returncode for waiting in runs] == [0, 0], messages
    assert "nothing new since release v2" in idle
    assert "nothing new" not in messages
    assert read_current_release(lake).number == 2
    assert "a (1).csv: 3 read, 2 kept, 0 repeated, 1 rejected" in messages
    assert "a (1).csv: row 4: no title and no link" in run_aisle(lake.root, "rejects").stdout
    assert "category breaks one_of reference.categories in 1 row (such as Scalable oversight)" in messages
    query = "select publication_rows from mart.publications_by_category_year where category = 'Scalable oversight'"
    with read_current_release(lake).connect() as connection:
        assert connection.execute("select count(*) from clean.publications").fetchall() == [(82,)]
        assert connection.execute(f"{query} and publication_rows > 0").fetchall() == [(1,)]


def test_lock_of_a_killed_run_is_free(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    script = "import sys, time\nfrom pathlib import Path\nfrom warehouse.lake import Lake\nwith Lake(Path(sys.argv[1])).lock():\n print('held', flush=True)\n time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(LakeBusy, match=f"process {holder.pid} since"), lake.lock(wait=False):
        pass
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with lake.lock(wait=False):
        pass


@pytest.mark.trials("kills while releases are published", PUBLISHER_KILLS)
def test_killed_publisher_leaves_the_last_release(tmp_path: Path) -> None:
    lake, generator = Lake(tmp_path), random.Random(3)
    publish_release(lake, [write_numbers(lake, range(10)), write_letters(lake)], {})
    script = """
import sys
from pathlib import Path
from tests.pipeline.test_faults import write_letters, write_numbers, publish_release, Lake
lake = Lake(Path(sys.argv[1]))
letters = write_letters(lake)
for turn in range(1000):
    # now only the changed table is written into a copy, now all
    publish_release(lake, [write_numbers(lake, range(turn + 11)), letters], {"code_version": turn // 3})
"""
    for _ in range(PUBLISHER_KILLS):
        writer = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=PROJECT)
        before = read_current_release(lake).number
        while read_current_release(lake).number == before and writer.poll() is None:
            time.sleep(0.01)
        assert read_current_release(lake).number > before, "the writer published nothing"
        time.sleep(generator.uniform(0, 0.1))  # killed at another point of its work each time
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        left = read_current_release(lake)
        with left.connect() as connection:
            ((rows,),) = connection.execute("select count(*) from mart.numbers").fetchall()
        assert rows == left.manifest["tables"]["mart.numbers"]["rows"]
    published, is_new = publish_release(lake, [write_numbers(lake, range(5))], {})
    assert is_new
    numbers = [release.number for release in list_releases(lake)]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == published.number
    assert not list(lake.releases.glob(".building-*"))


@pytest.mark.trials("full disk")
@pytest.mark.parametrize("limit_bytes", pick_trials(FILE_LIMITS_BYTES, 1))
def test_full_disk_leaves_no_half_release(tmp_path: Path, limit_bytes: int) -> None:
    lake = Lake(tmp_path)
    publish_release(lake, [write_numbers(lake, range(10))], {})
    script = """
import resource, signal, sys
from pathlib import Path
from tests.pipeline.test_faults import write_numbers, publish_release, Lake
lake = Lake(Path(sys.argv[1]))
numbers = write_numbers(lake, range(200_000))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
publish_release(lake, [numbers], {})
"""
    command = [sys.executable, "-c", script, str(tmp_path), str(limit_bytes)]
    result = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "File too large" in result.stderr or "Could not write" in result.stderr
    assert read_current_release(lake).number == 1
    assert [path.name for path in lake.releases.glob("*.duckdb")] == ["aisle.v1.duckdb"]
    published, _ = publish_release(lake, [write_numbers(lake, range(200_000))], {})
    assert published.number == 2


def test_open_connection_to_an_old_release_stays_usable(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    publish_release(lake, [write_numbers(lake, range(10))], {})
    with read_current_release(lake).connect() as old:
        for number in range(11, 15):
            publish_release(lake, [write_numbers(lake, range(number))], {})
            assert old.execute("select count(*) from mart.numbers").fetchall() == [(10,)]
        with read_current_release(lake).connect() as new:
            assert new.execute("select count(*) from mart.numbers").fetchall() == [(14,)]
            with pytest.raises(duckdb.InvalidInputException, match="read-only"):
                new.execute("delete from mart.numbers")


def test_same_content_is_no_new_release(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    first, is_new = publish_release(lake, [write_numbers(lake, range(10))], {})
    assert is_new
    assert publish_release(lake, [write_numbers(lake, range(10))], {"other": "facts"}) == (first, False)
    state = lake.read_state("mart.numbers")
    assert state is not None
    assert state.version == 0


def test_missing_release_is_reported_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(NoRelease, match="run `aisle run`"):
        read_current_release(Lake(tmp_path))
    for command in (["sql", "select 1"], ["sql", "--release", "v7", "select 1"]):
        result = run_aisle(tmp_path, *command)
        assert result.returncode == 1
        assert len(result.stderr.strip().splitlines()) == 1
    assert "no release in" in run_aisle(tmp_path, "status").stdout


def test_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    replace_file(path, b"old")
    with pytest.raises(TypeError):
        replace_file(path, "not bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["facts.json"]


def test_folder_name_that_no_lake_can_have_is_reported(tmp_path: Path) -> None:
    result = run_aisle(tmp_path / "a?b\nc[1]", "run")
    assert result.returncode == 1
    assert "name another folder with AISLE_LAKE" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_snapshots_are_never_changed(lake: Lake) -> None:
    for content in lake.snapshots.glob("*/*/content"):
        assert not content.stat().st_mode & 0o222


@pytest.mark.parametrize("suffix", [".duckdb", ".json"])
def test_damaged_release_is_replaced_by_a_new_one(tmp_path: Path, suffix: str) -> None:
    lake = Lake(tmp_path)
    numbers = write_numbers(lake, range(10))
    first, _ = publish_release(lake, [numbers], {})
    first.path.with_suffix(suffix).write_bytes(b"damaged on disk" * 1000)
    second, is_new = publish_release(lake, [numbers], {})
    assert is_new
    assert second.number == 2
    with read_current_release(lake).connect() as connection:
        assert connection.execute("select count(*) from mart.numbers").fetchall() == [(10,)]


def test_lost_pointer_keeps_all_releases(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    first, _ = publish_release(lake, [write_numbers(lake, range(10))], {})
    (tmp_path / "aisle.duckdb").unlink()
    second, is_new = publish_release(lake, [write_numbers(lake, range(11))], {})
    assert is_new
    assert [release.number for release in list_releases(lake)] == [first.number, second.number] == [1, 2]
