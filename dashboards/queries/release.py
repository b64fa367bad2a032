"""Reading a release for the pages: every number a page shows is computed by SQL with bound parameters, asked here.

The newest release is looked up at each rerun, so a new one shows without a restart; a file once published never
changes, so answers are cached by release.
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

from dashboards.text import lead, text
from warehouse.lake import Lake
from warehouse.release import NoRelease, Release, current, pointer, releases

_log = logging.getLogger(__name__)
_PINNED = "release that is read"
_KEPT = 3  # releases that are kept open: the newest, and those that somebody still reads
_open: OrderedDict[tuple[int, str, str], duckdb.DuckDBPyConnection] = OrderedDict()
_opening = threading.Lock()


class UnreadableRelease(RuntimeError):
    """The newest release is there but cannot be read.

    Args:
        path: The file at fault.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} cannot be read")
        self.path = path


@dataclass(frozen=True)
class Meaning:
    """What the data dictionary says about a column."""

    meaning: str
    unit: str | None


def lake() -> Lake:
    """The lake whose releases the pages read."""
    return Lake.of_environment()


def newest() -> Release:
    """The newest release, as of now.

    Raises:
        NoRelease: Nothing was released yet.
        UnreadableRelease: There is a release, but not whole.
    """
    here = lake()
    try:
        return current(here)
    except NoRelease as error:
        if pointer(here).is_symlink():  # then it is the manifest or the name that is at fault
            raise _unreadable(pointer(here).parent / pointer(here).readlink(), error) from error
        raise
    except (OSError, ValueError) as error:
        raise _unreadable(pointer(here), error) from error


def chosen() -> Release:
    """The release that the address names (``?release=v3``), so that a quoted figure stays as it was; else the newest.

    Raises:
        NoRelease: Nothing was released yet.
        UnreadableRelease: There is a release, but not whole.
    """
    # the menu of pages leaves the address behind, but who reads an old release goes on reading it
    wanted = st.query_params.get("release") or st.session_state.get(_PINNED)
    if wanted is None:
        return newest()
    named = next((release for release in all_releases() if release.name == wanted), None)
    if named is None:
        st.session_state.pop(_PINNED, None)
        current_one = newest()
        st.warning(
            f"This lake has no release “{text(wanted)}”: what follows is of {current_one.name}.",
            icon=":material/warning:",
        )
        return current_one
    st.session_state[_PINNED] = wanted
    if st.query_params.get("release") != wanted:
        st.query_params["release"] = wanted
    latest = all_releases()[-1]
    if named.number != latest.number:
        st.markdown(f"You are reading release {named.name}; the newest is {latest.name}.")
        with st.container(horizontal=True):
            lead(urlsplit(st.context.url or "").path or "/", f"To release {latest.name}", is_of_newest=True)
            between = {"new": latest.name, "old": named.name}
            lead("changes", f"What changed since {named.name}", between, is_of_newest=True)
    return named


def all_releases() -> list[Release]:
    """All releases that can be read, oldest first."""
    return releases(lake())


def _unreadable(path: Path, error: Exception) -> UnreadableRelease:
    _log.error("%s cannot be read: %s", path, error)
    return UnreadableRelease(path)


def ask(release: Release, query: str, parameters: Mapping[str, Any] | None = None) -> pl.DataFrame:
    """The rows of a query on a release, remembered for the next time.

    Raises:
        UnreadableRelease: The release lacks what is asked for, or cannot be read.
    """
    return _answer(key(release), query, dict(parameters or {}))


def key(release: Release) -> tuple[int, str, str]:
    """What answers about a release are remembered by."""
    # number alone would not do: a lake deleted and made anew counts from one again
    return release.number, str(release.path), str(release.manifest["published_at"])


@st.cache_data(max_entries=256, show_spinner=False)
def _answer(key: tuple[int, str, str], query: str, parameters: dict[str, Any]) -> pl.DataFrame:
    number, path, _ = key
    with reading(Path(path)), _kept_open(key, Release(number, Path(path), {})).connect() as connection:
        return connection.sql(query, params=parameters or None).pl()


def _kept_open(key: tuple[int, str, str], release: Release) -> Release:
    """The release, whose file stays open from now on: to open it anew for each query would take longer than the query.

    DuckDB shares what it holds of an open file with all further connections of the process.
    """
    with _opening:
        if key not in _open:
            for other in [other for other in _open if other[1] == key[1]]:  # a lake deleted and made anew
                _open.pop(other).close()
            _open[key] = release.connect()
        _open.move_to_end(key)
        while len(_open) > _KEPT:
            _open.popitem(last=False)[1].close()
    return release


@contextmanager
def reading(path: Path) -> Generator[None]:
    """Tell of whatever goes wrong with the file of a release as one kind of error, which every page can show.

    Raises:
        UnreadableRelease: It cannot be read.
    """
    try:
        yield
    except (duckdb.Error, OSError) as error:
        raise _unreadable(path, error) from error


def meanings(release: Release, table: str) -> dict[str, Meaning]:
    """Meaning and unit of each column of a table, from the data dictionary."""
    query = "select column_name, column_meaning, unit from reference.dictionary where table_name = $table"
    return {name: Meaning(meaning, unit) for name, meaning, unit in ask(release, query, {"table": table}).iter_rows()}
