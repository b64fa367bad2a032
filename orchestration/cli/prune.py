"""The command ``prune``: what the lake no longer needs, shown first, removed on request; and pins of releases."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestration.cli.console import fail, hold_lake, log, out, show_line
from warehouse.lake import Lake


def prune(
    is_confirmed: Annotated[bool, typer.Option("--yes", help="Remove it; without this, only show it.")] = False,
    keep: Annotated[
        list[str] | None, typer.Option("--keep", metavar="RELEASE", help="Keep a release for good, such as v3.")
    ] = None,
    release: Annotated[
        list[str] | None, typer.Option("--let-go", metavar="RELEASE", help="Undo --keep for a release.")
    ] = None,
) -> None:
    """Show what the lake no longer needs: old releases, versions of tables and runs of Dagster. Remove it with --yes.

    The newest releases stay, the last one of each day for a month, and the last one of each month; `[retention]` in the
    configuration of feeds changes that. Permanent links, citations and downloaded files name a release, and the lake
    does not know of them: keep such a release with `--keep v3`.
    """
    from warehouse.lake import LakeBusy
    from warehouse.origin import need_tables
    from warehouse.retention import DamagedPins

    try:
        with hold_lake(need_tables) as lake, lake.lock(wait=False):
            if keep or release:
                _change_pins(lake, keep or [], release or [])
            if is_confirmed or not (keep or release):
                _prune(lake, is_confirmed=is_confirmed)
        if is_confirmed or not (keep or release):
            _sweep(lake, is_confirmed=is_confirmed)
    except LakeBusy as error:
        raise fail(f"{error}: prune when it has ended") from error
    except DamagedPins as error:
        raise fail(str(error)) from error
    except OSError as error:
        raise fail(f"not everything could be removed: {error}; `aisle prune --yes` removes the rest") from error


def _change_pins(lake: Lake, kept: list[str], let_go: list[str]) -> None:
    from orchestration.cli.query import find_release
    from warehouse.release import NoRelease
    from warehouse.retention import read_pins, write_pins
    from warehouse.table import utc_now

    pins = read_pins(lake)
    try:
        for name in kept:
            pins.setdefault(find_release(lake, name).number, utc_now().isoformat(timespec="seconds"))
    except NoRelease as error:
        raise fail(str(error)) from error
    for name in let_go:
        number = name.removeprefix("v")
        if not number.isdecimal() or pins.pop(int(number), None) is None:
            raise fail(f"{name} is not kept by hand; kept are {', '.join(f'v{n}' for n in sorted(pins)) or 'none'}")
    write_pins(lake, pins)
    show_line(f"kept for good: {', '.join(f'v{number}' for number in sorted(pins)) or 'no release'}")


def _prune(lake: Lake, *, is_confirmed: bool) -> None:
    from rich.table import Table as RichTable

    from orchestration.fetch.config import ConfigurationError, read_configuration
    from warehouse.reference import read_rows
    from warehouse.release import NoRelease, list_release_numbers, list_releases
    from warehouse.retention import (
        choose_releases,
        find_cited_releases,
        find_stale_files,
        finish_removals,
        get_release_bytes,
        prune_tables,
        remove_release,
    )
    from warehouse.table import utc_now

    try:
        limits = read_configuration(lake).retention
        cited = find_cited_releases(text for row in read_rows("annotations") for text in row.values())
        kept, superfluous = choose_releases(lake, limits.policy, cited, utc_now())
        releases = list_releases(lake)
    except (ConfigurationError, NoRelease) as error:
        raise fail(str(error)) from error
    table = RichTable(show_edge=False)
    for name in ("release", "published (UTC)", "size", ""):
        table.add_column(name, justify="right" if name == "size" else "left")
    for release in releases:
        reason = kept.get(release.number, "removed" if is_confirmed else "to be removed")
        published = release.manifest["published_at"][:16].replace("T", " ")
        table.add_row(release.name, published, format_bytes(get_release_bytes(release)), reason)
    out.print(table)
    damaged = list_release_numbers(lake) - {release.number for release in releases}
    if damaged:
        names = ", ".join(f"v{number}" for number in sorted(damaged))
        log(f"damaged, and left alone: {names}; restore them from a backup, or remove their files in {lake.releases}")
    stale = list(find_stale_files(lake, [release.number for release in superfluous]))
    freed_bytes = sum(map(get_release_bytes, superfluous)) + sum(files.size_bytes for files in stale)
    if is_confirmed:
        for release in superfluous:
            remove_release(lake, release)
        finish_removals(lake)
        prune_tables(lake)
    runs = _prune_runs(lake, limits.dagster_runs, is_confirmed=is_confirmed)
    parts = [
        _count(len(superfluous), "release"),
        f"{_count(sum(len(files.paths) for files in stale), 'file')} of older versions of tables",
        f"{_count(runs, 'run')} of Dagster",
    ]
    verb = "removed" if is_confirmed else "to be removed"
    show_line(f"{verb}: {', '.join(parts)}; {format_bytes(freed_bytes)} besides the runs")
    if not is_confirmed and (superfluous or stale or runs):
        show_line("nothing is removed yet: `aisle prune --yes` removes it, `aisle prune --keep v3` keeps a release")


def _sweep(lake: Lake, *, is_confirmed: bool) -> None:
    """Remove objects that no version of a lake on an object store needs any more; nothing on disk."""
    if lake.origin is None:
        return
    found = lake.origin.sweep(log, is_confirmed=is_confirmed)
    verb = "removed" if is_confirmed else "to be removed"
    size = format_bytes(found.size_bytes)
    show_line(
        f"{verb}: {_count(found.objects, 'object')} of older versions of the lake, written over a day ago; {size}"
    )


def _prune_runs(lake: Lake, newest_runs: int, *, is_confirmed: bool) -> int:
    """How many runs of Dagster are not needed; they are deleted on request."""
    if not lake.dagster_home.exists():
        return 0
    from orchestration.run import configure_dagster

    configure_dagster(lake)
    import dagster as dg

    from orchestration.defs.retention import find_old_runs, prune_runs

    with dg.DagsterInstance.get() as instance:
        return len((prune_runs if is_confirmed else find_old_runs)(instance, newest_runs))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def format_bytes(count: int) -> str:
    """A number of bytes with its unit, such as ``5.4 MB``."""
    amount, units = float(count), ["B", "kB", "MB", "GB"]
    while amount >= 1000 and len(units) > 1:
        amount, units = amount / 1000, units[1:]
    return f"{amount:.0f} {units[0]}" if units[0] in {"B", "kB"} else f"{amount:.1f} {units[0]}"
