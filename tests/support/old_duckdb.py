"""Older versions of DuckDB, installed beside the environment, to open release files as other people's tools do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def install_duckdb(version: str) -> Path:
    """The folder of a DuckDB for this Python, which is kept; skips the test where there is no package index."""
    folder = Path(sys.prefix) / "older" / f"duckdb-{version}"
    if (folder / "duckdb").is_dir():
        return folder
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    command = [str(Path(sys.prefix) / "bin" / "uv"), "pip", "install", "--quiet", "--no-deps", "--target", str(draft)]
    command += ["--python", sys.executable, f"duckdb=={version}"]
    try:
        installed = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        reason = installed.stderr.strip().partition("\n")[0] if installed.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = str(error)
    if reason:
        pytest.skip(f"duckdb {version} cannot be installed: {reason}")
    if not folder.exists():
        draft.rename(folder)
    return folder


def run_script(folder: Path, script: str, *arguments: str) -> str:
    """What a script prints in a process that has only this DuckDB and the standard library."""
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.append({str(folder)!r})\n{script}", *arguments]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout
