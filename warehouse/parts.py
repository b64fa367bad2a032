"""Raw tables made of parts: the records of each snapshot as they were parsed, and the queries over them.

A part is a Parquet file with the records of one snapshot, or of several small ones. Nothing merges parts when they
arrive: the distinct versions of the records, and when each was first and last seen, are worked out by a query.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from warehouse.table import Column

# where a record is, besides what it holds
PLACE_COLUMNS = (
    Column("snapshot_id", "text", "The snapshot that the record is in.", required=True),
    Column("record_ordinal", "integer", "Its place in that snapshot, from 1.", required=True),
    Column("occurrence", "integer", "How many times the snapshot has had the record so far, from 1.", required=True),
    Column("locator", "text", "Where the record is in the document, as text for a person.", required=True),
)
SIGHTINGS = "raw.sightings"
SNAPSHOTS = "raw.snapshots"
PLACES = "snapshot_places"
SEEN_COLUMNS = frozenset({"first_seen_at", "last_seen_at"})  # worked out from the snapshots, not kept in parts


@dataclass(frozen=True)
class PartsDescription:
    """What the log of a raw table says of it.

    Args:
        source: The source of its records; none for `SIGHTINGS`, which are read from the tables of all sources.
        volatile_columns: Columns whose change alone makes no new version.
    """

    source: str | None = None
    volatile_columns: tuple[str, ...] = ()

    def to_text(self) -> str:
        """The text kept in the log of the table."""
        return json.dumps({"parts_of": self.source, "volatile_columns": list(self.volatile_columns)})

    @staticmethod
    def read(text: str | None) -> PartsDescription | None:
        """The description in a log; none for a table that is not made of parts."""
        try:
            facts = json.loads(text or "")
            return PartsDescription(facts["parts_of"], tuple(facts["volatile_columns"]))
        except (ValueError, KeyError, TypeError):
            return None


def list_part_columns(columns: Iterable[Column]) -> tuple[Column, ...]:
    """The columns of the parts of a raw table, given its declared columns."""
    places = {column.name for column in PLACE_COLUMNS}
    return (*(c for c in columns if c.name not in places and c.name not in SEEN_COLUMNS), *PLACE_COLUMNS)


def select_places(snapshots: str) -> str:
    """A query for each snapshot with its place in the order in which they were added, as a multiple of 2³²."""
    return f"""
        select
            snapshot_id,
            fetched_at,
            last_seen_at,
            row_number() over (order by fetched_at, snapshot_id) * 4294967296 as place
        from {snapshots}
    """


def select_versions(parts: str, columns: Sequence[str], volatile_columns: Sequence[str]) -> str:
    """A query for one row per version: as the first snapshot has it, but with the last value of volatile columns.

    The places of the versions are found in a few narrow columns, and the other columns are read once.

    Args:
        parts: SQL of the relation of all parts.
        columns: Columns of the parts.
        volatile_columns: Columns of which the last value counts.
    """
    places = {column.name for column in PLACE_COLUMNS}
    last = "".join(
        f',\n            arg_max(parts."{name}", place + record_ordinal) as "{name}"' for name in volatile_columns
    )
    values = [
        f'seen."{name}"' if name in volatile_columns else f'parts."{name}"' for name in columns if name not in places
    ]
    return f"""
        with seen as (
            select
                parts.version_id,
                min(fetched_at) as first_seen_at,
                max(last_seen_at) as last_seen_at,
                min(place + record_ordinal) as first_place{last}
            from {parts} as parts
            inner join {PLACES} as places on parts.snapshot_id = places.snapshot_id
            group by parts.version_id
        )

        select
            {", ".join(values)},
            seen.first_seen_at,
            seen.last_seen_at,
            parts.snapshot_id,
            parts.record_ordinal
        from {parts} as parts
        inner join {PLACES} as places on parts.snapshot_id = places.snapshot_id
        inner join seen
            on parts.version_id = seen.version_id and places.place + parts.record_ordinal = seen.first_place
    """


def select_sightings(parts_by_source: Iterable[tuple[str, str]]) -> str:
    """A query for each record at its place in a snapshot.

    Args:
        parts_by_source: Each source with the SQL of the relation of its parts.
    """
    parts = [
        f"""
        select snapshot_id, record_ordinal, '{source}' as source, record_id, version_id, occurrence, locator
        from {parts} where snapshot_id in (select snapshot_id from {PLACES})
        """
        for source, parts in parts_by_source
    ]
    return " union all ".join(parts) or (
        "select '' as snapshot_id, 0::bigint as record_ordinal, '' as source, '' as record_id, '' as version_id,"
        " 0::bigint as occurrence, '' as locator where false"
    )
