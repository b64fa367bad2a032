"""Fixtures: lakes made by the real command line, built once for all test processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner
from hypothesis import settings

from orchestration.cli.app import main
from tests.support import trials
from tests.support.browsing import (  # noqa: F401 - fixtures for all
    browser,
    browser_context,
    dashboard_url,
    idle_tabs,
    open_trends_page,
    visit_page,
)
from warehouse.lake import PROJECT, Lake
from warehouse.release import read_current_release
from warehouse.release_file import read_file_facts

# few and the same examples in `make test`, others each time in `make prove`
settings.register_profile("few", derandomize=True, deadline=None)
settings.register_profile("all", deadline=None)
settings.load_profile("all" if trials.IS_FULL else "few")
# an installed embedding model would change what models suggest, and take its time
os.environ["AISLE_EMBEDDINGS"] = "no"
SHARED = PROJECT.parent / "shared"
TRUTH = SHARED / "reference" / "truth"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    trials.mark_trials(items)
    # last, since the browser is open until the end, and in its process nothing else can run an event loop
    items.sort(key=lambda item: "browser" in getattr(item, "fixturenames", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    trials.write_trials(terminalreporter)


def run_aisle(lake: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line on a lake in this process, so that its libraries are loaded once for all tests."""
    variables = {"AISLE_LAKE": str(lake), "COLUMNS": "200", "NO_COLOR": "1", "DAGSTER_HOME": "", **environment}
    with pytest.MonkeyPatch.context() as patch, CliRunner().isolation() as (output, errors, _):
        patch.setattr(sys, "argv", ["aisle", *arguments])
        for name, value in variables.items():
            patch.setenv(name, value)  # a run sets DAGSTER_HOME too; restored here
        code: object = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        sys.stdout.flush()
        sys.stderr.flush()
    exit_code = code if isinstance(code, int) else int(code is not None)
    return subprocess.CompletedProcess(arguments, exit_code, output.getvalue().decode(), errors.getvalue().decode())


@pytest.fixture(scope="session", autouse=True)
def pass_on_signals() -> None:
    """Let processes of tests have the usual answers to signals, also where the tests themselves run under ``nohup``.

    Signals that are ignored stay so in child processes; those that are handled have their default answer there.
    """
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)


@pytest.fixture(scope="session")
def seeds() -> list[Path]:
    """The four original input files; skips the test without them."""
    if not SHARED.is_dir():
        pytest.skip("the original inputs are missing: no folder ../shared")
    return sorted((SHARED / "seeds").glob("*.txt"))


@pytest.fixture(scope="session")
def truth() -> Path:
    """The folder of reference tables; skips the test without it."""
    if not TRUTH.is_dir():
        pytest.skip("the reference tables are missing: no folder ../shared/reference/truth")
    return TRUTH


def _build_once(factory: pytest.TempPathFactory, name: str, build: Callable[[Lake], None]) -> Lake:
    """A lake that the first test process builds and all others share."""
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
        finished = run_aisle(lake.root, "run", AISLE_BUNDLED="no")
        assert finished.returncode == 0, finished.stdout + finished.stderr

    return _build_once(tmp_path_factory, "empty-lake", build)


def _add_and_run(lake: Lake, *files: Path) -> None:
    if files:
        finished = run_aisle(lake.root, "add", *map(str, files))
        assert finished.returncode == 0, finished.stderr
    finished = run_aisle(lake.root, "run")
    assert finished.returncode == 0, finished.stdout + finished.stderr


@pytest.fixture(scope="session")
def released_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with the bundled default released; tests only read it."""
    return _build_once(tmp_path_factory, "bundled-lake", _add_and_run)


@pytest.fixture(scope="session")
def seeded_lake(tmp_path_factory: pytest.TempPathFactory, seeds: list[Path]) -> Lake:
    """A lake with the bundled default and the four original inputs released; tests only read it."""
    return _build_once(tmp_path_factory, "seeded-lake", lambda lake: _add_and_run(lake, *seeds))


def copy_lake(lake: Lake, root: Path) -> Lake:
    """A copy of a released lake, of which a run makes only what is new, at a fraction of the cost of a first run."""
    shutil.copytree(lake.root, root, symlinks=True)
    return Lake(root)


def publish_copy(released: Lake, root: Path, *changes: str, number: int = 1) -> Lake:
    """Copy the release of a lake to the lake at ``root``, changed by SQL statements and published as ``number``."""
    lake, source = Lake(root), read_current_release(released)
    lake.releases.mkdir(parents=True, exist_ok=True)
    path = lake.releases / f"aisle.v{number}.duckdb"
    shutil.copy(source.path, path)
    if changes:
        with duckdb.connect(path) as connection:
            for change in changes:
                connection.execute(change)
    manifest = {**source.manifest, "release": number, "file": read_file_facts(path)}
    path.with_suffix(".json").write_text(json.dumps(manifest))
    link = lake.root / "pointer"
    link.symlink_to(path.relative_to(lake.root))
    link.replace(lake.root / "aisle.duckdb")
    return lake


@pytest.fixture
def copy_release(released_lake: Lake, tmp_path: Path) -> Callable[..., Lake]:
    """`publish_copy` of the bundled default to a lake of the test."""
    return partial(publish_copy, released_lake, tmp_path / "lake")
