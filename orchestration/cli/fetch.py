"""The commands that bring data in: files and addresses by hand, feeds by their configuration."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from orchestration.cli.console import err, fail, lake_of_environment, out, say
from warehouse.lake import Lake

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from orchestration.fetch.config import Configuration
    from orchestration.fetch.journal import Outcome
    from orchestration.ingest.snapshots import Taken

_QUIET_SECONDS, _LINE_SECONDS = 2.0, 5.0
_DAY = ["%Y-%m-%d"]


def add(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH|URL...", help="Files, folders whose files are added, or addresses.", show_default=False
        ),
    ],
    owner: Annotated[
        str | None, typer.Option(help="Person whose page a captured forum page is; it is never guessed.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="Address that a saved page was taken from, where it does not say that itself.")
    ] = None,
) -> None:
    """Take files and addresses into the lake: recognised by content, kept as a snapshot, or refused with the reason.

    Known are the sheet of lab publications (CSV, TSV, XLSX, a captured page, or the address of a Google sheet),
    captured forum user pages and podcast pages, and whatever can be fetched (`aisle sources` lists the kinds). An
    address is asked once, as the feed that has it, if there is one; to follow it, make it a feed. A secret stands in
    it as '${NAME}' of an environment variable. What is refused is kept aside. Next: `aisle run`.
    """
    from orchestration.fetch.add_address import add_address
    from orchestration.fetch.http import NotFetched
    from orchestration.ingest.snapshots import add_file, visible_files
    from orchestration.sources.registry import Refused

    lake, refused, hints = lake_of_environment(), 0, _hints(owner, url)
    given = [
        str(file)
        for path in paths
        for file in ([path] if _is_address(path) or not Path(path).is_dir() else visible_files(Path(path)))
    ]
    if not given:
        raise fail("no file in these folders")
    if url and (len(given) > 1 or _is_address(given[0])):
        raise fail("--url is the address of one saved page: give it with that one file alone")
    for name in given:
        try:
            taken = add_address(lake, name, hints) if _is_address(name) else add_file(lake, Path(name), hints=hints)
        except Refused as refusal:
            refused += 1
            say(f"✗ {name}: refused: {refusal}; kept under {lake.refused}")
        except (OSError, NotFetched, ValueError) as error:
            refused += 1
            why = f"cannot be read: {error.strerror or error}" if isinstance(error, OSError) else str(error)
            say(f"✗ {name}: {why}")
        else:
            _tell_taken(name, taken)
    if refused:
        raise fail(f"{refused} of {len(given)} were not taken")
    say("next: aisle run")


def _hints(owner: str | None, url: str | None) -> dict[str, str]:
    from orchestration.fetch.config import web_address

    try:
        return {name: told for name, told in (("owner", owner), ("url", url and web_address(url))) if told}
    except ValueError as error:
        raise fail(f"--url {url}: {error}") from error


def _is_address(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


def _tell_taken(name: str, taken: Taken) -> None:
    snapshot = taken.snapshot
    told = f"{snapshot.source}, {taken.records} records" + (f", {taken.rejects} rejected" if taken.rejects else "")
    told += f", of the feed {snapshot.feed}" if snapshot.feed else ""
    when = "new" if taken.is_new else f"already held since {snapshot.fetched_at:%Y-%m-%d %H:%M} UTC"
    say(f"✓ {name}: {told} (snapshot {snapshot.snapshot_id}, {when})" + (f"; {taken.remark}" if taken.remark else ""))


def fetch(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Feeds, or sources for all their feeds; all enabled ones if none is named."),
    ] = None,
    since: Annotated[
        dt.datetime | None, typer.Option(formats=_DAY, help="First day to ask for again, where the kind can.")
    ] = None,
    until: Annotated[dt.datetime | None, typer.Option(formats=_DAY, help="Last day to ask for.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Ask for everything, as if for the first time.")] = False,
) -> None:
    """Ask places for what is new; exits with 0 only if every feed came to its end.

    What was broken off is taken up again. A feed that fails leaves the others, and what it held, as they are; it says
    why, and is asked again the next time. With `--since` and `--until` past days are asked for again (a backfill);
    where a feed stands is not changed by that. Next: `aisle run`.
    """
    from orchestration.fetch.journal import Window
    from orchestration.fetch.runner import fetch_all

    lake = lake_of_environment()
    configuration = _configuration(lake)
    try:
        feeds = [followed for name in names or [] for followed in configuration.named(name)]
    except KeyError as error:
        raise fail(str(error.args[0])) from error
    if not names:
        feeds = [followed for followed in configuration.feeds.values() if followed.enabled]
        if not feeds:
            say("no feed is enabled: `aisle sources` lists those there are, and where to enable them")
            return
    if since and until and since > until:
        raise fail(f"--since {since:%Y-%m-%d} is after --until {until:%Y-%m-%d}")
    window = Window(since.date() if since else None, until.date() if until else None) if since or until else None
    feeds = list({followed.name: followed for followed in feeds}.values())
    try:
        with _Told() as told:
            outcomes = fetch_all(lake, configuration, feeds, window=window, full=full, say=say, progress=told)
    except KeyboardInterrupt as stopped:
        say("stopped; what was under way is taken up again by the next aisle fetch")
        raise typer.Exit(130) from stopped
    for outcome in outcomes:
        say(_line(outcome))
    failed = [outcome for outcome in outcomes if not outcome.is_complete]
    if any(outcome.is_news for outcome in outcomes):
        say("next: aisle run")
    if failed:
        raise fail(f"{len(failed)} of {len(outcomes)} feeds did not come to their end")


def _line(outcome: Outcome) -> str:
    results = ", ".join(f"{count} {result}" for result, count in sorted(outcome.results.items()))
    told = f"{outcome.requests} requests ({results})" if results else "no request"
    told += f", {outcome.records:,} records"
    if outcome.is_complete:
        return f"✓ {outcome.feed}: {told}" + (f"; but {outcome.reason}" if outcome.reason else "")
    return f"✗ {outcome.feed}: {outcome.reason} ({told})"


class _Told:
    """Tells how far feeds are: a line each that moves on a terminal, else a plain line now and then."""

    def __init__(self) -> None:
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._begun: dict[str, float] = {}
        self._last: dict[str, float] = {}

    def __enter__(self) -> _Told:
        if err.is_terminal:
            from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

            told = TextColumn("{task.fields[feed]}: {task.completed:,.0f} requests, {task.fields[records]:,} records")
            rate = TextColumn("{task.fields[rate]}")
            self._bars = Progress(SpinnerColumn(), told, rate, TimeElapsedColumn(), console=err, transient=True)
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, outcome: Outcome) -> None:
        now = time.monotonic()
        seconds = now - self._begun.setdefault(outcome.feed, now)
        rate = f"{outcome.records / seconds:,.0f} records/s" if seconds > 0.5 else ""
        if self._bars is not None:
            if outcome.feed not in self._tasks:
                self._tasks[outcome.feed] = self._bars.add_task("", total=None, feed=outcome.feed, records=0, rate="")
            task = self._tasks[outcome.feed]
            self._bars.update(task, completed=outcome.requests, records=outcome.records, rate=rate)
        elif seconds > _QUIET_SECONDS and now - self._last.get(outcome.feed, 0.0) > _LINE_SECONDS:
            self._last[outcome.feed] = now
            say(f"  {outcome.feed}: {outcome.requests:,} requests, {outcome.records:,} records, {rate}")


def sources(
    is_long: Annotated[bool, typer.Option("--long", help="Also show addresses, licences and watermarks.")] = False,
) -> None:
    """Show the kinds of sources and the feeds: how often, under which licence, how far, how it went, what is next."""
    from orchestration.cli.feeds_report import feeds_table
    from orchestration.fetch.config import BUNDLED, own_file
    from orchestration.sources.registry import SOURCES

    lake = lake_of_environment()
    configuration = _configuration(lake)
    for source in SOURCES:
        doors = "files and feeds" if source.fetch else "files"
        out.print(f"[bold]{source.name}[/bold] ({doors}): {escape(source.expected)}", highlight=False, soft_wrap=True)
    out.print(feeds_table(lake, configuration, is_long=is_long))
    out.print(escape(f"bundled: {BUNDLED}\nyours, laid over it: {own_file(lake)}"), highlight=False, soft_wrap=True)


def _configuration(lake: Lake) -> Configuration:
    from orchestration.fetch.config import ConfigurationError, read_configuration

    try:
        return read_configuration(lake)
    except ConfigurationError as error:
        raise fail(str(error)) from error
