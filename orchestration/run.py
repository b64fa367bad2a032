"""One run of the whole job: its lock and its account, whether it is needed, and how it is started by hand."""

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

from orchestration.fetch.journal import all_lines
from orchestration.ingest.snapshots import all_refusals, all_snapshots
from warehouse.lake import PROJECT, Lake, replace_file
from warehouse.release import NoRelease, Release, current
from warehouse.table import utc_now

_CODE = ("orchestration", "transforms", "warehouse", "expectations")
_BY_US = "# Written by aisle: the settings of Dagster's instance for this lake."
_INSTANCE = f"""\
{_BY_US} Take this line away to keep your own.
telemetry:
  enabled: false
nux:
  enabled: false
# runs that write tables wait for each other at the lake; those of feeds only for others at the same host
concurrency:
  runs:
    max_concurrent_runs: 8
  pools:
    granularity: run
    default_limit: 1
"""


@dataclass(frozen=True)
class CheckResult:
    """The result of one check: of which table, which, whether it passed, whether it is critical, what it found."""

    table: str
    check: str
    passed: bool
    is_critical: bool
    says: str = ""


@dataclass
class LakeRun:
    """The account of a run while it goes on; written to ``last_run.json`` when it ends, however it ends."""

    lake: Lake
    run_id: str
    started_at: str
    checks: list[CheckResult] = field(default_factory=list)
    release: int | None = None
    is_new_release: bool = False
    inputs: str | None = None


def last_run(lake: Lake) -> dict[str, Any] | None:
    """The account of the last run that ended, or none if there is none that can be read."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        return json.loads((lake.root / "last_run.json").read_text(encoding="utf-8"))
    return None


@contextlib.contextmanager
def accounted(lake: Lake, run_id: str) -> Generator[LakeRun]:
    """Keep the account of a run; the caller holds the lake's lock."""
    account = LakeRun(lake, run_id, utc_now().isoformat())
    try:
        yield account
    finally:
        told = {**asdict(account), "lake": str(lake.root), "ended_at": utc_now().isoformat()}
        replace_file(lake.root / "last_run.json", json.dumps(told, indent=1).encode())


@cache
def code_version() -> str:
    """Hash of all that decides what the tables hold, apart from the snapshots: code, SQL, declarations, reference."""
    files = sorted(
        p for part in _CODE for p in (PROJECT / part).rglob("*") if p.suffix in {".py", ".sql", ".toml", ".csv"}
    )
    parts = [f"{file.relative_to(PROJECT)} {sha256(file.read_bytes()).hexdigest()}" for file in files]
    return sha256("\n".join(parts).encode()).hexdigest()[:16]


def inputs_of(lake: Lake) -> str:
    """Hash of everything a run depends on: the snapshots and their hints, the refused files and the code.

    That a feed gave again what it gave before is no reason for a run, unless it gave something else in between.
    """
    snapshots = [f"{s.snapshot_id} {json.dumps(s.hints, sort_keys=True)}" for s in all_snapshots(lake)]
    known = snapshots + [r.sha256 for r in all_refusals(lake)]
    known += [f"{line.snapshot_id} {line.fetched_at}" for line in all_lines(lake) if line.result == "returned"]
    return sha256("\n".join([code_version(), *sorted(known)]).encode()).hexdigest()


def nothing_new(lake: Lake) -> Release | None:
    """The newest release if it was made from just the present inputs, else none."""
    last = last_run(lake)
    with contextlib.suppress(NoRelease):
        newest = current(lake)
        if last and last["release"] == newest.number and last["inputs"] == inputs_of(lake):
            return newest
    return None


def use_instance(lake: Lake) -> Path:
    """Make Dagster keep its runs in the lake; returns the folder."""
    home = lake.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    settings = home / "dagster.yaml"
    held = settings.read_text(encoding="utf-8") if settings.exists() else _BY_US
    if held.startswith(_BY_US) and held != _INSTANCE:  # whoever changes the settings takes that line away
        replace_file(settings, _INSTANCE.encode())
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ["AISLE_LAKE"] = str(lake.root)
    return home


def execute(lake: Lake) -> bool:
    """Run the whole job in this process, on the instance that the UI shows; whether it succeeded."""
    use_instance(lake)
    import dagster as dg

    from orchestration.definitions import JOB, defs

    with dg.DagsterInstance.get() as instance:
        return defs.resolve_job_def(JOB).execute_in_process(instance=instance, raise_on_error=False).success
