"""Reports of the command line: sources, findings, the last run, the release, rejects."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Generator
from dataclasses import asdict

import duckdb
import polars as pl
from rich.table import Table as RichTable

from orchestration.fetch.journal import FeedFolder, list_fetched_feeds
from orchestration.ingest.bulk_files import RECORDS
from orchestration.ingest.line_batches import CUT_WITHIN, DAMAGED_AFTER
from orchestration.ingest.refused import list_refused_files
from orchestration.ingest.snapshots import list_snapshots
from orchestration.run import read_check_results, read_last_run
from orchestration.sources.registry import SOURCES
from warehouse.lake import Lake
from warehouse.release import DamagedRelease, NoRelease, read_current_release

_MAX_YEARS = 6  # fit beside names of labs into 80 characters
_MAX_LABS = 20

_PER_SOURCE = """
select
    source,
    cast(sum(records_read) as bigint) as read,
    cast(sum(records_kept) as bigint) as kept,
    cast(sum(records_repeated) as bigint) as repeated,
    cast(sum(records_rejected) as bigint) as rejected,
    -- releases of earlier versions have no such column
    cast(coalesce(sum(try_cast(to_json(parses) ->> 'records_out_of_scope' as bigint)), 0) as bigint) as out_of_scope
from raw.parses as parses
group by source
"""


_FINDINGS = """
select
    lab,
    year(published_month),
    cast(coalesce(sum(publications) filter (where counting_rule = 'rows'), 0) as bigint),
    cast(coalesce(sum(publications) filter (where counting_rule = 'works'), 0) as bigint)
from mart.publication_counts_by_month
inner join reference.taxonomies using (taxonomy)
where is_default and counting_rule in ('rows', 'works')
group by all
"""

_COVERED_YEARS = "select distinct year(published_year) from mart.publications_by_lab_year"

_PART_YEARS = """
select year(published_year), strftime(any_value(covers_until), '%-d %b')
from mart.publications_by_lab_year, clean.coverage
where is_part_period and source = 'lab_sheet' and year(covers_until) = year(published_year)
group by all
"""


# what is wrong with whole bulk files: (source, file, reason) of rejects of sources that have such files
_BULK_DAMAGE = f"""
select distinct source, original_name, reason
from raw.rejects
where list_contains($sources, source)
    and (locator = 'whole file' or starts_with(reason, '{DAMAGED_AFTER}') or ends_with(reason, '{CUT_WITHIN}'))
order by all
"""
_BULK_RECORDS = "select snapshot_id, records_read from raw.parses where list_contains($sources, source)"
_MAX_NAMED = 5


_REMOVED = "mart.removed_publications"


@contextlib.contextmanager
def _connect_current_release(lake: Lake) -> Generator[duckdb.DuckDBPyConnection]:
    """A connection to the newest release for the project's own queries, which fail only if it cannot be read.

    Raises:
        NoRelease: Nothing is released yet.
        DamagedRelease: The release cannot be read.
    """
    release = read_current_release(lake)
    try:
        with release.connect() as connection:
            yield connection
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        reason = "another version of aisle made it, and it lacks what is read here"
        raise NoRelease(f"release {release.name} cannot be shown: {reason} ({error}); run `aisle run`") from error
    except duckdb.Error as error:
        raise DamagedRelease(release.path, error) from error


def build_status_table(lake: Lake) -> RichTable | None:
    """Snapshots, snapshots that wait for a run, and record counts of each source; none without a release.

    Raises:
        DamagedRelease: The newest release cannot be read.
    """
    try:
        with _connect_current_release(lake) as connection:
            counts = {row[0]: row[1:] for row in connection.execute(_PER_SOURCE).fetchall()}
            released = {row[0] for row in connection.execute("select snapshot_id from raw.snapshots").fetchall()}
            newest = {
                source.name: _find_newest_record(lake, connection, source.table_name, source.recency_column)
                for source in SOURCES
                if source.recency_column
            }
    except DamagedRelease:
        raise
    except NoRelease:
        return None
    snapshots = list_snapshots(lake)
    table = RichTable(show_edge=False)
    table.add_column("source")
    has_gate = any(numbers[-1] for numbers in counts.values())
    names = ["snapshots", "waiting", "read", "kept", "repeated", "rejected", *(["out of scope"] if has_gate else [])]
    for name in names:
        table.add_column(name, justify="right")
    table.add_column("newest record")
    for source in SOURCES:
        own = [snapshot for snapshot in snapshots if snapshot.source == source.name]
        waiting = sum(1 for snapshot in own if snapshot.snapshot_id not in released)
        date = newest.get(source.name, "undated")
        numbers = counts.get(source.name, (0,) * 5)[: len(names) - 2]
        table.add_row(source.name, *(f"{number:,}" for number in (len(own), waiting, *numbers)), str(date or "—"))
    return table


def _find_newest_record(lake: Lake, connection: duckdb.DuckDBPyConnection, name: str, column: str) -> object:
    """The newest date in a raw table of the newest release; none if its files in the lake are not there any more."""
    table = read_current_release(lake).lake_tables.get(name)
    query = f"select max({column}) from "
    if table is None:
        return connection.execute(query + name).fetchall()[0][0]
    with contextlib.suppress(duckdb.IOException), duckdb.connect() as reader:
        reader.execute("set TimeZone = 'UTC'")
        return reader.execute(query + table.select(lake.root)).fetchall()[0][0]
    return None


def build_findings_table(lake: Lake) -> RichTable | str:
    """Publications by lab and year in the newest release: rows, with works in brackets where they differ.

    The newest `_MAX_YEARS` years and the `_MAX_LABS` largest labs have their own columns and rows; the others
    are added up, and so are publications without a date, so that the table fits a terminal and its totals are whole.
    Without a dated publication, a message instead of a table.

    Raises:
        NoRelease: Nothing is released yet.
        DamagedRelease: The newest release cannot be read.
    """
    with _connect_current_release(lake) as connection:
        rows = connection.execute(_FINDINGS).fetchall()
        parts = dict(connection.execute(_PART_YEARS).fetchall())
        years = sorted(year for (year,) in connection.execute(_COVERED_YEARS).fetchall())
    if not years:
        undated = sum(publications for _, _, publications, _ in rows)
        missing = f" ({undated:,} without a date)" if undated else ""
        return f"no dated publications yet{missing}: add a lab sheet with `aisle add`"
    totals = Counter[str]()
    for lab, _, publications, _ in rows:
        totals[lab] += publications
    largest = sorted(lab for lab, _ in totals.most_common(_MAX_LABS))
    others = f"{len(totals) - len(largest):,} other labs"
    earlier = f"before {years[-_MAX_YEARS]}" if len(years) > _MAX_YEARS else ""
    counts: dict[tuple[str, int | str], tuple[int, int]] = {}
    for lab, year, publications, works in rows:
        column = "undated" if year is None else year if year in years[-_MAX_YEARS:] else earlier
        for cell in itertools.product((lab if lab in largest else others, "all"), (column, "all")):
            counted = counts.get(cell, (0, 0))
            counts[cell] = counted[0] + publications, counted[1] + works
    columns: list[int | str] = [*([earlier] if earlier else []), *years[-_MAX_YEARS:]]
    columns += ["undated", "all"] if ("all", "undated") in counts else ["all"]
    table = RichTable(show_edge=False, title="publications: rows (works)", title_justify="left")
    table.add_column("lab")
    for column in columns:
        covered = f"{column} to {parts[column]}" if parts.get(column) else str(column)
        table.add_column(covered, justify="right")
    for lab in [*largest, *([others] if len(totals) > len(largest) else []), "all"]:
        cells = (counts.get((lab, column), (0, 0)) for column in columns)
        texts = (f"{count:,} ({works:,})" if count != works else f"{count:,}" for count, works in cells)
        table.add_row(lab, *texts)
    return table


def describe_status(lake: Lake) -> list[str]:
    """Lines on the release, the last run, failed checks, damaged bulk files, removed rows, feeds, and refused files."""
    lines = []
    try:
        release = read_current_release(lake)
        tables = release.manifest["tables"]
        lines.append(
            f"release {release.name} of {release.manifest['published_at'][:16].replace('T', ' ')} UTC:"
            f" {len(tables)} tables, {sum(table['rows'] for table in tables.values()):,} rows, {release.path}"
        )
        lines += [
            f"  {name} is too large for the file: {table.rows:,} rows in {lake.root / table.path}"
            for name, table in release.lake_tables.items()
        ]
    except NoRelease as error:
        lines.append(str(error))
    if run := read_last_run(lake):
        ended = run["ended_at"][:16].replace("T", " ")
        outcome = f"release v{run['release']}" if run["release"] else "no release"
        # a run of a part since then may have made checks again
        results = [asdict(result) for result in read_check_results(lake)] or run["checks"]
        failed = [check for check in results if not check["passed"]]
        lines.append(f"last run ended {ended} UTC: {outcome}; {len(results)} checks, {len(failed)} not passed")
        for check in failed:
            message = check.get("message", check.get("says", ""))  # earlier versions wrote "says"
            lines.append(f"  {'✗' if check['is_critical'] else '!'} {check['table']}: {check['check']}: {message}")
    lines += _describe_bulk_damage(lake)
    lines += _describe_removed_rows(lake)
    for feed in list_fetched_feeds(lake):
        try:
            state = FeedFolder(lake, feed).state
        except OSError as error:
            lines.append(f"feed {feed}: {error}")
            continue
        if state.session_id and not state.is_complete:
            lines.append(f"feed {feed} is not complete ({state.failures} times): {state.reason}")
    if refused := list_refused_files(lake):
        lines.append(f"refused files: {len(refused)} (aisle rejects)")
    return lines


def _describe_bulk_damage(lake: Lake) -> list[str]:
    """A line for each bulk file that is cut short or damaged, or has another number of records than its manifest."""
    sources = {"sources": [source.name for source in SOURCES if source.bulk]}
    snapshots = [snapshot for snapshot in list_snapshots(lake) if snapshot.is_bulk]
    if not snapshots:
        return []
    try:
        with _connect_current_release(lake) as connection:
            damaged = connection.execute(_BULK_DAMAGE, sources).fetchall()
            read = dict(connection.execute(_BULK_RECORDS, sources).fetchall())
    except (NoRelease, DamagedRelease):  # shown by the status itself
        return []
    lines = [f"! {source}: {name}: {reason}; copy it again and add it" for source, name, reason in damaged]
    for snapshot in snapshots:
        records, expected = read.get(snapshot.snapshot_id), snapshot.hints.get(RECORDS)
        if records is not None and expected is not None and int(expected) != records:
            differ = f"{records:,} records were read, {int(expected):,} are in its manifest"
            lines.append(f"! {snapshot.source}: {snapshot.original_name}: {differ}; copy it again and add it")
    more = [f"! and {len(lines) - _MAX_NAMED:,} more bulk files: aisle rejects"] if len(lines) > _MAX_NAMED else []
    return [*lines[:_MAX_NAMED], *more]


def _describe_removed_rows(lake: Lake) -> list[str]:
    """A line for each list from which rows were removed; none for a release that does not have the table of them."""
    try:
        if _REMOVED not in read_current_release(lake).manifest["tables"]:
            return []
        with _connect_current_release(lake) as connection:
            query = f"select stream, count(*) from {_REMOVED} group by stream order by stream"
            removed = connection.execute(query).fetchall()
    except (NoRelease, DamagedRelease):  # shown by the status itself
        return []
    return [
        f"{stream}: {rows:,} {'row' if rows == 1 else 'rows'} of an earlier snapshot {'is' if rows == 1 else 'are'} no"
        " longer in it, but still counted; to leave out a row, mark it as a duplicate in the list"
        for stream, rows in removed
    ]


def list_rejects(lake: Lake) -> pl.DataFrame:
    """Rejected records of the newest release and refused files, with the columns file, where, reason, text and source.

    Raises:
        DamagedRelease: The newest release cannot be read.
    """
    schema = dict.fromkeys(("file", "where", "reason", "text", "source"), pl.String)
    frames = [
        pl.DataFrame(
            [(file.original_name, "whole file", file.reason, "", None) for file in list_refused_files(lake)],
            schema=schema,
            orient="row",
        )
    ]
    try:
        with _connect_current_release(lake) as connection:
            columns = 'original_name as file, locator as "where", reason, left(raw_text, 200) as text, source'
            query = f"select {columns} from raw.rejects order by snapshot_id, record_ordinal"
            frames.append(connection.sql(query).pl())
    except DamagedRelease:
        raise
    except NoRelease:
        pass
    return pl.concat(frames)


def group_rejects(rejects: pl.DataFrame) -> pl.DataFrame:
    """Rejects by source and reason, the most frequent first, each with its number, its files and its first place.

    Reasons that differ only in what they quote, or in numbers, count as one.
    """
    reason = pl.col("reason").str.replace_all("“[^”]*”", "“…”").str.replace_all(r"\d[\d,.]*", "…")
    grouped = rejects.group_by("source", reason, maintain_order=True).agg(
        pl.len().alias("rejects"),
        pl.col("file").n_unique().alias("files"),
        pl.format("{}: {}", pl.col("file").first(), pl.col("where").first()).alias("first"),
    )
    return grouped.sort("rejects", descending=True, maintain_order=True)
