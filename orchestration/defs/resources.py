"""The resource of every step that reads or writes tables: the lake, locked for the run, and the record of the run."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

import dagster as dg
from deltalake.exceptions import DeltaError
from pydantic import PrivateAttr
from sqlalchemy.exc import SQLAlchemyError

from orchestration.defs.retention import prune_runs
from orchestration.fetch.config import ConfigurationError, RetentionConfig, read_configuration
from orchestration.run import JOB, LakeRun, record_run
from warehouse.lake import Lake
from warehouse.retention import finish_removals, prune_tables


class LakeResource(dg.ConfigurableResource):
    """Holds the lake for the whole run, so that two runs never write at once, and keeps the record of the run."""

    _run: LakeRun | None = PrivateAttr(default=None)

    @property
    def run(self) -> LakeRun:
        """The record of the present run."""
        if self._run is None:
            raise RuntimeError("the lake is only held while a run executes")
        return self._run

    @property
    def lake(self) -> Lake:
        """The lake named by ``AISLE_LAKE``."""
        return self.run.lake

    @contextlib.contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Generator[LakeResource]:
        """Take the lake's lock, with a warning if another run holds it, and record the run."""
        lake, job = Lake.from_environment(), context.dagster_run.job_name if context.dagster_run else None
        with contextlib.ExitStack() as stack:
            stack.enter_context(lake.lock_patiently(lambda text: context.log and context.log.warning(text)))
            stack.callback(_prune, lake, context)
            self._run = stack.enter_context(record_run(lake, context.run_id or "", is_whole=job == JOB))
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
