"""Access to releases: the selected one, queries with bound parameters, and column meanings.

The newest release is looked up at each rerun, so a new one appears without a restart. A published file never changes,
so query results are cached by release.
"""

from __future__ import annotations

import contextlib
import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import polars as pl
import streamlit as st

from dashboards.text import escape_markdown, show_link
from warehouse.lake import Lake, UnusableLake
from warehouse.origin import need_releases
from warehouse.release import DamagedRelease, Release, list_releases, locate_pointer, read_current_release
from warehouse.release_file import open_release_file
from warehouse.sql import TEMPORARY_TABLE_MACROS, list_macro_tables
from warehouse.table import LAYERS

_TABLES = "select schema_name, table_name from duckdb_tables() where not internal"
_log = logging.getLogger(__name__)
_PINNED_KEY = "pinned release"
_ADDED_KEY = "release added to the address"
_MAX_OPEN = 3  # releases kept open: the newest and those that sessions have pinned
_open: OrderedDict[tuple[int, str, str], duckdb.DuckDBPyConnection] = OrderedDict()
_open_lock = threading.Lock()
_without_macros: set[tuple[int, str, str]] = set()  # older releases; they get today's macros for each query
# the tables that the running page and the part of it declare to read, for tests
declared_tables: ContextVar[frozenset[str]] = ContextVar("declared_tables", default=frozenset())
# what DuckDB names if a table, a table macro or a column is missing
_MISSING = re.compile(
    r"Table with name \"?(?P<table>[\w.]+)\"? does not exist|Function with name \"?(?P<function>\w+)\"? does not exist"
    r"|Referenced column \"(?P<column>\w+)\" not found|does not have a column named \"(?P<other_column>\w+)\""
)


class UnreadableRelease(RuntimeError):
    """A release exists but cannot be read.

    Args:
        path: The file that is missing, damaged or of another version.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} cannot be read")
        self.path = path


class UnreachableLake(RuntimeError):
    """The lake is incomplete, or its object store cannot be reached or refuses to be read; the text names the lake."""


class MissingData(RuntimeError):
    """A release can be read, but lacks tables or columns, since it was published by an older version.

    Args:
        names: Names of the tables, functions or columns.
    """

    def __init__(self, names: Collection[str]) -> None:
        super().__init__(f"the release lacks {', '.join(names)}")
        self.names = tuple(names)


@dataclass(frozen=True)
class ColumnMeaning:
    """Meaning and unit of a column, from the data dictionary."""

    meaning: str
    unit: str | None


def get_lake() -> Lake:
    """The lake whose releases the pages read; the version that was read before while its store cannot be reached.

    Raises:
        UnreachableLake: The store cannot be reached, and no version was read before; or it is an unfinished copy.
    """
    try:
        lake = Lake.from_environment()
    except UnusableLake as error:
        _log.error("%s", error)
        raise UnreachableLake(str(error)) from error
    try:
        return lake.open_for_reading(need_releases, is_tolerant=True)
    except OSError as error:
        _log.error("%s cannot be read: %s", lake.address, error)
        raise UnreachableLake(lake.address) from error


def get_newest_release() -> Release:
    """The newest release of the lake.

    Raises:
        NoRelease: Nothing has been released yet.
        UnreadableRelease: The newest release is incomplete.
    """
    lake = get_lake()
    with report_unreadable(locate_pointer(lake)):
        release = read_current_release(lake)
    with report_unreadable(release.path):
        release.bring().stat()  # a file that is open here could still be queried after it was deleted
    return release


def select_release(needs: Sequence[str] = (), optional: Sequence[str] = ()) -> Release:
    """The release that the address names (``?release=v3``), else the newest.

    Args:
        needs: Tables without which the page cannot show anything.
        optional: Tables that the page reads if the release has them.

    Raises:
        NoRelease: Nothing has been released yet.
        UnreadableRelease: The newest release is incomplete.
        MissingData: The release lacks one of the tables.
    """
    release = _select_release()
    declared_tables.set(frozenset([*needs, *optional]))
    require_tables(release, needs)
    return release


def require_tables(release: Release, needs: Collection[str]) -> None:
    """Check that a release has all of some tables.

    Raises:
        MissingData: It lacks some; the error names them.
    """
    missing = [name for name in needs if name not in release.manifest["tables"]]
    if missing:
        raise MissingData(missing)


def _select_release() -> Release:
    named, wanted = find_release()
    if wanted is None:
        return named
    if named.name != wanted:
        st.session_state.pop(_PINNED_KEY, None)
        st.warning(
            f"This lake has no release “{escape_markdown(wanted)}”: this page shows {named.name}.",
            icon=":material/warning:",
        )
        return named
    st.session_state[_PINNED_KEY] = wanted
    if st.query_params.get("release") != wanted:
        st.session_state[_ADDED_KEY] = wanted
        st.query_params["release"] = wanted
    latest = list_readable_releases()[-1]
    if named.number != latest.number:
        st.markdown(f"You are reading release {named.name}; the newest is {latest.name}.")
        with st.container(horizontal=True):
            show_link(urlsplit(st.context.url or "").path or "/", f"To release {latest.name}", is_of_newest=True)
            versions = {"new": latest.name, "old": named.name}
            show_link("changes", f"What changed since {named.name}", versions, is_of_newest=True)
    return named


def find_release() -> tuple[Release, str | None]:
    """The release that the address names, else the newest, and the name in the address if there is one.

    Raises:
        NoRelease: Nothing has been released yet.
        UnreadableRelease: The newest release is incomplete.
    """
    # the page menu drops the parameters of the address, so the session remembers the release
    wanted = st.query_params.get("release") or st.session_state.get(_PINNED_KEY)
    named = next((release for release in list_readable_releases() if release.name == wanted), None) if wanted else None
    return named or get_newest_release(), wanted


def is_release_in_address() -> bool:
    """Whether the page was opened by an address that names a release, and not from the menu of a page that did."""
    named = st.query_params.get("release")
    return named is not None and st.session_state.get(_ADDED_KEY) != named


def list_readable_releases() -> list[Release]:
    """All readable releases of the lake, oldest first."""
    return list_releases(get_lake())


def _log_unreadable(path: Path, error: Exception) -> UnreadableRelease:
    _log.error("%s cannot be read: %s", path, error)
    return UnreadableRelease(path)


def query_release(release: Release, query: str, parameters: Mapping[str, Any] | None = None) -> pl.DataFrame:
    """The rows of a query on a release; cached.

    Raises:
        MissingData: The release lacks a table or column of the query.
        UnreadableRelease: The release cannot be read.
    """
    with report_unreadable(release.path):
        release.bring()
    return _run_query(get_cache_key(release), query, dict(parameters or {}))


def get_cache_key(release: Release) -> tuple[int, str, str]:
    """The cache key of a release: number, path and time of publication."""
    # a lake that was deleted and rebuilt starts at number 1 again
    return release.number, str(release.path), str(release.manifest["published_at"])


@contextmanager
def connect_release(release: Release) -> Generator[duckdb.DuckDBPyConnection]:
    """A connection to a release, for functions that run queries of their own; its file stays open.

    Raises:
        MissingData: The release lacks a table or column of a query.
        UnreadableRelease: The release cannot be read.
    """
    with report_unreadable(release.path):
        release.bring()
        with _keep_open(get_cache_key(release), release).connect() as connection:
            yield connection


@st.cache_data(max_entries=256, show_spinner=False)
def _run_query(cache_key: tuple[int, str, str], query: str, parameters: dict[str, Any]) -> pl.DataFrame:
    number, path, _ = cache_key
    release = Release(number, Path(path), {})
    with report_unreadable(release.path, query), _keep_open(cache_key, release).connect() as connection:
        if cache_key in _without_macros and re.search(r"\bpublication_\w+\(", query):
            connection.execute(TEMPORARY_TABLE_MACROS)
        return connection.sql(query, params=parameters or None).pl()


def _keep_open(cache_key: tuple[int, str, str], release: Release) -> Release:
    """Keep the file of a release open, since opening it takes longer than most queries.

    DuckDB shares an open file between all connections of the process.
    """
    with _open_lock:
        if cache_key not in _open:
            for other in [other for other in _open if other[1] == cache_key[1]]:  # the lake was deleted and rebuilt
                _open.pop(other).close()
            _open[cache_key] = release.connect()
            if not _has_macros(_open[cache_key]):
                _without_macros.add(cache_key)
        _open.move_to_end(cache_key)
        while len(_open) > _MAX_OPEN:
            _open.popitem(last=False)[1].close()
    return release


def _has_macros(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether a release has the table macros that pages use; an older one may lack some."""
    try:
        connection.execute("select 1 from publication_periods() limit 0")
    except duckdb.CatalogException:
        return False
    return True


@contextmanager
def report_unreadable(path: Path, query: str = "") -> Generator[None]:
    """Turn any error of reading a release file into one that every page can show; a damaged file names itself.

    Args:
        path: The release file.
        query: The query that reads it, where one is known, to name a missing table with its layer.

    Raises:
        MissingData: The file lacks a table or column, but has other tables.
        UnreadableRelease: The file cannot be read.
    """
    try:
        yield
    except DamagedRelease as error:
        raise _log_unreadable(error.path, error) from error
    except (duckdb.Error, OSError) as error:
        if names := _find_missing_names(path, error, query):
            raise MissingData(names) from error
        raise _log_unreadable(path, error) from error


def _find_missing_names(path: Path, error: Exception, query: str) -> list[str]:
    """The table, function or column that a query did not find in a release file; none if the file is damaged."""
    match = _MISSING.search(str(error))
    if match is None or not isinstance(error, duckdb.CatalogException | duckdb.BinderException):
        return []
    with contextlib.suppress(duckdb.Error), open_release_file(path) as connection:
        tables = {f"{schema}.{name}" for schema, name in connection.execute(_TABLES).fetchall()}
        if not tables:
            return []
        wanted = dict.fromkeys(re.findall(rf"\b(?:{'|'.join(LAYERS)})\.\w+", query))
        if match["table"]:
            of_macros = [name for name in list_macro_tables() if name.partition(".")[2] == match["table"]]
            return [name for name in wanted if name not in tables] or of_macros or [match["table"]]
        if match["function"]:
            return [f"{match['function']}()"]
        return [f"the column {match['column'] or match['other_column']}"]
    return []


def query_column_meanings(release: Release, table: str) -> dict[str, ColumnMeaning]:
    """Meaning and unit of each column of a table, from the data dictionary; empty for a release without one."""
    if "reference.dictionary" not in release.manifest["tables"]:
        return {}
    query = "select column_name, column_meaning, unit from reference.dictionary where table_name = $table"
    return {
        name: ColumnMeaning(meaning, unit)
        for name, meaning, unit in query_release(release, query, {"table": table}).iter_rows()
    }
