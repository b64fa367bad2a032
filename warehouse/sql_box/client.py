"""The closed box: a stranger's SQL on a published release, in a process of its own that can do nothing else.

What closes it, and in which order, is told in ``docs/decisions/0002-sql-box.md``. Here is the outer side: it starts
the process, watches over it, ends it, and reads what it gives.
"""

from __future__ import annotations

import contextlib
import itertools
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
from warehouse.release import Release
from warehouse.sql_box.confine import ending_told

_KILL_AFTER_SECONDS = 1.0  # the process ends itself first; this is for one that cannot
_LONGEST_QUERY_BYTES = 60_000
_OVERHEAD_BYTES = 2**20  # what the stream adds to the rows: the schema, and padding of each batch
# DuckDB and Arrow do without NumPy, which takes a quarter of the time that loading takes
_START = """
import sys
sys.modules["numpy"] = None
sys.path += sys.argv[1:]
from warehouse.sql_box.child import main
main()
"""
_FOLDERS = tuple(dict.fromkeys(str(Path(module.__file__ or "").parents[1]) for module in (duckdb, pa)))
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
class Limits:
    """What one query may take.

    Args:
        wall_seconds: Time until the answer, the start of the process (about 0.2 s) included.
        cpu_seconds: Computing time, in whole seconds.
        memory_bytes: Memory on top of what the empty process holds.
        rows: Rows in the answer; further ones are left out, and the answer says so.
        answer_bytes: Size of the answer in memory; further rows are left out, and the answer says so.
        query_bytes: Length of the query, at most 60,000.

    Raises:
        ValueError: A limit is not positive, or the query could be longer than a pipe takes at once.
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
        if self.query_bytes > _LONGEST_QUERY_BYTES:
            raise ValueError(f"the limit query_bytes is {self.query_bytes:,}, more than {_LONGEST_QUERY_BYTES:,}")


DEFAULT_LIMITS = Limits()


class Reason(StrEnum):
    """Why there is no answer: not a permitted query, an error in it, too much, called off, or our own fault."""

    refused = "refused"
    failed = "failed"
    limit = "limit"
    cancelled = "cancelled"
    broken = "broken"


class Unanswered(RuntimeError):
    """A query has no answer; the text says why, for the person who asked.

    Args:
        reason: Which kind of thing went wrong.
        text: What went wrong, without paths of this machine.
    """

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True)
class Answer:
    """The rows of a query.

    Args:
        table: The rows.
        is_truncated: Whether rows were left out because of a limit.
        seconds: Wall time it took.
    """

    table: pa.Table
    is_truncated: bool
    seconds: float

    @property
    def frame(self) -> pl.DataFrame:
        """The rows as Polars holds them; of several columns with one name, the later ones are numbered.

        Raises:
            Unanswered: A column is of a type that Polars cannot hold, such as an interval.
        """
        names: list[str] = []
        for name in self.table.column_names:
            numbered = (f"{name}_{number}" for number in itertools.count(1))
            names.append(name if name not in names else next(other for other in numbered if other not in names))
        try:
            frame = pl.from_arrow(self.table.rename_columns(names))
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            told = f"a column cannot be shown as it is; cast it to varchar: {error}".partition(" Hint:")[0]
            raise Unanswered(Reason.failed, told) from error
        return frame if isinstance(frame, pl.DataFrame) else frame.to_frame()


class Asked:
    """A query at work in a process of its own, from ``start``. Nobody needs to wait for it: it ends by itself."""

    def __init__(self, release: Release, query: bytes, limits: Limits, layers: frozenset[str]) -> None:
        self._limits = limits
        self._started = time.monotonic()
        self._has_ended = False
        self._ended_for: Reason | None = None
        self._ending = threading.Lock()
        self._outcome: Answer | Unanswered = Unanswered(Reason.broken, "the query was never asked")
        facts = {"path": str(release.path), "name": release.name, "limits": asdict(limits), "layers": sorted(layers)}
        patience = limits.wall_seconds + _KILL_AFTER_SECONDS if "kill" in layers else math.inf
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _START, str(PROJECT), *_FOLDERS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={},
            cwd="/",
            start_new_session=True,
        )
        request = json.dumps(facts).encode() + b"\n" + query
        self._watcher = threading.Thread(target=self._watch, args=(request, self._started + patience), daemon=True)
        self._watcher.start()

    @property
    def is_running(self) -> bool:
        """Whether it is still at work."""
        return self._watcher.is_alive()

    def cancel(self) -> None:
        """End it at once; one that has ended already stays as it is."""
        self._end(Reason.cancelled)

    def wait(self) -> Answer:
        """Wait for the answer.

        Raises:
            Unanswered: There is none; the text says why.
        """
        self._watcher.join()
        if isinstance(self._outcome, Unanswered):
            raise self._outcome
        return self._outcome

    def _end(self, reason: Reason) -> None:
        with self._ending:  # once it is collected, its number may belong to another process
            if not self._has_ended and self._ended_for is None:
                self._ended_for = reason
                os.killpg(self._process.pid, signal.SIGKILL)

    def _watch(self, request: bytes, deadline: float) -> None:
        try:
            output, complaint = self._converse(request, deadline)
            self._outcome = self._judged(output, complaint)
        except Exception as error:  # this is a thread's end: what nobody foresaw must reach the one who waits
            self._outcome = Unanswered(Reason.broken, f"the answer cannot be read: {type(error).__name__}: {error}")
        finally:
            self._end(Reason.broken)
            self._process.wait()

    def _converse(self, request: bytes, deadline: float) -> tuple[bytes, str]:
        """Hand over the request and read what comes, until the process ends or is ended; then collect it."""
        process, output = self._process, bytearray()
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None  # noqa: S101, PT018 - all are pipes
        with process.stdin, process.stdout, process.stderr, selectors.DefaultSelector() as selector:
            with contextlib.suppress(BrokenPipeError):  # it ended before it read; why is told below
                process.stdin.write(request)  # never waits: a request is smaller than a pipe
                process.stdin.close()
            selector.register(process.stdout, selectors.EVENT_READ)
            while len(output) <= 2 * self._limits.answer_bytes + _OVERHEAD_BYTES:
                if not selector.select(None if math.isinf(deadline) else max(deadline - time.monotonic(), 0)):
                    self._end(Reason.limit)
                piece = os.read(process.stdout.fileno(), 2**20)
                if not piece:
                    break
                output += piece
            else:
                self._end(Reason.broken)
            with self._ending:  # all it has to say is said, and the rest of its life is not waited for
                if self._ended_for is None:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(_KILL_AFTER_SECONDS)
                if process.returncode is None:
                    self._ended_for = self._ended_for or Reason.broken
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
                self._has_ended = True
            return bytes(output), process.stderr.read().decode(errors="replace").strip()

    def _judged(self, output: bytes, complaint: str) -> Answer | Unanswered:
        limits, ended = self._limits, ending_told(self._process.returncode)
        too_long = f"the query was ended after {limits.wall_seconds:g} s, the longest it may take"
        if self._ended_for is Reason.cancelled:
            return Unanswered(Reason.cancelled, "the query was cancelled")
        if self._ended_for is Reason.limit or ended == "SIGALRM":
            return Unanswered(Reason.limit, too_long)
        if self._ended_for is Reason.broken:
            return Unanswered(Reason.broken, "the process for the query did not keep to its part, and was ended")
        if ended == "SIGXCPU":
            told = f"the query was ended after {limits.cpu_seconds} s of computing, the longest it may take"
            return Unanswered(Reason.limit, told)
        if ended is not None:
            why = "most likely for want of memory; nothing else was harmed"
            return Unanswered(Reason.limit, f"the query brought down the process it ran in ({ended}), {why}")
        first, _, rows = output.partition(b"\n")
        if not first:
            last = complaint.rpartition("\n")[2] or "it said nothing"
            return Unanswered(Reason.broken, f"the process for the query could not work: {last}")
        told = json.loads(first)
        if told.get("text") == "memory":
            most = limits.memory_bytes / 2**20
            return Unanswered(Reason.limit, f"the query needs more than the {most:,.0f} MB of memory it may use")
        if "error" in told:
            return Unanswered(Reason(told["error"]), told["text"])
        with pa.ipc.open_stream(rows) as stream:
            table = stream.read_all()
        table.validate(full=True)  # the bytes come from where a stranger's query ran
        return Answer(table, bool(told["is_truncated"]), time.monotonic() - self._started)


def start(release: Release, query: str, limits: Limits = DEFAULT_LIMITS) -> Asked:
    """Start a query on a release, and come back at once.

    Args:
        release: The release to ask.
        query: One query in DuckDB's SQL, by anybody.
        limits: What it may take.

    Raises:
        Unanswered: The query is too long or not text, or no process can be started.
    """
    return _start(release, query, limits, _LAYERS)


def ask(release: Release, query: str, limits: Limits = DEFAULT_LIMITS) -> Answer:
    """Run one query on a release and wait for its rows; see ``start``.

    Raises:
        Unanswered: There is no answer; the text says why.
    """
    asked = start(release, query, limits)
    try:
        return asked.wait()
    finally:
        asked.cancel()  # whoever interrupts the waiting interrupts the query


def _start(release: Release, query: str, limits: Limits, layers: frozenset[str]) -> Asked:
    """Start a query with only some of the layers, so that tests can show what each of them holds."""
    try:
        text = query.encode()
    except UnicodeEncodeError as error:
        raise Unanswered(Reason.refused, f"the query is not text: {error.reason}") from error
    if len(text) > limits.query_bytes:
        told = f"the query has {len(text):,} bytes, more than the {limits.query_bytes:,} it may have"
        raise Unanswered(Reason.refused, told)
    try:
        return Asked(release, text, limits, layers)
    except OSError as error:
        raise Unanswered(Reason.broken, f"no process can be started for the query: {error.strerror}") from error
