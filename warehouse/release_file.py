"""The DuckDB file of a release: how it is opened for reading, and how damage to it is noticed."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb

_PIECE_BYTES = 2**20
_HEADER_BYTES = 3 * 4096  # of a DuckDB file, before its blocks
_LAST_BLOCK = """
    select max(greatest(block_id, coalesce(list_max(additional_block_ids), -1))) from pragma_storage_info('{name}')
"""
_READING: dict[str, Any] = {
    "temp_directory": "",
    "python_enable_replacements": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "allow_extension_repositories": "forbidden",
    "disabled_optimizers": "statistics_propagation",  # see warehouse/sql.py
}
# in this order: the release is open by then, and the lock comes last
_CLOSING = (
    "set global TimeZone = 'UTC'",
    "set enable_external_access = false",
    "set disabled_filesystems = 'LocalFileSystem'",
    "set lock_configuration = true",
)
_opening = threading.Lock()


class DamagedFile(OSError):
    """A release file is not as it was published; the message is the reason, without the path."""


def open_release_file(path: Path) -> duckdb.DuckDBPyConnection:
    """Open a release file read-only, in UTC, in a DuckDB that can open no other file and write none.

    ``read_only`` alone is not enough: ``COPY … TO`` may overwrite the very file that is open. The settings are those of
    the open file and shared by all its connections in the process, so they are the same for everybody who reads it.

    Raises:
        duckdb.Error: The file is no DuckDB file, or is damaged.
    """
    with _opening:  # two threads must not set and lock the settings of one file at once
        connection = duckdb.connect(path, read_only=True, config=_READING)
        ((is_closed,),) = connection.execute("select current_setting('lock_configuration')").fetchall()
        for statement in () if is_closed else _CLOSING:
            connection.execute(statement)
    return connection


def read_file_facts(path: Path) -> dict[str, Any]:
    """Size and SHA-256 of a file, for the manifest."""
    status = path.stat()
    return {
        "bytes": status.st_size,
        "sha256": _hash_unchanged_file(path, status.st_size, status.st_mtime_ns, status.st_ino),
    }


def check_file_at_hand(path: Path, facts: Mapping[str, Any] | None) -> None:
    """Check what costs no reading: that the file is there, may be read, has its size and no log beside it.

    Args:
        path: The release file.
        facts: Its `read_file_facts` when it was published; none for releases of earlier versions.

    Raises:
        DamagedFile: Something of this is not so.
    """
    try:
        with path.open("rb") as file:
            size_bytes = os.fstat(file.fileno()).st_size
    except FileNotFoundError as error:
        raise DamagedFile("the file is missing") from error
    except IsADirectoryError as error:
        raise DamagedFile("a folder lies in its place") from error
    except OSError as error:
        raise DamagedFile(f"it cannot be read: {error.strerror}") from error
    if facts is not None and size_bytes != facts["bytes"]:
        raise DamagedFile(f"it has {size_bytes:,} bytes, and was published with {facts['bytes']:,}")
    log = path.with_name(f"{path.name}.wal")
    if log.exists():  # DuckDB would replay it, or not open the file
        raise DamagedFile(f"a write-ahead log of another file lies beside it: remove {log.name}")


def check_file(path: Path, facts: Mapping[str, Any] | None, tables: Mapping[str, Mapping[str, Any]]) -> None:
    """Check the whole file, by its hash or, without one, by opening it and counting the rows of every table.

    Args:
        path: The release file.
        facts: Its `read_file_facts` when it was published; none for releases of earlier versions.
        tables: Number of rows of each table, as ``rows``.

    Raises:
        DamagedFile: It is not as it was published.
    """
    check_file_at_hand(path, facts)
    try:
        if facts is None:
            count_rows(path, tables)
        elif read_file_facts(path)["sha256"] != facts["sha256"]:
            raise DamagedFile("its bytes are not those that were published (another SHA-256)")
    except duckdb.Error as error:
        raise DamagedFile(str(error)) from error
    except DamagedFile:
        raise
    except OSError as error:
        raise DamagedFile(f"it cannot be read: {error.strerror or error}") from error


def check_written(path: Path, tables: Mapping[str, Mapping[str, Any]]) -> None:
    """Check a file that was just written: that it has all its blocks and, by opening it, the rows of every table.

    No row is read: the numbers are those that DuckDB has noted, in blocks whose checksums it compares.

    Raises:
        DamagedFile: It is not complete.
        duckdb.Error: It cannot be opened.
    """
    if path.with_name(f"{path.name}.wal").exists():
        raise DamagedFile("a part of it is still in its write-ahead log")
    with open_release_file(path) as connection:
        ((block_bytes,),) = connection.execute("select block_size from pragma_database_size()").fetchall()
        last_blocks = [connection.execute("select max(block_id) from pragma_metadata_info()").fetchall()]
        last_blocks += [connection.execute(_LAST_BLOCK.format(name=name)).fetchall() for name in tables]
    # DuckDB notes how many blocks there were before it cut empty ones off
    blocks = 1 + max(block for ((block,),) in last_blocks if block is not None)
    size_bytes, whole_bytes = path.stat().st_size, _HEADER_BYTES + blocks * block_bytes
    if size_bytes < whole_bytes:
        raise DamagedFile(f"only {size_bytes:,} of its {whole_bytes:,} bytes were written")
    count_rows(path, tables)


def count_rows(path: Path, tables: Mapping[str, Mapping[str, Any]]) -> None:
    """Open the file read-only and count the rows of every table.

    Raises:
        DamagedFile: A number of rows differs.
        duckdb.Error: A table cannot be read.
    """
    with open_release_file(path) as connection:
        for name, facts in tables.items():
            ((rows,),) = connection.execute(f"select count(*) from {name}").fetchall()
            if rows != facts["rows"]:
                raise DamagedFile(f"{name} has {rows:,} rows, and was published with {facts['rows']:,}")


@lru_cache(maxsize=32)  # a run checks the newest release more than once
def _hash_unchanged_file(path: Path, size_bytes: int, modified_ns: int, inode: int) -> str:  # noqa: ARG001 - the key
    return hash_file(path)


def hash_file(path: Path) -> str:
    """SHA-256 of a file as it is on the disk now."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()
