"""The lake on disk: one Delta table per declared table, and the other folders of a lake.

Writing a table adds a Delta version and replaces the content; writing unchanged content adds no version. Readers
always see one committed version.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import shutil
import unicodedata
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

from warehouse.table import Table, utc_now
from warehouse.terminal_text import escape_name

if TYPE_CHECKING:
    import pyarrow.dataset as ds

PROJECT = Path(__file__).parents[1]
# the Delta library and SQLAlchemy (for Dagster's database) read paths as URLs, whatever form they are given in
_NOT_IN_PATHS = "#?%\\|^[]"
_CONTENT_KEY = "content_sha256"


class UnusableLake(ValueError):
    """The folder cannot hold a lake; the message gives the reason and what to do."""


class LakeBusy(RuntimeError):
    """Another run holds the lock of the lake; the message names the process and its start."""


@dataclass(frozen=True)
class TableState:
    """One committed version of a table: Delta version, number of rows and content hash."""

    version: int
    rows: int
    content_sha256: str


@dataclass(frozen=True)
class Lake:
    """A lake on disk.

    Args:
        root: The folder of the lake; all its files are below it.
    """

    root: Path

    @staticmethod
    def from_environment() -> Lake:
        """The lake at ``AISLE_LAKE``, or in ``data/`` of the project if that is not set.

        Raises:
            UnusableLake: The path cannot be followed, or has a character that no lake can have in its path.
        """
        given = os.environ.get("AISLE_LAKE") or PROJECT / "data"
        try:
            root = Path(given).expanduser().resolve()
        except (OSError, RuntimeError) as error:  # a loop of links, a person who does not exist
            raise UnusableLake(f"{escape_name(given)} cannot hold a lake: {error}") from error
        if bad := dict.fromkeys(c for c in str(root) if c in _NOT_IN_PATHS or _is_control(c)):
            raise UnusableLake(
                f"{escape_name(root)} cannot hold a lake: its path contains"
                f" {escape_name(' '.join(bad))}, but may contain anything except {' '.join(_NOT_IN_PATHS)},"
                " control characters and bytes that are not UTF-8;"
                " name another folder with AISLE_LAKE, or move the project"
            )
        return Lake(root)

    @property
    def snapshots(self) -> Path:
        """Folder of the snapshots: the original bytes, never changed."""
        return self.root / "snapshots"

    @property
    def refused(self) -> Path:
        """Folder of refused files, each with the reason."""
        return self.root / "refused"

    @property
    def inbox(self) -> Path:
        """Folder for dropped files; the next run ingests them."""
        return self.root / "inbox"

    @property
    def releases(self) -> Path:
        """Folder of the releases."""
        return self.root / "releases"

    @property
    def dagster_home(self) -> Path:
        """Folder of Dagster's instance: runs, events, schedules."""
        return self.root / "dagster"

    def locate_table(self, name: str) -> Path:
        """Folder of a table's Delta files."""
        layer, _, short_name = name.partition(".")
        return self.root / "tables" / layer / short_name

    def _open_delta(self, name: str) -> DeltaTable | None:
        """The newest version of a table; none if it was never written, or is damaged, so that it is made again."""
        delta = _open_log(self.locate_table(name))
        return delta if delta is not None and _has_all_files(self.locate_table(name), delta) else None

    def read_state(self, name: str) -> TableState | None:
        """The newest version of a table; none if it was never written or is damaged."""
        delta = self._open_delta(name)
        if delta is None:
            return None
        commit = next(iter(delta.history(1)), {})
        if _CONTENT_KEY not in commit:  # its last commit is damaged
            return None
        return TableState(delta.version(), int(commit["rows"]), commit[_CONTENT_KEY])

    def read(self, table: Table) -> pl.DataFrame:
        """The newest version of a table with the declared columns; no rows if it was never written or is damaged.

        Columns declared after it was written are null.
        """
        delta = self._open_delta(table.name)
        if delta is None:
            return table.frame()
        frame = pl.DataFrame(pl.from_arrow(delta.to_pyarrow_table()))
        columns = [
            name if name in frame.columns else pl.lit(None, kind).alias(name) for name, kind in table.schema.items()
        ]
        return table.conform(frame.select(columns))

    def open_dataset(self, name: str) -> ds.Dataset:
        """The newest version of a table as an Arrow data set, for a query engine to scan.

        Raises:
            FileNotFoundError: The table was never written, or is damaged.
        """
        delta = self._open_delta(name)
        if delta is None:
            raise FileNotFoundError(f"{name} is not in the lake {self.root}: run `aisle run`")
        return delta.to_pyarrow_dataset()

    def write(self, table: Table, frame: pl.DataFrame) -> TableState:
        """Replace the content of a table in one commit; unchanged content is not written again.

        Raises:
            DeclarationError: Columns or types are not the declared ones.
        """
        frame = table.conform(frame)
        content = hash_content(frame)
        stored = self.read_state(table.name)
        if stored is not None and stored.content_sha256 == content:
            return stored
        properties = CommitProperties(custom_metadata={_CONTENT_KEY: content, "rows": str(frame.height)})
        path = self.locate_table(table.name)
        if _open_log(path) is None and path.exists():  # what is left of it cannot be read
            shutil.rmtree(path)
        path.mkdir(parents=True, exist_ok=True)
        write_deltalake(path, frame.to_arrow(), mode="overwrite", schema_mode="overwrite", commit_properties=properties)
        written = self.read_state(table.name)
        if written is None or written.content_sha256 != content:
            raise OSError(f"{table.name}: the new version cannot be read back from {path}")
        return written

    @contextmanager
    def lock_patiently(self, warn: Callable[[str], object]) -> Generator[None]:
        """Lock the lake for one run; if another run holds the lock, warn with its process and wait."""
        with ExitStack() as stack:
            try:
                stack.enter_context(self.lock(wait=False))
            except LakeBusy as busy:
                warn(f"{busy}; waiting for it to end")
                stack.enter_context(self.lock())
            yield

    @contextmanager
    def lock(self, *, wait: bool = True) -> Generator[None]:
        """Lock the lake for one run across processes; the lock is released even if the process is killed.

        Raises:
            LakeBusy: Another process holds the lock and ``wait`` is false.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "run.lock").open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError as error:
                file.seek(0)
                raise LakeBusy(
                    f"another run uses the lake {self.root} ({file.read().strip() or 'starting'})"
                ) from error
            file.seek(0)
            file.truncate()
            file.write(f"process {os.getpid()} since {utc_now():%Y-%m-%d %H:%M:%S} UTC")
            file.flush()
            try:
                yield
            finally:
                file.truncate(0)


def _is_control(character: str) -> bool:
    """Whether a character is a control character, a line separator, or a byte that is not UTF-8."""
    return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}


def _open_log(path: Path) -> DeltaTable | None:
    """A table as its log describes it; none if there is no log or it is damaged."""
    try:
        return DeltaTable(path) if DeltaTable.is_deltatable(str(path)) else None
    except DeltaError:
        return None


def _has_all_files(path: Path, delta: DeltaTable) -> bool:
    """Whether the files of the newest version are there with the sizes that the log gives."""
    files = pl.DataFrame(delta.get_add_actions(flatten=True)).select("path", "size_bytes")
    try:
        return all((path / name).stat().st_size == size_bytes for name, size_bytes in files.iter_rows())
    except FileNotFoundError:
        return False


def hash_content(frame: pl.DataFrame) -> str:
    """SHA-256 of the column names and rows of a frame, in order; the same on every machine."""
    buffer = io.BytesIO()
    frame.write_ndjson(buffer)
    return hashlib.sha256(",".join(frame.columns).encode() + b"\n" + buffer.getvalue()).hexdigest()


def replace_file(path: Path, content: bytes) -> None:
    """Write a file atomically and durably: after a crash it has the old or the new content."""
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
    """Flush a folder to disk, so that renames in it survive a crash."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
