"""The raw tables: new snapshots are parsed once, and each of their records is accounted for once.

The way of a record: ``snapshots`` keeps the bytes, ``parse`` reads them in the ``parser_process``, ``identity`` finds
out which record and version it is, ``limits`` rejects what breaks a critical limit, ``accounts`` counts it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict

import polars as pl

from orchestration.ingest.accounts import ACCOUNT_TABLES, build_accounts, log_accounts
from orchestration.ingest.fetch_log import parse_moment, read_fetch_log
from orchestration.ingest.identity import find_last_fetches, merge_versions, update_last_seen
from orchestration.ingest.limits import reject_broken_versions
from orchestration.ingest.parse import compute_parser_version, parse_snapshots
from orchestration.ingest.raw_tables import declare_record_table, load_shared_tables
from orchestration.ingest.refused import list_refused_files
from orchestration.ingest.snapshots import Snapshot, list_snapshots
from orchestration.sources.registry import SOURCES
from orchestration.sources.source import Source, list_first
from warehouse.lake import Lake

Frames = dict[str, pl.DataFrame]


def update_raw_tables(lake: Lake, log: Callable[[str], None], sources: Sequence[Source] = SOURCES) -> Frames:
    """Parse the new snapshots of some sources and bring their raw tables up to date.

    In the shared tables, the rows of other sources stay as they are stored. Their new snapshots are left out of
    ``raw.snapshots`` too, so that each snapshot listed there has its account in ``raw.parses``.

    Args:
        lake: The lake.
        log: Receives a line for each step.
        sources: The sources to update.

    Returns:
        The raw tables of these sources and all shared tables, by name, to be written in the order of
        `list_raw_tables`: a snapshot counts as parsed once ``raw.parses``, the last, has it.
    """
    snapshots = list_snapshots(lake)
    stored = _read_accounts(lake, log)
    tables: Frames = {}
    accounts: list[Frames] = []
    for source in SOURCES:
        account = {name: frame.filter(pl.col("source") == source.name) for name, frame in stored.items()}
        if source in sources:
            own = [snapshot for snapshot in snapshots if snapshot.source == source.name]
            tables[source.table_name], account = _update_source(lake, source, own, account, log)
        accounts.append(account)
    for name in ACCOUNT_TABLES:
        tables[f"raw.{name}"] = pl.concat(account[name] for account in accounts)
    others = [source.name for source in SOURCES if source not in sources]
    parsed_before = pl.col("snapshot_id").is_in(stored["parses"]["snapshot_id"].to_list())
    tables["raw.snapshots"] = pl.concat(
        [
            _read_rows(lake, "snapshots", others).filter(parsed_before),
            _build_snapshots([snapshot for snapshot in snapshots if snapshot.source not in others]),
        ]
    )
    tables["raw.fetches"] = _update_fetches(lake, others)
    tables["raw.refused_files"] = load_shared_tables()["refused_files"].frame(map(asdict, list_refused_files(lake)))
    last_fetches = find_last_fetches(tables["raw.fetches"], tables["raw.sightings"])
    for source in sources:
        tables[source.table_name] = update_last_seen(tables[source.table_name], last_fetches)
    return tables


def _read_accounts(lake: Lake, log: Callable[[str], None]) -> Frames:
    """The stored rows of the account tables; no rows if a shared table is lost, so that everything is parsed again."""
    shared = load_shared_tables()
    stored = {name: lake.read(shared[name]) for name in ACCOUNT_TABLES}
    lost = [table.name for table in shared.values() if lake.read_state(table.name) is None]
    if lost and stored["parses"].height:
        log(f"{', '.join(lost)} not in the lake: reading all snapshots again")
        return {name: frame.clear() for name, frame in stored.items()}
    # rows that a killed run wrote for a snapshot without an account do not count
    is_parsed = pl.col("snapshot_id").is_in(stored["parses"]["snapshot_id"].to_list())
    return {name: frame.filter(is_parsed) for name, frame in stored.items()}


def _update_source(
    lake: Lake, source: Source, snapshots: list[Snapshot], stored: Frames, log: Callable[[str], None]
) -> tuple[pl.DataFrame, Frames]:
    """The raw table of a source with all its snapshots parsed, and its rows of the account tables."""
    table = declare_record_table(source)
    rows = lake.read(table).filter(pl.col("version_id").is_in(stored["sightings"]["version_id"].to_list()))
    if reason := _find_reason_to_reparse(lake, source, snapshots, stored["parses"]):
        log(f"{source.name}: {reason}, reading all {len(snapshots)} snapshots again")
        stored, rows = {name: frame.clear() for name, frame in stored.items()}, rows.clear()
    done = set(stored["parses"]["snapshot_id"])
    new = [snapshot for snapshot in snapshots if snapshot.snapshot_id not in done]
    parsed = parse_snapshots(lake, source, new, log)
    reject_broken_versions(source, parsed)
    added = build_accounts(source, new, parsed, rows["record_id"])
    log_accounts(source, new, added["parses"].to_dicts(), log)
    accounts = {name: pl.concat([stored[name], added[name]]) for name in ACCOUNT_TABLES}
    return merge_versions(source, rows, parsed.versions), accounts


def _find_reason_to_reparse(lake: Lake, source: Source, snapshots: list[Snapshot], parses: pl.DataFrame) -> str | None:
    """Why the snapshots that were parsed before must be parsed again, if they must."""
    versions = dict(parses.select("snapshot_id", "parser_version").iter_rows())
    if versions and lake.read_state(source.table_name) is None:
        return f"{source.table_name} is not in the lake"
    if gone := sorted(set(versions) - {snapshot.snapshot_id for snapshot in snapshots}):
        return f"{list_first(gone)} removed"
    current = {snapshot.snapshot_id: compute_parser_version(source, snapshot.hints) for snapshot in snapshots}
    if any(version != current[snapshot_id] for snapshot_id, version in versions.items()):
        return "the parser or a hint has changed"
    return None


def _read_rows(lake: Lake, name: str, sources: list[str]) -> pl.DataFrame:
    """The stored rows of some sources in a shared table."""
    return lake.read(load_shared_tables()[name]).filter(pl.col("source").is_in(sources))


def _build_snapshots(snapshots: list[Snapshot]) -> pl.DataFrame:
    table = load_shared_tables()["snapshots"]
    return table.frame({name: getattr(snapshot, name) for name in table.schema} for snapshot in snapshots)


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
