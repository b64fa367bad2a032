"""A session with Sail, a server of Spark's protocol that needs no Java, for all tests of this package."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.openalex_works import write_parts
from tests.ingest.test_bulk_files import add_all
from tests.support.spark import build_full_lake
from warehouse.lake import Lake


@pytest.fixture(scope="session")
def remote() -> Iterator[str]:
    """The address of a server in this process; skips the test where it is not installed."""
    sail = pytest.importorskip("pysail.spark", reason="Sail is not installed: `make test` installs it")
    server = sail.SparkConnectServer(ip="127.0.0.1", port=0)
    server.start(background=True)
    yield f"sc://127.0.0.1:{server.listening_address[1]}"
    server.stop()


@pytest.fixture(scope="session")
def session(remote: str) -> Iterator[Any]:
    """A session with that server."""
    from transforms.spark.session import open_session

    session = open_session(remote)
    yield session
    session.stop()  # before the server: it would wait for one that has gone


@pytest.fixture(scope="session")
def full_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake in which every table was made by DuckDB."""
    return build_full_lake(tmp_path_factory.mktemp("full"))


@pytest.fixture
def bulk_lake(tmp_path: Path) -> Lake:
    """A lake with three bulk files that are read where they are."""
    lake, folder = Lake(tmp_path / "lake"), tmp_path / "files"
    folder.mkdir()
    write_parts(folder, 240, seed=3, works_per_part=80, scope_share=0.3)
    add_all(lake, sorted(folder.glob("part_*")))
    return lake
