"""A lake with an inbox, and what is in it after a run has taken its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.ingest import inbox_files
from orchestration.ingest.inbox import add_waiting_files
from warehouse.lake import Lake


@pytest.fixture(name="lake")
def make_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake with an empty inbox, whose files need not rest before they are taken."""
    monkeypatch.setenv("AISLE_BUNDLED", "no")
    monkeypatch.setenv("AISLE_INBOX_SETTLE_SECONDS", "0")
    lake = Lake(tmp_path / "lake")
    lake.inbox.mkdir(parents=True)
    return lake


def take(lake: Lake) -> str:
    """Add the files of the inbox; the lines that are logged."""
    lines: list[str] = []
    add_waiting_files(lake, lines.append)
    return "\n".join(lines)


def list_inbox(lake: Lake) -> set[str]:
    """The names of all files in the inbox, hidden ones too, but for the note of what was left."""
    files = {path.relative_to(lake.inbox) for path in lake.inbox.rglob("*") if not path.is_dir() or path.is_symlink()}
    return {str(path) for path in files} - {inbox_files.LEFT}


def list_contents(lake: Lake) -> set[bytes]:
    """The bytes of everything that the lake keeps: snapshots and refused files."""
    return {path.read_bytes() for path in (*lake.snapshots.glob("*/*/content"), *lake.refused.glob("*/content"))}
