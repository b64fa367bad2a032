"""Raw tables in tests: update them as a run does and read them, or see what an update would give."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from orchestration.ingest.raw import update_raw_tables
from orchestration.ingest.raw_tables import list_raw_tables
from orchestration.sources.registry import SOURCES
from orchestration.sources.source import Source
from warehouse.lake import Lake


def drop_log(_: str) -> None:
    """Drop a line of the log."""


def read_raw_tables(lake: Lake) -> dict[str, pl.DataFrame]:
    """All raw tables by name, sorted by key."""
    return {table.name: lake.read(table) for table in list_raw_tables()}


def update_and_read(
    lake: Lake, log: Callable[[str], None] = drop_log, sources: Sequence[Source] = SOURCES
) -> dict[str, pl.DataFrame]:
    """Update the raw tables of some sources, and read all."""
    update_raw_tables(lake, log, sources)
    return read_raw_tables(lake)


def preview_update(lake: Lake) -> dict[str, pl.DataFrame]:
    """The raw tables as an update would make them, without changing the lake."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Lake(Path(folder) / "lake")
        shutil.copytree(lake.root, copy.root)
        return update_and_read(copy)
