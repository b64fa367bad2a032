"""Spark with a lake on an object store: the run's folder of this machine is what its workers share."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from orchestration.defs.engines import open_engine
from tests.object_store.conftest import address, gateway  # noqa: F401 - fixtures
from tests.object_store.test_commands import run_at, succeed_at
from tests.spark.test_equality import list_files
from tests.support.spark import find_differences
from transforms.engine import NoEngine
from warehouse.lake import Lake


@pytest.fixture
def other_machine(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Workers that have another folder at the path of the lake, as those of another machine do."""
    from transforms.spark import session

    run_on_workers = session.run_on_workers

    def replace_folder(one: Any, rows: list[tuple[str, ...]], *arguments: Any) -> Any:
        (Path(rows[0][0]) / "given").unlink()
        return run_on_workers(one, rows, *arguments)

    monkeypatch.setattr(session, "run_on_workers", replace_folder)
    yield
    monkeypatch.undo()


@pytest.mark.usefixtures("other_machine")
def test_workers_that_do_not_share_the_lake_are_named_before_anything_is_made(remote: str, tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with (
        pytest.raises(NoEngine, match=r"the workers do not share /.*No such file.* a file system that all share"),
        open_engine(lake, "spark", remote, lambda _: None),
    ):
        raise AssertionError("there is an engine")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_run_on_spark_commits_to_the_store(
    remote: str,
    address: str,  # noqa: F811 - a fixture
    released_lake: Lake,
    tmp_path: Path,
) -> None:
    spark = ("--engine", "spark", "--remote", remote)
    assert "release v1" in succeed_at(address, "run", *spark, AISLE_BUNDLED="yes")
    assert "nothing new since release v1" in succeed_at(address, "run", *spark, AISLE_BUNDLED="yes")
    succeed_at("", "lake", "copy", address, str(tmp_path / "copy"))
    found = compare_lakes(released_lake, Lake(tmp_path / "copy"))
    assert found == {}


def compare_lakes(made: Lake, other: Lake) -> dict[str, list[str]]:
    """The differences of each table that SQL makes and that does not say when something was seen."""
    from orchestration.defs.catalog import load_transforms

    differences = {
        name: find_differences(transform.table, list_files(made, name), list_files(other, name))
        for name, transform in load_transforms().items()
        if "first_seen_at" not in transform.table.schema
    }
    return {name: found for name, found in differences.items() if found}


@pytest.mark.usefixtures("other_machine")
def test_nothing_is_stored_if_the_workers_do_not_share_the_folder(
    remote: str,
    address: str,  # noqa: F811 - a fixture
) -> None:
    refused = run_at(address, "run", "--engine", "spark", "--remote", remote, AISLE_BUNDLED="yes")
    assert refused.returncode == 1
    assert "the workers do not share" in refused.stderr
    assert "no release" in run_at(address, "status").stdout
