"""The searchable items of a release: every kind of item, in a common set of columns, whatever its table.

One list maps each kind to its table and to SQL for its title, its text and so on. Search, the page of an item and the
exports use it; a kind whose table a release does not have is left out.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields

UNDATED, NO_VALUE = "undated", "(none)"


@dataclass(frozen=True)
class ItemKind:
    """A kind of item, and a SQL expression on its table for each common column.

    Args:
        kind: Name of the kind.
        table: Table with one row per item.
        item_id: Identity of the item within its kind.
        record_id: Identity of its record in ``raw.sightings``.
        title: Its title, or one built from other columns.
        text: Its abstract, summary or full text.
        source: The source that lists it.
        lab: Its labs, separated by semicolons.
        category: Its safety category.
        authors: Its authors or narrator, separated by semicolons.
        published_on: Day of publication.
        url: Its address on the web.
        row_filter: Condition for rows that are items, if not all rows are; the others repeat an item.
    """

    kind: str
    table: str
    item_id: str
    record_id: str
    title: str
    text: str
    source: str
    lab: str = "null"
    category: str = "null"
    authors: str = "null"
    published_on: str = "null"
    url: str = "null"
    row_filter: str = ""


_AUTHORS_SQL = """(
        select string_agg(author, '; ' order by author_position)
        from clean.authorships
        where authorships.publication_id = publications.publication_id
    )"""

ITEM_KINDS = (
    ItemKind(
        "publication",
        "clean.publications",
        item_id="publication_id",
        record_id="publication_id",
        title="title",
        text="abstract",
        source="'lab_sheet'",
        lab="lab",
        category="category",
        authors=_AUTHORS_SQL,
        published_on="published_on",
        url="url",
    ),
    ItemKind(
        "episode",
        "clean.episodes",
        item_id="episode_id",
        record_id="regexp_replace(episode_id, '-[0-9]+$', '')",
        title="concat_ws(', ', 'Podcast entry ' || entry, linked_site)",
        text="summary",
        source="'podcast_page'",
        authors="nullif(concat_ws('; ', authors, narrator), '')",
        url="linked_url",
        row_filter="not is_repeat",
    ),
    ItemKind(
        "segment",
        "clean.segments",
        item_id="segment_id",
        record_id="segment_id",
        title="""case kind when 'quick_take' then 'Quick take' when 'own_comment' then 'Comment' else 'Reply' end
        || ' ' || segment || ' on the page of ' || coalesce(page_owner, 'an unknown author')""",
        text='"text"',
        source="'forum_page'",
        authors="case when kind != 'reply_by_other' then page_owner end",
    ),
    ItemKind(
        "post",
        "clean.forum_posts",
        item_id="forum_post_id",
        record_id="forum_post_id",
        title="coalesce(title, '(no title)')",
        text='"text"',
        source="site",
        authors="nullif(concat_ws('; ', author, coauthors), '')",
        published_on="cast(posted_at as date)",
        url="url",
    ),
    ItemKind(
        "comment",
        "clean.forum_comments",
        item_id="forum_comment_id",
        record_id="forum_comment_id",
        title="'Comment on ' || coalesce(post_title, 'an unknown post')",
        text='"text"',
        source="site",
        authors="author",
        published_on="cast(posted_at as date)",
        url="url",
    ),
    ItemKind(
        "feed item",
        "clean.feed_items",
        item_id="feed_item_id",
        record_id="feed_item_id",
        title="coalesce(title, '(no title)')",
        text='"text"',
        source="coalesce(feed_title, feed)",
        authors="authors",
        published_on="cast(published_at as date)",
        url="url",
    ),
    ItemKind(
        "paper",
        "clean.papers",
        item_id="paper_id",
        record_id="paper_id",
        title="coalesce(title, '(no title)')",
        text="abstract",
        source="source",
        lab="labs",
        authors="authors",
        published_on="published_on",
        url="url",
    ),
)

ITEM_TABLES = (*dict.fromkeys(kind.table for kind in ITEM_KINDS), "clean.authorships")
"""The tables that `select_items` reads."""

_ITEM_COLUMNS = tuple(field.name for field in fields(ItemKind) if field.name not in {"kind", "table", "row_filter"})


def list_available_kinds(tables: Collection[str]) -> tuple[ItemKind, ...]:
    """The kinds of items in a release with these tables."""
    return tuple(kind for kind in ITEM_KINDS if kind.table in tables)


def select_items(kinds: Collection[ItemKind]) -> str:
    """A query for all items of these kinds.

    Returns:
        SQL for a table of ``kind``, ``item_id``, ``record_id``, ``title``, ``text``, ``source``, ``lab``,
        ``category``, ``authors``, ``published_on`` and ``url``; no rows if there is no kind.
    """
    parts = []
    for kind in kinds:
        values = [f"{_cast_null(getattr(kind, name), name)} as {name}" for name in _ITEM_COLUMNS]
        columns = ",\n    ".join([f"'{kind.kind}' as kind", *values])
        where = f"\nwhere {kind.row_filter}" if kind.row_filter else ""
        parts.append(f"select\n    {columns}\nfrom {kind.table}{where}")
    if not parts:
        nulls = [f"{_cast_null('null', name)} as {name}" for name in _ITEM_COLUMNS]
        return f"select 'none' as kind, {', '.join(nulls)} where false"
    return "\nunion all\n".join(parts)


def _cast_null(expression: str, name: str) -> str:
    if expression != "null":
        return expression
    return f"cast(null as {'date' if name == 'published_on' else 'varchar'})"
