"""Releases: one consistent, immutable set of all tables, published in one step.

``releases/aisle.vN.duckdb`` holds the tables of release N, with the declarations as comments, except large raw tables,
which stay in the lake (see `warehouse.lake_tables`); ``releases/aisle.vN.json`` is its manifest; ``aisle.duckdb`` is a
link to the newest. A release file is built in a
temporary folder, closed, verified by opening it, renamed, and never changed, so readers of older releases are not
affected. The manifest has its size and SHA-256; see `Release.check` for where it is compared.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from warehouse import dictionary
from warehouse.delta import hash_frame
from warehouse.lake import Lake, TableState, replace_file, sync_folder
from warehouse.lake_tables import Division, LakeTable, MissingFile, divide_tables, list_all_tables, read_lake_tables
from warehouse.origin import DamagedObject, LakeOrigin, OriginError
from warehouse.parts import SIGHTINGS
from warehouse.release_draft import FORM, FileContents, LastFile, compare_files, write_release_file
from warehouse.release_file import (
    DamagedFile,
    check_file,
    check_file_at_hand,
    check_written,
    open_release_file,
    read_file_facts,
)
from warehouse.scratch import close_scratch
from warehouse.table import Table, utc_now

_FILE_NAME = re.compile(r"aisle\.v(\d+)\.(duckdb|json|search)$")


class NoRelease(LookupError):
    """The lake has no such release; the message says what to do."""


class DamagedRelease(NoRelease):
    """A release was published and is not whole any more; the message names the file, the reason and what to do.

    Args:
        path: The file that is missing or damaged.
        reason: What is wrong with it.
    """

    def __init__(self, path: Path, reason: object) -> None:
        super().__init__(
            f"{path} is damaged: {reason}; if this is the newest release, `aisle run` replaces it,"
            " an older one comes back only from a backup"
        )
        self.path = path
        self.reason = reason


@dataclass(frozen=True)
class Release:
    """A published release.

    Args:
        number: Increases by one with each release.
        path: The DuckDB file, with links resolved.
        manifest: Time of publication, size and hash of the file, tables with versions, rows and hashes, snapshots,
            checks, code version.
        root: Folder of the lake, for the tables that are not in the file; none where only the file is read.
        origin: Where its files come from, if the lake is not on disk.
    """

    number: int
    path: Path
    manifest: Mapping[str, Any]
    root: Path | None = None
    origin: LakeOrigin | None = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        """Name of the release, such as ``v12``."""
        return f"v{self.number}"

    @property
    def content_sha256(self) -> str:
        """One hash over all tables; equal for two releases only if their content is equal."""
        hashes = sorted((name, table["content_sha256"]) for name, table in list_all_tables(self.manifest).items())
        return hashlib.sha256(json.dumps(hashes).encode()).hexdigest()

    @property
    def lake_tables(self) -> dict[str, LakeTable]:
        """The tables that are not in the file, but in the lake."""
        return read_lake_tables(self.manifest)

    def bring(self, path: Path | None = None) -> Path:
        """Its file, or another file or folder of it, brought to this machine if it is not here."""
        path = self.path if path is None else path
        if self.origin is not None:
            self.origin.bring(path)
        return path

    def connect(self) -> duckdb.DuckDBPyConnection:
        """Open a read-only connection to the release, in UTC, that can reach no other file.

        Raises:
            DamagedRelease: The file is missing, has another size, or is no DuckDB file.
            OriginError: It cannot be brought to this machine.
        """
        try:
            self._require_file(check_file_at_hand)
            return open_release_file(self.path)
        except OriginError:  # the release is whole where the lake is
            raise
        except (OSError, duckdb.Error) as error:
            raise DamagedRelease(self.path, error) from error

    def check(self) -> None:
        """Compare the whole file with its hash, and the files in the lake with their sizes.

        It is for what relies on all of them, such as a run or a comparison.

        Reading a page relies only on the blocks that it reads, of which DuckDB checks each.

        Raises:
            DamagedRelease: It is not as it was published.
            OriginError: Its file cannot be brought to this machine.
        """
        try:
            self._require_file(lambda path, facts: check_file(path, facts, self.manifest["tables"]))
            if self.root is not None:
                for table in self.lake_tables.values():
                    table.check(self.root, self.origin)
        except (DamagedFile, MissingFile) as error:
            raise DamagedRelease(self.path, error) from error

    def _require_file(self, check: Callable[[Path, Mapping[str, Any] | None], None]) -> None:
        """Check its file; one that was damaged on this machine only is brought again.

        Raises:
            DamagedFile: It is damaged, also where the lake is.
            OriginError: It cannot be brought.
        """
        facts = self.manifest.get("file")
        try:
            try:
                check(self.bring(), facts)
            except DamagedFile:
                if self.origin is None or not self.origin.renew(self.path):
                    raise
                check(self.path, facts)
        except DamagedObject as error:
            raise DamagedFile(str(error)) from error


def locate_pointer(lake: Lake) -> Path:
    """Path of the link to the newest release, which other tools can open too."""
    return lake.root / "aisle.duckdb"


def list_releases(lake: Lake) -> list[Release]:
    """All published releases whose manifest and file can be read, oldest first."""
    newest, readable = _read_newest_number(lake), []
    for number in sorted(_list_numbers(lake, "json" if lake.origin else "duckdb")):
        with contextlib.suppress(NoRelease, DamagedFile):
            if number <= newest:
                release = _read_release(lake, number)
                _check_file_anywhere(lake, release)
                readable.append(release)
    return readable


def _check_file_anywhere(lake: Lake, release: Release) -> None:
    """Check that the file of a release can be had: it is here, or the origin of the lake has it with its size."""
    if release.path.exists() or lake.origin is None:
        check_file_at_hand(release.path, release.manifest.get("file"))
    elif lake.origin.get_size(release.path) != release.manifest.get("file", {}).get("bytes"):
        raise DamagedFile("the file is missing, or has another size than was published")


def read_release(lake: Lake, number: int) -> Release:
    """A published release by its number.

    Raises:
        NoRelease: There is none of this number.
        DamagedRelease: There is, and its manifest or file is damaged.
    """
    if number not in _list_numbers(lake, "duckdb", "json") or number > _read_newest_number(lake):
        raise NoRelease(f"no release v{number}")
    return _read_release(lake, number)


def list_release_numbers(lake: Lake) -> set[int]:
    """Numbers of all releases that have a file or a manifest, also of damaged ones."""
    return _list_numbers(lake, "duckdb", "json")


def _list_numbers(lake: Lake, *suffixes: str) -> set[int]:
    """Numbers of the releases that have files with these suffixes; other files in the folder do not count."""
    matches = (_FILE_NAME.match(path.name) for path in lake.releases.glob("aisle.v*"))
    return {int(match[1]) for match in matches if match and match[2] in suffixes}


def _read_newest_number(lake: Lake) -> int:
    """Number of the release that the link points to; 0 if nothing was published.

    Raises:
        DamagedRelease: Something else is in the place of the link, or it points to no release.
    """
    pointer = locate_pointer(lake)
    try:
        match = _FILE_NAME.match(pointer.readlink().name)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise DamagedRelease(pointer, "it is not the link to the newest release") from error
    if match is None:
        raise DamagedRelease(pointer, f"{pointer.readlink()} is not the name of a release")
    return int(match[1])


def read_current_release(lake: Lake) -> Release:
    """The newest release.

    Raises:
        NoRelease: Nothing was published yet.
        DamagedRelease: The link to it or its manifest is damaged.
    """
    number = _read_newest_number(lake)
    if number == 0:
        if numbers := _list_numbers(lake, "json"):
            reason = f"it is missing, and there are releases up to v{max(numbers)}"
            raise DamagedRelease(locate_pointer(lake), reason)
        raise NoRelease(f"no release in {lake.address} yet: run `aisle run` (or `make run`)")
    return _read_release(lake, number)


def find_damage(lake: Lake) -> DamagedRelease | None:
    """What is wrong with the newest release, by its whole file; none if nothing is, or if there is none."""
    try:
        read_current_release(lake).check()
    except DamagedRelease as damage:
        return damage
    except NoRelease:
        return None
    return None


def _read_release(lake: Lake, number: int) -> Release:
    path = lake.releases.resolve() / f"aisle.v{number}.duckdb"
    try:
        manifest = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedRelease(path.with_suffix(".json"), error) from error
    try:
        facts = manifest.get("file", {"bytes": 0, "sha256": ""})
        is_whole = isinstance(manifest["published_at"], str) and isinstance(facts["bytes"], int) and "sha256" in facts
        is_whole = is_whole and all({"rows", "content_sha256"} <= table.keys() for table in manifest["tables"].values())
        read_lake_tables(manifest)
    except (AttributeError, KeyError, TypeError):
        is_whole = False
    if not is_whole:
        raise DamagedRelease(path.with_suffix(".json"), "it is not the manifest of a release")
    return Release(number, path, manifest, lake.root, lake.origin)


def publish_release(lake: Lake, tables: Iterable[Table], facts: Mapping[str, Any]) -> tuple[Release, bool]:
    """Publish the current tables as a new release, unless the newest release has the same content.

    Args:
        lake: The lake; the caller must hold its lock.
        tables: Declarations of the tables to publish.
        facts: Further entries of the manifest (checks, snapshots, code version).

    Returns:
        The newest release, and whether it is new.

    Raises:
        FileNotFoundError: A table was never written.
        OSError: The release could not be written completely; the previous one stays the newest.
    """
    tables = sorted(tables, key=lambda table: table.name)
    states: dict[str, TableState] = {}
    for table in tables:
        state = lake.read_state(table.name)
        if state is None:
            raise FileNotFoundError(f"{table.name} was never written to {lake.root}")
        states[table.name] = state
    division = divide_tables(lake, tables, states)
    dictionary_rows = dictionary.build_dictionary([*tables, dictionary.TABLE])
    contents = FileContents(
        [table for table in tables if table.name not in division.lake_tables], dictionary_rows, division.sightings_of
    )
    manifest: dict[str, Any] = {
        "published_at": utc_now().isoformat(),
        **_describe_tables(contents, states, division),
        **facts,
    }
    last: LastFile | None = None
    with contextlib.suppress(NoRelease):  # a damaged release is replaced
        newest = read_current_release(lake)
        if _list_contents(newest.manifest) == _list_contents(manifest):
            newest.check()
            return newest, False
        last = compare_files(newest.path, newest.manifest, manifest, contents)
    number = _allocate_number(lake)
    manifest["release"] = number
    path = lake.releases / f"aisle.v{number}.duckdb"
    build_folder = Path(tempfile.mkdtemp(prefix=".building-", dir=lake.releases))
    close_scratch()  # the file is written by another DuckDB, which may use as much memory
    try:
        draft = build_folder / path.name
        written = write_release_file(draft, lake, contents, last)
        check_written(draft, manifest["tables"])
        manifest["file"] = {**read_file_facts(draft), "form": FORM, "tables_written": len(written)}
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.rename(path)
        replace_file(path.with_suffix(".json"), json.dumps(manifest, indent=1).encode())
        _set_aside(locate_pointer(lake))
        link = build_folder / "pointer"
        link.symlink_to(Path(lake.releases.name) / path.name)
        link.replace(locate_pointer(lake))
        sync_folder(lake.root)
    finally:
        shutil.rmtree(build_folder, ignore_errors=True)
    return _read_release(lake, number), True


def _describe_tables(contents: FileContents, states: Mapping[str, TableState], division: Division) -> dict[str, Any]:
    """The entries of a manifest on the tables in the file and on those in the lake."""
    entries: dict[str, dict[str, Any]] = {
        table.name: {
            "rows": states[table.name].rows,
            "delta_version": states[table.name].version,
            "content_sha256": states[table.name].content_sha256,
        }
        for table in contents.tables
    }
    if division.sightings is not None:  # without the records of tables in the lake, it is no version of the Delta table
        facts = {"rows": division.sightings.rows, "content_sha256": division.sightings.content_sha256}
        entries[SIGHTINGS] = {**facts, "delta_version": None}
    entries[dictionary.TABLE.name] = {
        "rows": contents.dictionary_rows.height,
        "delta_version": None,
        "content_sha256": hash_frame(contents.dictionary_rows),
    }
    in_lake = {name: table.to_manifest() for name, table in division.lake_tables.items()}
    return {"tables": entries, **({"lake_tables": in_lake} if in_lake else {})}


def _list_contents(manifest: Mapping[str, Any]) -> list[dict[str, str]]:
    """The content hashes of the tables in the file, and of those in the lake."""
    parts = (manifest["tables"], manifest.get("lake_tables", {}))
    return [{name: entry["content_sha256"] for name, entry in part.items()} for part in parts]


def _set_aside(pointer: Path) -> None:
    """Rename what is in the place of the link and is none, such as a copy of the file that somebody made."""
    if pointer.exists() and not pointer.is_symlink():
        pointer.rename(pointer.with_name(f"{pointer.name}.set-aside-{utc_now():%Y%m%dT%H%M%S}"))


def _allocate_number(lake: Lake) -> int:
    """The next unused release number, also when the link is lost; removes files left by killed publishers."""
    lake.releases.mkdir(parents=True, exist_ok=True)
    for draft in lake.releases.glob(".building-*"):
        shutil.rmtree(draft)
    numbers = _list_numbers(lake, "duckdb", "json", "search")
    with contextlib.suppress(DamagedRelease):
        numbers.add(_read_newest_number(lake))
    return max(numbers, default=0) + 1
