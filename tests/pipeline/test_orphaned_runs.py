"""Runs whose process was killed: they are marked as failed, hold no place in the queue, and live runs are left alone."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.launcher import WorkerStatus

from orchestration.defs import orphans
from orchestration.defs.leases import EXPIRY_SECONDS, LeaseState, hold_lease, locate_lease, read_lease
from orchestration.defs.orphans import LeaseRunLauncher, fail_orphaned_runs
from orchestration.run import configure_dagster
from tests.conftest import run_aisle
from tests.support.trials import pick_trials, trials_only
from warehouse.lake import PROJECT, Lake

# a code location with one asset in a pool; its step waits until a file appears, and a sensor requests runs of it
CODE_LOCATION = """
import time
from pathlib import Path
import dagster as dg
from orchestration.defs.orphans import lease_executor

FOLDER = Path(__file__).parent

@dg.asset(pool="host/one")
def fetched():
    (FOLDER / "executes").touch()
    while not (FOLDER / "gate").exists():
        time.sleep(0.05)

@dg.sensor(target=[fetched], minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING)
def requested():
    return [dg.RunRequest(run_key=path.name) for path in FOLDER.glob("request-*")]

defs = dg.Definitions([fetched], sensors=[requested], executor=lease_executor)
"""
STATUS = dg.DagsterRunStatus
TIMEOUT_SECONDS = 240


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("AISLE_LAKE", "")
    lake = Lake(tmp_path / "lake")
    configure_dagster(lake)
    return lake


@pytest.fixture
def instance(lake: Lake) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.get() as instance:
        yield instance


def wait_until(is_reached: Callable[[], bool], *processes: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not is_reached():
        assert time.monotonic() < deadline
        assert all(process.poll() is None for process in processes), "a process ended before the state was reached"
        time.sleep(0.05)


def start_process(code: str) -> subprocess.Popen[str]:
    """Start Python code on the instance of the test; returns when it prints a line."""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


@dg.job
def empty_job() -> None:
    pass


def add_run(instance: dg.DagsterInstance, status: dg.DagsterRunStatus) -> str:
    """A run that is in some status."""
    run = instance.create_run_for_job(empty_job)
    events = {
        STATUS.NOT_STARTED: [],
        STATUS.STARTING: ["PIPELINE_STARTING"],
        STATUS.STARTED: ["PIPELINE_STARTING", "PIPELINE_START"],
        STATUS.CANCELING: ["PIPELINE_STARTING", "PIPELINE_START", "PIPELINE_CANCELING"],
    }
    for event in events[status]:
        instance.report_dagster_event(dg.DagsterEvent(event, job_name=run.job_name), run.run_id)
    return run.run_id


def get_status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


HOLDS_LEASES = """
import sys, time
from pathlib import Path
from orchestration.defs.leases import keep_lease
for run_id in {runs}:
    keep_lease(Path({home!r}), run_id)
print("up", flush=True)
time.sleep(600)
"""


WAITS_IN_A_RUN = """
import signal, time
import dagster as dg
from orchestration.cli.launch import treat_hangup_as_termination
signal.signal(signal.SIGINT, signal.default_int_handler)

@dg.op
def wait():
    print("up", flush=True)
    time.sleep(600)

@dg.job
def job():
    wait()

treat_hangup_as_termination()
with dg.DagsterInstance.get() as instance:
    job.execute_in_process(instance=instance, raise_on_error=False)
"""


LOSES_SIGNALS = (
    WAITS_IN_A_RUN.replace(
        """\
    print("up", flush=True)
    time.sleep(600)""",
        """\
    try:  # from before the signal can be sent
        print("up", flush=True)
        time.sleep(600)
    except BaseException:
        pass
    time.sleep(600)""",
    )
    .replace("with dg.", "launch.GRACE_SECONDS = 0.2\nwith launch.end_after_signal(print), dg.")
    .replace("from orchestration.cli.launch", "from orchestration.cli import launch\nfrom orchestration.cli.launch")
)


def test_lease_ends_with_its_process_even_when_killed(tmp_path: Path) -> None:
    holder = start_process(HOLDS_LEASES.format(runs=["a"], home=str(tmp_path)))
    path = locate_lease(tmp_path, "a")
    assert read_lease(path).state is LeaseState.held
    assert f"process {holder.pid}" in read_lease(path).holder
    kill(holder)
    assert read_lease(path).state is LeaseState.ended
    assert read_lease(tmp_path / "other").state is LeaseState.missing
    with hold_lease(tmp_path, "b"):
        assert read_lease(locate_lease(tmp_path, "b")).state is LeaseState.held
    assert read_lease(locate_lease(tmp_path, "b")).state is LeaseState.missing


def test_lease_on_another_machine_ends_when_its_heartbeat_stops(tmp_path: Path) -> None:
    path = tmp_path / "lease"
    for content in (json.dumps({"holder": "process 1 on other", "machine": "other"}), '{"hold'):
        path.write_text(content)
        assert read_lease(path).state is LeaseState.held  # its lock may not be visible here
        past = time.time() - EXPIRY_SECONDS - 1
        os.utime(path, (past, past))
        assert read_lease(path).state is LeaseState.ended


def test_runs_of_a_killed_process_end_and_those_of_a_live_one_go_on(
    instance: dg.DagsterInstance, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = {
        STATUS.NOT_STARTED: STATUS.FAILURE,
        STATUS.STARTING: STATUS.FAILURE,
        STATUS.STARTED: STATUS.FAILURE,
        STATUS.CANCELING: STATUS.CANCELED,
    }
    dead, live, without_lease = ({status: add_run(instance, status) for status in ends} for _ in range(3))
    kill(start_process(HOLDS_LEASES.format(runs=list(dead.values()), home=str(lake.dagster_home))))
    holder = start_process(HOLDS_LEASES.format(runs=list(live.values()), home=str(lake.dagster_home)))
    try:
        for runs, health in ((dead, WorkerStatus.FAILED), (live, WorkerStatus.RUNNING)):  # as Dagster's daemon sees it
            run = instance.get_run_by_id(runs[STATUS.STARTED])
            assert run is not None
            assert instance.run_launcher.check_run_worker_health(run).status is health
        assert set(fail_orphaned_runs(instance)) == set(dead.values())
        for status, end in ends.items():
            assert get_status(instance, dead[status]) is end
            assert get_status(instance, live[status]) is get_status(instance, without_lease[status]) is status
            messages = [event.message for event in instance.all_logs(dead[status])]
            assert any("has ended without a result: it was killed" in message for message in messages)
            assert not locate_lease(lake.dagster_home, dead[status]).exists()
        # without a lease, a run ends only after the time that a start takes
        now = orphans.utc_now()
        monkeypatch.setattr(orphans, "utc_now", lambda: now + orphans._GRACE / 2)
        assert fail_orphaned_runs(instance) == []
        monkeypatch.setattr(orphans, "utc_now", lambda: now + 10 * orphans._GRACE)
        assert set(fail_orphaned_runs(instance)) == set(without_lease.values())
        assert {get_status(instance, run_id) for run_id in live.values()} == set(ends)
    finally:
        kill(holder)


def test_lakes_that_exist_get_run_monitoring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("AISLE_LAKE", "")
    home = Lake(tmp_path).dagster_home
    home.mkdir()
    (home / "dagster.yaml").write_text(
        "# Written by aisle: the settings of Dagster's instance for this lake. Remove this line to keep your own.\n"
        "telemetry:\n  enabled: false\nconcurrency:\n  runs:\n    max_concurrent_runs: 8\n"
    )
    configure_dagster(Lake(tmp_path))
    with dg.DagsterInstance.get() as instance:
        assert instance.run_monitoring_enabled
        assert isinstance(instance.run_launcher, LeaseRunLauncher)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_run_that_is_ended_by_a_signal_has_failed_at_once(instance: dg.DagsterInstance, number: signal.Signals) -> None:
    process = start_process(WAITS_IN_A_RUN)
    process.send_signal(number)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
    (run,) = instance.get_runs()
    assert run.status is STATUS.FAILURE


@pytest.mark.trials("signals whose exception is lost")
@pytest.mark.parametrize("number", pick_trials([signal.SIGTERM, signal.SIGHUP, signal.SIGINT], 1))
def test_run_that_loses_the_exception_of_a_signal_is_ended(
    instance: dg.DagsterInstance, number: signal.Signals
) -> None:
    process = start_process(LOSES_SIGNALS)
    process.send_signal(number)
    assert process.wait() in {128 + number, 128 + signal.SIGTERM}  # a lost terminal is passed on as SIGTERM
    assert process.stdout is not None
    process.stdout.close()
    (run,) = instance.get_runs()
    assert run.status is STATUS.STARTED  # the next run marks it as failed


def test_killed_run_that_dagster_launches_fails_and_leaves_its_pool(
    instance: dg.DagsterInstance, lake: Lake, tmp_path: Path
) -> None:
    (tmp_path / "location.py").write_text(CODE_LOCATION)
    command = [sys.executable, "-m", "dagster", "job", "execute", "-f", str(tmp_path / "location.py")]
    process = subprocess.Popen([*command, "-j", "__ASSET_JOB"], cwd=PROJECT, text=True, process_group=0)
    try:
        wait_until((tmp_path / "executes").exists, process)
        (run,) = instance.get_runs()
        assert read_lease(locate_lease(lake.dagster_home, run.run_id)).state is LeaseState.held
        assert fail_orphaned_runs(instance) == []
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert fail_orphaned_runs(instance) == [run.run_id]
    assert get_status(instance, run.run_id) is STATUS.FAILURE
    assert instance.get_runs(dg.RunsFilter(statuses=[STATUS.STARTED])) == []  # those that hold a place and their pools


@trials_only
@pytest.mark.trials("kills of runs of Dagster's daemon", 8)
def test_daemon_runs_what_is_queued_behind_killed_runs(
    instance: dg.DagsterInstance, lake: Lake, tmp_path: Path
) -> None:
    folder = tmp_path / "location"
    folder.mkdir()
    (folder / "location.py").write_text(CODE_LOCATION)
    command = [sys.executable, "-m", "dagster._daemon", "run", "-f", str(folder / "location.py")]

    def list_runs(*statuses: dg.DagsterRunStatus) -> list[str]:
        return [run.run_id for run in instance.get_runs(dg.RunsFilter(statuses=list(statuses)))]

    def start_daemon() -> subprocess.Popen[str]:
        log = (tmp_path / "daemon.log").open("a")
        return subprocess.Popen(command, cwd=PROJECT, stdout=log, stderr=log, text=True, process_group=0)

    daemon = start_daemon()
    try:
        (folder / "request-first").touch()
        wait_until((folder / "executes").exists, daemon)
        (killed,) = list_runs(STATUS.STARTED)
        os.killpg(daemon.pid, signal.SIGKILL)  # the run too
        daemon.wait()
        others = [add_run(instance, STATUS.STARTED) for _ in range(7)]
        kill(start_process(HOLDS_LEASES.format(runs=others, home=str(lake.dagster_home))))
        with hold_lease(lake.dagster_home, live := add_run(instance, STATUS.STARTED)):
            (folder / "gate").touch()
            (folder / "request-second").touch()
            assert len(list_runs(STATUS.STARTED)) >= 8  # as many as the queue lets run
            daemon = start_daemon()
            wait_until(lambda: bool(list_runs(STATUS.SUCCESS)), daemon)  # in the pool that the killed run held
            assert set(list_runs(STATUS.FAILURE)) == {killed, *others}
            assert get_status(instance, live) is STATUS.STARTED
    finally:
        os.killpg(daemon.pid, signal.SIGKILL)
        daemon.wait()


def test_a_run_with_nothing_new_also_ends_killed_runs(
    released_lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(tmp_path / "lake")
    shutil.copytree(released_lake.root, lake.root, symlinks=True)
    monkeypatch.setenv("DAGSTER_HOME", str(lake.dagster_home))
    with dg.DagsterInstance.get() as instance:
        killed = add_run(instance, STATUS.STARTED)
        kill(start_process(HOLDS_LEASES.format(runs=[killed], home=str(lake.dagster_home))))
        result = run_aisle(lake.root, "run")
        assert result.returncode == 0
        assert "marked as failed: 1 runs" in result.stderr
        assert get_status(instance, killed) is STATUS.FAILURE
