"""Fixtures: lakes made by the real command line, built once for all test processes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from tests.support.browsing import browser, opened, served  # noqa: F401 - fixtures for all
from warehouse.lake import PROJECT, Lake
from warehouse.release import current

SHARED = PROJECT.parent / "shared"
TRUTH = SHARED / "reference" / "truth"


def aisle(lake: Path, *arguments: str, timeout: int = 300, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line on a lake, as a person would."""
    return subprocess.run(
        [sys.executable, "-c", "from orchestration.cli.app import main; main()", *arguments],
        env={**os.environ, "AISLE_LAKE": str(lake), "COLUMNS": "200", "NO_COLOR": "1", **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.fixture(scope="session")
def seeds() -> list[Path]:
    """The four original inputs, where they are at hand."""
    if not SHARED.is_dir():
        pytest.skip("the original inputs are not here: no folder ../shared")
    return sorted((SHARED / "seeds").glob("*.txt"))


@pytest.fixture(scope="session")
def truth() -> Path:
    """The reference tables, where they are at hand."""
    if not TRUTH.is_dir():
        pytest.skip("the reference tables are not here: no folder ../shared/reference/truth")
    return TRUTH


def _once(factory: pytest.TempPathFactory, name: str, build: Callable[[Lake], None]) -> Lake:
    """A lake that one test process builds and the others, which run beside it, share."""
    base = factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    root = shared / name
    with Lake(shared / f"{name}-being-built").lock():
        if not (root / "aisle.duckdb").exists():
            build(Lake(root))
    return Lake(root)


@pytest.fixture(scope="session")
def empty_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A released lake without any source; tests only read it."""

    def build(lake: Lake) -> None:
        done = aisle(lake.root, "run", AISLE_BUNDLED="no")
        assert done.returncode == 0, done.stdout + done.stderr

    return _once(tmp_path_factory, "empty-lake", build)


def _built(lake: Lake, *added: Path) -> None:
    if added:
        done = aisle(lake.root, "add", *map(str, added))
        assert done.returncode == 0, done.stderr
    done = aisle(lake.root, "run")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def released_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with the bundled default released; tests only read it."""
    return _once(tmp_path_factory, "bundled-lake", _built)


@pytest.fixture(scope="session")
def seeded_lake(tmp_path_factory: pytest.TempPathFactory, seeds: list[Path]) -> Lake:
    """A lake with the bundled default and the four original inputs released; tests only read it."""
    return _once(tmp_path_factory, "seeded-lake", lambda lake: _built(lake, *seeds))


@pytest.fixture
def copied(released_lake: Lake, tmp_path: Path) -> Callable[..., Lake]:
    """Make a lake of one's own with a release changed by SQL, published as number ``number``."""

    def copy(*changes: str, number: int = 1) -> Lake:
        lake, source = Lake(tmp_path / "lake"), current(released_lake)
        lake.releases.mkdir(parents=True, exist_ok=True)
        path = lake.releases / f"aisle.v{number}.duckdb"
        shutil.copy(source.path, path)
        if changes:
            with duckdb.connect(path) as connection:
                for change in changes:
                    connection.execute(change)
        path.with_suffix(".json").write_text(json.dumps({**source.manifest, "release": number}))
        link = lake.root / "pointer"
        link.symlink_to(path.relative_to(lake.root))
        link.replace(lake.root / "aisle.duckdb")
        return lake

    return copy
