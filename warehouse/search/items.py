"""What can be found: every kind of thing that a release holds, all told alike, whatever table it lies in.

One list says where each kind lies and which of its columns are its title, its text and so on. Search, the page of a
thing and the exports read it; a kind whose table a release does not have is left out.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields

UNDATED, NONE = "undated", "(none)"


@dataclass(frozen=True)
class Thing:
    """A kind of thing, and how a row of its table says what every thing says, each as an expression in SQL.

    Args:
        kind: What one of it is called.
        table: Where it lies.
        item_id: Identity within its kind.
        record_id: Identity of its record in ``raw.sightings``.
        title: What it is called; made from what is known where it has no title of its own.
        text: What it says: an abstract, a summary, the whole text.
        source: The source that tells of it.
        lab: The lab it is of.
        category: Its safety category.
        authors: Who wrote or read it, between semicolons.
        published_on: The day it appeared.
        url: Where it is found.
        only: Which rows are things, if not all; the others are the same thing once more.
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
    only: str = ""


_AUTHORS = """(
        select string_agg(author, '; ' order by author_position)
        from clean.authorships
        where authorships.publication_id = publications.publication_id
    )"""

THINGS = (
    Thing(
        "publication",
        "clean.publications",
        item_id="publication_id",
        record_id="publication_id",
        title="title",
        text="abstract",
        source="'lab_sheet'",
        lab="lab",
        category="category",
        authors=_AUTHORS,
        published_on="published_on",
        url="url",
    ),
    Thing(
        "episode",
        "clean.episodes",
        item_id="episode_id",
        record_id="regexp_replace(episode_id, '-[0-9]+$', '')",
        title="concat_ws(', ', 'Podcast entry ' || entry, linked_site)",
        text="summary",
        source="'podcast_page'",
        authors="nullif(concat_ws('; ', authors, narrator), '')",
        url="linked_url",
        only="not is_repeat",
    ),
    Thing(
        "segment",
        "clean.segments",
        item_id="segment_id",
        record_id="segment_id",
        title="""case kind when 'quick_take' then 'Quick take' when 'own_comment' then 'Comment' else 'Reply' end
        || ' ' || segment || ' on the page of ' || coalesce(page_owner, 'someone not known')""",
        text='"text"',
        source="'forum_page'",
        authors="case when kind != 'reply_by_other' then page_owner end",
    ),
    Thing(
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
    Thing(
        "comment",
        "clean.forum_comments",
        item_id="forum_comment_id",
        record_id="forum_comment_id",
        title="'Comment on ' || coalesce(post_title, 'a post not held')",
        text='"text"',
        source="site",
        authors="author",
        published_on="cast(posted_at as date)",
        url="url",
    ),
    Thing(
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
    Thing(
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

_TOLD = tuple(field.name for field in fields(Thing) if field.name not in {"kind", "table", "only"})


def held(tables: Collection[str]) -> tuple[Thing, ...]:
    """The kinds of things that a release with these tables can have."""
    return tuple(thing for thing in THINGS if thing.table in tables)


def things(kinds: Collection[Thing]) -> str:
    """A query for all things of these kinds.

    Returns:
        SQL for a table of ``kind``, ``item_id``, ``record_id``, ``title``, ``text``, ``source``, ``lab``,
        ``category``, ``authors``, ``published_on`` and ``url``; without any kind, a table of these without rows.
    """
    parts = []
    for thing in kinds:
        told = [f"'{thing.kind}' as kind", *(f"{_typed(getattr(thing, name), name)} as {name}" for name in _TOLD)]
        columns = ",\n    ".join(told)
        where = f"\nwhere {thing.only}" if thing.only else ""
        parts.append(f"select\n    {columns}\nfrom {thing.table}{where}")
    if not parts:
        nothing = [f"{_typed('null', name)} as {name}" for name in _TOLD]
        return f"select 'nothing' as kind, {', '.join(nothing)} where false"
    return "\nunion all\n".join(parts)


def _typed(expression: str, name: str) -> str:
    if expression != "null":
        return expression
    return f"cast(null as {'date' if name == 'published_on' else 'varchar'})"
