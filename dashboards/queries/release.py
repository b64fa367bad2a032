"""Access to releases: the selected one, queries with bound parameters, and column meanings.

The newest release is looked up at each rerun, so a new one appears without a restart. A published file never changes,
so query results are cached by release.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import polars as pl
import streamlit as st

from dashboards.text import escape_markdown, show_link
from warehouse.lake import Lake
from warehouse.release import NoRelease, Release, list_releases, locate_pointer, read_current_release
from warehouse.sql import TEMPORARY_TABLE_MACROS

_log = logging.getLogger(__name__)
_PINNED_KEY = "pinned release"
_MAX_OPEN = 3  # releases kept open: the newest and those that sessions have pinned
_open: OrderedDict[tuple[int, str, str], duckdb.DuckDBPyConnection] = OrderedDict()
_open_lock = threading.Lock()
_without_macros: set[tuple[int, str, str]] = set()  # older releases; they get today's macros for each query


class UnreadableRelease(RuntimeError):
    """A release exists but cannot be read.

    Args:
        path: The file that is missing, damaged or of another version.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} cannot be read")
        self.path = path


@dataclass(frozen=True)
class ColumnMeaning:
    """Meaning and unit of a column, from the data dictionary."""

    meaning: str
    unit: str | None


def get_lake() -> Lake:
    """The lake whose releases the pages read."""
    return Lake.from_environment()


def get_newest_release() -> Release:
    """The newest release of the lake.

    Raises:
        NoRelease: Nothing has been released yet.
        UnreadableRelease: The newest release is incomplete.
    """
    lake = get_lake()
    try:
        return read_current_release(lake)
    except NoRelease as error:
        if locate_pointer(lake).is_symlink():  # so the manifest or the file name is at fault
            raise _log_unreadable(locate_pointer(lake).parent / locate_pointer(lake).readlink(), error) from error
        raise
    except (OSError, ValueError) as error:
        raise _log_unreadable(locate_pointer(lake), error) from error


def select_release() -> Release:
    """The release that the address names (``?release=v3``), else the newest.

    Raises:
        NoRelease: Nothing has been released yet.
        UnreadableRelease: The newest release is incomplete.
    """
    # the page menu drops the parameters of the address, so the session remembers the release
    wanted = st.query_params.get("release") or st.session_state.get(_PINNED_KEY)
    if wanted is None:
        return get_newest_release()
    named = next((release for release in list_readable_releases() if release.name == wanted), None)
    if named is None:
        st.session_state.pop(_PINNED_KEY, None)
        newest = get_newest_release()
        st.warning(
            f"This lake has no release “{escape_markdown(wanted)}”: this page shows {newest.name}.",
            icon=":material/warning:",
        )
        return newest
    st.session_state[_PINNED_KEY] = wanted
    if st.query_params.get("release") != wanted:
        st.query_params["release"] = wanted
    latest = list_readable_releases()[-1]
    if named.number != latest.number:
        st.markdown(f"You are reading release {named.name}; the newest is {latest.name}.")
        with st.container(horizontal=True):
            show_link(urlsplit(st.context.url or "").path or "/", f"To release {latest.name}", is_of_newest=True)
            versions = {"new": latest.name, "old": named.name}
            show_link("changes", f"What changed since {named.name}", versions, is_of_newest=True)
    return named


def list_readable_releases() -> list[Release]:
    """All readable releases of the lake, oldest first."""
    return list_releases(get_lake())


def _log_unreadable(path: Path, error: Exception) -> UnreadableRelease:
    _log.error("%s cannot be read: %s", path, error)
    return UnreadableRelease(path)


def query_release(release: Release, query: str, parameters: Mapping[str, Any] | None = None) -> pl.DataFrame:
    """The rows of a query on a release; cached.

    Raises:
        UnreadableRelease: The release lacks a table or column of the query, or cannot be read.
    """
    return _run_query(get_cache_key(release), query, dict(parameters or {}))


def get_cache_key(release: Release) -> tuple[int, str, str]:
    """The cache key of a release: number, path and time of publication."""
    # a lake that was deleted and rebuilt starts at number 1 again
    return release.number, str(release.path), str(release.manifest["published_at"])


@st.cache_data(max_entries=256, show_spinner=False)
def _run_query(cache_key: tuple[int, str, str], query: str, parameters: dict[str, Any]) -> pl.DataFrame:
    number, path, _ = cache_key
    with report_unreadable(Path(path)), _keep_open(cache_key, Release(number, Path(path), {})).connect() as connection:
        if cache_key in _without_macros:
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
def report_unreadable(path: Path) -> Generator[None]:
    """Turn any error of reading a release file into one that every page can show.

    Raises:
        UnreadableRelease: The file cannot be read.
    """
    try:
        yield
    except (duckdb.Error, OSError) as error:
        raise _log_unreadable(path, error) from error


def query_column_meanings(release: Release, table: str) -> dict[str, ColumnMeaning]:
    """Meaning and unit of each column of a table, from the data dictionary."""
    query = "select column_name, column_meaning, unit from reference.dictionary where table_name = $table"
    return {
        name: ColumnMeaning(meaning, unit)
        for name, meaning, unit in query_release(release, query, {"table": table}).iter_rows()
    }
