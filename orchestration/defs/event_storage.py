"""Dagster's event log in SQLite, with connections that stay open between events."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as db
from dagster import AssetKey, EventLogEntry, EventLogRecord
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SQLITE_BUSY_TIMEOUT_SECONDS
from sqlalchemy import create_engine, event

if TYPE_CHECKING:
    from dagster._serdes import ConfigurableClassData
    from sqlalchemy.engine import Connection

_MAX_OPEN_FILES = 8  # a server that reads the events of many runs must not keep them all open


def _wait_less_for_the_disk(connection: sqlite3.Connection, _: object) -> None:
    """Let a commit wait for the disk only at checkpoints of the write-ahead log.

    A killed process loses nothing, and a power failure no more than the newest events, of which each run stores 600.
    """
    connection.execute("pragma synchronous = normal")


class PooledEventLogStorage(SqliteEventLogStorage):
    """SQLite storage of Dagster's events that keeps its connections open.

    Dagster's own opens a file for each event and closes it, which compiles each statement again and, since the last
    connection that closes a file writes its log back, waits for the disk. It also looks up for each event which tables
    and columns there are, and parses the last materialisation of an asset again for each asset that is made from it. A
    run stores some 1,000 events.
    """

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> PooledEventLogStorage:
        """The storage that the settings of an instance describe."""
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Generator[Connection]:
        with self._db_lock:
            connection = self._open(shard)
            with connection.begin():
                yield connection

    def _open(self, shard: str) -> Connection:
        opened: OrderedDict[str, Connection] = self.__dict__.setdefault("_opened", OrderedDict())  # before __init__ too
        if shard not in opened:
            engine = create_engine(
                self.conn_string_for_shard(shard),
                connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
            )
            event.listen(engine, "connect", _wait_less_for_the_disk)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            opened[shard] = engine.connect()
        opened.move_to_end(shard)
        while len(opened) > _MAX_OPEN_FILES:
            self._close(next(iter(opened)))
        return opened[shard]

    def _close(self, shard: str) -> None:
        if connection := self.__dict__.get("_opened", {}).pop(shard, None):
            connection.close()
            connection.engine.dispose()

    def has_table(self, table_name: str) -> bool:
        """Whether the index has a table; tables are never dropped, so that one that was seen is not looked up again."""
        return self._note_if_there(table_name, lambda: super(PooledEventLogStorage, self).has_table(table_name))

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        found = super()._has_asset_key_col_on_connection
        return self._note_if_there(f"asset_keys.{column_name}", lambda: found(conn, column_name))

    def has_asset_key_col(self, column_name: str) -> bool:
        """Whether the table of assets has a column; likewise."""
        found = super().has_asset_key_col
        return self._note_if_there(f"asset_keys.{column_name}", lambda: found(column_name))

    def has_secondary_index(self, name: str) -> bool:
        """Whether a migration of the event log was completed; likewise."""
        found = super().has_secondary_index
        return self._note_if_there(f"migration {name}", lambda: found(name))

    def _note_if_there(self, name: str, is_there: Callable[[], bool]) -> bool:
        seen: set[str] = self.__dict__.setdefault("_seen_names", set())
        if name not in seen and is_there():
            seen.add(name)
        return name in seen

    def _get_asset_entry_values(
        self, event: EventLogEntry, event_id: int, has_asset_key_index_cols: bool
    ) -> dict[str, Any]:
        values = super()._get_asset_entry_values(event, event_id, has_asset_key_index_cols)
        if "last_materialization" in values and event.dagster_event and event.dagster_event.asset_key:
            record = EventLogRecord(storage_id=event_id, event_log_entry=event)
            self._parsed_records[event.dagster_event.asset_key] = values["last_materialization"], record
        return values

    @property
    def _parsed_records(self) -> dict[AssetKey, tuple[str, EventLogRecord]]:
        """The last materialisation of assets as it was stored or read, as text and parsed."""
        parsed: dict[AssetKey, tuple[str, EventLogRecord]] = self.__dict__.setdefault("_records", {})
        return parsed

    def _get_latest_materialization_records(
        self, raw_asset_rows: Sequence[Mapping[str, Any]]
    ) -> Mapping[AssetKey, EventLogRecord | None]:
        found, others = dict[AssetKey, EventLogRecord | None](), list[Mapping[str, Any]]()
        for row in raw_asset_rows:
            key = AssetKey.from_db_string(row["asset_key"])
            text, record = self._parsed_records.get(key, ("", None)) if key else ("", None)
            if key and record and row["last_materialization"] == text and not row["asset_details"]:
                found[key] = record
            else:  # stored by another process, wiped by a person, or never made
                others.append(row)
        if others:
            found |= super()._get_latest_materialization_records(others)
            for row in others:
                key = AssetKey.from_db_string(row["asset_key"])
                if key and row["last_materialization"] and (record := found.get(key)):
                    self._parsed_records[key] = row["last_materialization"], record
        return found

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
            self._close(run_id)
            self._initialized_dbs.discard(run_id)
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self.path_for_shard(run_id)}{suffix}").unlink(missing_ok=True)

    def shrink(self) -> None:
        """Give the disk back what deleted events took in the index, if that is more than half of it."""
        with self._db_lock:
            connection = self._open(INDEX_SHARD_NAME)
            with connection.begin():
                free, pages = (
                    connection.exec_driver_sql(f"pragma {name}_count").scalar_one() for name in ("freelist", "page")
                )
            if free > pages / 2:
                with connection.engine.connect() as another:
                    another.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("vacuum")

    def wipe(self) -> None:
        """Delete all events; the files of runs are deleted, so that no connection may stay open."""
        self._close_files()
        super().wipe()

    def dispose(self) -> None:
        """Close all connections."""
        self._close_files()
        super().dispose()

    def _close_files(self) -> None:
        for shard in [*self.__dict__.get("_opened", ())]:
            self._close(shard)
