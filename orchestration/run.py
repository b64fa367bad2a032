"""The record of a run: its checks, its inputs and its release, and the settings of Dagster's instance in the lake."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from orchestration.ingest.fetch_log import read_fetch_log
from orchestration.ingest.refused import list_refused_files
from orchestration.ingest.snapshots import list_snapshots
from transforms.embeddings.models import read_model_version
from warehouse.decisions.store import list_decisions
from warehouse.lake import PROJECT, Lake, replace_file
from warehouse.lake_tables import list_all_tables
from warehouse.release import NoRelease, Release, read_current_release
from warehouse.scratch import remove_left_spills
from warehouse.table import utc_now

JOB = "run_all"  # Dagster's name of the job over all tables and the release
_CODE = ("orchestration", "transforms", "warehouse", "expectations")
_LAST_RUN = {"ended_at", "checks", "release", "inputs"}  # what is read of the record of the last run
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
event_log_storage:
  module: orchestration.defs.event_storage
  class: PooledEventLogStorage
  config:
    base_dir: EVENT_LOG
# a run whose process was killed is marked as failed, so that it does not fill the queue or a pool
run_launcher:
  module: orchestration.defs.orphans
  class: LeaseRunLauncher
run_monitoring:
  enabled: true
  poll_interval_seconds: 30
  free_slots_after_run_end_seconds: 60
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
        code_version: Version of the code that made it, which may have other limits than the present one.
    """

    table: str
    check: str
    passed: bool
    is_critical: bool
    message: str = ""
    versions: dict[str, int] = field(default_factory=dict)
    code_version: str = ""


class TableInputs(Protocol):
    """What the rows of a table made by SQL depend on."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The tables."""

    @property
    def code_version(self) -> str:
        """Hash of all else: its SQL, its declaration, the functions that it calls."""


@dataclass
class LakeRun:
    """The record of a run.

    ``checks`` holds the results of this run. ``checks.json`` keeps the newest result of every check and, for each table
    made by SQL, the versions that it was made from. So a run that makes some of the tables can publish a release with
    the results of the others, and cannot publish tables that do not fit together.
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
    _made_from: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)

    def set_version(self, table: str, version: int, made_from: TableInputs | None = None) -> None:
        """Note the Delta version of a table that this run has written, and of the tables that it was made from."""
        self._versions[table] = version
        if made_from is not None:
            sources = {name: self.get_version(name) for name in made_from.inputs}
            self._made_from[table] = {"code_version": made_from.code_version, "sources": sources, "version": version}

    def is_current(self, table: str, inputs: TableInputs) -> bool:
        """Whether a table was made from the present versions of its inputs by the same code, and is still there."""
        made_from = self.read_made_from().get(table, {})
        return table not in self.find_outdated({table: inputs}) and made_from.get("version") == self.get_version(table)

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

    def find_result(self, table: str, check: str, code_version: str) -> CheckResult | None:
        """The newest result of a check, if it is about this code and the present versions of its tables."""
        for result in self.read_checks():
            if (result.table, result.check) == (table, check):
                is_current = all(self.get_version(name) == version for name, version in result.versions.items())
                return result if is_current and result.code_version == code_version else None
        return None

    def read_checks(self) -> list[CheckResult]:
        """The newest result of each check: those of this run, and for the others the stored ones."""
        own = {(result.table, result.check) for result in self.checks}
        return [*(result for result in self._stored_checks if (result.table, result.check) not in own), *self.checks]

    @cached_property
    def _stored_checks(self) -> list[CheckResult]:
        """The results of earlier runs: nothing else writes ``checks.json`` while the lake is locked."""
        return read_check_results(self.lake)

    @cached_property
    def _stored_made_from(self) -> dict[str, dict[str, Any]]:
        """What tables were made from in earlier runs."""
        return _read_stored(self.lake).get("made_from", {})

    def read_made_from(self) -> dict[str, dict[str, Any]]:
        """For each table, the code version and the versions of the source tables that it was made from."""
        return {**self._stored_made_from, **self._made_from}

    def find_outdated(self, tables: Mapping[str, TableInputs]) -> dict[str, str]:
        """The tables that were not made from the present versions of their inputs, each with the reason.

        Args:
            tables: The inputs of each table.
        """
        made_from, outdated = self.read_made_from(), {}
        for table, inputs in tables.items():
            entry = made_from.get(table, {})
            changed = [name for name in inputs.inputs if entry.get("sources", {}).get(name) != self.get_version(name)]
            if changed:
                outdated[table] = f"{table} was not made from the present {', '.join(changed)}"
            elif entry.get("code_version") != inputs.code_version:
                outdated[table] = f"{table} was made by other code"
        return outdated


def read_last_run(lake: Lake) -> dict[str, Any] | None:
    """The record of the last run of the whole job, or that published a release; none if none can be read."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        stored = json.loads((lake.root / "last_run.json").read_text(encoding="utf-8"))
        return stored if isinstance(stored, dict) and stored.keys() >= _LAST_RUN else None
    return None


def _read_stored(lake: Lake) -> dict[str, Any]:
    """The content of ``checks.json``; empty if it is missing or damaged, so that everything is made again."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        stored = json.loads((lake.root / "checks.json").read_text(encoding="utf-8"))
        return stored if isinstance(stored, dict) else {}
    return {}


def read_check_results(lake: Lake) -> list[CheckResult]:
    """The newest stored result of every check."""
    with contextlib.suppress(TypeError):
        return [CheckResult(**result) for result in _read_stored(lake).get("checks", [])]
    return []


@contextlib.contextmanager
def record_run(lake: Lake, run_id: str, *, is_whole: bool) -> Generator[LakeRun]:
    """Keep the record of a run, and write it when the run ends, however it ends; the caller holds the lake's lock.

    Args:
        lake: The lake.
        run_id: Dagster's identifier of the run.
        is_whole: Whether the run is of the whole job, rather than of some tables or checks.
    """
    run = LakeRun(lake, run_id, utc_now().isoformat(), is_whole)
    remove_left_spills(lake.root)
    try:
        yield run
    finally:
        lake.intact_files.save()
        results = [asdict(result) for result in run.read_checks()]
        stored = {"checks": results, "made_from": run.read_made_from()}
        replace_file(lake.root / "checks.json", json.dumps(stored, indent=1).encode())
        facts = {
            "lake": lake.address,
            "run_id": run.run_id,
            "started_at": run.started_at,
            "ended_at": utc_now().isoformat(),
            "checks": [asdict(result) for result in run.checks] if run.release is None else results,
            "release": run.release,
            "is_new_release": run.is_new_release,
            "inputs": run.inputs,
        }
        if is_whole or run.release is not None:
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
    """Hash of everything a run depends on: snapshots with their hints, refused files, decisions, embedding model, code.

    A fetch that returned the same answer as before does not change it, unless another answer came in between.
    """
    snapshots = [f"{s.snapshot_id} {json.dumps(s.hints, sort_keys=True)}" for s in list_snapshots(lake)]
    known = snapshots + [r.sha256 for r in list_refused_files(lake)]
    known += [f"{line.snapshot_id} {line.fetched_at}" for line in read_fetch_log(lake) if line.result == "returned"]
    known += [decision.event_id for decision in list_decisions(lake)]
    return sha256("\n".join([hash_code(), read_model_version(), *sorted(known)]).encode()).hexdigest()


def find_unchanged_release(lake: Lake) -> Release | None:
    """The newest release if it was made from exactly the present inputs and holds the present tables, else none.

    There is none either if a table, a stored result of the last run or the release itself is missing or damaged, so
    that the next run makes it again.
    """
    last = read_last_run(lake)
    with contextlib.suppress(NoRelease):
        newest = read_current_release(lake)
        if (
            last
            and last["release"] == newest.number
            and last["inputs"] == hash_inputs(lake)
            and read_check_results(lake)
        ):
            newest.check()
            tables = list_all_tables(newest.manifest).items()
            released = {name: table["content_sha256"] for name, table in tables if table["delta_version"] is not None}
            states = {name: lake.read_state(name) for name in released}
            lake.intact_files.save()
            if all(state is not None and state.content_sha256 == released[name] for name, state in states.items()):
                return newest
    return None


def configure_dagster(lake: Lake) -> Path:
    """Point Dagster to its instance in the lake and write the settings of that; returns the folder."""
    home = lake.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    path = home / "dagster.yaml"
    settings = path.read_text(encoding="utf-8") if path.exists() else _HEADER
    own = _INSTANCE.replace("EVENT_LOG", json.dumps(str(home / "history" / "runs")))  # where Dagster's default has it
    if settings.startswith(_HEADER) and settings != own:  # without that line the settings are a person's own
        replace_file(path, own.encode())
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ["AISLE_LAKE"] = lake.address
    return home
