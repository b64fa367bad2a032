"""The resource of every step that reads or writes tables: the lake, locked for the run, and the record of the run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence

import dagster as dg
from deltalake.exceptions import DeltaError
from pydantic import PrivateAttr
from sqlalchemy.exc import SQLAlchemyError

from orchestration.defs.catalog import load_inputs, trace_table
from orchestration.defs.engines import build_read_ahead, open_engine
from orchestration.defs.retention import prune_runs
from orchestration.fetch.config import ConfigurationError, RetentionConfig, read_configuration
from orchestration.ingest.raw import ReadAhead
from orchestration.run import JOB, LakeRun, record_run
from transforms import lineage
from transforms.engine import Cost, Engine, LocalEngine, NoEngine
from warehouse.lake import Lake
from warehouse.origin import need_tables
from warehouse.retention import finish_removals, prune_tables


class LakeResource(dg.ConfigurableResource):
    """Holds the lake for the whole run, so that two runs never write at once, and keeps the record of the run."""

    engine: str = ""
    """What makes the tables, ``duckdb`` or ``spark``; as the lake's configuration has it if it is empty."""
    remote: str = ""
    """Address of a Spark Connect server; as the lake's configuration has it if it is empty."""

    _run: LakeRun | None = PrivateAttr(default=None)
    _engine: Engine | None = PrivateAttr(default=None)
    _costs: dict[str, Cost] = PrivateAttr(default_factory=dict)
    _lineage: dict[str, list[tuple[str, str, str]]] | None = PrivateAttr(default=None)

    @property
    def run(self) -> LakeRun:
        """The record of the present run."""
        if self._run is None:
            raise RuntimeError("the lake is only held while a run executes")
        return self._run

    @property
    def table_engine(self) -> Engine:
        """What makes tables in the present run."""
        return self._engine or LocalEngine()

    def build_read_ahead(self, log: Callable[[str], None]) -> ReadAhead | None:
        """How bulk files are read in the present run, if it is not one after the other."""
        return build_read_ahead(self.table_engine, self.lake, log)

    @property
    def costs(self) -> dict[str, Cost]:
        """What the tables that were made in the present run have cost."""
        return self._costs

    def trace_columns(self, name: str) -> Sequence[tuple[str, str, str]]:
        """Column, source table and source column of the rows of ``reference.lineage`` for a table.

        They are read from the lake if this code has made them there: to trace all queries takes a second.
        """
        if self._lineage is None:
            self._lineage, table = {}, lineage.TABLE
            if self.run.is_current(table.name, load_inputs()[table.name]):
                for of_table, *edge in self.lake.read(table).iter_rows():
                    self._lineage.setdefault(of_table, []).append(tuple(edge))
        if not self._lineage:
            return trace_table(name).drop("table_name").rows()
        return self._lineage.get(name, [])

    @property
    def lake(self) -> Lake:
        """The lake named by ``AISLE_LAKE``."""
        return self.run.lake

    @contextlib.contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Generator[LakeResource]:
        """Take the lake's lock, with a warning if another run holds it, and record the run."""
        lake, job = Lake.from_environment(), context.dagster_run.job_name if context.dagster_run else None
        with contextlib.ExitStack() as stack:
            warn: Callable[[str], object] = lambda text: context.log and context.log.warning(text)  # noqa: E731
            stack.enter_context(lake.hold(need_tables, lambda text: context.log and context.log.info(text)))
            stack.enter_context(lake.lock_patiently(warn))
            stack.callback(_prune, lake, context)
            self._run = stack.enter_context(record_run(lake, context.run_id or "", is_whole=job == JOB))
            try:
                self._engine = stack.enter_context(open_engine(lake, self.engine, self.remote, warn))
            except (ConfigurationError, NoEngine) as error:
                if context.log:
                    context.log.error(str(error))
                raise
            for limit in self.table_engine.describe_limits():
                if context.log:
                    context.log.info(limit)
            yield self


def _prune(lake: Lake, context: dg.InitResourceContext) -> None:
    """Remove what no release and nobody needs at the end of a run, whatever came of it; a failure is only a warning."""
    limits = RetentionConfig()
    with contextlib.suppress(ConfigurationError):
        limits = read_configuration(lake).retention
    try:
        finish_removals(lake)
        prune_tables(lake)
        if context.instance is not None:
            prune_runs(context.instance, limits.dagster_runs)
    except (OSError, DeltaError, SQLAlchemyError) as error:
        if context.log is not None:
            context.log.warning(f"old versions of tables and old runs are not removed yet: {error}")
