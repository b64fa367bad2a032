"""What a lake has gained: items of every kind, since an earlier release or since a day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import polars as pl
import streamlit as st

from dashboards.queries.release import query_release, report_unreadable
from warehouse.release import Release
from warehouse.search.items import ALL_WORKS, ItemKind, list_available_kinds, select_column
from warehouse.sql import quote_literal

MAX_LISTED = 25
_MEMBERS_TABLE, _COUNTED_TABLE = "clean.work_members", "mart.counted_works"
# the name of each kind in counts; an entry of a feed with audio is an episode, as are the entries of saved pages
_NOUNS = {
    "work": "'works'",
    "publication": "'publications'",
    "paper": "'records that are no works'",
    "post": "'posts'",
    "comment": "'comments'",
    "segment": "'segments of forum pages'",
    "episode": "'episodes'",
    "feed item": "if(audio_url is not null, 'episodes', 'entries of other feeds')",
}
_ORDER = "coalesce(list_position(['works', 'publications', 'papers', 'posts', 'comments', 'episodes'], what), 99), what"
_NO_ROW = """
    cast(null as varchar) as kind, cast(null as varchar) as what, cast(null as varchar) as item_id,
    cast(null as varchar) as title, cast(null as varchar) as lab, cast(null as date) as published_on,
    cast(null as timestamptz) as first_seen_at
"""


@dataclass(frozen=True)
class News:
    """What was gained.

    Args:
        counts: Number of new items by the noun of their kind, such as ``works``; kinds without any are left out.
        newest: The `MAX_LISTED` newest: ``kind``, ``item_id``, ``title``, ``lab``, ``published_on``.
    """

    counts: Mapping[str, int]
    newest: pl.DataFrame


def count_since(release: Release, days: Mapping[str, dt.date]) -> pl.DataFrame:
    """Items that were first seen on a day or later, by kind.

    Args:
        release: The release.
        days: Days by the name of the column with their counts.

    Returns:
        ``what``, ``in_all``, and a column for each day; kinds that the release does not have are left out.
    """
    columns = "".join(f', count(*) filter (where first_seen_at >= ${name}) as "{name}"' for name in days)
    query = f"""
        select what, count(*) as in_all{columns}
        from ({_select_gained(release, {})})
        group by what
        order by {_ORDER}
    """
    return query_release(release, query, dict(days))


def find_news_since(release: Release, start: dt.date) -> News:
    """The items that were first seen on a day or at a moment, or later."""
    is_new = dict.fromkeys(_NOUNS, "first_seen_at >= $start")
    gained = _select_gained(release, is_new)
    counts = query_release(release, _count_gained(gained), {"start": start})
    return News(dict(counts.iter_rows()), query_release(release, _list_gained(gained), {"start": start}))


def find_news_since_release(release: Release, older: Release) -> News:
    """The items that an older release lacks: works without any of its records, and other items by their identity.

    Raises:
        UnreadableRelease: One of the releases cannot be read.
    """
    moments = [str(each.manifest["published_at"]) for each in (release, older)]
    return _compare_releases(release, older, str(release.bring()), str(older.bring()), *moments)


@st.cache_data(max_entries=16, show_spinner=False)
def _compare_releases(
    _release: Release,
    _older: Release,
    newer_path: str,
    older_path: str,
    newer_at: str,  # noqa: ARG001 - cached by time too
    older_at: str,  # noqa: ARG001
) -> News:
    gained = _select_gained(_release, _build_conditions(_release, _older))
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for alias, path in (("newer", newer_path), ("older", older_path)):
            with report_unreadable(Path(path)):
                connection.execute(f"attach {quote_literal(path)} as {alias} (read_only)")
        with report_unreadable(Path(newer_path), gained):
            connection.execute(f"use newer; create temp table gained as {gained}")
            counts = connection.sql(_count_gained("from temp.gained")).fetchall()
            return News(dict(counts), connection.sql(_list_gained("from temp.gained")).pl())


def _build_conditions(release: Release, older: Release) -> dict[str, str]:
    """For each kind, the condition that an older release, attached as ``older``, lacks an item."""
    tables, tables_before = release.manifest["tables"], older.manifest["tables"]
    conditions = {}
    for kind in list_available_kinds(tables):
        if kind.kind == "work":
            # all of its records are new; few are, so that this is faster than to look for a known one in each work
            conditions[kind.kind] = f"""(works.work_id, works.members) in (
                select (added.work_id, count(*))
                from clean.work_members as added
                where added.record_id not in ({_select_known_records(older)})
                group by added.work_id
            )"""
        elif kind.table in tables_before:
            column = kind.item_id
            conditions[kind.kind] = f"{column} not in (select known.{column} from older.{kind.table} as known)"
    return conditions


def _select_known_records(older: Release) -> str:
    """SQL for the records of works in an older release, or of all that can be works where it has none."""
    tables = older.manifest["tables"]
    if _MEMBERS_TABLE in tables:
        return f"select record_id from older.{_MEMBERS_TABLE}"
    kinds = [kind for kind in list_available_kinds(tables) if kind.member_sources]
    return (
        " union all ".join(f"select {kind.record_id} from older.{kind.table}" for kind in kinds)
        or "select null where false"
    )


def _select_gained(release: Release, conditions: Mapping[str, str]) -> str:
    """SQL for the items of a release that meet the condition of their kind, if it has one."""
    kinds = list_available_kinds(release.manifest["tables"])
    is_work_counted = "not works.is_withdrawn"
    if _COUNTED_TABLE in release.manifest["tables"]:
        counted = f"select work_id from {_COUNTED_TABLE} where corpus = '{ALL_WORKS}' and not is_duplicate"
        is_work_counted += f" and works.work_id in ({counted})"
    kinds = [replace(kind, row_filter=is_work_counted) if kind.kind == "work" else kind for kind in kinds]
    parts = [_select_kind(kind, conditions.get(kind.kind, "")) for kind in kinds]
    return "\nunion all\n".join(parts) or f"select {_NO_ROW} where false"


def _select_kind(kind: ItemKind, condition: str) -> str:
    columns = ", ".join(select_column(kind, name) for name in ("item_id", "title", "lab", "published_on"))
    where = " and ".join(part for part in (condition, kind.row_filter) if part) or "true"
    return f"""
        select '{kind.kind}' as kind, {_NOUNS[kind.kind]} as what, {columns}, first_seen_at
        from {kind.table}
        where {where}
    """


def _count_gained(gained: str) -> str:
    return f"select what, count(*) as items from ({gained}) group by what order by {_ORDER}"


def _list_gained(gained: str) -> str:
    return f"""
        select kind, item_id, title, lab, published_on
        from ({gained})
        order by kind != 'work', published_on desc nulls last, first_seen_at desc, kind, item_id
        limit {MAX_LISTED}
    """
