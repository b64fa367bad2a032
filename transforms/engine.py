"""Runs transforms: makes the table of a SQL file from the current tables of the lake, without leaving the engine.

The engine is DuckDB in this process, or Spark (`transforms.spark`), which runs the same files.
"""

from __future__ import annotations

import re
import time
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

import duckdb

from transforms.functions import register_functions
from transforms.mentions.functions import register_mentions
from transforms.reader import Transform, load_function
from warehouse.lake import Lake, TableState
from warehouse.release import NoRelease, Release, list_releases
from warehouse.sql import LAST_RELEASE, connect_tables, quote_literal
from warehouse.statistics.functions import register_statistics
from warehouse.table import SQL_TYPES

INCREMENTAL_CODE = "incremental_code"
"""Entry of a manifest: versions of the code of incremental transforms, by the table."""


def list_incremental_code(transforms: Iterable[Transform]) -> dict[str, str]:
    """The versions of the code of those transforms that are incremental, for the manifest of a release."""
    return {t.table.name: t.code_version for t in transforms if t.is_incremental}


@dataclass(frozen=True)
class Cost:
    """Which engine made a table, and what it cost.

    Args:
        engine: The engine with its version.
        seconds: Time from the beginning to the commit.
        driver_cpu_seconds: Processor time of this process.
        tasks: Tasks that ran on the workers of a cluster.
        bytes_read: Bytes that they read.
    """

    engine: str
    seconds: float
    driver_cpu_seconds: float
    tasks: int = 0
    bytes_read: int = 0


class NoEngine(RuntimeError):
    """There is no engine to make tables with; the message states why and what to do."""


class Engine(Protocol):
    """What makes tables.

    Attributes:
        session: A session with the workers of a cluster, if it has some.
    """

    session: Any

    def make_table(self, transform: Transform, lake: Lake) -> tuple[TableState, Cost]:
        """Make the table of a transform; its new version, and what it cost."""

    def describe_limits(self) -> list[str]:
        """What it cannot do, a sentence each, to be shown before a run starts."""


class LocalEngine:
    """DuckDB in this process."""

    session = None

    def make_table(self, transform: Transform, lake: Lake) -> tuple[TableState, Cost]:
        """Make the table of a transform, see `make_table`."""
        begun, cpu = time.monotonic(), time.process_time()
        state = make_table(transform, lake)
        name = f"DuckDB {duckdb.__version__}"
        return state, Cost(name, time.monotonic() - begun, time.process_time() - cpu)

    def describe_limits(self) -> list[str]:
        """Nothing: the queries are written for it."""
        return []


def make_table(transform: Transform, lake: Lake) -> TableState:
    """Make the table of a transform: the rows that its query returns, with the declared columns and types.

    A function that the transform names gets the query, and returns another one for the rows. What does not fit into
    the memory budget is made again with one thread, which sorts and joins less at a time. If the transform is
    incremental and goes on from a release that cannot be read to the end, it is made again without it.

    Raises:
        FileNotFoundError: A source table is not in the lake.
        DeclarationError: The columns differ from the declared ones.
        duckdb.Error: The query fails; the message names the file.
    """
    release = _find_last_release(transform, lake) if transform.is_incremental else None
    if release is not None:
        with suppress(duckdb.Error):
            return _make_within_memory(transform, lake, release)
    return _make_within_memory(transform, lake, None)


def _find_last_release(transform: Transform, lake: Lake) -> Release | None:
    """The newest release whose table was made by the same code, if any."""
    with suppress(NoRelease):  # the link to the newest one can be damaged
        for release in reversed(list_releases(lake)):
            made_by = release.manifest.get(INCREMENTAL_CODE, {})
            if isinstance(made_by, dict) and made_by.get(transform.table.name) == transform.code_version:
                return release
    return None


def _make_within_memory(transform: Transform, lake: Lake, release: Release | None) -> TableState:
    try:
        return _make_table(transform, lake, release)
    except duckdb.OutOfMemoryException:
        return _make_table(transform, lake, release, threads=1)


def _make_table(transform: Transform, lake: Lake, release: Release | None, threads: int | None = None) -> TableState:
    with (
        connect_tables(
            lake, transform.source_tables, transform.query, sightings_of=transform.sightings_of
        ) as connection,
        register_statistics(connection, transform.query),
        register_functions(connection, transform.code),
        register_mentions(connection, transform.query),
        _limit_threads(connection, threads),
        ExitStack() as stack,
    ):
        try:
            if release is not None:
                stack.enter_context(_attach_last_tables(connection, release, transform))
            else:
                create_last_tables(connection, lake, transform)
            query = transform.query
            if transform.function is not None:
                query = load_function(transform.function)(connection, query)
            return lake.write_query(transform.table, connection, query)
        except duckdb.Error as error:
            raise type(error)(f"{transform.path}: {error}") from error


@contextmanager
def _limit_threads(connection: duckdb.DuckDBPyConnection, threads: int | None) -> Generator[None]:
    """Let the engine use this many threads; as many as the machine has cores if it is none."""
    if threads is None:
        yield
        return
    connection.execute(f"set threads = {threads}")
    try:
        yield
    finally:
        connection.execute("reset threads")


@contextmanager
def _attach_last_tables(
    connection: duckdb.DuckDBPyConnection, release: Release, transform: Transform
) -> Generator[None]:
    """Create views of the tables of a release that an incremental transform reads, which are too large to be copied.

    Raises:
        duckdb.Error: The release cannot be read, or lacks one of them.
    """
    connection.execute(f"attach {quote_literal(str(release.path))} as last_file (read_only)")
    try:
        connection.execute(f"create schema {LAST_RELEASE}")
        for name in _list_last_tables(transform):
            connection.execute(f"create view {LAST_RELEASE}.{name} as from last_file.{transform.table.layer}.{name}")
        yield
    finally:
        connection.execute("detach last_file")


def _list_last_tables(transform: Transform) -> list[str]:
    """Names of the tables of the last release that a transform reads; an incremental one reads its own, too."""
    names = set(re.findall(rf"\b{LAST_RELEASE}\.(\w+)", transform.query))
    return sorted(names | ({transform.table.short_name} if transform.is_incremental else set()))


def create_last_tables(connection: duckdb.DuckDBPyConnection, lake: Lake, transform: Transform) -> None:
    """Create the tables of the last release that a query reads, such as ``last_release.work_members``.

    They are those of the layer of the transform. One that there was not yet has no rows, nor have those of an
    incremental transform.
    """
    names = _list_last_tables(transform)
    if not names:
        return
    columns = ", ".join(f"null::{SQL_TYPES[column.type]} as {column.name}" for column in transform.table.columns)
    own_name, layer = transform.table.short_name, transform.table.layer
    connection.execute(f"create schema {LAST_RELEASE}")
    for name in names:
        empty = f"select {columns}" if name == own_name else f"from {layer}.{name}"
        connection.execute(f"create table {LAST_RELEASE}.{name} as {empty} limit 0")
    if transform.is_incremental:
        return
    with suppress(NoRelease):  # the link to the newest one can be damaged
        for release in reversed(list_releases(lake)):
            with suppress(duckdb.Error):  # it is damaged, or has not all of these tables
                _copy_tables(connection, release, layer, names)
                return


def _copy_tables(connection: duckdb.DuckDBPyConnection, release: Release, layer: str, names: list[str]) -> None:
    """Fill the tables of the last release with those of a release; all of them, or none.

    Raises:
        duckdb.Error: The release cannot be read, or lacks one of them.
    """
    connection.execute(f"attach {quote_literal(str(release.bring()))} as last_file (read_only)")
    connection.execute("begin")
    try:
        for name in names:
            connection.execute(f"insert into {LAST_RELEASE}.{name} by name from last_file.{layer}.{name}")
        connection.execute("commit")
    except duckdb.Error:
        connection.execute("rollback")
        raise
    finally:
        connection.execute("detach last_file")
