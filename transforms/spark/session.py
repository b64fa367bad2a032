"""Sessions with a Spark Connect server, and what is registered in them. Spark is imported here and nowhere else."""

from __future__ import annotations

import socket
import sys
import uuid
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sqlglot import exp

from transforms.engine import NoEngine
from transforms.spark.expressions import RowFunction
from transforms.spark.translate import SPARK_TYPES, name_view
from transforms.spark.worker import build_batch_function, build_task, hash_code, hash_worker_code, visit_folder
from warehouse.table import Column

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

_PORT, _CONNECT_SECONDS = 15002, 20
_PROBES, _PROBES_OF_SLOT = 8, 2  # tasks that visit the folder of a lake: at least so many, so that all workers have one
_NAMED_HOSTS = 10
_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "4096",
}
# before the client is imported: warnings for its users, not for those of aisle; what it calls in pandas is tested
warnings.filterwarnings("ignore", category=FutureWarning, module="pyspark")
warnings.filterwarnings("ignore", message=r"\[RETRIES_EXCEEDED\]")  # the error that follows has the reason


class LostJob(RuntimeError):
    """A job on the workers ended without its results; the message has the reason that Spark gives."""


# what servers may lack, each with a query that needs it
_ABILITIES = {
    "recursive queries": (
        "with recursive numbers as ("
        "select 1 as number union all select number + 1 as number from numbers where number < 2"
        ") select number from numbers"
    )
}


def open_session(remote: str, log: Callable[[str], object] = print) -> SparkSession:
    """A session of its own with the server at an address such as ``sc://host:15002``.

    Args:
        remote: The address.
        log: Receives a line when the server does not answer any more.

    Raises:
        NoEngine: The client is not installed, or the server does not answer.
    """
    with _as_program():
        return _connect(remote, log)


@contextmanager
def _as_program() -> Generator[None]:
    """Give the main module a file: the client takes a process without one for its own doctests, and ends it."""
    main = sys.modules["__main__"]
    if hasattr(main, "__file__"):
        yield
        return
    main.__file__ = "<command>"
    try:
        yield
    finally:
        del main.__file__


def _connect(remote: str, log: Callable[[str], object]) -> SparkSession:
    try:
        import grpc
        from pyspark.errors import PySparkException
        from pyspark.sql.connect.client import DefaultChannelBuilder
        from pyspark.sql.connect.session import SparkSession
    except ImportError as error:
        raise NoEngine(f"the client of Spark is not installed ({error}): uv pip install 'aisle[spark]'") from error
    from transforms.spark.patience import CHANNEL_OPTIONS, Patience

    require_listener(remote)
    try:
        session = SparkSession.builder.channelBuilder(DefaultChannelBuilder(remote, CHANNEL_OPTIONS)).create()
        session.client.set_retry_policies([Patience(remote, log)])
        for name, value in _SETTINGS.items():
            session.conf.set(name, value)
    except (PySparkException, grpc.RpcError) as error:
        raise NoEngine(f"no Spark Connect server answers at {remote}: {error}") from error
    return session


def require_listener(remote: str) -> None:
    """Require that something listens at an address: the client would try for ten minutes.

    Raises:
        NoEngine: Nothing does.
    """
    address = urlsplit(remote)
    try:
        socket.create_connection((address.hostname or "", address.port or _PORT), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise NoEngine(f"no Spark Connect server answers at {remote}: {error}") from error


def require_same_code(session: SparkSession) -> None:
    """Require that the workers have the code of the driver: they compute values with it.

    Raises:
        NoEngine: They have none, or another version.
    """
    from pyspark.errors import PySparkException
    from pyspark.sql.functions import arrow_udf, lit

    try:
        call = arrow_udf(hash_worker_code, "string")(lit(1))
        ((found,),) = session.range(1).select(call).collect()
    except PySparkException as error:
        raise NoEngine(
            f"the workers cannot run the code of aisle: {str(error).strip()[-500:]}; it must be on their Python path"
        ) from error
    if found != hash_code():
        raise NoEngine(f"the workers have other code of aisle, or another DuckDB ({found}), than this process")


def count_slots(session: SparkSession) -> int:
    """How many tasks the workers run at once, by the number of parts in which the server divides a range."""
    from pyspark.sql.functions import spark_partition_id

    return session.range(2**16).select(spark_partition_id()).distinct().count()


def require_shared_folder(session: SparkSession, folder: Path) -> None:
    """Require that the workers see a folder, read what the driver writes there, and write what it reads.

    Tasks are as many as the workers run at once, and more, so that each worker that is there has some.

    Raises:
        NoEngine: One of them does not; the message names their hosts.
        LostServer: The server does not answer any more.
    """
    from transforms.spark.patience import get_patience, report_lost_server

    with report_lost_server(get_patience(session)):
        tasks = max(_PROBES, _PROBES_OF_SLOT * count_slots(session))
    given = uuid.uuid4().hex
    (folder / "given").write_text(given, encoding="utf-8")
    rows = [(str(folder), "given")] * tasks
    try:
        outcomes = run_on_workers(
            session, rows, ["folder", "given"], visit_folder, "host string, found string, answer string"
        )
    except LostJob as error:
        problems = {"": str(error)}
    else:
        problems = {row["host"]: row["found"] for row in outcomes if row["found"] != given}
        unseen = {row["host"] for row in outcomes if not (folder / row["answer"]).exists()}
        problems |= dict.fromkeys(unseen - problems.keys(), "it has another folder there")
    if problems:
        raise NoEngine(
            f"the workers do not share {folder} with this machine ({describe_hosts(problems)}): they"
            " read and write the tables of a run there, so it must be on a file system that all share"
        )


def describe_hosts(problems: dict[str, str]) -> str:
    """Some of the hosts that have a problem, with the first of the problems."""
    hosts = sorted(problems)
    more = [f"{len(hosts) - _NAMED_HOSTS} more"] if len(hosts) > _NAMED_HOSTS else []
    names = ", ".join([*hosts[:_NAMED_HOSTS], *more])
    return f"{names}: {problems[hosts[0]]}" if names else problems[hosts[0]]


def find_lacking(session: SparkSession) -> frozenset[str]:
    """The abilities that a server lacks."""
    from pyspark.errors import PySparkException

    lacking = set()
    for ability, query in _ABILITIES.items():
        try:
            session.sql(query).collect()
        except PySparkException:
            lacking.add(ability)
    return frozenset(lacking)


def register_row_functions(session: SparkSession, functions: Iterable[RowFunction]) -> None:
    """Register the functions that DuckDB computes on the workers."""
    from pyspark.sql.functions import arrow_udf

    for function in functions:
        kind = exp.DataType.build(function.result, dialect="duckdb").sql(dialect="spark")
        session.udf.register(function.name, arrow_udf(build_batch_function(function), kind))


def create_view(session: SparkSession, table: str, columns: Iterable[Column], files: Iterable[Path]) -> None:
    """Create the view of a table: the rows of its files."""
    read_files(session, columns, files).createOrReplaceTempView(name_view(table))


def read_files(session: SparkSession, columns: Iterable[Column], files: Iterable[Path]) -> DataFrame:
    """The rows of Parquet files with the given columns; a column that a file lacks is missing there."""
    schema = ", ".join(f"`{column.name}` {SPARK_TYPES[column.type]}" for column in columns)
    paths = [str(file) for file in files]
    return session.read.schema(schema).parquet(*paths) if paths else session.createDataFrame([], schema)


def run_on_workers(
    session: SparkSession,
    rows: Sequence[tuple[str, ...]],
    names: Sequence[str],
    function: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]],
    results: str,
) -> list[dict[str, Any]]:
    """The rows that a function returns for rows that are spread over the workers, a task for each.

    Args:
        session: The session.
        rows: Few and short texts: all of them go to each task.
        names: The names of their columns.
        function: Gets batches of them, and yields batches.
        results: Names and types of what it yields.

    Raises:
        LostJob: A task failed each time that Spark started it.
        LostServer: The server does not answer any more.
    """
    from pyspark.errors import PySparkException

    from transforms.spark.patience import get_patience, report_lost_server

    numbers = session.range(0, len(rows), 1, len(rows))  # unlike a repartition, it gives each task one
    try:
        with report_lost_server(get_patience(session)):
            found = numbers.mapInArrow(build_task(function, rows, names), results).collect()
    except PySparkException as error:
        raise LostJob(" ".join(str(error).split())[:300] or type(error).__name__) from error
    return [row.asDict() for row in found]
