"""The guardian of a group of servers: it ends them when the process that started them has ended, however it ended.

It leads the process group of the servers, and waits for the end of its standard input, which only their parent holds.
Uses only the standard library, since it is started as a file, without this project.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

GRACE_SECONDS = 10.0
_POLL_SECONDS = 0.1


def list_group() -> set[int]:
    """The other living processes of this process's group."""
    group, own = os.getpgrp(), os.getpid()
    members = set()
    for pid, state, of_group in _list_processes():
        if of_group == group and pid != own and not state.startswith("Z"):
            members.add(pid)
    return members


def _list_processes() -> list[tuple[int, str, int]]:
    """Number, state and group of every process."""
    if sys.platform != "linux":
        lines = subprocess.run(
            ["ps", "-A", "-o", "pid=,stat=,pgid="], capture_output=True, text=True, check=True
        ).stdout
        return [(int(pid), state, int(group)) for pid, state, group in map(str.split, lines.splitlines())]
    processes = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:  # it has ended since
            continue
        state, _, group = stat.rpartition(")")[2].split()[:3]  # after the name, which may have any character
        processes.append((int(folder.name), state, int(group)))
    return processes


def main() -> None:
    """Wait for the end of standard input, then end the group: by SIGTERM, and after ten seconds by SIGKILL."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while list_group():
        if time.monotonic() > deadline:
            os.killpg(0, signal.SIGKILL)  # this process too
        time.sleep(_POLL_SECONDS)


if __name__ == "__main__":
    main()
