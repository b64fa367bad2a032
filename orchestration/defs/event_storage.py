"""Dagster's event log in SQLite, with connections that stay open between events."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as db
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SQLITE_BUSY_TIMEOUT_SECONDS
from sqlalchemy import create_engine, event
from sqlalchemy.pool import QueuePool

if TYPE_CHECKING:
    from dagster._serdes import ConfigurableClassData
    from sqlalchemy.engine import Connection, Engine

_MAX_OPEN_FILES = 8  # a server that reads the events of many runs must not keep them all open


def _wait_less_for_the_disk(connection: sqlite3.Connection, _: object) -> None:
    """Let a commit wait for the disk only at checkpoints of the write-ahead log.

    A killed process loses nothing, and a power failure no more than the newest events, of which each run stores 600.
    """
    connection.execute("pragma synchronous = normal")


class PooledEventLogStorage(SqliteEventLogStorage):
    """SQLite storage of Dagster's events that keeps its connections open.

    Dagster's own opens a file for each event and closes it, which compiles each statement again and, since the last
    connection that closes a file writes its log back, waits for the disk. A run stores some 600 events.
    """

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> PooledEventLogStorage:
        """The storage that the settings of an instance describe."""
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Generator[Connection]:
        with self._db_lock:
            engine = self._open_engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection

    def _open_engine(self, shard: str) -> Engine:
        engines: OrderedDict[str, Engine] = self.__dict__.setdefault("_engines", OrderedDict())  # before __init__ too
        if shard not in engines:
            engines[shard] = create_engine(
                self.conn_string_for_shard(shard),
                poolclass=QueuePool,
                connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
            )
            event.listen(engines[shard], "connect", _wait_less_for_the_disk)
        engines.move_to_end(shard)
        while len(engines) > _MAX_OPEN_FILES:
            engines.popitem(last=False)[1].dispose()
        return engines[shard]

    def list_newest_runs(self) -> set[str]:
        """The runs that hold the newest materialisation of an asset or of a partition, or result of a check."""
        events, checks = SqlEventLogStorageTable.c, AssetCheckExecutionsTable.c
        made = db.select(db.func.max(events.id)).where(events.dagster_event_type == "ASSET_MATERIALIZATION")
        checked = db.select(db.func.max(checks.id)).where(checks.evaluation_event.is_not(None))  # not only planned
        newest = [
            db.select(events.run_id).where(events.id.in_(made.group_by(events.asset_key, events.partition))),
            db.select(checks.run_id).where(checks.id.in_(checked.group_by(checks.asset_key, checks.check_name))),
        ]
        with self.index_connection() as connection:
            return {run_id for query in newest for (run_id,) in connection.execute(query.distinct())}

    def delete_events(self, run_id: str) -> None:
        """Delete all that is stored of a run: its events, its results of checks, and its file, which Dagster leaves."""
        super().delete_events(run_id)
        with self.index_connection() as connection:
            connection.execute(db.delete(AssetCheckExecutionsTable).where(AssetCheckExecutionsTable.c.run_id == run_id))
        with self._db_lock:
            if engine := self.__dict__.get("_engines", {}).pop(run_id, None):
                engine.dispose()
            self._initialized_dbs.discard(run_id)
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self.path_for_shard(run_id)}{suffix}").unlink(missing_ok=True)

    def shrink(self) -> None:
        """Give the disk back what deleted events took in the index, if that is more than half of it."""
        with self._db_lock, self._open_engine(INDEX_SHARD_NAME).connect() as connection:
            free, pages = (
                connection.exec_driver_sql(f"pragma {name}_count").scalar_one() for name in ("freelist", "page")
            )
        if free > pages / 2:
            with self._db_lock, self._open_engine(INDEX_SHARD_NAME).connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("vacuum")

    def wipe(self) -> None:
        """Delete all events; the files of runs are deleted, so that no connection may stay open."""
        self._close_files()
        super().wipe()

    def dispose(self) -> None:
        """Close all connections."""
        self._close_files()
        super().dispose()

    def _close_files(self) -> None:
        for engine in self.__dict__.pop("_engines", {}).values():
            engine.dispose()
