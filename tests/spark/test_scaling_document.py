"""The commands of docs/scaling.md, from nothing to a trend on a page: a cluster, a bucket, works, a run.

DuckDB then makes the same tables from the same works, and all of them are compared.
Run by `make test-spark` with few works, and with a million if ``AISLE_PROVE`` is ``yes``. What each block took is printed.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.processes import read_sessions
from benchmarks.scale_tables import make_tables, require_same_tables
from tests.support.browsing import BARS, POINTS
from tests.support.dashboard_server import CHROMIUM, TIMEOUT_MS, launch_browser
from tests.support.object_gateway import find_missing_programs
from tests.support.spark_cluster import needs_cluster
from tests.support.trials import scale_trials
from warehouse.lake import PROJECT, Lake

pytestmark = [
    needs_cluster,
    pytest.mark.skipif(bool(find_missing_programs()), reason="no object store here: `make gateway`"),
]
_END = "the block has ended"


class Shell:
    """A shell that runs blocks of commands one after the other, and ends with all that they started.

    Args:
        log: Where what they print goes too.
        variables: Variables of its environment.
    """

    def __init__(self, log: Path, variables: dict[str, str]) -> None:
        # what goes on in the background holds the output too, so that its end says nothing of the shell's
        self._output, self._log = log.open("wb"), log
        self._process = subprocess.Popen(
            ["bash", "-e", "-u", "-o", "pipefail"],
            cwd=PROJECT,
            env={**os.environ, **variables},
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(self, block: str) -> str:
        """What a block prints.

        Raises:
            AssertionError: One of its commands failed.
        """
        assert self._process.stdin is not None
        begun, before, size = time.monotonic(), read_sessions([self._process.pid]), self._log.stat().st_size
        self._process.stdin.write(f"{block}\necho '{_END}'\n".encode())
        self._process.stdin.flush()
        printed = ""
        while f"{_END}\n" not in printed:  # what goes on in the background can print after it
            if self._process.poll() is not None:
                raise AssertionError(f"this failed:\n{block}\n{printed}")
            time.sleep(0.2)
            with self._log.open("rb") as file:
                file.seek(size)
                printed = file.read().decode(errors="replace")
        used = read_sessions([self._process.pid])
        print(
            f"{block.splitlines()[-1][:60]:60} {time.monotonic() - begun:6.0f} s"
            f" {max(0.0, used.cpu_seconds - before.cpu_seconds):6.0f} s CPU, {used.memory_bytes / 1e6:6,.0f} MB",
            flush=True,
        )
        return printed.replace(f"{_END}\n", "")

    def end(self) -> None:
        """End it, and what is left of what it started."""
        for process in Path("/proc").iterdir():
            if process.name.isdigit() and self._is_of_session(process):
                os.kill(int(process.name), signal.SIGKILL)
        self._process.wait()
        self._output.close()

    def _is_of_session(self, process: Path) -> bool:
        try:
            return int((process / "stat").read_text().rpartition(")")[2].split()[3]) == self._process.pid
        except OSError:  # it has ended
            return False


def find_port() -> int:
    """A port that nothing uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A shell in the folder of the project."""
    ports = {f"{name}_PORT": str(find_port()) for name in ("MASTER", "CONNECT", "PAGE")}
    works = str(scale_trials(20_000, 1_000_000))
    shell = Shell(tmp_path / "log.txt", {"FOLDER": str(tmp_path / "scaling"), "WORKS": works, **ports})
    yield shell
    shell.end()


def require_tables_of_duckdb(lake: Lake, root: Path) -> None:
    """Require that DuckDB makes the same tables, in a copy of a lake without its release."""
    shutil.copytree(lake.root, root, ignore=shutil.ignore_patterns("releases", "aisle.duckdb"))
    other = Lake(root)
    make_tables(other, "", [])
    require_same_tables(lake, other)


def require_trend(address: str) -> None:
    """Require that a page has a chart."""
    with launch_browser() as browser:
        page = browser.new_page()
        page.goto(address)
        page.locator(f"{BARS}, {POINTS}").first.wait_for(timeout=TIMEOUT_MS)


@pytest.mark.trials("docs/scaling.md is followed: cluster, bucket, works, a run, a trend")
def test_commands_of_the_document_lead_to_a_trend(shell: Shell, tmp_path: Path) -> None:
    text = (PROJECT / "docs" / "scaling.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    *begin, make, query, stop = blocks
    for block in begin:
        shell.run(block)
    made = shell.run(make)
    parts = len(list((tmp_path / "scaling" / "works").glob("part_*")))
    assert f"{parts:,} of {parts:,} files read on the workers" in made
    assert "release v1" in made
    trend = shell.run(query)
    years = dict(re.findall(r"│ +(\d{4}) +│ +([\d.]+) +│", trend))
    (in_scope,) = re.findall(r"^([\d,]+) in scope", made, re.MULTILINE)
    assert {"2015", "2020"} <= years.keys()
    assert sum(map(float, years.values())) > 0.9 * int(in_scope.replace(",", ""))
    (work,) = (tmp_path / "scaling" / "cache").glob("*/work")
    require_tables_of_duckdb(Lake(work), tmp_path / "duckdb")
    if CHROMIUM is not None:
        (page,) = re.findall(r"http://localhost:8501(/\S+?)[:.]?\s", text)
        require_trend(f"http://localhost:{shell.run('echo $PAGE_PORT').strip()}{page}")
    shell.run(stop)
    assert not (tmp_path / "scaling").exists()
