"""Where tables lie: a folder of Delta tables, one per declared table, and the other folders of a lake.

A table is replaced by writing a new Delta version; a write that changes nothing makes no version. What is
read is always one committed version, whatever happens to a writer.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from deltalake import CommitProperties, DeltaTable, write_deltalake

from warehouse.table import Table, utc_now

if TYPE_CHECKING:
    import pyarrow.dataset as ds

PROJECT = Path(__file__).parents[1]
_CONTENT = "content_sha256"


class UnusableLake(ValueError):
    """A lake cannot be kept in this folder; the text says why and what to do."""


class LakeBusy(RuntimeError):
    """Another run holds the lake; the text says which and since when."""


@dataclass(frozen=True)
class TableState:
    """One committed version of a table: its Delta version, number of rows and the hash of its content."""

    version: int
    rows: int
    content_sha256: str


@dataclass(frozen=True)
class Lake:
    """A lake on disk.

    Args:
        root: The folder under which everything the lake keeps lies.
    """

    root: Path

    @staticmethod
    def of_environment() -> Lake:
        """The lake named by ``AISLE_LAKE``, or ``data/`` in the project's folder.

        Raises:
            UnusableLake: The path has a character with which the Delta library cannot work.
        """
        root = Path(os.environ.get("AISLE_LAKE") or PROJECT / "data").expanduser().resolve()
        if bad := sorted(set(str(root)) & set("[]%")):  # its object store takes paths for URLs
            raise UnusableLake(
                f"no lake can be kept in {root}: its path has {' '.join(bad)};"
                " name another folder with AISLE_LAKE, or move the project"
            )
        return Lake(root)

    @property
    def snapshots(self) -> Path:
        """Folder of the snapshots: bytes as they came, never changed."""
        return self.root / "snapshots"

    @property
    def refused(self) -> Path:
        """Folder of the files that were refused, each with the reason."""
        return self.root / "refused"

    @property
    def inbox(self) -> Path:
        """Folder into which a person drops files; the next run takes them in."""
        return self.root / "inbox"

    @property
    def releases(self) -> Path:
        """Folder of the releases."""
        return self.root / "releases"

    @property
    def dagster_home(self) -> Path:
        """Folder of Dagster's instance: runs, events, schedules."""
        return self.root / "dagster"

    def path(self, name: str) -> Path:
        """Folder of a table's Delta files."""
        layer, _, things = name.partition(".")
        return self.root / "tables" / layer / things

    def _delta(self, name: str) -> DeltaTable | None:
        path = self.path(name)
        return DeltaTable(path) if DeltaTable.is_deltatable(str(path)) else None

    def state(self, name: str) -> TableState | None:
        """The newest version of a table, or none if it was never written."""
        delta = self._delta(name)
        if delta is None:
            return None
        commit = delta.history(1)[0]
        return TableState(delta.version(), int(commit["rows"]), commit[_CONTENT])

    def read(self, table: Table) -> pl.DataFrame:
        """The newest version of a table with the declared columns; no rows if it was never written.

        Columns that were not declared yet when it was written are missing values.
        """
        delta = self._delta(table.name)
        if delta is None:
            return table.frame()
        frame = pl.DataFrame(pl.from_arrow(delta.to_pyarrow_table()))
        kept = [
            name if name in frame.columns else pl.lit(None, kind).alias(name) for name, kind in table.schema.items()
        ]
        return table.conform(frame.select(kept))

    def dataset(self, name: str) -> ds.Dataset:
        """The newest version of a table as an Arrow data set, for an engine to scan.

        Raises:
            FileNotFoundError: The table was never written.
        """
        delta = self._delta(name)
        if delta is None:
            raise FileNotFoundError(f"{name} is not in the lake {self.root}: run `aisle run`")
        return delta.to_pyarrow_dataset()

    def write(self, table: Table, frame: pl.DataFrame) -> TableState:
        """Replace a table's content in one step; nothing is written if it is the same.

        Raises:
            DeclarationError: Columns or types are not the declared ones.
        """
        frame = table.conform(frame)
        content = content_hash(frame)
        held = self.state(table.name)
        if held is not None and held.content_sha256 == content:
            return held
        properties = CommitProperties(custom_metadata={_CONTENT: content, "rows": str(frame.height)})
        path = self.path(table.name)
        path.mkdir(parents=True, exist_ok=True)
        write_deltalake(path, frame.to_arrow(), mode="overwrite", schema_mode="overwrite", commit_properties=properties)
        written = self.state(table.name)
        if written is None or written.content_sha256 != content:
            raise OSError(f"{table.name}: the version just written cannot be read back from {path}")
        return written

    @contextmanager
    def lock(self, *, wait: bool = True) -> Generator[None]:
        """Hold the lake for one run at a time, across processes; freed even if the holder is killed.

        Raises:
            LakeBusy: Another process holds it and ``wait`` is false.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "run.lock").open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError as error:
                file.seek(0)
                raise LakeBusy(
                    f"another run is at work in {self.root} ({file.read().strip() or 'starting'})"
                ) from error
            file.seek(0)
            file.truncate()
            file.write(f"process {os.getpid()} since {utc_now():%Y-%m-%d %H:%M:%S} UTC")
            file.flush()
            try:
                yield
            finally:
                file.truncate(0)


def content_hash(frame: pl.DataFrame) -> str:
    """SHA-256 over the rows of a frame, in their order, with column names; the same on every machine."""
    buffer = io.BytesIO()
    frame.write_ndjson(buffer)
    return hashlib.sha256(",".join(frame.columns).encode() + b"\n" + buffer.getvalue()).hexdigest()


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, also when the power fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def sync_folder(path: Path) -> None:
    """Make renames within a folder durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
