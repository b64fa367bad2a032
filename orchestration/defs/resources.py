"""The resource of every step that reads or writes tables: the lake, locked for the run, and the record of the run."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

import dagster as dg
from pydantic import PrivateAttr

from orchestration.run import JOB, LakeRun, record_run
from warehouse.lake import Lake


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
            self._run = stack.enter_context(record_run(lake, context.run_id or "", is_whole=job == JOB))
            yield self
