"""A worker that does not see the folder of a lake is found before a run, and its host is named."""

from __future__ import annotations

import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.spark_cluster import ELSEWHERE, ENVIRONMENT, needs_cluster, start_cluster
from transforms.engine import NoEngine
from transforms.spark import session as sessions
from transforms.spark.engine import SparkEngine
from warehouse.lake import Lake


def can_hide_folders(folder: Path) -> bool:
    """Whether a process of this user can have another folder in the place of one."""
    hide = ["unshare", "--mount", "--uts", "mount", "-t", "tmpfs", "tmpfs", str(folder)]
    try:
        return subprocess.run(hide, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@needs_cluster
def test_host_that_does_not_see_the_lake_is_named(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    lake.root.mkdir()
    if not can_hide_folders(lake.root):
        pytest.skip("a folder cannot be hidden from a process here: only root can")
    with (
        start_cluster(ENVIRONMENT, tmp_path / "cluster", is_quick=True, hidden_folder=lake.root) as cluster,
        closing(SparkEngine(cluster.remote)) as engine,
    ):
        with pytest.raises(NoEngine, match=rf"do not share {lake.root}/.*\({ELSEWHERE}: .*No such file"):
            engine.require_shared_lake(lake)
        engine.require_shared_lake(Lake(tmp_path / "other"))  # which both see


def test_every_slot_has_tasks(session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "count_slots", lambda _: 30)
    sessions.require_shared_folder(session, tmp_path)
    assert len(list(tmp_path.glob("answer-*"))) == 60


def test_some_hosts_are_named_and_the_others_counted() -> None:
    problems = {f"host-{number:02}": f"error {number}" for number in range(14)}
    text = sessions.describe_hosts(problems)
    assert text == f"{', '.join(sorted(problems)[:10])}, 4 more: error 0"
    assert sessions.describe_hosts({"one": "an error"}) == "one: an error"
    assert sessions.describe_hosts({"": "a lost job"}) == "a lost job"
