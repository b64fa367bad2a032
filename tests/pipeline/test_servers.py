"""Servers end with the process that started them, with all that they have started, however it ends."""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import dagster as dg
import httpx
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from starlette.testclient import TestClient

from orchestration.cli import webserver
from tests.support.trials import trials_only
from warehouse.lake import PROJECT

# a server that starts a process of its own; both write a line when they are up, and keep standard output open
SERVER = """
import os, signal, subprocess, sys, time
{on_start}
child = "import os, signal, time; {on_start}; print('child %d' % os.getpid(), flush=True); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", child])
print("server %d" % os.getpid(), flush=True)
time.sleep(600)
"""
STARTS_SERVERS = """
import sys
from orchestration.cli.servers import ServerGroup
with ServerGroup() as group:
    for number in range(2):
        group.start(f"server {{number}}", [sys.executable, "-c", {server!r}], {{}})
    code = group.wait()
sys.exit(code)
"""
BUFFERED = {**os.environ, "PYTHONUNBUFFERED": ""}  # so that lines are written whole
# headers of a request to Dagster's UI, which is also served as lake.example.org, and the status of the response
REQUESTS = (
    ({}, 200),
    ({"Host": "lake.example.org"}, 200),
    ({"Host": "evil.example"}, 403),
    ({"Origin": "http://evil.example"}, 403),
)
IGNORE = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"


def start_group(on_start: str = "pass", before: str = "") -> tuple[subprocess.Popen[str], list[int]]:
    """Start two servers, with a process each; returns their parent, of which the test holds the output, and them."""
    code = before + STARTS_SERVERS.format(server=SERVER.format(on_start=on_start))
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env=BUFFERED,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, read_servers(process.stdout)


def read_servers(output: IO[str]) -> list[int]:
    """The servers, when both and their processes are up."""
    lines = [output.readline().split() for _ in range(4)]
    assert sorted(name for name, _ in lines) == ["child", "child", "server", "server"]
    return [int(pid) for name, pid in lines if name == "server"]


def wait_for_end_of_all(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Wait until every process that holds the output has ended."""
    return process.communicate(timeout=120)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_servers_and_their_processes_end_with_their_parent(number: signal.Signals) -> None:
    process, _ = start_group(before="import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n")
    process.send_signal(number)
    assert wait_for_end_of_all(process) == ("", "")
    assert process.returncode == (-number if number == signal.SIGKILL else 0)


def test_servers_that_ignore_signals_are_killed_at_the_second() -> None:
    process, _ = start_group(on_start=IGNORE)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    assert wait_for_end_of_all(process) == ("", "")
    assert process.returncode == 0


def test_servers_that_ignore_signals_are_killed_after_their_parent() -> None:
    process, _ = start_group(on_start=IGNORE)
    process.kill()
    assert wait_for_end_of_all(process) == ("", "")


def test_hangup_is_ignored_where_the_parent_ignores_it() -> None:
    process, _ = start_group(before="import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n")
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    assert wait_for_end_of_all(process) == ("", "")
    assert process.returncode == 0


def test_servers_end_with_their_terminal() -> None:
    read_end, write_end = os.pipe()
    code = STARTS_SERVERS.format(server=SERVER.format(on_start="pass"))
    pid, terminal = pty.fork()
    if pid == 0:
        os.dup2(write_end, 1)
        os.environ.update(BUFFERED)
        os.execv(sys.executable, [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(PROJECT)!r})\n{code}"])  # noqa: S606 - Python itself
    os.close(write_end)
    with os.fdopen(read_end) as output:
        read_servers(output)
        os.close(terminal)
        assert output.read() == ""  # until all have ended
    os.waitpid(pid, 0)


def test_one_server_that_ends_ends_the_others() -> None:
    process, servers = start_group()
    os.kill(servers[0], signal.SIGKILL)
    _, errors = wait_for_end_of_all(process)
    assert "has ended with -9, so the others end too" in errors
    assert process.returncode not in (0, None)


def test_servers_end_without_the_guardian_of_the_group() -> None:
    process, servers = start_group()
    os.kill(os.getpgid(servers[0]), signal.SIGKILL)  # it leads their group
    _, errors = wait_for_end_of_all(process)
    assert "the process that guards the servers has ended" in errors


def test_dagsters_web_server_is_guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AISLE_HOSTS", "lake.example.org")
    with (
        dg.DagsterInstance.local_temp(str(tmp_path)) as instance,
        WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as context,
        TestClient(webserver._create_guarded_app(context), base_url="http://localhost") as client,
    ):
        for headers, status in REQUESTS:
            response = client.post("/graphql", json={"query": "{ version }"}, headers=headers)
            assert response.status_code == status, headers
            assert response.headers["x-frame-options"] == "DENY"
            assert ('"version"' in response.text) == (status == 200)


@trials_only
@pytest.mark.trials("requests from elsewhere to Dagster's UI", len(REQUESTS))
def test_dagsters_ui_refuses_requests_from_elsewhere_and_ends_with_aisle(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", "from orchestration.cli.app import main; main()", "ui", "--port", str(port)],
        cwd=PROJECT,
        env={**os.environ, "AISLE_LAKE": str(tmp_path), "AISLE_HOSTS": "lake.example.org"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    url = f"http://127.0.0.1:{port}/graphql"
    try:
        while process.poll() is None:
            try:
                httpx.get(url, timeout=60)
                break
            except httpx.TransportError:
                time.sleep(0.2)
        query = {"query": "{ repositoriesOrError { ... on RepositoryConnection { nodes { location { name } } } } }"}
        for headers, status in REQUESTS:
            response = httpx.post(url, json=query, headers=headers, timeout=60)
            assert response.status_code == status, headers
            assert response.headers["x-frame-options"] == "DENY"
            assert ("orchestration.definitions" in response.text) == (status == 200)
    finally:
        process.kill()
        process.communicate(timeout=120)  # until web server, daemon and code server have ended
