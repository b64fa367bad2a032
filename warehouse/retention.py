"""What a lake keeps: which releases, by a policy and by pins, and which files of its tables.

A release goes away in steps of which each can be the last: its manifest is renamed, from which moment it is no release,
then its file and its index are removed, then the renamed manifest. `finish_removals` does what a killed process left.

Of a Delta table, the newest version and the files that a manifest pins are kept. All other Parquet files in its folder
are of older versions, or of runs that were killed before their commit. The caller holds the lake's lock.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from warehouse.lake import Lake, replace_file
from warehouse.release import DamagedRelease, Release, list_release_numbers, list_releases, read_release

_MARK = re.compile(r"\.removed\.v(\d+)\.json")
_CHECKPOINT_COMMITS = (
    20  # a checkpoint after so many commits; two of them are kept with the commits after the older one
)
_VERSION_DIGITS = 20  # of the names in a log


class DamagedPins(ValueError):
    """The list of releases to keep cannot be read; the message names it."""


@dataclass(frozen=True)
class RetentionPolicy:
    """Which releases are kept.

    Args:
        newest_releases: How many of the newest ones.
        daily_days: For how many days the last one of each day.
        monthly_months: For how many months the last one of each month; for ever if none is given.
    """

    newest_releases: int = 13  # charts compare the newest with twelve before
    daily_days: int = 30
    monthly_months: int | None = None

    def choose(self, releases: Iterable[Release], now: dt.datetime) -> dict[int, str]:
        """The numbers of the releases to keep, each with the first reason; the newest is always kept."""
        newest_first = sorted(releases, key=lambda release: release.number, reverse=True)
        kept: dict[int, str] = {}
        days, months = set[dt.date](), set[tuple[int, int]]()
        for place, release in enumerate(newest_first):
            at = dt.datetime.fromisoformat(release.manifest["published_at"])
            month, day = (at.year, at.month), at.date()
            age_months = (now.year - at.year) * 12 + now.month - at.month
            if place < max(self.newest_releases, 1):
                kept[release.number] = "newest" if place == 0 else f"of the newest {self.newest_releases}"
            elif day not in days and (now.date() - day).days < self.daily_days:
                kept[release.number] = f"last of {day}"
            elif month not in months and (self.monthly_months is None or age_months < self.monthly_months):
                kept[release.number] = f"last of {at:%B %Y}"
            days.add(day)
            months.add(month)
        return kept


def locate_pins(lake: Lake) -> Path:
    """The list of releases that people want to keep."""
    return lake.root / "kept_releases.json"


def read_pins(lake: Lake) -> dict[int, str]:
    """The numbers of the releases that people want to keep, each with the time since when.

    Raises:
        DamagedPins: The list cannot be read.
    """
    path = locate_pins(lake)
    try:
        return {int(name.removeprefix("v")): str(since) for name, since in json.loads(path.read_bytes()).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as error:
        raise DamagedPins(f"{path} cannot be read: {error}; mend it or remove it, then pin releases again") from error


def write_pins(lake: Lake, pins: Mapping[int, str]) -> None:
    """Replace the list of releases that people want to keep."""
    names = {f"v{number}": since for number, since in sorted(pins.items())}
    replace_file(locate_pins(lake), json.dumps(names, indent=1).encode())


def get_release_bytes(release: Release) -> int:
    """Size of the files of a release, with its search index."""
    paths = [release.path, release.path.with_suffix(".json"), *release.path.with_suffix(".search").glob("*")]
    absent_bytes = 0 if release.path.exists() else int(release.manifest.get("file", {}).get("bytes", 0))
    return absent_bytes + sum(path.stat().st_size for path in paths if path.exists())


def remove_release(lake: Lake, release: Release) -> None:
    """Remove a release with its search index.

    Raises:
        OSError: A file cannot be removed; the release is gone, and `finish_removals` removes the rest.
    """
    release.path.with_suffix(".json").rename(lake.releases / f".removed.v{release.number}.json")
    finish_removals(lake)


def finish_removals(lake: Lake) -> None:
    """Remove the rest of releases whose removal has begun, and indexes of releases that are not there."""
    for mark in lake.releases.glob(".removed.v*.json"):
        if match := _MARK.fullmatch(mark.name):
            path = lake.releases / f"aisle.v{match[1]}.duckdb"
            path.unlink(missing_ok=True)
            shutil.rmtree(path.with_suffix(".search"), ignore_errors=True)
            mark.unlink()
    for folder in lake.releases.glob("aisle.v*.search"):
        if not any(folder.with_suffix(suffix).exists() for suffix in (".duckdb", ".json")):
            shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class StaleFiles:
    """Files of a table that neither its newest version nor a release needs.

    Args:
        table: Name of the table.
        paths: The files.
        size_bytes: Size of all of them.
    """

    table: str
    paths: tuple[Path, ...]
    size_bytes: int


def find_stale_files(lake: Lake, removed: Collection[int] = ()) -> Iterator[StaleFiles]:
    """The files of each table that can be removed; a table whose newest version is damaged is left alone.

    If the manifest of a release is damaged, it is not known what it pins, and tables that other releases pin are left
    alone too.

    Args:
        lake: The lake.
        removed: Releases that are to be removed first.
    """
    pinned: dict[str, set[str]] = {}
    is_known = True
    for number in list_release_numbers(lake) - set(removed):
        try:
            tables = read_release(lake, number).lake_tables
        except DamagedRelease:
            is_known = False
            continue
        for table in tables.values():
            pinned.setdefault(table.path, set()).update(table.files)
    for folder in sorted(lake.root.glob("tables/*/*")):
        name, path = f"{folder.parent.name}.{folder.name}", str(folder.relative_to(lake.root))
        present = [p for p in folder.rglob("*.parquet") if "_delta_log" not in p.parts]
        if len(present) < 2 and folder.parent.name != "raw":  # one file is the newest version; its log need not be read
            continue
        opened = lake.open_table(name)
        if opened is None or (not is_known and path in pinned):
            continue
        needed = {file.path for file in opened[1]} | {folder / file for file in pinned.get(path, ())}
        stale = [p for p in present if p not in needed]
        if stale:
            yield StaleFiles(name, tuple(stale), sum(p.stat().st_size for p in stale))


def prune_tables(lake: Lake) -> int:
    """Remove the files that neither the newest version of a table nor a release needs; returns their size.

    The logs of the tables are kept short too, so that older versions cannot be opened by their number: what a release
    needs is named in its manifest.
    """
    size_bytes = 0
    for stale in find_stale_files(lake):
        for path in stale.paths:
            path.unlink(missing_ok=True)
        size_bytes += stale.size_bytes
    for folder in lake.root.glob("tables/*/*"):
        shorten_log(folder)
    return size_bytes


def shorten_log(folder: Path) -> None:
    """Write a checkpoint of a table's log every `_CHECKPOINT_COMMITS` commits, and drop what is before the one earlier.

    The commits since that earlier checkpoint stay for those who are just opening the table.
    """
    log = folder / "_delta_log"
    for draft in log.glob("_commit_*.tmp"):  # of killed runs
        draft.unlink(missing_ok=True)
    names = {path.name: int(path.name[:_VERSION_DIGITS]) for path in log.glob("[0-9]*") if _is_versioned(path)}
    checkpoints = sorted({version for name, version in names.items() if ".checkpoint" in name})
    newest = max(names.values(), default=0)
    if newest - (checkpoints[-1] if checkpoints else 0) >= _CHECKPOINT_COMMITS:
        DeltaTable(folder).create_checkpoint()
        checkpoints.append(newest)
    for name, version in names.items():
        if len(checkpoints) > 1 and version < checkpoints[-2]:
            (log / name).unlink(missing_ok=True)


def _is_versioned(path: Path) -> bool:
    return path.name[:_VERSION_DIGITS].isdecimal() and path.name[_VERSION_DIGITS : _VERSION_DIGITS + 1] == "."


def find_cited_releases(texts: Iterable[Any]) -> set[int]:
    """The numbers of the releases to which addresses of pages in some texts lead."""
    addresses = (re.findall(r"[?&](?:release|old|new)=v(\d+)\b", str(text)) for text in texts)
    return {int(number) for numbers in addresses for number in numbers}


def choose_releases(
    lake: Lake, policy: RetentionPolicy, cited: Collection[int], now: dt.datetime
) -> tuple[dict[int, str], list[Release]]:
    """The releases to keep, each with the reason, and those to remove.

    Args:
        lake: The lake.
        policy: The policy.
        cited: Releases to which something in the lake leads.
        now: The present moment.

    Raises:
        DamagedPins: It is not known which releases people want to keep.
    """
    releases, pins = list_releases(lake), read_pins(lake)
    kept = policy.choose(releases, now)
    for release in releases:
        if release.number in pins:
            kept[release.number] = f"kept by hand since {pins[release.number][:10]}"
        elif release.number in cited:
            kept.setdefault(release.number, "an annotation leads to it")
    return kept, [release for release in releases if release.number not in kept]
