"""The searchable items of a release: every kind of item, in a common set of columns, whatever its table.

One list maps each kind to its table and to SQL for its title, its text and so on. Search, the page of an item and the
exports use it; a kind whose table a release does not have is left out. A record that is a member of a work is found
once, as the work, and not as an item of its own.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields, replace

UNDATED, NO_VALUE, UNLABELLED = "undated", "(none)", "(unlabelled)"
ALL_WORKS = "all_works"
"""The corpus of all works that a release knows."""


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
        source: The sources that list it, separated by semicolons.
        lab: Its labs, separated by semicolons.
        category: Its safety categories, separated by semicolons.
        authors: Its authors or narrator, separated by semicolons.
        published_on: Day of publication.
        url: Its address on the web.
        places: Number of records that are this item, if there can be several.
        arxiv_id: Its arXiv id.
        doi: Its DOI.
        other_titles: A list of its titles in single records, by which it is found too.
        identifiers: A list of canonical keys of its links, by which it is found too.
        corpora: A list of the corpora that it belongs to.
        joins: Joins of the table with others that the expressions use.
        index_joins: More joins, for the columns that only the index needs.
        row_filter: Condition for rows that are items, if not all rows are; the others repeat an item.
        member_sources: Sources whose records can be members of works; the work is then the item.
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
    places: str = "null"
    arxiv_id: str = "null"
    doi: str = "null"
    other_titles: str = "null"
    identifiers: str = "null"
    corpora: str = "null"
    joins: str = ""
    index_joins: str = ""
    row_filter: str = ""
    member_sources: tuple[str, ...] = ()


_AUTHORS_SQL = """(
        select string_agg(author, '; ' order by author_position)
        from clean.authorships
        where authorships.publication_id = publications.publication_id
    )"""
# values over several rows of a work; "{chosen}" may restrict them to some works, which is faster than a join
_WORK_JOINS = """
left join (
    select work_id, string_agg(distinct category, '; ' order by category) as categories
    from clean.work_labels{chosen}
    group by work_id
) as labels on works.work_id = labels.work_id"""
_WORK_INDEX_JOINS = """
left join (
    select
        linked.work_id,
        list(distinct records.title order by records.title) filter (where records.title is not null) as titles
    from clean.works as several
    inner join clean.work_members as linked on several.work_id = linked.work_id and several.members > 1
    inner join clean.work_records as records on linked.record_id = records.record_id
    group by linked.work_id
) as titles on works.work_id = titles.work_id
left join (
    select work_id, list(identifier order by identifier) as identifiers
    from clean.work_identifiers
    group by work_id
) as identifiers on works.work_id = identifiers.work_id"""
_COUNTED_JOIN = """
left join (
    select work_id, list(distinct corpus order by corpus) as corpora
    from mart.counted_works
    where not is_duplicate
    group by work_id
) as counted on works.work_id = counted.work_id"""
_MEMBERS_TABLE, _COUNTED_TABLE = "clean.work_members", "mart.counted_works"
_WORK_TABLES = ("clean.works", _MEMBERS_TABLE, "clean.work_records", "clean.work_identifiers", "clean.work_labels")

ITEM_KINDS = (
    ItemKind(
        "work",
        "clean.works",
        item_id="works.work_id",
        record_id="works.work_id",
        title="coalesce(title, '(no title)')",
        text="abstract",
        source="source_names",
        lab="labs",
        category="labels.categories",
        authors="authors",
        published_on="published_on",
        url="url",
        places="members",
        arxiv_id="arxiv_id",
        doi="doi",
        other_titles="titles.titles",
        identifiers="identifiers.identifiers",
        corpora="counted.corpora",
        joins=_WORK_JOINS,
        index_joins=_WORK_INDEX_JOINS + _COUNTED_JOIN,
    ),
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
        identifiers="[link_key(url)]",
        member_sources=("lab_sheet",),
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
        identifiers="[link_key(linked_url)]",
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
        identifiers="[link_key(url)]",
        member_sources=("forum_posts",),
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
        identifiers="[link_key(url)]",
        member_sources=("feed_items",),
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
        identifiers="[link_key(url)]",
        member_sources=(
            "arxiv_papers",
            "openalex_works",
            "crossref_works",
            "semanticscholar_papers",
            "huggingface_papers",
            "alignment_dataset",
            "lab_pages",
        ),
    ),
)

ITEM_TABLES = (
    *dict.fromkeys(kind.table for kind in ITEM_KINDS),
    "clean.authorships",
    *_WORK_TABLES[1:],
    _COUNTED_TABLE,
)
"""The tables that `select_items` reads."""

_COLUMN_TYPES = {
    "published_on": "date",
    "places": "bigint",
    **dict.fromkeys(("other_titles", "identifiers", "corpora"), "varchar[]"),
}
INDEX_COLUMNS = ("other_titles", "identifiers", "corpora")
"""The columns that only the index of search needs."""
_NO_COLUMNS = {"kind", "table", "joins", "index_joins", "row_filter", "member_sources"}
_ITEM_COLUMNS = tuple(field.name for field in fields(ItemKind) if field.name not in {*_NO_COLUMNS, *INDEX_COLUMNS})


def list_available_kinds(tables: Collection[str], *, has_members: bool = False) -> tuple[ItemKind, ...]:
    """The kinds of items in a release with these tables.

    Args:
        tables: Names of the tables.
        has_members: Whether the members of works are items too, so that one can be read by its own identity.
    """
    has_works = set(_WORK_TABLES) <= set(tables)
    kinds = [kind for kind in ITEM_KINDS if kind.table in tables and (has_works or kind.kind != "work")]
    if has_works and not has_members:
        kinds = [_leave_out_members(kind) if kind.member_sources else kind for kind in kinds]
    if _COUNTED_TABLE not in tables:
        kinds = [_count_all_works(kind) if kind.kind == "work" else kind for kind in kinds]
    return tuple(kinds)


def _count_all_works(kind: ItemKind) -> ItemKind:
    return replace(kind, corpora=f"['{ALL_WORKS}']", index_joins=_WORK_INDEX_JOINS)


def _leave_out_members(kind: ItemKind) -> ItemKind:
    sources = ", ".join(f"'{source}'" for source in kind.member_sources)
    members = f"select members.record_id from {_MEMBERS_TABLE} as members where members.source in ({sources})"
    condition = f"{kind.record_id} not in ({members})"
    return replace(kind, row_filter=" and ".join(part for part in (kind.row_filter, condition) if part))


def select_items(kinds: Collection[ItemKind], *, is_for_index: bool = False, chosen: str = "") -> str:
    """A query for all items of these kinds.

    Args:
        kinds: The kinds.
        is_for_index: Whether to add `INDEX_COLUMNS`.
        chosen: The identities that will be chosen from the items, as a list of SQL expressions, to read less.

    Returns:
        SQL for a table of ``kind``, ``item_id``, ``record_id``, ``title``, ``text``, ``source``, ``lab``,
        ``category``, ``authors``, ``published_on``, ``url``, ``places``, ``arxiv_id`` and ``doi``; no rows if there is
        no kind.
    """
    names = (*_ITEM_COLUMNS, *INDEX_COLUMNS) if is_for_index else _ITEM_COLUMNS
    parts = []
    for kind in kinds:
        columns = ",\n    ".join([f"'{kind.kind}' as kind", *(select_column(kind, name) for name in names)])
        joins = kind.joins.replace("{chosen}", f" where work_id in ({chosen})" if chosen else "")
        joins += kind.index_joins if is_for_index else ""
        where = f"\nwhere {kind.row_filter}" if kind.row_filter else ""
        parts.append(f"select\n    {columns}\nfrom {kind.table}{joins}{where}")
    if not parts:
        return f"select 'none' as kind, {', '.join(_name_null(name) for name in names)} where false"
    return "\nunion all\n".join(parts)


def select_column(kind: ItemKind, name: str) -> str:
    """SQL for a common column of a kind, under its name and with its type."""
    expression = getattr(kind, name)
    return _name_null(name) if expression == "null" else f"{expression} as {name}"


def _name_null(name: str) -> str:
    return f"cast(null as {_COLUMN_TYPES.get(name, 'varchar')}) as {name}"
