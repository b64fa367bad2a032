"""The commands ``follow`` and ``unfollow``: from the bundled default to a lake that grows, and back."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table as RichTable

from orchestration.cli.console import fail, hold_lake, log, out, require_settings, show_line
from orchestration.cli.fetch import fetch_selected, load_configuration, select_feeds
from orchestration.cli.running import print_findings, run_job
from warehouse.lake import Lake

if TYPE_CHECKING:
    from orchestration.fetch.config import FeedConfig
    from orchestration.fetch.following import FetchOutlook

_Names = Annotated[
    list[str], typer.Argument(help="Names of feeds, sets of feeds or sources; starter is a bundled set.")
]
_COVERAGE = """
    select corpus, works, holds_from, holds_until, unlabelled_works, works_without_lab
    from mart.corpus_coverage where corpus in ('lab_publications', 'all_works') order by works
"""


def follow(
    names: _Names,
    contact: Annotated[
        str, typer.Option(help="Your e-mail or web address, sent with every request, so that a host can write to you.")
    ] = "",
    is_confirmed: Annotated[bool, typer.Option("--yes", help="Follow them without a question.")] = False,
    is_fetched: Annotated[
        bool,
        typer.Option("--fetch/--no-fetch", help="Fetch them now and make a release, or leave it to the schedules."),
    ] = True,
) -> None:
    """Follow feeds: show what will be requested, enable them in the lake's configuration, fetch them, and run.

    `aisle follow starter` makes a living lake of the bundled default. What is followed is fetched by `aisle fetch`, and
    by its schedule while `aisle ui` runs. Feeds of a set whose key is not in the environment are left out.
    """
    from orchestration.fetch.following import describe_fetches, write_followed
    from warehouse.origin import need_tables

    require_settings()
    with hold_lake(need_tables) as lake:
        configuration = load_configuration(lake)
        feeds = select_feeds(configuration, names)
        outlooks = describe_fetches(lake, configuration, feeds, os.environ)
        outlooks = _leave_out(outlooks, names)
        if not outlooks:
            raise fail("no feed is left to follow")
        out.print(_build_table(outlooks))
        if not contact and not configuration.fetch.contact:
            log("no contact is configured: --contact you@example.org lets a host write to you rather than block you")
        if not is_confirmed:
            _confirm(len(outlooks))
        followed = [outlook.feed for outlook in outlooks]
        try:
            write_followed(lake, [feed.name for feed in followed], is_followed=True, contact=contact)
        except (OSError, ValueError) as error:
            raise fail(f"the configuration cannot be written: {error}") from error
        log(f"followed: {len(followed)} feeds")
        if not is_fetched:
            log("next: aisle fetch, or aisle ui, which fetches each at its time")
            return
        results = fetch_selected(lake, load_configuration(lake), followed)
        log(run_job(lake))
    print_findings(lake)
    _print_coverage(lake)
    if failed := sum(not result.is_complete for result in results):
        raise fail(
            f"{failed} of {len(followed)} feeds are not complete: repeat with aisle fetch; the others are released"
        )


def unfollow(names: _Names) -> None:
    """No longer fetch feeds; what was fetched stays in the lake and is counted."""
    from orchestration.fetch.following import write_followed

    with hold_lake() as lake:
        configuration = load_configuration(lake)
        feeds = [feed for feed in select_feeds(configuration, names) if feed.enabled]
        if not feeds:
            log("none of these feeds is followed")
            return
        try:
            write_followed(lake, [feed.name for feed in feeds], is_followed=False)
        except (OSError, ValueError) as error:
            raise fail(f"the configuration cannot be written: {error}") from error
    log(f"no longer followed: {', '.join(feed.name for feed in feeds)}; what they brought stays")


def _leave_out(outlooks: Sequence[FetchOutlook], names: Sequence[str]) -> list[FetchOutlook]:
    """The feeds without those whose key is missing, each with a line; a missing key of a named feed is an error."""
    kept = []
    for outlook in outlooks:
        variables = ", ".join(outlook.missing_variables)
        if not variables:
            kept.append(outlook)
        elif outlook.feed.name in names:
            raise fail(f"{outlook.feed.name} needs the environment variable {variables}, which is not set")
        else:
            log(f"left out: {outlook.feed.name}: the environment variable {variables} is not set")
    return kept


def _build_table(outlooks: Sequence[FetchOutlook]) -> RichTable:
    table = RichTable(show_edge=False)
    for name in ("feed", "address", "now", "then", "pace", "licence"):
        table.add_column(name, overflow="fold")
    for outlook in outlooks:
        feed: FeedConfig = outlook.feed
        table.add_row(
            feed.name,
            feed.url,
            outlook.amount,
            f"what is new, {feed.cadence}",
            f"{outlook.interval_seconds:g} s between requests",
            feed.licence or feed.kind.licence,
        )
    return table


def _confirm(feeds: int) -> None:
    if not sys.stdin.isatty():
        raise fail("nothing was changed: repeat it with --yes to follow these feeds")
    if not typer.confirm(f"Follow these {feeds} feeds?", default=True, err=True):
        log("nothing was changed")
        raise typer.Exit(1)


def _print_coverage(lake: Lake) -> None:
    from warehouse.release import read_current_release

    with read_current_release(lake).connect() as connection:
        rows = connection.execute(_COVERAGE).fetchall()
    for corpus, works, first, last, unlabelled, without_lab in rows:
        span = f"{first} to {last}" if first else "without dates"
        show_line(
            f"{corpus}: {works:,} works, {span}; {unlabelled:,} without a category, {without_lab:,} without a lab"
        )
    log("trends: make dashboard; categories for what has none: aisle review")
