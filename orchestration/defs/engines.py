"""Which engine makes the tables of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING

from pydantic import ValidationError

from expectations.relation import Relation
from orchestration.fetch.config import ConfigurationError, EngineConfig, read_configuration
from orchestration.ingest.raw import ReadAhead
from transforms.engine import Engine, LocalEngine
from warehouse.lake import Lake

if TYPE_CHECKING:
    import polars as pl

DUCKDB, SPARK = "duckdb", "spark"
DRIVER_ROWS = 100_000
"""Rows up to which DuckDB checks tables on the driver: a job on workers takes a second to begin."""


def read_engine(lake: Lake, name: str = "", remote: str = "") -> EngineConfig:
    """What makes the tables: as given, or else as the configuration of the lake has it; with an address, Spark.

    Raises:
        ConfigurationError: The engine is not known, or Spark is wanted without an address.
    """
    if remote and not name:
        name = SPARK
    try:
        configured = read_configuration(lake).engine
    except ConfigurationError:
        if not name:  # a mistake in the table of a feed stops fetches, not runs
            return EngineConfig()
        configured = EngineConfig()
    given = {key: value for key, value in (("name", name), ("remote", remote)) if value}
    try:
        engine = EngineConfig.model_validate({**configured.model_dump(), **given})
    except ValidationError as error:
        (problem, *_) = error.errors()
        raise ConfigurationError(f"{problem['loc'][0]}: found {problem['input']!r}; {problem['msg']}") from error
    if engine.name == SPARK and engine.remote is None:
        raise ConfigurationError("Spark needs the address of a server: --remote sc://host:port, or engine.remote")
    return engine


def require_engine(lake: Lake, name: str = "", remote: str = "") -> None:
    """Require that an engine is known, and that its server answers; for a lake elsewhere, that its workers can run.

    Raises:
        ConfigurationError: See `read_engine`.
        NoEngine: Nothing answers there, or the workers do not share the folder of a lake on an object store.
    """
    settings = read_engine(lake, name, remote)
    if settings.name != SPARK or settings.remote is None:
        return
    from transforms.spark.session import require_listener

    require_listener(settings.remote)
    if (
        lake.origin is not None
    ):  # most often that folder is the machine's own: nothing is to be stored before this is known
        with _open_spark(lake, settings.remote, lambda _: None):
            pass


@contextlib.contextmanager
def open_engine(lake: Lake, name: str, remote: str, log: Callable[[str], object]) -> Generator[Engine]:
    """The engine of a run; a session with Spark ends with it.

    Args:
        lake: The lake.
        name: Which engine; as the configuration of the lake has it if it is empty.
        remote: Address of a Spark Connect server; likewise.
        log: Receives a line when the server does not answer any more.

    Raises:
        ConfigurationError: See `read_engine`.
        NoEngine: There is no session with the server, or its workers do not share the folder of the lake.
    """
    settings = read_engine(lake, name, remote)
    if settings.name != SPARK or settings.remote is None:
        yield LocalEngine()
        return
    with _open_spark(lake, settings.remote, log) as engine:
        yield engine


@contextlib.contextmanager
def _open_spark(lake: Lake, remote: str, log: Callable[[str], object]) -> Generator[Engine]:
    from transforms.spark.engine import SparkEngine, remove_left_files

    remove_left_files(lake)
    engine = SparkEngine(remote, log)
    try:
        engine.require_shared_lake(lake)
        yield engine
    finally:
        engine.close()


def build_read_ahead(engine: Engine, lake: Lake, log: Callable[[str], None]) -> ReadAhead | None:
    """How bulk files are read on the workers of an engine; none if it has no workers."""
    if engine.session is None:
        return None
    from orchestration.ingest.bulk_workers import read_on_workers

    return lambda source, snapshots, versions: read_on_workers(engine.session, lake, source, snapshots, versions, log)


def is_for_workers(engine: Engine, lake: Lake, names: Iterable[str]) -> bool:
    """Whether the workers of an engine check tables: they have some, and the tables have many rows."""
    if engine.session is None:
        return False
    states = [lake.read_state(name) for name in names]
    return sum(state.rows for state in states if state is not None) > DRIVER_ROWS


def open_relation(engine: Engine, lake: Lake, name: str) -> Relation:
    """A table of the lake as the workers of an engine have it."""
    from transforms.spark import relation

    return relation.open_relation(engine.session, lake, name)


def query_on_workers(engine: Engine, lake: Lake, names: Iterable[str], statement: str) -> pl.DataFrame:
    """The rows, which must be few, that a statement in DuckDB's dialect returns on the workers of an engine."""
    from transforms.spark import relation

    return relation.query_tables(engine.session, lake, names, statement)
