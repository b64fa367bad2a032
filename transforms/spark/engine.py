"""Makes the tables of transforms on Spark, and commits them to the lake as DuckDB's are committed."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from transforms import engine
from transforms.engine import Cost, create_last_tables
from transforms.reader import Transform, load_function
from transforms.spark.driver import require_few_rows, select_driver_tables
from transforms.spark.linking import SparkConnection
from transforms.spark.session import (
    find_lacking,
    open_session,
    register_row_functions,
    require_same_code,
    require_shared_folder,
)
from transforms.spark.translate import name_view, translate
from transforms.spark.views import create_views
from warehouse.delta import build_select, hash_columns, measure_file, quote_literal, scan_parquet
from warehouse.lake import Lake, TableState
from warehouse.scratch import open_scratch
from warehouse.sql import LAST_RELEASE, connect_tables
from warehouse.table import Table

if TYPE_CHECKING:
    import duckdb
    from pyspark.sql import SparkSession

_SCRATCH = "spark"  # folder of a lake; what it has is of a run that goes on, or was killed
_SHARING_SECONDS = 90.0  # NFS keeps what it knows of a folder for up to a minute
_SMALL_BYTES = 64 * 2**20  # many small files of a table are written again as one


class UnseenFiles(OSError):
    """Files that Spark has written are not to be seen on this machine; the message names the folder and one of them."""


class SparkEngine:
    """Spark, through a session with a server; what it has no counterpart for is made by DuckDB on the driver.

    Args:
        remote: Address of a Spark Connect server.
        log: Receives a line when the server does not answer any more.

    Raises:
        NoEngine: There is no session with it, or the workers have not the code of the driver.
    """

    def __init__(self, remote: str, log: Callable[[str], object] = print) -> None:
        from transforms.spark.patience import get_patience

        self.session = open_session(remote, log)
        self._patience = get_patience(self.session)
        require_same_code(self.session)
        self._on_driver = select_driver_tables(find_lacking(self.session))
        self._name = f"Spark {self.session.version} at {remote}"
        self._tasks: dict[tuple[str, int], int] = {}
        self._bytes: dict[tuple[str, int], int] = {}
        self.session.registerProgressHandler(self._note_progress)

    def make_table(self, transform: Transform, lake: Lake) -> tuple[TableState, Cost]:
        """Make the table of a transform, see `make_table`.

        Raises:
            TooManyRows: Only the driver can make it, and its inputs are too large for that.
            LostServer: The server does not answer any more.
        """
        from transforms.spark.patience import report_lost_server

        begun, cpu = time.monotonic(), time.process_time()
        self._tasks, self._bytes = {}, {}
        name = self._name
        if (table := self._on_driver.get(transform.table.name)) is not None:
            require_few_rows(table, transform, lake)
            state, cost = engine.LocalEngine().make_table(transform, lake)
            name = f"{cost.engine} on the driver of {name}"
        else:
            with report_lost_server(self._patience):
                state = make_table(transform, lake, self.session)
        seconds, cpu_seconds = time.monotonic() - begun, time.process_time() - cpu
        return state, Cost(name, seconds, cpu_seconds, sum(self._tasks.values()), sum(self._bytes.values()))

    def require_shared_lake(self, lake: Lake) -> None:
        """Require that the workers see the folder of a lake.

        Raises:
            NoEngine: They do not.
        """
        with make_scratch_folder(lake) as folder:
            require_shared_folder(self.session, folder)

    def describe_limits(self) -> list[str]:
        """The tables that are made on the driver, each with the reason and up to which size."""
        return [str(table) for table in self._on_driver.values()]

    def close(self) -> None:
        """End the session; one whose server was lost ends without it."""
        if self._patience.is_over:
            self.session.client.set_retry_policies([])
        self.session.stop()

    def _note_progress(self, stages: Iterable[Any] | None, operation_id: str, **_: object) -> None:
        for stage in stages or ():
            self._tasks[operation_id, stage.stage_id] = stage.num_completed_tasks
            self._bytes[operation_id, stage.stage_id] = stage.num_bytes_read


def make_table(transform: Transform, lake: Lake, session: SparkSession) -> TableState:
    """Make the table of a transform on Spark: the rows that its query returns, with the declared columns and types.

    Spark writes Parquet files, which are then measured and committed on the driver, a batch at a time. The lake has
    either the table before or the whole new one.

    Raises:
        FileNotFoundError: A source table is not in the lake.
        DeclarationError: The columns differ from the declared ones.
        ValueError: The query has a part without a form in Spark; the message has it.
        pyspark.errors.PySparkException: Spark cannot run the query.
    """
    with make_scratch_folder(lake) as folder:
        files = write_rows(transform, lake, session, folder)
        return _commit(transform, lake, files)


def write_rows(transform: Transform, lake: Lake, session: SparkSession, folder: Path) -> list[Path]:
    """The Parquet files of the rows of a transform, which Spark writes to a folder."""
    create_views(session, lake, transform.source_tables, transform.sightings_of)
    _create_last_views(session, lake, transform, folder)
    query = transform.query
    if transform.function is not None:
        query = load_function(transform.function)(SparkConnection(session, folder), query)
    translated = translate(query, transform.table.columns)
    register_row_functions(session, translated.functions)
    path = folder / "rows"
    session.sql(translated.sql).write.parquet(str(path))
    return list_written(session, path)


def list_written(session: SparkSession, folder: Path) -> list[Path]:
    """The files that a job has written to a folder, as the server lists them; not what a lost task has left there.

    Raises:
        UnseenFiles: Some are not to be seen here: a shared file system can show them later, and some never do.
    """
    names = {
        unquote(address.rpartition("/")[2])
        for address in session.read.schema("a int").parquet(str(folder)).inputFiles()
    }
    begun = time.monotonic()
    while missing := names - {path.name for path in folder.glob("*.parquet")}:
        if time.monotonic() - begun > _SHARING_SECONDS:
            raise UnseenFiles(f"{folder} has no {min(missing)} on this machine, which Spark has written there")
        time.sleep(0.5)
    return sorted(folder / name for name in names)


@contextmanager
def make_scratch_folder(lake: Lake) -> Generator[Path]:
    """A folder in the lake for one table, removed afterwards."""
    folder = lake.root / _SCRATCH / uuid.uuid4().hex
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_left_files(lake: Lake) -> None:
    """Remove what killed runs have left."""
    shutil.rmtree(lake.root / _SCRATCH, ignore_errors=True)


def _create_last_views(session: SparkSession, lake: Lake, transform: Transform, folder: Path) -> None:
    """Create views of the tables of the last release that a query reads."""
    if f"{LAST_RELEASE}." not in transform.query:
        return
    with connect_tables(lake, transform.source_tables) as connection:
        create_last_tables(connection, lake, transform)
        query = f"select table_name from duckdb_tables() where schema_name = '{LAST_RELEASE}'"
        for (name,) in connection.execute(query).fetchall():
            path = folder / f"{LAST_RELEASE}-{name}.parquet"
            connection.execute(f"copy {LAST_RELEASE}.{name} to {quote_literal(str(path))} (format parquet)")
            session.read.parquet(str(path)).createOrReplaceTempView(name_view(f"{LAST_RELEASE}.{name}"))


def _commit(transform: Transform, lake: Lake, files: list[Path]) -> TableState:
    """Commit the rows of Parquet files as the new content of a table."""
    with open_scratch(lake.root) as connection:
        if files and sum(file.stat().st_size for file in files) > _SMALL_BYTES:
            return _adopt_files(transform.table, lake, connection, files)
        columns = ", ".join(f"null as {column.name}" for column in transform.table.columns)
        query = f"from {scan_parquet(files)}" if files else f"select {columns} limit 0"
        return lake.write_query(transform.table, connection, query)


def _adopt_files(table: Table, lake: Lake, connection: duckdb.DuckDBPyConnection, paths: list[Path]) -> TableState:
    """Replace the content of a table by Parquet files, which are moved; unchanged content is not kept twice.

    Raises:
        DeclarationError: Columns or types are not the declared ones.
    """
    names = [column.name for column in table.columns]
    build_select(connection, table.name, table.columns, f"from {scan_parquet(paths)}")
    measured = [measure_file(connection, names, path) for path in paths]
    rows, row_hash = sum(one.rows for one in measured), sum(one.row_hash for one in measured)
    content, stored = hash_columns(names, rows, row_hash), lake.read_state(table.name)
    if stored is not None and stored.content_sha256 == content:
        return stored
    files = [lake.adopt_file(table.name, one) for one in measured]
    return lake.commit(table, content, rows, added=files, is_overwrite=True)
