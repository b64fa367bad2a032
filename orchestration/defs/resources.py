"""The resource of every step that reads or writes tables: the lake, locked for the run, and the account of the run."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

import dagster as dg
from pydantic import PrivateAttr

from orchestration.run import JOB, LakeRun, record_run
from warehouse.lake import Lake, LakeBusy


class LakeResource(dg.ConfigurableResource):
    """Holds the lake for the whole run, so that two runs never write at once, and keeps the account of the run."""

    _account: LakeRun | None = PrivateAttr(default=None)

    @property
    def account(self) -> LakeRun:
        """The account of the run that is going on."""
        if self._account is None:
            raise RuntimeError("the lake is only held while a run executes")
        return self._account

    @property
    def lake(self) -> Lake:
        """The lake named by ``AISLE_LAKE``."""
        return self.account.lake

    @contextlib.contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Generator[LakeResource]:
        """Take the lake's lock, with a warning if another run holds it, and record the run."""
        lake, job = Lake.from_environment(), context.dagster_run.job_name if context.dagster_run else None
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(lake.lock(wait=False))
            except LakeBusy as busy:
                if context.log:
                    context.log.warning(f"{busy}; waiting for it to end")
                stack.enter_context(lake.lock())
            self._account = stack.enter_context(record_run(lake, context.run_id or "", is_whole=job == JOB))
            yield self
