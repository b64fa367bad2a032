"""Queries on episodes of podcasts and courses, their feeds, and the sites and publications that they link to."""

from __future__ import annotations

import polars as pl

from dashboards.queries.release import query_release
from warehouse.release import Release

SITES_QUERY = "select * from mart.episodes_by_linked_site order by episodes desc, linked_site"
# feed entries with audio are episodes, others are posts
EPISODES_BY_MONTH_QUERY = """
    select
        cast(date_trunc('month', published_at) as date) as published_month,
        coalesce(feed_title, feed) as feed,
        count(*) as episodes
    from clean.feed_items
    where
        audio_url is not null
        and published_at is not null
        and list_contains($feeds::varchar[], coalesce(feed_title, feed))
    group by all
    order by all
"""
_MENTIONED_WORKS = """
    select item_id, max_by(target_id, (certainty, target_id)) as work_id
    from clean.mentions
    where item_kind = 'episode' and target_kind = 'work' and is_counted
    group by item_id
"""
_LINKED_PUBLICATIONS = """
    select links.item_id, min(links.publication_id) as work_id
    from mart.discussed_links as links
    inner join clean.episodes as episodes
        on links.item_id = episodes.episode_id and links.linked_key = link_key(episodes.linked_url)
    where links.kind = 'episode'
    group by links.item_id
"""
MAX_EPISODES = 1_000
_NO_LINK = "(no link)"


def query_episode_totals(release: Release) -> dict[str, int]:
    """``entries``, ``episodes`` (without repeats), and of these ``linked``, ``with_authors`` and ``publishers``."""
    query = """
        select
            count(*) as entries,
            count(*) filter (where not is_repeat) as episodes,
            count(linked_url) filter (where not is_repeat) as linked,
            count(authors) filter (where not is_repeat) as with_authors,
            count(distinct publisher) as publishers
        from clean.episodes
    """
    return query_release(release, query).row(0, named=True)


def list_linked_sites(release: Release) -> list[str]:
    """The linked sites, most episodes first."""
    return query_release(release, SITES_QUERY)["linked_site"].to_list()


def list_captured_episodes(release: Release, sites: tuple[str, ...]) -> pl.DataFrame:
    """The episodes of saved pages that link to these sites (all if empty), without repeated entries.

    Returns:
        ``entry``, ``linked_site``, ``authors``, ``narrator``, ``publisher``, ``begins``, ``linked_url`` (null unless
        http or https), ``work_id`` of the work that it surest mentions (in an old release, of the publication that it
        links to), and ``episode_id``.
    """
    works = _MENTIONED_WORKS if "clean.mentions" in release.manifest["tables"] else _LINKED_PUBLICATIONS
    query = rf"""
        select
            episodes.entry,
            coalesce(episodes.linked_site, '{_NO_LINK}') as linked_site,
            episodes.authors,
            episodes.narrator,
            episodes.publisher,
            left(episodes.summary, 160) as begins,
            case
                when regexp_full_match(episodes.linked_url, '(?i)https?://\S+') then episodes.linked_url
            end as linked_url,
            works.work_id,
            episodes.episode_id
        from clean.episodes as episodes
        left join ({works}) as works on episodes.episode_id = works.item_id
        where
            not episodes.is_repeat
            and (
                len($sites::varchar[]) = 0
                or list_contains($sites::varchar[], coalesce(episodes.linked_site, '{_NO_LINK}'))
            )
        order by episodes.entry, episodes.episode_id
    """
    return query_release(release, query, {"sites": list(sites)})


def query_feeds(release: Release) -> pl.DataFrame:
    """The podcasts and courses that have feeds: those of the field first, and of these those with the most episodes.

    Returns:
        ``feed``, ``scope`` (missing for an old release without scopes), ``episodes``, ``undated``, ``hours`` (of
        episodes with a known duration), ``first_on`` and ``newest_on``; empty for an old release without feeds.
    """
    if "clean.feed_items" not in release.manifest["tables"]:
        return pl.DataFrame()
    has_scopes = "clean.feed_scopes" in release.manifest["tables"]
    scopes = "clean.feed_scopes" if has_scopes else "(select null::varchar as feed, null::varchar as scope)"
    query = f"""
        select
            coalesce(items.feed_title, items.feed) as feed,
            min(scopes.scope) as scope,
            count(*) as episodes,
            count(*) - count(items.published_at) as undated,
            sum(items.duration_seconds) / 3600.0 as hours,
            cast(min(items.published_at) as date) as first_on,
            cast(max(items.published_at) as date) as newest_on
        from clean.feed_items as items
        left join {scopes} as scopes on items.feed = scopes.feed
        where items.audio_url is not null
        group by coalesce(items.feed_title, items.feed)
        order by coalesce(min(scopes.scope) = 'other', false), episodes desc, feed
    """
    return query_release(release, query)


def list_feed_episodes(release: Release, feeds: tuple[str, ...]) -> pl.DataFrame:
    """The newest `MAX_EPISODES` episodes of these feeds (all if empty).

    Returns:
        ``published_on``, ``feed``, ``title``, ``people``, ``minutes``, ``url`` (null unless http or https) and
        ``feed_item_id``.
    """
    query = rf"""
        select
            cast(published_at as date) as published_on,
            coalesce(feed_title, feed) as feed,
            title,
            coalesce(people, authors) as people,
            round(duration_seconds / 60.0) as minutes,
            case when regexp_full_match(url, '(?i)https?://\S+') then url end as url,
            feed_item_id
        from clean.feed_items
        where
            audio_url is not null
            and (len($feeds::varchar[]) = 0 or list_contains($feeds::varchar[], coalesce(feed_title, feed)))
        order by published_at desc nulls last, feed, title, feed_item_id
        limit {MAX_EPISODES}
    """
    return query_release(release, query, {"feeds": list(feeds)})
