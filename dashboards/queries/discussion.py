"""Queries on forum posts, comments and segments of saved pages, and on the items that link to a publication."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from dashboards.queries.release import query_release
from warehouse.release import Release

MAX_ITEMS = 1_000
_ITEM_QUERIES = {
    "clean.segments": """
        select
            'segment' as item_kind,
            replace(kind, '_', ' ') as kind,
            segment_id as item_id,
            case
                when kind = 'reply_by_other' then '(someone else)'
                else coalesce(page_owner, '(owner not known)')
            end as author,
            cast(null as date) as published_on,
            page_sha256 as thread_id,
            'Page of ' || coalesce(page_owner, 'someone not known') as thread,
            is_truncated,
            "text" as body
        from clean.segments
    """,
    "clean.forum_posts": """
        select
            'post' as item_kind,
            'post' as kind,
            forum_post_id as item_id,
            coalesce(author, '(author not known)') as author,
            cast(posted_at as date) as published_on,
            site || ' ' || forum_id as thread_id,
            coalesce(title, '(no title)') as thread,
            false as is_truncated,
            "text" as body
        from clean.forum_posts
    """,
    "clean.forum_comments": """
        select
            'comment' as item_kind,
            'comment' as kind,
            forum_comment_id as item_id,
            coalesce(author, '(author not known)') as author,
            cast(posted_at as date) as published_on,
            site || ' ' || coalesce(post_forum_id, '') as thread_id,
            coalesce(post_title, '(post not in this release)') as thread,
            false as is_truncated,
            "text" as body
        from clean.forum_comments
    """,
}


@dataclass(frozen=True)
class DiscussionFilter:
    """Filters on forum items.

    Args:
        authors: Names of authors; all if empty.
        kinds: Kinds of items; all if empty.
    """

    authors: Sequence[str] = ()
    kinds: Sequence[str] = ()

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of every query on forum items."""
        return {"authors": list(self.authors), "kinds": list(self.kinds)}


def build_items_query(release: Release) -> str:
    """SQL for the forum items of all tables that the release has, filtered by ``$authors`` and ``$kinds``.

    Its columns are ``item_kind``, ``kind``, ``item_id``, ``author``, ``published_on``, ``thread_id``, ``thread``,
    ``is_truncated`` and ``body``.
    """
    parts = [query for table, query in _ITEM_QUERIES.items() if table in release.manifest["tables"]]
    return f"""
        select *
        from ({" union all ".join(parts)})
        where
            (len($authors::varchar[]) = 0 or list_contains($authors::varchar[], author))
            and (len($kinds::varchar[]) = 0 or list_contains($kinds::varchar[], kind))
    """


def build_author_query(release: Release) -> str:
    """SQL for the number of items by author and kind, most active authors first."""
    return f"""
        select
            author,
            kind,
            count(*) as items,
            count(*) filter (where is_truncated) as cut_short,
            count(*) filter (where published_on is null) as undated
        from ({build_items_query(release)})
        group by author, kind
        order by sum(items) over (partition by author) desc, author, kind
        limit {MAX_ITEMS}
    """


def build_month_query(release: Release) -> str:
    """SQL for the number of dated items by month and kind."""
    return f"""
        select
            cast(date_trunc('month', published_on) as date) as published_month,
            kind,
            count(*) as items
        from ({build_items_query(release)})
        where published_on is not null
        group by published_month, kind
        order by published_month, kind
    """


def build_thread_query(release: Release) -> str:
    """SQL for the threads and saved pages, those with the most items first."""
    return f"""
        select
            any_value(thread) as thread,
            count(*) as items,
            count(distinct author) as authors,
            min(published_on) as first_on,
            max(published_on) as last_on,
            count(*) filter (where published_on is null) as undated
        from ({build_items_query(release)})
        group by thread_id
        order by items desc, thread, thread_id
        limit {MAX_ITEMS}
    """


def list_items(release: Release, choice: DiscussionFilter) -> pl.DataFrame:
    """The newest `MAX_ITEMS` items with the beginnings of their texts."""
    query = f"""
        select
            published_on,
            author,
            kind,
            thread,
            left(regexp_replace(body, '\\s+', ' ', 'g'), 160) as begins,
            is_truncated,
            item_kind,
            item_id
        from ({build_items_query(release)})
        order by published_on desc nulls last, thread_id, item_id
        limit {MAX_ITEMS}
    """
    return query_release(release, query, choice.parameters)


def list_values(release: Release, column: str) -> list[str]:
    """All values of ``author`` or ``kind``, sorted."""
    query = f"select distinct {column} from ({build_items_query(release)}) order by {column}"
    return query_release(release, query, DiscussionFilter().parameters)[column].to_list()


def query_discussion_totals(release: Release, choice: DiscussionFilter) -> dict[str, int]:
    """Numbers of ``items``, ``authors`` known by name, ``threads``, and ``dated`` and ``undated`` items."""
    query = f"""
        select
            count(*) as items,
            count(distinct author) filter (where not starts_with(author, '(')) as authors,
            count(distinct thread_id) as threads,
            count(published_on) as dated,
            count(*) - count(published_on) as undated
        from ({build_items_query(release)})
    """
    return query_release(release, query, choice.parameters).row(0, named=True)


def list_mentions(release: Release, publication: str) -> pl.DataFrame:
    """The items that link to a publication: ``kind``, ``item_id`` and ``linked_url``."""
    query = """
        select kind, item_id, linked_url
        from mart.discussed_links
        where publication_id = $id
        order by kind, item_id
    """
    return query_release(release, query, {"id": publication})
