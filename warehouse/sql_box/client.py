"""Run untrusted SQL on a published release, in a sandbox process that can do nothing else.

``docs/decisions/0002-sql-box.md`` describes the layers of the sandbox and their order. This module is the parent's
side: it starts the process, enforces the time limit, and reads and validates the result.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa

from warehouse.lake import PROJECT
from warehouse.lake_tables import explain_place
from warehouse.release import Release
from warehouse.sql_box import answer
from warehouse.sql_box.confine import get_signal_name

_KILL_AFTER_SECONDS = 1.0  # grace after the time limit: normally the process ends itself
_MAX_QUERY_BYTES = 60_000
_OVERHEAD_BYTES = 2**20  # of the Arrow stream: its schema, and the padding of each batch
# without NumPy, which DuckDB and Arrow do not need here, the process starts a quarter faster
_STARTUP_CODE = """
import sys
sys.modules["numpy"] = None
sys.path += sys.argv[1:]
from warehouse.sql_box.child import main
main()
"""
_LIBRARY_FOLDERS = tuple(dict.fromkeys(str(Path(module.__file__ or "").parents[1]) for module in (duckdb, pa)))
_LAYERS = frozenset(
    {
        "gate",
        "no_spill",
        "external_access",
        "filesystems",
        "lock",
        "engine_memory",
        "resources",
        "calls",
        "alarm",
        "kill",
    }
)


@dataclass(frozen=True)
class QueryLimits:
    """Resource limits of one query.

    Args:
        wall_seconds: Time until the result, including the start of the process (about 0.2 s).
        cpu_seconds: CPU time, in whole seconds.
        memory_bytes: Memory on top of what the idle process uses.
        rows: Rows of the result; a longer result is truncated.
        answer_bytes: Size of the result in memory; a larger result is truncated.
        query_bytes: Length of the query, at most 60,000 so that it fits into a pipe.

    Raises:
        ValueError: A limit is not positive, or ``query_bytes`` is too large.
    """

    wall_seconds: float = 10.0
    cpu_seconds: int = 10
    memory_bytes: int = 512 * 2**20
    rows: int = 10_000
    answer_bytes: int = 16 * 2**20
    query_bytes: int = 20_000

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"the limit {name} is {value}, not a positive number")
        if self.query_bytes > _MAX_QUERY_BYTES:
            raise ValueError(f"the limit query_bytes is {self.query_bytes:,}, more than {_MAX_QUERY_BYTES:,}")


DEFAULT_LIMITS = QueryLimits()


class FailureReason(StrEnum):
    """Why a query has no result.

    ``refused``: not permitted; ``failed``: an error in the query; ``limit``: it exceeded a limit; ``cancelled``: by the
    caller; ``broken``: a fault of the sandbox itself.
    """

    refused = "refused"
    failed = "failed"
    limit = "limit"
    cancelled = "cancelled"
    broken = "broken"


class QueryFailed(RuntimeError):
    """A query has no result; the message is written for the person who wrote the query.

    Args:
        reason: The kind of failure.
        message: What went wrong, without paths of this machine.
    """

    def __init__(self, reason: FailureReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class QueryResult:
    """The rows of a query.

    Args:
        table: The rows.
        is_truncated: Whether rows were left out because of a limit.
        seconds: Wall time of the query.
    """

    table: pa.Table
    is_truncated: bool
    seconds: float

    @property
    def frame(self) -> pl.DataFrame:
        """The rows as a Polars frame; repeated column names get a number appended."""
        return build_frame(self.table)


def build_frame(table: pa.Table) -> pl.DataFrame:
    """Rows of `answer.read_portably` as a Polars frame, with a name of its own for each column."""
    portable = answer.write_out_moments(table)
    columns = zip(answer.number_names(table.column_names), portable.columns, strict=True)
    return pl.DataFrame([_build_series(name, column) for name, column in columns])


def _build_series(name: str, column: pa.ChunkedArray) -> pl.Series:
    try:
        return pl.Series(name, column)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return pl.Series(name, answer.convert_to_text(column))


class RunningQuery:
    """A query running in its sandbox process, from ``start_query``; it ends by itself even if nobody waits for it."""

    def __init__(self, release: Release, query: bytes, limits: QueryLimits, layers: frozenset[str]) -> None:
        self._limits = limits
        self._place = explain_place(release.lake_tables, query.decode())  # of tables that the file does not have
        self._started = time.monotonic()
        self._has_ended = False
        self._end_reason: FailureReason | None = None
        self._end_lock = threading.Lock()
        self._outcome: QueryResult | QueryFailed = QueryFailed(FailureReason.broken, "the query was never started")
        settings = {
            "path": str(release.bring()),
            "name": release.name,
            "limits": asdict(limits),
            "layers": sorted(layers),
        }
        settings["query_bytes"] = len(query)
        timeout_seconds = limits.wall_seconds + _KILL_AFTER_SECONDS if "kill" in layers else math.inf
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _STARTUP_CODE, str(PROJECT), *_LIBRARY_FOLDERS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={},
            cwd="/",
            start_new_session=True,
        )
        request = json.dumps(settings).encode() + b"\n" + query
        deadline = self._started + timeout_seconds
        self._watcher = threading.Thread(target=self._watch, args=(request, deadline), daemon=True)
        self._watcher.start()

    @property
    def is_running(self) -> bool:
        """Whether the query has not ended yet."""
        return self._watcher.is_alive()

    def cancel(self) -> None:
        """Kill the process at once; has no effect on a query that has ended."""
        self._end(FailureReason.cancelled)

    def wait(self) -> QueryResult:
        """Wait for the result.

        Raises:
            QueryFailed: There is none.
        """
        self._watcher.join()
        if isinstance(self._outcome, QueryFailed):
            raise self._outcome
        return self._outcome

    def _end(self, reason: FailureReason) -> None:
        with self._end_lock:  # after it was reaped, its pid may belong to another process
            if not self._has_ended and self._end_reason is None:
                self._end_reason = reason
                os.killpg(self._process.pid, signal.SIGKILL)

    def _watch(self, request: bytes, deadline: float) -> None:
        try:
            output, stderr = self._exchange(request, deadline)
            self._outcome = self._interpret_output(output, stderr)
        except Exception as error:  # end of a thread: an unforeseen error must reach the caller of `wait`
            self._outcome = QueryFailed(
                FailureReason.broken, f"the result cannot be read: {type(error).__name__}: {error}"
            )
        finally:
            self._end(FailureReason.broken)
            self._process.wait()

    def _exchange(self, request: bytes, deadline: float) -> tuple[bytes, str]:
        """Send the request, read stdout until the process ends or is killed, and reap it; returns stdout and stderr."""
        process, output = self._process, bytearray()
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None  # noqa: S101, PT018 - all are pipes
        with process.stdin, process.stdout, process.stderr, selectors.DefaultSelector() as selector:
            try:
                process.stdin.write(request)  # never blocks: a request is smaller than a pipe
                process.stdin.flush()  # and stays open, since its end ends the process
            except BrokenPipeError:  # it ended before it read; the exit code explains it
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()
            selector.register(process.stdout, selectors.EVENT_READ)
            while len(output) <= 2 * self._limits.answer_bytes + _OVERHEAD_BYTES:
                if not selector.select(None if math.isinf(deadline) else max(deadline - time.monotonic(), 0)):
                    self._end(FailureReason.limit)
                piece = os.read(process.stdout.fileno(), 2**20)
                if not piece:
                    break
                output += piece
            else:
                self._end(FailureReason.broken)
            with self._end_lock:  # its output is complete, so it gets only a moment to exit
                if self._end_reason is None:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(_KILL_AFTER_SECONDS)
                if process.returncode is None:
                    self._end_reason = self._end_reason or FailureReason.broken
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
                self._has_ended = True
            return bytes(output), process.stderr.read().decode(errors="replace").strip()

    def _interpret_output(self, output: bytes, stderr: str) -> QueryResult | QueryFailed:
        limits, signal_name = self._limits, get_signal_name(self._process.returncode)
        too_long = f"the query was ended after {limits.wall_seconds:g} s, the longest it may take"
        if self._end_reason is FailureReason.cancelled:
            return QueryFailed(FailureReason.cancelled, "the query was cancelled")
        if self._end_reason is FailureReason.limit or signal_name == "SIGALRM":
            return QueryFailed(FailureReason.limit, too_long)
        if self._end_reason is FailureReason.broken:
            return QueryFailed(FailureReason.broken, "the sandbox process misbehaved and was ended")
        if signal_name == "SIGXCPU":
            message = f"the query was ended after {limits.cpu_seconds} s of CPU time, the longest it may take"
            return QueryFailed(FailureReason.limit, message)
        if signal_name is not None:
            message = (
                f"the query crashed its sandbox process ({signal_name}), most likely because memory ran out"
                " or values are nested too deeply"
            )
            return QueryFailed(FailureReason.limit, message)
        first, _, rows = output.partition(b"\n")
        if not first:
            last = stderr.rpartition("\n")[2] or "no error message"
            return QueryFailed(FailureReason.broken, f"the sandbox process could not run the query: {last}")
        status = json.loads(first)
        if status.get("memory"):
            message = f"the query needs more than the {limits.memory_bytes / 2**20:,.0f} MB of memory it may use"
            # what the engine could not get, if it says so
            detail = status["message"].partition("\n")[0].removeprefix("Out of Memory Error: ")
            return QueryFailed(FailureReason.limit, f"{message}: {detail}" if detail else message)
        if "error" in status:
            is_missing = bool(self._place) and status["message"].startswith("Catalog Error")
            return QueryFailed(FailureReason(status["error"]), self._place if is_missing else status["message"])
        with pa.ipc.open_stream(rows) as stream:
            table = stream.read_all()
        table.validate(full=True)  # the bytes come from an untrusted process
        return QueryResult(table, bool(status["is_truncated"]), time.monotonic() - self._started)


def start_query(release: Release, query: str, limits: QueryLimits = DEFAULT_LIMITS) -> RunningQuery:
    """Start a query on a release without waiting for its result.

    Args:
        release: The release to query.
        query: One query in DuckDB's SQL; it may be hostile.
        limits: Resource limits of the query.

    Raises:
        QueryFailed: The query is too long or not text, or no process can be started.
    """
    return _start_query(release, query, limits, _LAYERS)


def run_query(release: Release, query: str, limits: QueryLimits = DEFAULT_LIMITS) -> QueryResult:
    """Run one query on a release and wait for its rows; see ``start_query``.

    Raises:
        QueryFailed: The query has no result.
    """
    running = start_query(release, query, limits)
    try:
        return running.wait()
    finally:
        running.cancel()  # interrupting the wait also ends the query


def _start_query(release: Release, query: str, limits: QueryLimits, layers: frozenset[str]) -> RunningQuery:
    """Start a query with only these layers, so that tests can show what each of them prevents."""
    try:
        text = query.encode()
    except UnicodeEncodeError as error:
        raise QueryFailed(FailureReason.refused, f"the query is not text: {error.reason}") from error
    if len(text) > limits.query_bytes:
        message = f"the query has {len(text):,} bytes, more than the {limits.query_bytes:,} it may have"
        raise QueryFailed(FailureReason.refused, message)

    try:
        return RunningQuery(release, text, limits, layers)
    except OSError as error:
        raise QueryFailed(FailureReason.broken, f"no process can be started for the query: {error.strerror}") from error
