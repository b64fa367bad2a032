"""DuckDB connections for work on the lake: in UTC, within the memory budget, with an empty database in memory."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from warehouse.memory import read_engine_budget

_SPILL = "spill-"  # DuckDB makes a folder, but not the one above it


class _Engine(threading.local):
    """The DuckDB instance of a thread: to make one takes as long as twenty small queries."""

    instance: duckdb.DuckDBPyConnection | None = None
    key: tuple[object, ...] = ()
    count = 0


_engine = _Engine()


@contextmanager
def open_scratch(root: Path) -> Generator[duckdb.DuckDBPyConnection]:
    """A DuckDB connection in UTC with an empty database in memory, within the memory budget.

    Args:
        root: The folder of the lake, for what does not fit into memory.

    Raises:
        InvalidMemory: The memory budget is no amount of memory.
    """
    key = (os.getpid(), root, read_engine_budget())
    if _engine.instance is None or _engine.key != key:
        _engine.instance, _engine.key = duckdb.connect(), key
        limit_memory(_engine.instance, root)
    _engine.count += 1
    name = f"scratch_{_engine.count}"
    with _engine.instance.cursor() as connection:
        configure_connection(connection)
        connection.execute(f"attach ':memory:' as {name}")
        try:
            connection.execute(f"use {name}")
            yield connection
        finally:
            connection.execute("use memory")
            connection.execute(f"detach {name}")


def close_scratch() -> None:
    """Give back the memory that DuckDB keeps for further connections of this thread."""
    if _engine.instance is not None:
        _engine.instance.close()
        _engine.instance = None


def configure_connection(connection: duckdb.DuckDBPyConnection) -> None:
    """Set UTC as time zone, and turn off an optimiser of DuckDB that loses a LIMIT.

    In DuckDB 2.0.0 statistics propagation treats a left join with a provably empty side as an empty result and drops
    the LIMIT above it, so that the query returns too many rows.
    """
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set disabled_optimizers = 'statistics_propagation'")


def limit_memory(connection: duckdb.DuckDBPyConnection, root: Path) -> None:
    """Let DuckDB use its part of the memory budget, and write what does not fit to a folder of the lake.

    DuckDB makes the folder when it needs it, and removes it when it is closed.

    Raises:
        InvalidMemory: The memory budget is no amount of memory.
    """
    folder = str(root / f"{_SPILL}{os.getpid()}").replace("'", "''")
    connection.execute(f"set memory_limit = '{read_engine_budget()}B'")
    connection.execute(f"set temp_directory = '{folder}'")


def remove_left_spills(root: Path) -> None:
    """Remove what killed processes have written to disk because it did not fit into memory."""
    for folder in root.glob(f"{_SPILL}*"):
        with suppress(ValueError, PermissionError):
            try:
                os.kill(int(folder.name.removeprefix(_SPILL)), 0)
            except ProcessLookupError:
                shutil.rmtree(folder, ignore_errors=True)
