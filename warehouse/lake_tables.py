"""Large raw tables of a release: they stay in the lake, and the manifest pins the files of their Delta version.

A raw table is large if it has more than `MAX_FILE_RECORDS` records in its parts. Everything else of a release is in its
DuckDB file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warehouse.delta import DataFile, hash_columns, scan_parquet
from warehouse.intact_files import open_intact_files
from warehouse.lake import Lake, TableState
from warehouse.origin import LakeOrigin
from warehouse.parts import SIGHTINGS, PartsDescription
from warehouse.table import Table

MAX_FILE_RECORDS = 200_000  # a table with more would cost more than all marts together, in each release


class MissingFile(OSError):
    """A file that a release pins is not as it was published; the message names it and the reason."""


@dataclass(frozen=True)
class LakeTable:
    """A table of a release that is in the lake.

    Args:
        name: Name of the table.
        rows: Versions of records in it.
        records: Records at places in snapshots, of which its files have one row each.
        delta_version: Version of its Delta table.
        content_sha256: Hash of its content.
        path: Folder of the Delta table, relative to the lake.
        files: Names of its Parquet files in that folder.
        size_bytes: Size of all of them.
    """

    name: str
    rows: int
    records: int
    delta_version: int
    content_sha256: str
    path: str
    files: tuple[str, ...]
    size_bytes: int

    def to_manifest(self) -> dict[str, Any]:
        """Its entry in a manifest."""
        return {
            "rows": self.rows,
            "records": self.records,
            "delta_version": self.delta_version,
            "content_sha256": self.content_sha256,
            "path": self.path,
            "files": list(self.files),
            "bytes": self.size_bytes,
        }

    def check(self, root: Path, origin: LakeOrigin | None = None) -> None:
        """Check that its files are there with the bytes that were published.

        Where the lake has another origin, only the files that are on this machine are read.

        Raises:
            MissingFile: They are not.
        """
        size_bytes = 0
        for path in self.locate_files(root):
            try:
                size_bytes += Lake(root, origin).measure_file(path)
            except OSError as error:
                raise MissingFile(f"{path} of {self.name} cannot be read: {error.strerror}") from error
        if size_bytes != self.size_bytes:
            message = f"{size_bytes:,} bytes, and were published with {self.size_bytes:,}"
            raise MissingFile(f"the files of {self.name} in {root / self.path} have {message}")
        for path in (path for path in self.locate_files(root) if origin is None or path.exists()):
            if not open_intact_files(root).is_intact(path):
                raise MissingFile(f"{path} of {self.name} has other bytes than were published")

    def locate_files(self, root: Path) -> list[Path]:
        """Its Parquet files in a lake."""
        return [root / self.path / name for name in self.files]

    def select(self, root: Path) -> str:
        """The relation of its records, as SQL; a record is in it once for each snapshot that has it."""
        return scan_parquet(self.locate_files(root))


def read_lake_tables(manifest: Mapping[str, Any]) -> dict[str, LakeTable]:
    """The tables of a release that are in the lake, by name.

    Raises:
        KeyError: An entry lacks something.
        TypeError: An entry has another form.
    """
    return {
        name: LakeTable(
            name,
            entry["rows"],
            entry["records"],
            entry["delta_version"],
            entry["content_sha256"],
            entry["path"],
            tuple(entry["files"]),
            entry["bytes"],
        )
        for name, entry in manifest.get("lake_tables", {}).items()
    }


def explain_place(tables: Mapping[str, LakeTable], query: str) -> str:
    """A sentence for each table that a query names and that is not in the release file; empty if there is none.

    Args:
        tables: The tables of the release that are in the lake.
        query: The query, which may be no SQL at all.
    """
    named = [t for name, t in tables.items() if re.search(rf"\b{re.escape(name.partition('.')[2])}\b", query, re.I)]
    return " ".join(
        f"{table.name} is too large for the release file: its {table.records:,} records are in the Parquet files of the"
        f" Delta table {table.path} of the lake (version {table.delta_version}), which a query here cannot read;"
        " docs/sql.md shows how to read them with other tools."
        for table in named
    )


def list_all_tables(manifest: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The entries of all tables of a release, in its file or in the lake, by name."""
    return {**manifest["tables"], **manifest.get("lake_tables", {})}


@dataclass(frozen=True)
class Division:
    """Which tables of the lake go where in a release.

    Args:
        lake_tables: The tables that stay in the lake.
        sightings_of: The raw tables whose records are in ``raw.sightings``; empty if those of all are.
        sightings: What ``raw.sightings`` of the file is then; none if it is the whole table.
    """

    lake_tables: dict[str, LakeTable]
    sightings_of: tuple[str, ...] = ()
    sightings: TableState | None = None


def divide_tables(lake: Lake, tables: Iterable[Table], states: Mapping[str, TableState]) -> Division:
    """Divide the tables of a release into those of its file and those that stay in the lake.

    Args:
        lake: The lake.
        tables: The tables.
        states: The state of each of them.
    """
    lake_tables: dict[str, LakeTable] = {}
    small: dict[str, list[DataFile]] = {}
    for table in tables:
        opened = lake.open_table(table.name) if table.layer == "raw" else None
        description = PartsDescription.read(opened[0].delta.metadata().description) if opened else None
        if opened is None or description is None or description.source is None:
            continue
        records = sum(file.rows for file in opened[1])
        if records <= MAX_FILE_RECORDS:
            small[table.name] = opened[1]
            continue
        folder, state = lake.locate_table(table.name), states[table.name]
        files = sorted(str(file.path.relative_to(folder)) for file in opened[1])
        lake_tables[table.name] = LakeTable(
            name=table.name,
            rows=state.rows,
            records=records,
            delta_version=state.version,
            content_sha256=state.content_sha256,
            path=str(folder.relative_to(lake.root)),
            files=tuple(files),
            size_bytes=sum((folder / name).stat().st_size for name in files),
        )
    if not lake_tables or SIGHTINGS not in states:
        return Division(lake_tables)
    rows = sum(file.rows for files in small.values() for file in files)
    facts = (
        f"{name} {sum(file.rows for file in files)} {sum(file.row_hash for file in files)}"
        for name, files in sorted(small.items())
    )
    sightings = TableState(-1, rows, hash_columns(facts, rows, 0))
    # no source has a table without a name, so that no table at all gives no sightings
    return Division(lake_tables, tuple(sorted(small)) or ("",), sightings)
