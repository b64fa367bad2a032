"""Kills at random moments of an `aisle add` and an `aisle run`: what is stored is whole, and the next one goes on.

The moment is drawn by work, not by time: before the process touches the files of the lake for the nth time, or a little
later, in the middle of what it then writes.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from orchestration.ingest.snapshots import get_content_path, list_snapshots
from tests.conftest import PROJECT, run_aisle
from tests.sources.test_lab_sheet import GOOD, build_csv
from tests.support.inboxes import list_inbox, make_lake, take  # noqa: F401 - a fixture
from tests.support.trials import scale_trials
from warehouse.lake import Lake
from warehouse.release import Release, read_current_release

# runs `aisle` and kills its process group before it touches the files of its lake for the nth time, and some seconds
# later if any are given; with no such number it prints how often it touched them
KILLED = """
import atexit, os, signal, sys, threading
nth, delay_seconds, touched, root = int(sys.argv.pop(1)), float(sys.argv.pop(1)), 0, os.environ["AISLE_LAKE"]

def kill():
    os.killpg(0, signal.SIGKILL)

def count(event, arguments):
    global touched
    paths = (os.fspath(argument) for argument in arguments if isinstance(argument, (str, os.PathLike)))
    if any(str(path).startswith(root) for path in paths):
        touched += 1
        if touched == nth:
            threading.Timer(delay_seconds, kill).start() if delay_seconds else kill()

if nth == 0:
    atexit.register(lambda: print("touched", touched))
sys.addaudithook(count)
from orchestration.cli.app import main
main()
"""
ADD_KILLS = scale_trials(3, 40)
RUN_LAKES, RUN_KILLS = scale_trials(1, 4), scale_trials(1, 5)  # so many lakes, and kills on each
TOUCHED_BY_A_RUN = 600  # about as often a run with one new file touches the lake, half of it Dagster's database


def run_killed(lake: Lake, nth: int, delay_seconds: float, *arguments: str) -> tuple[bool, str]:
    """Run `aisle` until it is killed; returns whether it was before its end, and its output.

    Returns only when every process that it started has ended too, since they hold its output.
    """
    process = subprocess.run(
        [sys.executable, "-c", KILLED, str(nth), str(delay_seconds), *arguments],
        cwd=PROJECT,
        env={**os.environ, "AISLE_LAKE": str(lake.root), "AISLE_INBOX_SETTLE_SECONDS": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        start_new_session=True,
        check=False,
    )
    assert process.returncode in (0, -signal.SIGKILL), process.stdout
    return process.returncode != 0, process.stdout


def draw_delay(generator: random.Random, longest_seconds: float) -> float:
    """How long after a touch the kill comes: at once every other time."""
    return generator.choice((0.0, generator.uniform(0, longest_seconds)))


def build_sheet(number: int) -> bytes:
    return build_csv([GOOD[0], f"Killed {number}", GOOD[2], f"https://openai.com/killed-{number}", *GOOD[4:]])


@pytest.mark.trials("kills of aisle add", ADD_KILLS)
def test_killed_add_leaves_a_whole_snapshot_or_none(lake: Lake, tmp_path: Path) -> None:
    generator, path = random.Random(11), tmp_path / "sheet.csv"
    path.write_bytes(build_sheet(0))
    _, output = run_killed(Lake(tmp_path / "measured"), 0, 0, "add", str(path))
    touched, kills, drafts, hashes = int(output.split()[-1]), 0, 0, set[str]()
    assert touched > 10
    for number in range(ADD_KILLS):
        path.write_bytes(build_sheet(number))
        new = hashlib.sha256(path.read_bytes()).hexdigest()
        kills += run_killed(lake, generator.randint(1, touched), draw_delay(generator, 0.005), "add", str(path))[0]
        found = {snapshot.sha256: get_content_path(lake, snapshot) for snapshot in list_snapshots(lake)}
        assert hashes <= set(found) <= {*hashes, new}
        assert all(hashlib.sha256(content.read_bytes()).hexdigest() == sha256 for sha256, content in found.items())
        again = run_aisle(lake.root, "add", str(path))
        assert again.returncode == 0, again.stderr
        hashes.add(new)
        assert sorted(snapshot.sha256 for snapshot in list_snapshots(lake)) == sorted(hashes)
        left = list(lake.snapshots.rglob(".draft-*"))
        drafts += len(left)
        assert ("drafts that killed processes had left" in take(lake)) == bool(left)
        assert not list(lake.snapshots.rglob(".draft-*"))
    assert kills > ADD_KILLS / 2
    assert drafts or ADD_KILLS < 20, "no kill came while a snapshot was written"


def check_release(lake: Lake, before: Release, rows: int) -> Release:
    """The newest release, which is the one before, or a new whole one with so many publications."""
    release = read_current_release(lake)
    release.check()
    assert before.number <= release.number <= before.number + 1
    if release.number == before.number:
        assert release.manifest == before.manifest
        return release
    with release.connect() as connection:
        assert connection.execute("select count(*) from clean.list_entries").fetchall() == [(rows,)]
        for name, table in release.manifest["tables"].items():
            assert connection.execute(f"select count(*) from {name}").fetchall() == [(table["rows"],)]
    return release


@pytest.mark.trials("kills of aisle run", RUN_KILLS)
@pytest.mark.parametrize("seed", range(5, 5 + RUN_LAKES))
def test_killed_run_leaves_a_whole_release_and_the_next_counts_all(
    released_lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    lake, generator, kills = Lake(tmp_path / "lake"), random.Random(seed), 0
    shutil.copytree(released_lake.root, lake.root, symlinks=True)
    release = read_current_release(lake)
    with release.connect() as connection:
        ((bundled,),) = connection.execute("select count(*) from clean.publications").fetchall()
    for number in range(RUN_KILLS):
        (lake.inbox / f"{number}.csv").write_bytes(build_sheet(number))
        nth, delay_seconds = generator.randint(1, TOUCHED_BY_A_RUN), draw_delay(generator, 0.05)
        kills += run_killed(lake, nth, delay_seconds, "run")[0]
        release = check_release(lake, release, bundled + number + 1)
    assert kills > RUN_KILLS / 2
    finished = run_aisle(lake.root, "run", AISLE_INBOX_SETTLE_SECONDS="0")
    assert finished.returncode == 0, finished.stderr
    release, rows = read_current_release(lake), bundled + RUN_KILLS
    release.check()
    with release.connect() as connection:
        query = "select records_read, records_kept + records_repeated + records_rejected from raw.parses"
        accounts = connection.execute(query).fetchall()
        assert all(read == accounted for read, accounted in accounts)
        query = "select count(*), count(distinct title) from clean.list_entries where title like 'Killed %'"
        assert connection.execute(query).fetchall() == [(RUN_KILLS, RUN_KILLS)]
        assert connection.execute("select count(*) from clean.list_entries").fetchall() == [(rows,)]
        query = (
            "select sum(items) from mart.corpus_coverage inner join clean.corpora using (corpus) where kind = 'list'"
        )
        assert connection.execute(query).fetchall() == [(rows,)]
    assert len(accounts) == len(list_snapshots(lake))
    assert list_inbox(lake) == set()
    assert not [path for name in (".draft-*", ".building-*", ".taking-*") for path in lake.root.rglob(name)]
    monkeypatch.setenv("DAGSTER_HOME", str(lake.dagster_home))
    with dg.DagsterInstance.get() as instance:
        statuses = {run.status for run in instance.get_runs()}
    assert statuses <= {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE}
