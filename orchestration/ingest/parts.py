"""The parts of raw tables: written for newly parsed snapshots, and committed in one step with those they replace.

Besides the records of a source, its rejects and the fields that no parser reads are kept in parts too. A part holds
one large snapshot or several small ones; when a snapshot is parsed again or withdrawn, only its part is replaced.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import duckdb
import polars as pl

from orchestration.ingest.accounts import Account
from orchestration.ingest.bulk_stage import StagedPart
from orchestration.ingest.identity import RecordVersion
from orchestration.ingest.parse import ParsedSnapshots, build_reject_row
from orchestration.ingest.raw_tables import declare_record_table, load_shared_tables
from orchestration.sources.source import Reject, Source
from warehouse.delta import (
    DataFile,
    hash_columns,
    measure_file,
    quote_literal,
    read_data_file,
    scan_parquet,
    write_draft,
)
from warehouse.lake import Lake, TableState
from warehouse.parts import PLACES, SIGHTINGS, PartsDescription, list_part_columns
from warehouse.sql import connect_tables
from warehouse.table import Column, Table

SHARED_PARTS = ("raw.rejects", "raw.judged_rows", "raw.unparsed_fields", "raw.out_of_scope")
_MAX_SMALL_FILES = 64  # more than these are merged into one
_SMALL_ROWS = 50_000


@dataclass
class TableParts:
    """The files of one table as they are and as they are to be.

    Args:
        table: Its declaration.
        columns: The columns of its files.
        files: The files of its newest version.
        added: Files that the next version has besides.
        removed: Files that the next version does not have.
        is_new: Whether it has no version yet that is made of parts.
        is_damaged: Whether files of its newest version are missing or damaged; they are among those to remove.
    """

    table: Table
    columns: tuple[Column, ...]
    files: list[DataFile] = field(default_factory=list)
    added: list[DataFile] = field(default_factory=list)
    removed: list[DataFile] = field(default_factory=list)
    is_new: bool = False
    is_damaged: bool = False

    @property
    def next_files(self) -> list[DataFile]:
        """The files of the next version."""
        kept = [file for file in self.files if file not in self.removed and file not in self.added]
        return kept + list(dict.fromkeys(self.added))

    def is_changed(self, state: TableState, content_sha256: str) -> bool:
        """Whether the next version is another than the newest one, in content or in how it is divided into files."""
        return self.is_new or bool(self.added or self.removed) or state.content_sha256 != content_sha256

    @property
    def names(self) -> list[str]:
        """Names of the columns of its files."""
        return [column.name for column in self.columns]


def open_parts(lake: Lake, table: Table, source: Source | None = None) -> TableParts:
    """The parts of a raw table; none if it was never written, its log is damaged, or it was written otherwise.

    Args:
        lake: The lake.
        table: Its declaration.
        source: The source whose records it has; none for rejects and fields that are not parsed.
    """
    columns = tuple(table.columns) if source is None else list_part_columns(table.columns)
    opened = lake.open_damaged_table(table.name)
    if opened is None:
        return TableParts(table, columns, is_new=True)
    log, files, damaged = opened
    names = [field.name for field in log.delta.schema().fields]
    is_usable = names == [column.name for column in columns]
    if source is not None:
        is_usable = is_usable and PartsDescription.read(log.delta.metadata().description) == describe_parts(source)
    if not is_usable:
        return TableParts(table, columns, is_new=True)
    return TableParts(table, columns, files, removed=damaged, is_damaged=bool(damaged))


def describe_parts(source: Source) -> PartsDescription:
    """What the log of a source's raw table says of it."""
    return PartsDescription(source.name, tuple(source.volatile_columns))


def select_files(files: Iterable[DataFile]) -> str:
    """The relation of the rows in some files, as SQL."""
    return scan_parquet(file.path for file in files)


def write_parsed(
    lake: Lake, connection: duckdb.DuckDBPyConnection, tables: dict[str, TableParts], name: str, parsed: ParsedSnapshots
) -> None:
    """Write what some snapshots hold as parts: their records, rejects and fields that are not parsed.

    Args:
        lake: The lake.
        connection: A connection of the engine.
        tables: The parts to add to: the raw table of the source and `SHARED_PARTS`.
        name: The raw table of the source.
        parsed: What the snapshots hold.
    """
    rows: dict[str, list[dict[str, Any]]] = {
        name: build_part_rows(parsed.versions),
        "raw.rejects": parsed.rejects,
        "raw.judged_rows": parsed.judged_rows,
        "raw.unparsed_fields": parsed.unparsed_fields,
    }
    for table_name, values in rows.items():
        _write_rows(lake, connection, tables[table_name], values)


def build_part_rows(versions: Iterable[RecordVersion]) -> list[dict[str, Any]]:
    """The rows of a part: the records with their places, each with how often its snapshot has had it so far."""
    counts: dict[tuple[str, str], int] = {}
    rows = []
    for version in versions:
        key = (version.snapshot.snapshot_id, version.record_id)
        counts[key] = counts.get(key, 0) + 1
        rows.append(version.to_row() | {"occurrence": counts[key], "locator": version.record.locator})
    return rows


def add_staged_part(
    lake: Lake,
    connection: duckdb.DuckDBPyConnection,
    tables: dict[str, TableParts],
    source: Source,
    staged: StagedPart,
) -> Account:
    """Add the files of a bulk part to the tables; returns its account, without a version.

    Args:
        lake: The lake.
        connection: A connection of the engine.
        tables: The parts to add to: the raw table of the source and `SHARED_PARTS`.
        source: The source.
        staged: What the bulk file gave.
    """
    one, part = staged.snapshot, staged.part
    if part is None:
        parsed = ParsedSnapshots(rejects=[build_reject_row(one, 1, Reject("whole file", staged.reason, ""))])
        write_parsed(lake, connection, tables, source.table_name, parsed)
        return Account(one.snapshot_id, source.name, "", records_read=1, records_rejected=1, is_new=True)
    files = {source.table_name: part.records_path, "raw.rejects": part.rejects_path}
    counts = {source.table_name: part.records_kept_rows, "raw.rejects": part.records_rejected}
    for name, draft in files.items():
        if counts[name]:
            # kept until the run is over, so that a killed run is continued; measured where it was written
            tables[name].added.append(lake.adopt_file(name, read_data_file(draft), is_kept=True))
    shared = {"snapshot_id": one.snapshot_id, "source": source.name}
    reasons = [shared | {"reason": why, "records": count} for why, count in part.out_of_scope_reasons.items()]
    _write_rows(lake, connection, tables["raw.out_of_scope"], reasons)
    return Account(
        one.snapshot_id,
        source.name,
        "",
        records_read=part.records_read,
        records_rejected=part.records_rejected,
        records_out_of_scope=part.records_out_of_scope,
        is_new=True,
    )


def _write_rows(
    lake: Lake, connection: duckdb.DuckDBPyConnection, parts: TableParts, rows: list[dict[str, Any]]
) -> None:
    if not rows:
        return
    name = parts.table.name
    declared = Table(name, parts.table.row, (parts.columns[0].name,), parts.columns)
    connection.register("parsed_rows", declared.frame(rows))
    select = f"select {', '.join(_quote(parts.names))} from parsed_rows"
    _add_part(lake, connection, parts, select)
    connection.unregister("parsed_rows")


def _add_part(lake: Lake, connection: duckdb.DuckDBPyConnection, parts: TableParts, select: str) -> DataFile:
    folder = lake.locate_table(parts.table.name)
    with write_draft(connection, folder, select) as draft:
        file = lake.adopt_file(parts.table.name, measure_file(connection, parts.names, draft))
    parts.added.append(file)
    return file


def list_present(connection: duckdb.DuckDBPyConnection, parts: TableParts, source: str | None) -> set[str]:
    """Identities of the snapshots that have rows in the parts of a table; of one source, in a shared table."""
    if not parts.files:
        return set()
    where = f"where source = {quote_literal(source)}" if source else ""
    query = f"select distinct snapshot_id from {select_files(parts.files)} {where}"
    return {row[0] for row in connection.execute(query).fetchall()}


def drop_snapshots(
    lake: Lake, connection: duckdb.DuckDBPyConnection, parts: TableParts, snapshot_ids: Collection[str]
) -> None:
    """Remove the rows of some snapshots; parts that have rows of others too are written without them."""
    if not snapshot_ids or not parts.files:
        return
    gone = ", ".join(map(quote_literal, sorted(snapshot_ids)))
    query = f"""
        select filename, bool_and(snapshot_id in ({gone}))
        from {scan_parquet((file.path for file in parts.files), ", filename = true")}
        group by filename
        having bool_or(snapshot_id in ({gone}))
    """
    touched = dict(connection.execute(query).fetchall())
    mixed = [file for file in parts.files if touched.get(str(file.path)) is False]
    parts.removed += [file for file in parts.files if str(file.path) in touched]
    if mixed:
        select = f"select {', '.join(_quote(parts.names))} from {select_files(mixed)} where snapshot_id not in ({gone})"
        _add_part(lake, connection, parts, select)


def merge_small_files(lake: Lake, connection: duckdb.DuckDBPyConnection, parts: TableParts) -> None:
    """Merge small parts into one where there are many, since opening a file costs as much as reading a small one."""
    small = [file for file in parts.next_files if file.rows < _SMALL_ROWS]
    if len(small) <= _MAX_SMALL_FILES:
        return
    select = f"select {', '.join(_quote(parts.names))} from {select_files(small)}"
    parts.added = [file for file in parts.added if file not in small]
    _add_part(lake, connection, parts, select)
    parts.removed += [file for file in small if file in parts.files]


def commit_records(
    lake: Lake, connection: duckdb.DuckDBPyConnection, parts: TableParts, source: Source, seen: pl.DataFrame
) -> TableState:
    """Commit the parts of a source's raw table, if they or the times at which their snapshots were seen have changed.

    Args:
        lake: The lake.
        connection: A connection of the engine.
        parts: The parts of the table.
        source: The source.
        seen: The rows of ``raw.snapshots`` of this source.
    """
    table = declare_record_table(source)
    files = parts.next_files
    times = seen.sort("snapshot_id").select("snapshot_id", "fetched_at", "last_seen_at").rows()
    facts = [
        _hash_files(parts, files),
        *(f"{one} {first} {last}" for one, first, last in times),
    ]
    content = hashlib.sha256("\n".join(facts).encode()).hexdigest()
    state = lake.read_state(table.name)
    if state is not None and not parts.is_changed(state, content):
        return state
    rows = 0
    if files:
        query = f"select count(distinct version_id) from {select_files(files)}"
        ((rows,),) = connection.execute(query).fetchall()
    return _commit(lake, parts, content, rows, describe_parts(source))


def commit_shared(lake: Lake, parts: TableParts) -> TableState:
    """Commit the parts of rejects or of fields that are not parsed, if they have changed."""
    files = parts.next_files
    content, state = _hash_files(parts, files), lake.read_state(parts.table.name)
    if state is not None and not parts.is_changed(state, content):
        return state
    return _commit(lake, parts, content, sum(file.rows for file in files), None)


def commit_sightings(lake: Lake, record_tables: Iterable[TableParts]) -> TableState:
    """Commit the state of ``raw.sightings``, which has no files: it is a query over the parts of all sources."""
    table = load_shared_tables()["sightings"]
    all_parts = sorted(record_tables, key=lambda parts: parts.table.name)
    facts = [f"{parts.table.name} {_hash_files(parts, parts.next_files)}" for parts in all_parts]
    content = hashlib.sha256("\n".join(facts).encode()).hexdigest()
    state, opened = lake.read_state(table.name), lake.open_table(table.name)
    description = PartsDescription()
    is_view = opened is not None and PartsDescription.read(opened[0].delta.metadata().description) == description
    if is_view and state is not None and state.content_sha256 == content:
        return state
    rows = sum(file.rows for parts in all_parts for file in parts.next_files)
    return lake.commit(table, content, rows, is_overwrite=True, description=description.to_text())


def count_first_seen(lake: Lake, source: Source) -> dict[str, tuple[int, int]]:
    """For each snapshot of a source, how many records it was the first to have, and how many it has in all."""
    name = source.table_name
    with connect_tables(lake, [name, SIGHTINGS], sightings_of=[name]) as connection:
        query = f"""
            with firsts as (
                select record_id, min(place + record_ordinal) as first_place
                from {SIGHTINGS} inner join {PLACES} using (snapshot_id)
                group by record_id
            )

            select
                snapshot_id,
                count(*) filter (place + record_ordinal = first_place),
                count(*)
            from {SIGHTINGS} inner join {PLACES} using (snapshot_id) inner join firsts using (record_id)
            group by snapshot_id
        """
        return {row[0]: (row[1], row[2]) for row in connection.execute(query).fetchall()}


def _hash_files(parts: TableParts, files: Iterable[DataFile]) -> str:
    files = list(files)
    return hash_columns(parts.names, sum(file.rows for file in files), sum(file.row_hash for file in files))


def _commit(lake: Lake, parts: TableParts, content: str, rows: int, description: PartsDescription | None) -> TableState:
    text = None if description is None else description.to_text()
    # a snapshot that is parsed again and gives the same rows gives the same file
    added = [file for file in parts.added if parts.is_new or file not in parts.files]
    removed = [file for file in parts.removed if file not in parts.added]
    changes: dict[str, Any] = {"added": added, "removed": removed, "columns": parts.columns}
    return lake.commit(parts.table, content, rows, is_overwrite=parts.is_new, description=text, **changes)


def _quote(names: Iterable[str]) -> list[str]:
    return [f'"{name}"' for name in names]
