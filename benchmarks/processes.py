"""Measures commands with all processes that work for them, also those that they did not start themselves."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.growth import Cost
from warehouse.lake import PROJECT

_TICKS = os.sysconf("SC_CLK_TCK")
_SAMPLE_SECONDS = 0.5


@dataclass(frozen=True)
class Used:
    """What the processes of some sessions have used: CPU seconds so far, and the memory that they have now."""

    cpu_seconds: float
    memory_bytes: int


def read_sessions(sessions: Iterable[int]) -> Used:
    """What the processes of sessions have used, with that of children that ended and were waited for.

    Args:
        sessions: The process that leads each, as a process does that was started with ``start_new_session``.
    """
    wanted, ticks, memory = set(sessions), 0, 0
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            # the name of a program, in brackets, can hold spaces
            facts = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(facts[3]) not in wanted:
                continue
            ticks += sum(map(int, facts[11:15]))
            # pages that several processes share are counted once
            rollup = (folder / "smaps_rollup").read_text()
            memory += sum(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:"))
        except (OSError, ValueError):  # it has ended
            continue
    return Used(ticks / _TICKS, memory)


def measure_command(command: list[str], cluster: Iterable[int] = (), **environment: str) -> tuple[dict[str, Any], Cost]:
    """The result that a command prints as JSON in its last line, and its cost; the peak is that of all together.

    Args:
        command: The command.
        cluster: Leaders of sessions whose processes work for it.
        environment: Variables of its environment.

    Raises:
        SystemExit: It failed.
    """
    sessions = list(cluster)
    before, begun, peak, is_done = read_sessions(sessions), time.monotonic(), 0, threading.Event()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, cwd=PROJECT, env={**os.environ, **environment}, stdout=output, start_new_session=True
        )

        def sample() -> None:
            nonlocal peak
            while not is_done.wait(_SAMPLE_SECONDS):
                peak = max(peak, read_sessions([process.pid, *sessions]).memory_bytes)

        sampler = threading.Thread(target=sample)
        sampler.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall_seconds = time.monotonic() - begun
        is_done.set()
        sampler.join()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
        output.seek(0)
        result: dict[str, Any] = json.loads(output.read().splitlines()[-1])
    cpu_seconds = usage.ru_utime + usage.ru_stime + read_sessions(sessions).cpu_seconds - before.cpu_seconds
    # a command that is shorter than a sample has at least the memory of its largest process
    return result, Cost(cpu_seconds, wall_seconds, max(peak / 1e6, usage.ru_maxrss / 1024))
