"""The account of a run: its checks, its inputs and its release, and the settings of Dagster's instance in the lake."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Generator
from dataclasses import asdict, dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from orchestration.ingest.fetch_log import read_fetch_log
from orchestration.ingest.snapshots import list_refused_files, list_snapshots
from warehouse.lake import PROJECT, Lake, replace_file
from warehouse.release import NoRelease, Release, read_current_release
from warehouse.table import utc_now

JOB = "run_all"  # Dagster's name of the job over all tables and the release
_CODE = ("orchestration", "transforms", "warehouse", "expectations")
_HEADER = "# Written by aisle: the settings of Dagster's instance for this lake."
_INSTANCE = f"""\
{_HEADER} Remove this line to keep your own.
telemetry:
  enabled: false
nux:
  enabled: false
# runs that write tables wait for each other at the lake; fetches wait only for other fetches from the same host
concurrency:
  runs:
    max_concurrent_runs: 8
  pools:
    granularity: run
    default_limit: 1
"""


@dataclass(frozen=True)
class CheckResult:
    """The result of one check.

    Args:
        table: The table it belongs to.
        check: Its name.
        passed: Whether it passed.
        is_critical: Whether a failure holds back the release.
        message: What it found, if it failed.
        versions: Delta version of each table that it read.
    """

    table: str
    check: str
    passed: bool
    is_critical: bool
    message: str = ""
    versions: dict[str, int] = field(default_factory=dict)


@dataclass
class LakeRun:
    """The account of a run.

    A run of the whole job, or one that published a release, is written to ``last_run.json`` when it ends, however it
    ends. ``checks`` holds the results of this run. The newest result of every check is kept in ``checks.json``, so that
    a run that makes some of the tables can publish a release with the results of the others.
    """

    lake: Lake
    run_id: str
    started_at: str
    is_whole: bool
    checks: list[CheckResult] = field(default_factory=list)
    release: int | None = None
    is_new_release: bool = False
    inputs: str | None = None
    _versions: dict[str, int] = field(default_factory=dict, repr=False)

    def set_version(self, table: str, version: int) -> None:
        """Note the Delta version of a table that this run has written."""
        self._versions[table] = version

    def get_version(self, table: str) -> int:
        """The present Delta version of a table; -1 if it was never written."""
        if table not in self._versions:
            state = self.lake.read_state(table)
            self._versions[table] = -1 if state is None else state.version
        return self._versions[table]

    def add_check(self, result: CheckResult) -> None:
        """Add a result; it replaces an earlier one of the same check."""
        self.checks = [other for other in self.checks if (other.table, other.check) != (result.table, result.check)]
        self.checks.append(result)

    def find_result(self, table: str, check: str) -> CheckResult | None:
        """The newest result of a check, if it is about the present versions of the tables that it read."""
        for result in self.read_checks():
            if (result.table, result.check) == (table, check):
                is_current = all(self.get_version(name) == version for name, version in result.versions.items())
                return result if is_current and result.versions else None
        return None

    def read_checks(self) -> list[CheckResult]:
        """The newest result of each check: those of this run, and for the others the stored ones."""
        own = {(result.table, result.check) for result in self.checks}
        stored = [result for result in _read_stored_checks(self.lake) if (result.table, result.check) not in own]
        return [*stored, *self.checks]


def read_last_run(lake: Lake) -> dict[str, Any] | None:
    """The account of the last run that ended; none if there is none that can be read."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        return json.loads((lake.root / "last_run.json").read_text(encoding="utf-8"))
    return None


def _read_stored_checks(lake: Lake) -> list[CheckResult]:
    """The results in ``checks.json``; none if it is missing or damaged, so that the checks are made again."""
    with contextlib.suppress(FileNotFoundError, ValueError, TypeError):
        stored = json.loads((lake.root / "checks.json").read_text(encoding="utf-8"))
        if stored["code_version"] == hash_code():  # a changed declaration may have changed what a check means
            return [CheckResult(**result) for result in stored["checks"]]
    return []


@contextlib.contextmanager
def record_run(lake: Lake, run_id: str, *, is_whole: bool) -> Generator[LakeRun]:
    """Keep the account of a run; the caller holds the lake's lock.

    Args:
        lake: The lake.
        run_id: Dagster's identifier of the run.
        is_whole: Whether the run is of the whole job, rather than of some tables or checks.
    """
    account = LakeRun(lake, run_id, utc_now().isoformat(), is_whole)
    try:
        yield account
    finally:
        checks = {"code_version": hash_code(), "checks": [asdict(result) for result in account.read_checks()]}
        replace_file(lake.root / "checks.json", json.dumps(checks, indent=1).encode())
        facts = {
            "lake": str(lake.root),
            "run_id": account.run_id,
            "started_at": account.started_at,
            "ended_at": utc_now().isoformat(),
            "checks": [asdict(result) for result in account.checks],
            "release": account.release,
            "is_new_release": account.is_new_release,
            "inputs": account.inputs,
        }
        if is_whole or account.release is not None:
            replace_file(lake.root / "last_run.json", json.dumps(facts, indent=1).encode())


@cache
def hash_code() -> str:
    """Hash of all that decides what the tables hold, apart from the snapshots: code, SQL, declarations, reference."""
    files = sorted(
        p for part in _CODE for p in (PROJECT / part).rglob("*") if p.suffix in {".py", ".sql", ".toml", ".csv"}
    )
    parts = [f"{file.relative_to(PROJECT)} {sha256(file.read_bytes()).hexdigest()}" for file in files]
    return sha256("\n".join(parts).encode()).hexdigest()[:16]


def hash_inputs(lake: Lake) -> str:
    """Hash of everything a run depends on: the snapshots and their hints, the refused files and the code.

    A fetch that returned the same answer as before does not change it, unless another answer came in between.
    """
    snapshots = [f"{s.snapshot_id} {json.dumps(s.hints, sort_keys=True)}" for s in list_snapshots(lake)]
    known = snapshots + [r.sha256 for r in list_refused_files(lake)]
    known += [f"{line.snapshot_id} {line.fetched_at}" for line in read_fetch_log(lake) if line.result == "returned"]
    return sha256("\n".join([hash_code(), *sorted(known)]).encode()).hexdigest()


def find_unchanged_release(lake: Lake) -> Release | None:
    """The newest release if it was made from exactly the present inputs, else none."""
    last = read_last_run(lake)
    with contextlib.suppress(NoRelease):
        newest = read_current_release(lake)
        if last and last["release"] == newest.number and last["inputs"] == hash_inputs(lake):
            return newest
    return None


def configure_dagster(lake: Lake) -> Path:
    """Point Dagster to its instance in the lake and write the settings of that; returns the folder."""
    home = lake.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    path = home / "dagster.yaml"
    settings = path.read_text(encoding="utf-8") if path.exists() else _HEADER
    if settings.startswith(_HEADER) and settings != _INSTANCE:  # without that line the settings are a person's own
        replace_file(path, _INSTANCE.encode())
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ["AISLE_LAKE"] = str(lake.root)
    return home
