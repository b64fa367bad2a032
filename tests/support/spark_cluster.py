"""A standalone Spark cluster on this machine: a master, workers in processes of their own, and a Spark Connect server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import PROJECT

ENVIRONMENT = Path(os.environ.get("AISLE_SPARK") or "no environment of Spark is named")
needs_cluster = pytest.mark.skipif(
    "AISLE_SPARK" not in os.environ, reason="needs Spark and Java: `make test-spark` or `make test-spark-core`"
)
ELSEWHERE = "elsewhere"
_HIDE = f'hostname {ELSEWHERE} && mount -t tmpfs tmpfs "$0" && exec "$@"'
_PATIENCE_SECONDS = 240  # a busy machine starts four Java processes in a minute
QUICK = {
    # tables of a few rows: compiling the code of each plan takes Java several times what running it takes
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": 1,
}
_QUICK_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


@dataclass
class SparkCluster:
    """A running cluster.

    Args:
        remote: Address of its Spark Connect server.
        server: The process of that server.
        workers: The processes of the workers.
        folder: Folder with the logs of all.
    """

    remote: str
    server: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]
    folder: Path
    start_worker: Callable[[], subprocess.Popen[bytes]] = field(repr=False)

    def kill_worker(self) -> None:
        """Kill one worker and what it has started, and start another one."""
        worker = self.workers.pop()
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
        self.workers.append(self.start_worker())


@contextmanager
def start_cluster(
    environment: Path,
    folder: Path,
    workers: int = 2,
    *,
    is_quick: bool = False,
    local_folders: Sequence[Path] = (),
    hidden_folder: Path | None = None,
) -> Iterator[SparkCluster]:
    """A cluster of workers with a core each, ended with all its processes.

    Args:
        environment: The environment of Python with Spark and all that aisle needs.
        folder: Where logs and scratch files go.
        workers: How many workers it has.
        is_quick: Whether plans are interpreted, which takes a third of the processor time where tables are small.
        local_folders: Where the first workers keep the files of tasks.
        hidden_folder: A folder in the place of which the last worker, on a host of the name `ELSEWHERE`, has an empty
            one of its own; only root can do that.
    """
    (home,) = environment.glob("lib/python*/site-packages/pyspark")
    port, rest_port, connect_port = (_find_port() for _ in range(3))
    master, logs = f"spark://127.0.0.1:{port}", folder / "log"
    logs.mkdir(parents=True)
    variables = {
        **os.environ,
        "SPARK_HOME": str(home),
        "PYSPARK_PYTHON": str(environment / "bin" / "python"),
        "PYTHONPATH": str(PROJECT),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "AISLE_MEMORY": "1GB",
        **({"SPARK_DAEMON_JAVA_OPTS": _QUICK_JAVA} if is_quick else {}),
    }
    places = iter(local_folders)
    with ExitStack() as stack:

        def start(
            name: str, *arguments: str, within: Sequence[str] = (), **environment_of_process: str
        ) -> subprocess.Popen[bytes]:
            log = stack.enter_context((logs / name).open("wb"))
            process = subprocess.Popen(
                [*within, str(home / "bin" / arguments[0]), *arguments[1:]],
                cwd=folder,
                env={**variables, **environment_of_process},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            stack.callback(_end, process)
            return process

        def start_worker() -> subprocess.Popen[bytes]:
            options = ("--cores", "1", "--memory", "1500m", "--host", "127.0.0.1", "--webui-port", str(_find_port()))
            number = len(list(logs.glob("worker-*")))
            name, options = f"worker-{number}", (*options, "--work-dir", str(folder / f"work-{number}"))
            place = next(places, None)
            own = {} if place is None else {"SPARK_LOCAL_DIRS": str(place)}
            is_elsewhere = hidden_folder is not None and number == workers - 1
            within = ("unshare", "--mount", "--uts", "sh", "-c", _HIDE, str(hidden_folder)) if is_elsewhere else ()
            command = ("spark-class", "org.apache.spark.deploy.worker.Worker", *options, master)
            return start(name, *command, within=within, **own)

        start(
            "master",
            *("spark-class", "org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port", str(port)),
            *("--webui-port", str(rest_port)),
        )
        _wait_for_port(port, logs / "master")
        started = [start_worker() for _ in range(workers)]
        java = {f"spark.{one}.extraJavaOptions": _QUICK_JAVA for one in ("driver", "executor")}
        settings = {
            "spark.connect.grpc.binding.port": connect_port,
            "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": 2,
            "spark.default.parallelism": 2,
            **({**QUICK, **java} if is_quick else {}),
        }
        options = [text for name, value in settings.items() for text in ("--conf", f"{name}={value}")]
        server = start(
            "connect",
            *("spark-submit", "--master", master, "--driver-memory", "1g", "--executor-memory", "1g", *options),
            *("--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal"),
        )
        _wait_for_port(connect_port, logs / "connect")
        yield SparkCluster(f"sc://127.0.0.1:{connect_port}", server, started, folder, start_worker)


def _find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_port(port: int, log: Path) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise AssertionError(f"nothing listens on port {port}: {log.read_text(errors='replace')[-2000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
