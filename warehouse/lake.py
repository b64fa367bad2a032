"""The lake on disk: one Delta table per declared table, and the other folders of a lake.

Writing a table adds a Delta version and replaces the content; writing unchanged content adds no version. Readers
always see one committed version.
"""

from __future__ import annotations

import fcntl
import os
import re
import unicodedata
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from warehouse import parts
from warehouse.copy_mark import describe_unfinished_copy
from warehouse.delta import (
    DataFile,
    TableLog,
    adopt_data_file,
    build_select,
    commit_files,
    hash_columns,
    list_data_files,
    measure_file,
    open_log,
    scan_files,
    write_draft,
)
from warehouse.intact_files import IntactFiles, open_intact_files
from warehouse.origin import LakeOrigin, Needs
from warehouse.scratch import open_scratch
from warehouse.table import Table, utc_now
from warehouse.terminal_text import escape_name

if TYPE_CHECKING:
    import polars as pl

PROJECT = Path(__file__).parents[1]
# the Delta library and SQLAlchemy (for Dagster's database) read paths as URLs, whatever form they are given in
_NOT_IN_PATHS = "#?%\\|^[]"
_IS_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)  # with one slash too, which is a mistake and no folder
RUN_LOCK, COMMAND_LOCK, _CONTENT_KEY = "run.lock", "command.lock", "content_sha256"


class UnusableLake(ValueError):
    """The folder cannot hold a lake; the message gives the reason and what to do."""


class LakeBusy(RuntimeError):
    """Another run holds the lock of the lake; the message names the process and its start."""


@dataclass(frozen=True)
class TableState:
    """One committed version of a table: Delta version, number of rows and content hash."""

    version: int
    rows: int
    content_sha256: str


@dataclass(frozen=True)
class Lake:
    """A lake: on disk, or its files that are needed here of a lake on an object store.

    Args:
        root: The folder of the lake; all its files are below it.
        origin: Where its files come from; none for a lake on disk.
    """

    root: Path
    origin: LakeOrigin | None = field(default=None, compare=False, repr=False)

    @staticmethod
    def from_environment() -> Lake:
        """The lake at ``AISLE_LAKE``, or in ``data/`` of the project if that is not set.

        Raises:
            UnusableLake: See `Lake.at`; or it is a copy that was interrupted.
        """
        lake = Lake.at(os.environ.get("AISLE_LAKE") or PROJECT / "data")
        if lake.origin is None and (reason := describe_unfinished_copy(lake.root)):
            raise UnusableLake(reason)
        return lake

    @staticmethod
    def at(given: str | Path) -> Lake:
        """The lake in a folder, or at an address such as ``s3://bucket/prefix``.

        Raises:
            UnusableLake: The path cannot be followed, or has a character that no lake can have in its path.
        """
        if _IS_ADDRESS.match(str(given)):
            from warehouse.object_store.writing import open_stored_lake

            return open_stored_lake(str(given))
        try:
            root = Path(given).expanduser().resolve()
        except (OSError, RuntimeError) as error:  # a loop of links, a person who does not exist
            raise UnusableLake(f"{escape_name(given)} cannot hold a lake: {error}") from error
        if bad := dict.fromkeys(c for c in str(root) if c in _NOT_IN_PATHS or _is_control(c)):
            raise UnusableLake(
                f"{escape_name(root)} cannot hold a lake: its path contains"
                f" {escape_name(' '.join(bad))}, but may contain anything except {' '.join(_NOT_IN_PATHS)},"
                " control characters and bytes that are not UTF-8;"
                " name another folder with AISLE_LAKE, or move the project"
            )
        return Lake(root)

    @property
    def address(self) -> str:
        """What ``AISLE_LAKE`` is for this lake."""
        return str(self.root) if self.origin is None else self.origin.address

    def hold(self, needed: Needs, log: Callable[[str], object]) -> AbstractContextManager[None]:
        """Hold a lake on an object store for one writer; on disk, locks for single steps do."""
        return nullcontext() if self.origin is None else self.origin.hold(needed, log)

    def open_for_reading(self, needed: Needs, *, is_tolerant: bool = False) -> Lake:
        """The lake for readers: this one on disk, or the newest version of one on an object store."""
        return self if self.origin is None else self.origin.open_for_reading(needed, is_tolerant=is_tolerant)

    def bring(self, path: Path) -> Path:
        """A file or folder of the lake, brought to this machine if it is not here."""
        if self.origin is not None:
            self.origin.bring(path)
        return path

    def measure_file(self, path: Path) -> int:
        """Size of a file of the lake, which need not be on this machine.

        Raises:
            FileNotFoundError: There is none.
        """
        size_bytes = None if self.origin is None else self.origin.get_size(path)
        return path.stat().st_size if size_bytes is None else size_bytes

    @property
    def snapshots(self) -> Path:
        """Folder of the snapshots: the original bytes, never changed."""
        return self.root / "snapshots"

    @property
    def refused(self) -> Path:
        """Folder of refused files, each with the reason."""
        return self.root / "refused"

    @property
    def inbox(self) -> Path:
        """Folder for dropped files; the next run ingests them."""
        return self.root / "inbox"

    @property
    def releases(self) -> Path:
        """Folder of the releases."""
        return self.root / "releases"

    @property
    def dagster_home(self) -> Path:
        """Folder of Dagster's instance: runs, events, schedules."""
        return self.root / "dagster"

    def locate_table(self, name: str) -> Path:
        """Folder of a table's Delta files."""
        layer, _, short_name = name.partition(".")
        return self.root / "tables" / layer / short_name

    @property
    def intact_files(self) -> IntactFiles:
        """Which files of its tables were compared with what was written."""
        return open_intact_files(self.root)

    def open_table(self, name: str) -> tuple[TableLog, list[DataFile]] | None:
        """The newest version of a table and its files; none if it was never written, or is damaged."""
        opened = self.open_damaged_table(name)
        return None if opened is None or opened[2] else opened[:2]

    def open_damaged_table(self, name: str) -> tuple[TableLog, list[DataFile], list[DataFile]] | None:
        """The newest version of a table, its intact files and the others; none if its log cannot be read."""
        path = self.locate_table(name)
        log = open_log(path)
        return None if log is None else (log, *list_data_files(path, log, self.intact_files.is_intact))

    def has_damaged_files(self, *names: str) -> bool:
        """Whether a file of the newest version of one of some tables is missing or damaged."""
        return any(opened[2] for name in names if (opened := self.open_damaged_table(name)) is not None)

    def adopt_file(self, name: str, measured: DataFile, *, is_kept: bool = False) -> DataFile:
        """Move a measured Parquet file into the folder of a table, see `warehouse.delta.adopt_data_file`."""
        file = adopt_data_file(self.locate_table(name), measured, is_kept=is_kept)
        self.intact_files.note_written(file.path)
        return file

    def read_state(self, name: str) -> TableState | None:
        """The newest version of a table; none if it was never written or is damaged."""
        opened = self.open_table(name)
        if opened is None:
            return None
        log, _ = opened
        if _CONTENT_KEY not in log.commit:  # its last commit is damaged
            return None
        return TableState(log.delta.version(), int(log.commit["rows"]), log.commit[_CONTENT_KEY])

    def read(self, table: Table) -> pl.DataFrame:
        """The newest version of a small table with the declared columns; no rows if it is not there or is damaged.

        Columns declared after it was written are null.
        """
        opened = self.open_table(table.name)
        if opened is None or (table.name != parts.SIGHTINGS and not any(file.rows for file in opened[1])):
            return table.frame()
        with open_scratch(self.root) as connection:
            self.create_view(connection, table.name)
            stored = {row[0] for row in connection.execute(f"describe {table.name}").fetchall()}
            columns = ", ".join(f'"{name}"' if name in stored else f'null as "{name}"' for name in table.schema)
            return table.conform(connection.sql(f"select {columns} from {table.name}").pl())

    def create_view(
        self,
        connection: duckdb.DuckDBPyConnection,
        name: str,
        *,
        sightings_of: Collection[str] = (),
        alias: str | None = None,
    ) -> None:
        """Create a view of the newest version of a table, under its own name, in a DuckDB connection.

        Args:
            connection: The connection; its time zone is UTC.
            name: Name of the table.
            sightings_of: For `parts.SIGHTINGS`, the raw tables whose records are wanted; all if there is none.
            alias: The name of a temporary view to create instead.

        Raises:
            FileNotFoundError: The table was never written, or is damaged.
        """
        log, files = self.require_table(name)
        description = parts.PartsDescription.read(log.delta.metadata().description)
        relation = scan_files(log, files)
        if description is not None:
            self._create_places(connection)
        if description is not None and description.source is None:
            relations = ((source, scan_files(log, files)) for source, log, files in self.list_parts(sightings_of))
            relation = f"({parts.select_sightings(relations)})"
        elif description is not None:
            columns = [field.name for field in log.delta.schema().fields]
            relation = f"({parts.select_versions(relation, columns, description.volatile_columns)})"
        if alias is None:
            connection.execute(f"create schema if not exists {name.partition('.')[0]}")
            connection.execute(f"create or replace view {name} as from {relation}")
        else:
            connection.execute(f"create or replace temp view {alias} as from {relation}")

    def require_table(self, name: str) -> tuple[TableLog, list[DataFile]]:
        """The newest version of a table and its files.

        Raises:
            FileNotFoundError: The table was never written, or is damaged.
        """
        opened = self.open_table(name)
        if opened is None:
            raise FileNotFoundError(f"{name} is not in the lake {self.root}: run `aisle run`")
        return opened

    def _create_places(self, connection: duckdb.DuckDBPyConnection) -> None:
        query = parts.select_places(scan_files(*self.require_table(parts.SNAPSHOTS)))
        connection.execute(f"create temp table if not exists {parts.PLACES} as {query}")

    def list_parts(self, names: Collection[str]) -> Iterator[tuple[str, TableLog, list[DataFile]]]:
        """The source, the log and the parts of each raw table, or of those with these names."""
        for folder in sorted((self.root / "tables" / "raw").iterdir()):
            name = f"raw.{folder.name}"
            opened = self.open_table(name) if not names or name in names else None
            description = parts.PartsDescription.read(opened[0].delta.metadata().description) if opened else None
            if opened is not None and description is not None and description.source is not None:
                yield description.source, *opened

    def write(self, table: Table, frame: pl.DataFrame) -> TableState:
        """Replace the content of a table by a small frame; unchanged content is not written again.

        Raises:
            DeclarationError: Columns or types are not the declared ones.
        """
        with open_scratch(self.root) as connection:
            connection.register("frame", table.conform(frame))
            return self.write_query(table, connection, "from frame")

    def write_query(self, table: Table, connection: duckdb.DuckDBPyConnection, query: str) -> TableState:
        """Replace the content of a table by the rows of a query in one commit; unchanged content is not kept twice.

        Raises:
            DeclarationError: Columns or types are not the declared ones.
            duckdb.Error: The query fails.
        """
        folder, names = self.locate_table(table.name), [column.name for column in table.columns]
        select = build_select(connection, table.name, table.columns, query)
        with write_draft(connection, folder, select) as draft:
            measured = measure_file(connection, names, draft)
            content, stored = hash_columns(names, measured.rows, measured.row_hash), self.read_state(table.name)
            if stored is not None and stored.content_sha256 == content:
                return stored
            file = self.adopt_file(table.name, measured)
        return self.commit(table, content, file.rows, added=[file], is_overwrite=True)

    def commit(self, table: Table, content_sha256: str, rows: int, **changes: Any) -> TableState:
        """Commit files of a table, see `warehouse.delta.commit_files`, as the version with this content.

        Raises:
            OSError: The new version cannot be read back.
        """
        folder = self.locate_table(table.name)
        metadata = {_CONTENT_KEY: content_sha256, "rows": str(rows)}
        columns = changes.pop("columns", table.columns)
        commit_files(folder, columns, metadata, **changes)
        written = self.read_state(table.name)
        if written is None or written.content_sha256 != content_sha256:
            raise OSError(f"{table.name}: the new version cannot be read back from {folder}")
        return written

    @contextmanager
    def lock_patiently(self, warn: Callable[[str], object], name: str = RUN_LOCK) -> Generator[None]:
        """Lock the lake for one run; if another run holds the lock, warn with its process and wait."""
        with ExitStack() as stack:
            try:
                stack.enter_context(self.lock(name, wait=False))
            except LakeBusy as busy:
                warn(f"{busy}; waiting for it to end")
                stack.enter_context(self.lock(name))
            yield

    @contextmanager
    def lock(self, name: str = RUN_LOCK, *, wait: bool = True) -> Generator[None]:
        """Lock the lake for one run across processes; the lock is released even if the process is killed.

        Args:
            name: The file that is locked: `RUN_LOCK` for what writes tables, `COMMAND_LOCK` for a whole ``aisle run``.
            wait: Whether to wait for another process that holds it.

        Raises:
            LakeBusy: Another process holds the lock and ``wait`` is false.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / name).open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError as error:
                file.seek(0)
                raise LakeBusy(
                    f"another run uses the lake {self.root} ({file.read().strip() or 'starting'})"
                ) from error
            file.seek(0)
            file.truncate()
            file.write(f"process {os.getpid()} since {utc_now():%Y-%m-%d %H:%M:%S} UTC")
            file.flush()
            try:
                yield
            finally:
                file.truncate(0)


def _is_control(character: str) -> bool:
    """Whether a character is a control character, a line separator, or a byte that is not UTF-8."""
    return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}


def replace_file(path: Path, content: bytes) -> None:
    """Write a file atomically and durably: after a crash it has the old or the new content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def sync_folder(path: Path) -> None:
    """Flush a folder to disk, so that renames in it survive a crash."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
