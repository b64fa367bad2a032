"""The raw tables: new snapshots are parsed once, and each of their records is accounted for once.

The way of a record: ``snapshots`` keeps the bytes, ``parse`` reads them in the ``parser_process``, ``identity`` finds
out which record and version it is, ``limits`` rejects what breaks a critical limit, ``parts`` keeps it, ``accounts``
counts it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import duckdb
import polars as pl

from orchestration.ingest.accounts import Account, build_account_rows, log_accounts
from orchestration.ingest.bulk_files import RECORDS, is_unchanged
from orchestration.ingest.bulk_stage import compute_version, read_bulk_snapshots
from orchestration.ingest.decisions import build_decision_rows
from orchestration.ingest.fetch_log import parse_moment, read_fetch_log
from orchestration.ingest.limits import reject_broken_versions
from orchestration.ingest.parse import parse_snapshots
from orchestration.ingest.parsed import forget_parsed
from orchestration.ingest.parser_version import compute_parser_version
from orchestration.ingest.parts import (
    SHARED_PARTS,
    TableParts,
    add_staged_part,
    commit_records,
    commit_shared,
    commit_sightings,
    count_first_seen,
    drop_snapshots,
    list_present,
    merge_small_files,
    open_parts,
    write_parsed,
)
from orchestration.ingest.raw_tables import declare_record_table, load_shared_tables
from orchestration.ingest.refused import list_refused_files
from orchestration.ingest.snapshots import DamagedSnapshot, Snapshot, get_content_path, list_snapshots
from orchestration.sources.registry import SOURCES, get_source
from orchestration.sources.source import Source, list_first
from warehouse.decisions.store import list_decisions
from warehouse.lake import Lake
from warehouse.sql import connect_tables

_JUDGED_ROWS, _JUDGING_SOURCE = "raw.judged_rows", "lab_sheet"  # of which alone there are such rows

Log = Callable[[str], None]
ReadAhead = Callable[[Source, list[Snapshot], dict[str, str]], None]


@dataclass
class SourceUpdate:
    """What an update does to the raw table of one source.

    Args:
        source: The source.
        snapshots: Its snapshots, oldest first.
        accounts: The account of each snapshot that is parsed already and stays as it is.
        parts: The parts of its raw table.
        is_changed: Whether a snapshot was parsed, parsed again or withdrawn.
        has_away: Whether a file that is read in place, and that is to be read, is not there.
    """

    source: Source
    snapshots: list[Snapshot]
    accounts: dict[str, Account]
    parts: TableParts
    is_changed: bool = field(default=False)
    has_away: bool = field(default=False)


def update_raw_tables(
    lake: Lake, log: Log, sources: Sequence[Source] = SOURCES, read_ahead: ReadAhead | None = None
) -> bool:
    """Parse the new snapshots of some sources and bring their raw tables and the shared ones up to date.

    In the shared tables, the rows of other sources stay as they are stored. Their new snapshots are left out of
    ``raw.snapshots`` too, so that each snapshot listed there has its account in ``raw.parses``.

    A snapshot counts as parsed once ``raw.parses``, which is written last, has it: what a killed run wrote for others
    is removed by the next one.

    Args:
        lake: The lake.
        log: Receives a line for each step.
        sources: The sources to update.
        read_ahead: Reads bulk files elsewhere, all of a source at once, before they are added one after the other.

    Returns:
        Whether everything was read: False if a file that is read in place is away.

    Raises:
        DamagedSnapshot: The bytes of some snapshots are not what was stored, or a table is damaged and a file that is
            read in place, and has the lost records, is away; nothing is changed.
    """
    snapshots = list_snapshots(lake)
    shared = load_shared_tables()
    shared_parts = {name: open_parts(lake, shared[name.removeprefix("raw.")]) for name in SHARED_PARTS}
    stored = _read_accounts(lake, shared_parts, sources, log)
    updates = []
    with connect_tables(lake, []) as connection:
        for source in SOURCES:
            update = _open_update(lake, connection, source, snapshots, stored, log)
            if source in sources:
                _require_files_of_lost_records(lake, connection, update, stored)
                _update_source(lake, connection, update, shared_parts, log, read_ahead)
            updates.append(update)
        changed = [update for update in updates if update.is_changed]
        for parts in [*(update.parts for update in changed), *shared_parts.values()]:
            merge_small_files(lake, connection, parts)
        others = [source.name for source in SOURCES if source not in sources]
        fetches = _update_fetches(lake, others)
        parsed_before = [one for update in updates if update.source not in sources for one in update.accounts]
        listed = [snapshot for update in updates for snapshot in update.snapshots]
        seen = _update_snapshots(lake, listed, others, parsed_before, fetches)
        for update in updates:
            if update.source in sources:
                own_rows = seen.filter(pl.col("source") == update.source.name)
                commit_records(lake, connection, update.parts, update.source, own_rows)
    lake.write(shared["snapshots"], seen)
    lake.write(shared["fetches"], fetches)
    commit_sightings(lake, [update.parts for update in updates])
    for parts in shared_parts.values():
        commit_shared(lake, parts)
    lake.write(shared["refused_files"], shared["refused_files"].frame(map(asdict, list_refused_files(lake))))
    lake.write(shared["decisions"], build_decision_rows(list_decisions(lake)))
    rows = []
    for update in updates:
        first_seen = count_first_seen(lake, update.source) if update.is_changed else None
        account_rows = build_account_rows(update.accounts.values(), first_seen)
        if update.is_changed:
            new = [snapshot for snapshot in update.snapshots if update.accounts[snapshot.snapshot_id].is_new]
            log_accounts(update.source, new, account_rows, log)
        rows += account_rows
    lake.write(shared["parses"], shared["parses"].frame(rows))
    for source in sources:
        forget_parsed(lake, source.name)
    return not any(update.has_away for update in updates)


def _read_accounts(
    lake: Lake, shared_parts: dict[str, TableParts], sources: Sequence[Source], log: Log
) -> list[dict[str, Any]]:
    """The stored rows of ``raw.parses``; none if a shared table is lost, so that everything is parsed again."""
    stored = lake.read(load_shared_tables()["parses"])
    # of these it is not known which snapshots had rows in them
    lost = [n for n, parts in shared_parts.items() if (parts.is_new or parts.is_damaged) and n != _JUDGED_ROWS]
    is_earlier = stored["records_out_of_scope"].null_count() > 0  # earlier versions had no such column
    if stored.height and (lost or is_earlier):
        reason = "the lake is of an earlier version" if is_earlier else f"{', '.join(lost)} not in the lake, or damaged"
        log(f"{reason}: reading all snapshots again")
        return []
    judged = shared_parts[_JUDGED_ROWS]
    is_judged_again = (judged.is_new or judged.is_damaged) and get_source(_JUDGING_SOURCE) in sources
    return [row for row in stored.to_dicts() if not (is_judged_again and row["source"] == _JUDGING_SOURCE)]


def _open_update(
    lake: Lake,
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    snapshots: list[Snapshot],
    stored: list[dict[str, Any]],
    log: Log,
) -> SourceUpdate:
    """A source with its snapshots, stored accounts and parts; without accounts of those whose rows are lost."""
    own = [snapshot for snapshot in snapshots if snapshot.source == source.name]
    parts = open_parts(lake, declare_record_table(source), source)
    accounts = {row["snapshot_id"]: Account(**row) for row in stored if row["source"] == source.name}
    if accounts and parts.is_new:
        log(f"{source.name}: {parts.table.name} is not in the lake as parts: reading all its snapshots again")
        accounts.clear()
    elif accounts and parts.is_damaged:
        present = list_present(connection, parts, None)
        lost = [one for one, account in accounts.items() if account.records_held and one not in present]
        log(f"{source.name}: reading {_count_snapshots(len(lost))} again, since a file with its records is damaged")
        for one in lost:
            del accounts[one]
    return SourceUpdate(source, own, accounts, parts)


def _require_files_of_lost_records(
    lake: Lake, connection: duckdb.DuckDBPyConnection, update: SourceUpdate, stored: list[dict[str, Any]]
) -> None:
    """Require the bulk files that are to be read again because a table is damaged: without them records would be lost.

    Raises:
        DamagedSnapshot: One is not there with the bytes that were added.
    """
    in_place = [s for s in update.snapshots if s.path is not None and s.snapshot_id not in update.accounts]
    if not in_place:
        return
    known = {row["snapshot_id"] for row in stored} if update.parts.is_damaged else set[str]()
    if lake.has_damaged_files(*(f"raw.{name}" for name in load_shared_tables())):
        known |= list_present(connection, update.parts, None)
    paths = {get_content_path(lake, one): one for one in in_place if one.snapshot_id in known}
    away = [str(path) for path, one in paths.items() if not is_unchanged(path, one)]
    if away:
        raise DamagedSnapshot(
            f"records of {list_first(away)} are damaged in the lake, and the file itself is not there with the"
            " bytes that were added: put it back, or remove its snapshot"
        )


def _update_source(
    lake: Lake,
    connection: duckdb.DuckDBPyConnection,
    update: SourceUpdate,
    shared_parts: dict[str, TableParts],
    log: Log,
    read_ahead: ReadAhead | None,
) -> None:
    """Parse what is not parsed yet, and remove what is withdrawn or was parsed otherwise."""
    source, name = update.source, update.parts.table.name
    known = {snapshot.snapshot_id for snapshot in update.snapshots}
    versions = {snapshot.snapshot_id: compute_snapshot_version(source, snapshot) for snapshot in update.snapshots}
    if gone := sorted(set(update.accounts) - known):
        log(f"{source.name}: {list_first(gone)} removed")
    outdated = [one for one in update.accounts if one in known and update.accounts[one].parser_version != versions[one]]
    away = _find_away(lake, update, [one for one in known if one in outdated or one not in update.accounts], log)
    outdated = [one for one in outdated if one not in away]
    update.snapshots = [s for s in update.snapshots if s.snapshot_id in update.accounts or s.snapshot_id not in away]
    if outdated:
        log(f"{source.name}: the parser or a hint has changed, reading {_count_snapshots(len(outdated))} again")
    for snapshot_id in [*gone, *outdated]:
        del update.accounts[snapshot_id]
    own_parts = {name: update.parts, **shared_parts}
    for table_name, parts in own_parts.items():
        present = list_present(connection, parts, None if table_name == name else source.name)
        drop_snapshots(lake, connection, parts, present - set(update.accounts))
    new = [snapshot for snapshot in update.snapshots if snapshot.snapshot_id not in update.accounts]
    update.is_changed = bool(new or gone)
    documents, bulk_files = [s for s in new if not s.is_bulk], [s for s in new if s.is_bulk]
    for batch, parsed in parse_snapshots(lake, source, documents, log):
        reject_broken_versions(source, parsed)
        write_parsed(lake, connection, own_parts, name, parsed)
        rejected = parsed.count_rejects()
        for snapshot in batch:
            one = snapshot.snapshot_id
            update.accounts[one] = Account(
                snapshot_id=one,
                source=source.name,
                parser_version=versions[one],
                records_read=parsed.records_read[one],
                records_rejected=rejected[one],
                is_new=True,
            )
    if read_ahead is not None and bulk_files:
        read_ahead(source, bulk_files, versions)
    for staged in read_bulk_snapshots(lake, source, bulk_files, versions, log):
        account = add_staged_part(lake, connection, own_parts, source, staged)
        update.accounts[account.snapshot_id] = replace(account, parser_version=versions[account.snapshot_id])


def _find_away(lake: Lake, update: SourceUpdate, wanted: Collection[str], log: Log) -> set[str]:
    """Which of the snapshots that are to be read are read in place and have no file there with their bytes."""
    away = set[str]()
    for snapshot in update.snapshots:
        if snapshot.path is None or snapshot.snapshot_id not in wanted:
            continue
        path = get_content_path(lake, snapshot)
        if not is_unchanged(path, snapshot):
            away.add(snapshot.snapshot_id)
            what = "has other bytes than when it was added" if path.exists() else "is not there"
            stays = "its records stay as they are" if snapshot.snapshot_id in update.accounts else "it is not read"
            log(f"! {path} {what}: {stays}; put it back, or add it again from where it is")
    update.has_away = bool(away)
    return away


def compute_snapshot_version(source: Source, snapshot: Snapshot) -> str:
    """Version of all that a snapshot is read with: the code, its hints, and for a bulk file the statement."""
    hints = {name: value for name, value in snapshot.hints.items() if name != RECORDS}
    version = compute_parser_version(source, hints)
    return compute_version(source, snapshot, version) if snapshot.is_bulk else version


def _count_snapshots(count: int) -> str:
    return f"{count:,} {'snapshot' if count == 1 else 'snapshots'}"


def _read_rows(lake: Lake, name: str, sources: list[str]) -> pl.DataFrame:
    """The stored rows of some sources in a shared table."""
    return lake.read(load_shared_tables()[name]).filter(pl.col("source").is_in(sources))


def _update_snapshots(
    lake: Lake, snapshots: list[Snapshot], left_out: list[str], parsed_before: list[str], fetches: pl.DataFrame
) -> pl.DataFrame:
    """``raw.snapshots``; the sources that are left out keep the stored rows of snapshots that have an account."""
    table = load_shared_tables()["snapshots"]
    kept = _read_rows(lake, "snapshots", left_out).filter(pl.col("snapshot_id").is_in(parsed_before))
    lost = set(parsed_before) - set(kept["snapshot_id"])
    columns = [name for name in table.schema if name != "last_seen_at"]
    new = table.frame(
        {name: getattr(snapshot, name) for name in columns} | {"last_seen_at": snapshot.fetched_at}
        for snapshot in snapshots
        if snapshot.source not in left_out or snapshot.snapshot_id in lost
    )
    last = fetches.drop_nulls("snapshot_id").group_by("snapshot_id").agg(last_fetch=pl.col("fetched_at").max())
    new = new.join(last, on="snapshot_id", how="left", maintain_order="left")
    new = new.with_columns(pl.max_horizontal("last_seen_at", "last_fetch").alias("last_seen_at")).select(*table.schema)
    return pl.concat([kept, new])


def _update_fetches(lake: Lake, left_out: list[str]) -> pl.DataFrame:
    """``raw.fetches`` from the fetch log; the sources that are left out keep their stored rows."""
    stored = _read_rows(lake, "fetches", left_out)
    if stored["session_id"].null_count():  # the column had another name in earlier versions
        return _build_fetches(lake, [])
    return pl.concat([stored, _build_fetches(lake, left_out)])


def _build_fetches(lake: Lake, left_out: list[str]) -> pl.DataFrame:
    """The fetch log as rows of ``raw.fetches``, without the sources that are left out."""
    table = load_shared_tables()["fetches"]
    lines = [line for line in read_fetch_log(lake) if line.source not in left_out]
    return table.frame(
        {name: getattr(line, name) for name in table.schema} | {"fetched_at": parse_moment(line.fetched_at)}
        for line in lines
    )
