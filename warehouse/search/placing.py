"""Where the items of a release stand in its index: their ranks in each order, and the segments that they are in.

A segment has the items of one range of the order by newness. Ranks have gaps, so that a new item gets a rank between
those of its neighbours, which keep theirs; an item of another content is a new item. A segment whose items are all kept
and that gets no new one is kept as it is. The others are written again whole, so that no index has deleted documents,
which would count in the statistics by which relevance is computed: an index that was brought up to date answers each
query as one that was built at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import duckdb

from warehouse.delta import scan_parquet
from warehouse.sql import quote_literal

PLACES_FILE = "places.parquet"
"""The file of an index with the content, the ranks and the segment of each item."""

_SEGMENTS = 24  # of an index that is built from nothing; more cost each search, fewer cost more when an item changes
_MOST_TIMES = 3  # as many segments as a new index may have
_LEAST_ITEMS = 1_000  # in a segment, unless the index has fewer
_MOST_CHARACTERS = 16_000_000  # in a segment, for the memory of its writer
_FIRST_DAY, _LAST_DAY = "date '0001-01-01'", "date '9999-12-31'"
_DAY = f"""case
        when day < {_FIRST_DAY} then 0
        when day > {_LAST_DAY} then date_diff('day', {_FIRST_DAY}, {_LAST_DAY})
        else date_diff('day', {_FIRST_DAY}, day)
    end"""
_UNDATED_GROUP = 1 << 22  # after all days


@dataclass(frozen=True)
class _Order:
    """An order of items; its ranks are numbers in a range for each group, so that a new day fills no gap."""

    name: str
    by: str
    group: str
    rank_bits: int


_ORDERS = (
    _Order(
        "newest",
        "day desc nulls last, sort_title, kind, item_id",
        f"case when day is null then {_UNDATED_GROUP} else {_UNDATED_GROUP - 1} - {_DAY} end",
        40,
    ),
    _Order(
        "oldest",
        "day nulls last, sort_title, kind, item_id",
        f"case when day is null then {_UNDATED_GROUP} else {_DAY} end",
        40,
    ),
    _Order("alphabetic", "sort_title, kind, item_id", "0", 62),
)


@dataclass(frozen=True)
class Piece:
    """Items that stand one after the other in the order by newness.

    Args:
        first: Place of the first item, from 0.
        items: Number of items.
        characters: Length of their texts.
        segment: Number of the segment of the earlier index that has exactly them; none if they are to be written.
    """

    first: int
    items: int
    characters: int
    segment: int | None = None

    def divide(self, count: int) -> Iterator[Piece]:
        """The same items in so many pieces, which are to be written."""
        for number in range(count):
            start, end = self.items * number // count, self.items * (number + 1) // count
            yield Piece(self.first + start, end - start, self.characters // count)


class NoPlace(LookupError):
    """An earlier index cannot be brought up to date: a gap between its ranks is used up, or it has many segments."""


def place_items(connection: duckdb.DuckDBPyConnection, items: str, earlier: Path | None) -> list[Piece]:
    """Make the temporary table ``places`` with the place, the content and the ranks of each item.

    Args:
        connection: A connection to a release.
        items: A query for all items, with all that is in the index.
        earlier: Folder of the index that is brought up to date; none to build it from nothing.

    Returns:
        The pieces that the new index consists of, in the order of their items.

    Raises:
        NoPlace: The earlier index has no place for the new items.
    """
    if earlier is None:
        ranks = "".join(f", null::bigint as {order.name}" for order in _ORDERS)
        before = f"select '' as kind, '' as item_id, ''::blob as content, 0::bigint as segment{ranks} where false"
    else:
        before = f"from {scan_parquet([earlier / PLACES_FILE])}"
    names = ", ".join(order.name for order in _ORDERS)
    # items are read twice, here and for their documents, since keeping their texts would fill memory
    connection.execute(
        f"""
        create or replace temp table item_ranks as
        with present as (
            select
                kind, item_id, published_on as day, lower(title) as sort_title,
                coalesce(length(title), 0) + coalesce(length("text"), 0) as characters,
                unhex(md5(to_json(items))) as content
            from ({items}) as items
        ),
        earlier as ({before})
        select present.*, segment, {names} from present left join earlier using (kind, item_id, content)
        """
    )
    for order in _ORDERS:
        _rank_new_items(connection, order)
    connection.execute(
        f"""
        create or replace temp table places as
        select
            kind, item_id, content, characters, {names}, segment as kept_segment,
            coalesce(max(segment) over (order by newest rows unbounded preceding), 0) as segment,
            row_number() over (order by newest) - 1 as place
        from item_ranks
        """
    )
    connection.execute("drop table item_ranks")
    return _divide(connection, before)


def _rank_new_items(connection: duckdb.DuckDBPyConnection, order: _Order) -> None:
    """Give the items without a rank ranks between their neighbours.

    Raises:
        NoPlace: Between two ranks there are not enough numbers.
    """
    name, by = order.name, order.by
    ((is_needed,),) = connection.execute(f"select count(*) filter ({name} is null) > 0 from item_ranks").fetchall()
    if not is_needed:
        return
    connection.execute(
        f"""
        create or replace temp table new_ranks as
        with grouped as (
            select kind, item_id, day, sort_title, {name} as rank, {order.group} as rank_group from item_ranks
        ),
        between_ranks as (
            select
                *,
                coalesce(
                    max(rank) over (partition by rank_group order by {by} rows unbounded preceding),
                    rank_group::bigint << {order.rank_bits}
                ) as lower_rank,
                coalesce(
                    min(rank) over (
                        partition by rank_group order by {by} rows between current row and unbounded following
                    ),
                    (rank_group::bigint + 1) << {order.rank_bits}
                ) as upper_rank
            from grouped
        )
        select
            kind, item_id, lower_rank, upper_rank,
            row_number() over (partition by lower_rank, upper_rank order by {by}) as number,
            count(*) over (partition by lower_rank, upper_rank) as numbers
        from between_ranks
        where rank is null
        """
    )
    ((is_full,),) = connection.execute("select bool_or(upper_rank - lower_rank <= numbers) from new_ranks").fetchall()
    if is_full:
        raise NoPlace(f"a gap in the order {name} is used up")
    connection.execute(
        f"""
        update item_ranks
        set {name} = (lower_rank + (upper_rank - lower_rank)::hugeint * number // (numbers + 1))::bigint
        from new_ranks
        where item_ranks.kind = new_ranks.kind and item_ranks.item_id = new_ranks.item_id
        """
    )
    connection.execute("drop table new_ranks")


def _divide(connection: duckdb.DuckDBPyConnection, before: str) -> list[Piece]:
    """Cut the items of ``places`` into pieces, of which those that are segments of the earlier index are kept."""
    rows = connection.execute(
        f"""
        with earlier as (select segment, count(*) as items from ({before}) group by segment)
        select
            min(place), count(*), sum(characters)::bigint,
            case when count(kept_segment) = count(*) and count(*) = any_value(earlier.items) then segment end
        from places left join earlier using (segment)
        group by segment
        order by segment
        """
    ).fetchall()
    pieces = [Piece(*row) for row in rows]
    total = _join(pieces) if pieces else Piece(0, 0, 0)
    size = max(_LEAST_ITEMS, -(-total.items // _SEGMENTS))
    divided = list(_cut(_absorb_small(pieces, size // 4), size))
    most = _MOST_TIMES * (_SEGMENTS + total.characters // _MOST_CHARACTERS)
    if len(divided) > most and any(piece.segment is not None for piece in divided):
        raise NoPlace(f"it has {len(divided)} segments")
    return divided


def _join(pieces: Sequence[Piece]) -> Piece:
    return Piece(pieces[0].first, sum(piece.items for piece in pieces), sum(piece.characters for piece in pieces))


def _count_segments(piece: Piece, size: int) -> int:
    """The number of segments that items are written to."""
    return min(piece.items, max(-(-piece.items // size), -(-piece.characters // _MOST_CHARACTERS)))


def _absorb_small(pieces: Sequence[Piece], least: int) -> Iterator[Piece]:
    """The same pieces; small segments beside items that are written are written with them."""
    for number, piece in enumerate(pieces):
        beside = [*pieces[max(number - 1, 0) : number], *pieces[number + 1 : number + 2]]
        is_written = piece.items < least and any(neighbour.segment is None for neighbour in beside)
        yield replace(piece, segment=None) if is_written else piece


def _cut(pieces: Iterator[Piece], size: int) -> Iterator[Piece]:
    """The same items in pieces; those to be written are cut into even ones of at most so many items."""
    for is_kept, run in groupby(pieces, key=lambda piece: piece.segment is not None):
        if is_kept:
            yield from run
        else:
            whole = _join(list(run))
            yield from whole.divide(_count_segments(whole, size))


def write_places(connection: duckdb.DuckDBPyConnection, folder: Path, segments: Sequence[int]) -> None:
    """Write `PLACES_FILE` for the next index, given the number of items in each segment, in order."""
    firsts = [sum(segments[:number]) for number in range(len(segments))]
    connection.execute("create or replace temp table segment_starts (segment bigint, place bigint)")
    if firsts:
        connection.execute("insert into segment_starts " + _list_values(firsts))
    names = ", ".join(f"places.{order.name}" for order in _ORDERS)
    connection.execute(
        f"""
        copy (
            select places.kind, places.item_id, places.content, {names}, segment_starts.segment
            from places asof join segment_starts on places.place >= segment_starts.place
            order by places.place
        ) to {quote_literal(str(folder / PLACES_FILE))} (format parquet, compression zstd)
        """
    )


def _list_values(firsts: Sequence[int]) -> str:
    return "values " + ", ".join(f"({number}, {first})" for number, first in enumerate(firsts))
