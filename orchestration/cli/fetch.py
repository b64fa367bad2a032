"""The commands that bring data in: ``add`` for files and addresses, ``fetch`` and ``sources`` for feeds."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.columns import ColumnConfirmation, TableOptions, build_table_hints
from orchestration.cli.console import err, fail, hold_lake, log, out, read_lake, require_settings, show_line
from warehouse.lake import Lake
from warehouse.terminal_text import escape_controls, escape_name

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from orchestration.fetch.config import Configuration, FeedConfig
    from orchestration.fetch.journal import DateWindow, FetchResult
    from orchestration.ingest.bulk_files import Places
    from orchestration.ingest.snapshots import AddedFile

_QUIET_SECONDS, _INTERVAL_SECONDS = 2.0, 5.0
_DAY = ["%Y-%m-%d"]


def add(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH|URL...", help="Files, folders or addresses.", show_default=False),
    ],
    owner: Annotated[
        str | None, typer.Option(help="Owner of a captured forum page; it cannot be read from the page.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="Address of a saved page that does not state it itself.")] = None,
    mappings: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="COLUMN=HEADER", help="Header of a column of a table, such as title='Paper name'."
        ),
    ] = None,
    has_no_category: Annotated[bool, typer.Option("--no-category", help="Leave the categories of tables out.")] = False,
    lab_value: Annotated[
        str | None,
        typer.Option("--lab-value", metavar="LAB", help="The lab of all rows of a table without such a column."),
    ] = None,
    tabs: Annotated[
        list[str] | None, typer.Option("--tab", metavar="NAME", help="Read only this tab of a workbook; repeatable.")
    ] = None,
    separator: Annotated[
        str | None,
        typer.Option(help="What separates several authors, labs or categories in a cell, if not a semicolon."),
    ] = None,
    list_name: Annotated[
        str | None,
        typer.Option("--list", metavar="NAME", help="Name of the list that a table is; by default that of its file."),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Encoding of a text that is not UTF-8, such as windows-1252.")
    ] = None,
    is_confirmed: Annotated[
        bool, typer.Option("--yes", help="Take tables with the columns that they probably have, without a question.")
    ] = False,
    is_in_place: Annotated[
        bool, typer.Option("--in-place", help="Read bulk files where they are instead of keeping a copy in the lake.")
    ] = False,
    is_ungated: Annotated[
        bool | None,
        typer.Option("--ungated/--gated", help="Keep all records of bulk files, or only those in the gate's scope."),
    ] = None,
) -> None:
    """Add files and addresses to the lake; each is recognised by its content, or refused with the reason.

    Accepts lists of publications (CSV, TSV, XLSX, ODS, JSON, BibTeX, RIS, Zotero's CSV or RDF, a captured page, or the
    address of a Google sheet), each of which becomes a corpus of its own; captured forum and podcast pages; and
    responses of all fetched sources (`aisle sources` lists them). An address is requested once, with the settings
    of its feed if it has one; to fetch it regularly, configure a feed. Write a secret in an address as '${NAME}' of
    an environment variable. A table with unusual headers is shown with the columns that it probably has and taken
    if you confirm them; or name them with `--map`. Refused files are kept in the lake.

    Bulk files of any size (parts of OpenAlex's snapshot, arXiv's metadata file, the alignment research dataset) are
    read by the next run; those over 64 MB stay where they are. Records out of the gate's scope are only counted.
    Next: `aisle run`.
    """
    from orchestration.cli.names import is_address, list_names

    options = TableOptions(mappings, has_no_category, lab_value, list_name, tabs, separator, encoding)
    hints = {**_build_hints(owner, url), **build_table_hints(options)}
    require_settings()
    found = list_names(paths)
    if not found.names and not found.refused:
        raise fail("no file to add")
    if url and (len(found.names) > 1 or is_address(found.names[0])):
        raise fail("--url is the address of one saved page: use it with that one file alone")
    with hold_lake() as lake:
        adder = _Adder(
            lake,
            hints,
            is_confirmed=is_confirmed,
            is_in_place=is_in_place,
            is_gated=None if is_ungated is None else not is_ungated,
            records=found.records,
        )
        _add_all(adder, found.names, found.refused)
    log("next: aisle run")


def _add_all(adder: _Adder, names: Sequence[str], refused: int) -> None:
    """Add files and addresses, given how many were refused already; an error of one does not stop the others."""
    from orchestration.fetch.http import HttpRequestFailed
    from orchestration.ingest.files import FileRefused
    from orchestration.sources.source import DocumentRefused

    total = len(names) + refused
    for name in names:
        try:
            added = adder.add(name)
        except FileRefused as refusal:
            refused += 1
            log(f"✗ {escape_name(name)}: refused: {refusal}; it was left where it is")
        except DocumentRefused as refusal:
            refused += 1
            log(f"✗ {escape_name(name)}: refused: {refusal}; kept under {adder.lake.refused}")
        except (OSError, HttpRequestFailed, ValueError) as error:
            refused += 1
            reason = f"cannot be read: {error.strerror or error}" if isinstance(error, OSError) else str(error)
            log(f"✗ {escape_name(name)}: {reason}")
        else:
            _log_added_file(escape_name(name), added)
    adder.finish()
    if refused:
        raise fail(f"{refused} of {total} were not added")


@dataclass
class _Adder:
    """Adds files and addresses one after the other, with the same options."""

    lake: Lake
    hints: dict[str, str]
    is_confirmed: bool
    is_in_place: bool
    is_gated: bool | None
    records: dict[Path, int]
    _places: Places | None = None

    def add(self, name: str) -> AddedFile:
        """Add one file or address; raises what `add_address`, `add_bulk_file` and `add_file` raise."""
        from orchestration.cli.names import is_address
        from orchestration.fetch.add_address import add_address
        from orchestration.ingest.bulk_files import Places, add_bulk_file, find_bulk_source_of
        from orchestration.ingest.snapshots import add_file

        confirm = ColumnConfirmation(name, self.is_confirmed)
        if is_address(name):
            return add_address(self.lake, name, self.hints, confirm_columns=confirm)
        if source := find_bulk_source_of(Path(name)):
            if self._places is None:
                self._places = Places(self.lake)
            return add_bulk_file(
                self.lake,
                Path(name),
                source,
                self._places,
                is_in_place=self.is_in_place,
                is_gated=self.is_gated,
                records=self.records.get(Path(name)),
            )
        added = add_file(self.lake, Path(name), hints=self.hints, confirm_columns=confirm)
        unused = [option for option, is_given in self._list_bulk_options().items() if is_given]
        remark = f"it is no bulk file: {' and '.join(unused)} not used" if unused else ""
        return replace(added, remark="; ".join(filter(None, [added.remark, remark])))

    def _list_bulk_options(self) -> dict[str, bool]:
        return {
            "--in-place": self.is_in_place,
            "--ungated": self.is_gated is False,
            "--gated": self.is_gated is True,
        }

    def finish(self) -> None:
        """Remove the bulk files that were replaced, and log them."""
        for line in self._places.save() if self._places else ():
            log(line)


def _build_hints(owner: str | None, url: str | None) -> dict[str, str]:
    from orchestration.fetch.config import check_web_address

    try:
        hints = {"owner": owner, "url": url and check_web_address(url)}
    except ValueError as error:
        raise fail(f"--url {url}: {error}") from error
    return {name: value for name, value in hints.items() if value}


def _log_added_file(name: str, added: AddedFile) -> None:
    snapshot = added.snapshot
    records = "a bulk file" if added.records is None else f"{added.records} records"
    content = f"{snapshot.source}, {records}" + (f", {added.rejects} rejected" if added.rejects else "")
    content += f", of the feed {snapshot.feed}" if snapshot.feed else ""
    when = "new" if added.is_new else f"already stored since {snapshot.fetched_at:%Y-%m-%d %H:%M} UTC"
    remark = "".join(f"; {text}" for text in (added.counted, added.remark) if text)
    log(f"✓ {name}: {content} (snapshot {snapshot.snapshot_id}, {when}){remark}")


def fetch(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Names of feeds, sets of feeds or sources; default: all feeds that are followed."),
    ] = None,
    since: Annotated[
        dt.datetime | None, typer.Option(formats=_DAY, help="First day to fetch again, if the source supports it.")
    ] = None,
    until: Annotated[dt.datetime | None, typer.Option(formats=_DAY, help="Last day to fetch again.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Fetch everything, as if for the first time.")] = False,
) -> None:
    """Fetch what is new from the feeds; exits with 0 only if every feed is complete.

    Resumes interrupted fetches. A failing feed reports the reason and is tried again the next time; it does not stop
    the others, and its earlier data stay. `--since` and `--until` fetch past days again (a backfill) and leave the
    watermark as it is. Next: `aisle run`.
    """
    if since and until and since > until:
        raise fail(f"--since {since:%Y-%m-%d} is after --until {until:%Y-%m-%d}")
    from orchestration.fetch.journal import DateWindow

    window = DateWindow(since.date() if since else None, until.date() if until else None) if since or until else None
    with hold_lake() as lake:
        _fetch(lake, names, window, full=full)


def _fetch(lake: Lake, names: list[str] | None, window: DateWindow | None, *, full: bool) -> None:
    configuration = load_configuration(lake)
    if names:
        feeds = select_feeds(configuration, names)
    else:
        feeds = [feed for feed in configuration.feeds.values() if feed.enabled]
        if not feeds:
            log("no feed is followed: `aisle follow starter` follows a first set, `aisle sources` lists all feeds")
            return
    results = fetch_selected(lake, configuration, feeds, window, full=full)
    if any(result.has_new_data for result in results):
        log("next: aisle run")
    if failed := sum(not result.is_complete for result in results):
        raise fail(f"{failed} of {len(results)} feeds are not complete")


def select_feeds(configuration: Configuration, names: Sequence[str]) -> list[FeedConfig]:
    """The feeds of these names, sets or sources, each once.

    Raises:
        typer.Exit: A name is none of these; the reason is printed.
    """
    try:
        feeds = [feed for name in names for feed in configuration.select_feeds(name)]
    except KeyError as error:
        raise fail(str(error.args[0])) from error
    return list({feed.name: feed for feed in feeds}.values())


def fetch_selected(
    lake: Lake,
    configuration: Configuration,
    feeds: Sequence[FeedConfig],
    window: DateWindow | None = None,
    *,
    full: bool = False,
) -> list[FetchResult]:
    """Fetch feeds, with their progress and a line about each; returns their results."""
    from orchestration.cli.launch import report_fetches
    from orchestration.fetch.runner import fetch_feeds

    try:
        with _ProgressDisplay() as progress:
            results = fetch_feeds(lake, configuration, feeds, window=window, full=full, log=log, progress=progress)
    except KeyboardInterrupt as stopped:
        log("stopped; the next aisle fetch resumes from here")
        raise typer.Exit(130) from stopped
    for result in results:
        log(_describe_result(result))
    if any(result.has_new_data for result in results):
        report_fetches(lake, feeds, results, window)
    return results


def _describe_result(result: FetchResult) -> str:
    by_result = ", ".join(f"{count} {name}" for name, count in sorted(result.results.items()))
    counts = f"{result.requests} requests ({by_result})" if by_result else "no request"
    counts += f", {result.records:,} records"
    if result.is_complete:
        return f"✓ {result.feed}: {counts}" + (f"; but {result.reason}" if result.reason else "")
    return f"✗ {result.feed}: {result.reason} ({counts})"


class _ProgressDisplay:
    """Shows the progress of feeds: progress bars on a terminal, else a line every few seconds."""

    def __init__(self) -> None:
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._begun: dict[str, float] = {}
        self._last: dict[str, float] = {}

    def __enter__(self) -> _ProgressDisplay:
        if err.is_terminal:
            from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

            form = "{task.fields[feed]}: {task.completed:,.0f} requests, {task.fields[records]:,} records"
            counts = TextColumn(form, markup=False)
            rate = TextColumn("{task.fields[rate]}", markup=False)
            self._bars = Progress(SpinnerColumn(), counts, rate, TimeElapsedColumn(), console=err, transient=True)
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, result: FetchResult) -> None:
        now = time.monotonic()
        seconds = now - self._begun.setdefault(result.feed, now)
        rate = f"{result.records / seconds:,.0f} records/s" if seconds > 0.5 else ""
        if self._bars is not None:
            if result.feed not in self._tasks:
                self._tasks[result.feed] = self._bars.add_task(
                    "", total=None, feed=escape_controls(result.feed), records=0, rate=""
                )
            task = self._tasks[result.feed]
            self._bars.update(task, completed=result.requests, records=result.records, rate=rate)
        elif seconds > _QUIET_SECONDS and now - self._last.get(result.feed, 0.0) > _INTERVAL_SECONDS:
            self._last[result.feed] = now
            log(f"  {result.feed}: {result.requests:,} requests, {result.records:,} records, {rate}")


def sources(
    is_long: Annotated[bool, typer.Option("--long", help="Also show addresses, licences and watermarks.")] = False,
) -> None:
    """Show the sources, and the feeds with their cadence, last result and next fetch."""
    from orchestration.cli.feeds_report import build_feeds_table
    from orchestration.fetch.config import BUNDLED_FEEDS, locate_feeds_file
    from orchestration.sources.registry import SOURCES

    lake = read_lake()
    configuration = load_configuration(lake)
    for source in SOURCES:
        origins = "files and feeds" if source.fetch else "files"
        out.print(source.name, style="bold", end="")
        show_line(f" ({origins}): {source.expected}")
    out.print(build_feeds_table(lake, configuration, is_long=is_long))
    show_line(f"bundled: {BUNDLED_FEEDS}")
    show_line(f"yours, which overrides it: {locate_feeds_file(lake)}")


def load_configuration(lake: Lake) -> Configuration:
    """The configuration of a lake.

    Raises:
        typer.Exit: It has problems, which are printed.
    """
    from orchestration.fetch.config import ConfigurationError, read_configuration

    try:
        return read_configuration(lake)
    except ConfigurationError as error:
        raise fail(str(error)) from error
