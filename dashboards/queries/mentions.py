"""Queries on what texts mention: the works of most texts, the texts of one work, and topics over time."""

from __future__ import annotations

import polars as pl

from dashboards.queries.release import query_release
from warehouse.release import Release

MAX_ROWS = 1_000
MAX_DRAWN_TOPICS = 7
_WORK_MENTIONS = f"""
    select
        mentions.item_kind,
        mentions.item_id,
        mentions.kind,
        mentions.mentioned_on,
        texts.published_in,
        texts.title,
        texts.authors,
        string_agg(mentions.recognised_by, '; ' order by mentions.certainty desc, mentions.recognised_by)
            as recognised_by,
        max(mentions.certainty) as certainty,
        max_by(mentions.fragment, (mentions.certainty, mentions.recognised_by)) as fragment
    from clean.mentions as mentions
    inner join clean.texts as texts on mentions.item_kind = texts.item_kind and mentions.item_id = texts.item_id
    where mentions.target_kind = 'work' and mentions.target_id = $id
    group by all
    order by mentions.mentioned_on desc nulls last, certainty desc, mentions.item_kind, mentions.item_id
    limit {MAX_ROWS}
"""
_WORK_COLUMNS = "work_id, title, labs, published_on"
_DISCUSSED = f"""
    select
        {_WORK_COLUMNS}, mentions, posts, comments, segments, feed_items, mentioning_authors, first_mentioned_on,
        last_mentioned_on, recognised_by
    from mart.most_discussed_works
    order by mentions desc, mentioning_authors desc, title, work_id
    limit {MAX_ROWS}
"""
_TAUGHT = f"""
    select {_WORK_COLUMNS}, episodes, podcasts, podcast_names, first_taught_on, last_taught_on, recognised_by
    from mart.most_taught_works
    order by episodes desc, podcasts desc, title, work_id
    limit {MAX_ROWS}
"""
_DELAYS = f"""
    select {_WORK_COLUMNS}, first_mentioned_on, days, first_kind, dated_mentions, undated_mentions
    from mart.days_from_paper_to_discussion
    order by published_on desc, title, work_id
    limit {MAX_ROWS}
"""
_AUTHOR_TOPICS = f"""
    select author, topic, texts, all_texts, dated_texts, first_on, last_on
    from mart.author_topics
    where len($authors::varchar[]) = 0 or list_contains($authors::varchar[], author)
    order by texts desc, author, topic
    limit {MAX_ROWS}
"""
_TOPIC_TOTALS = """
    select
        topic,
        cast(sum(texts) filter (where mentioned_month is not null) as bigint) as dated_texts,
        cast(sum(texts) filter (where mentioned_month is null) as bigint) as undated_texts
    from mart.topics_by_month
    group by topic
    order by dated_texts desc nulls last, undated_texts desc nulls last, topic
"""
_RULES = """
    select recognised_by, mention_rule, certainty, is_counted, basis
    from reference.mention_rules
    order by certainty desc, mention_rule
"""
_SCOPES = """
    select published_in, scope, basis, items, items_with_mentions
    from clean.feed_scopes
    order by scope, items desc, feed
"""
TOPICS_BY_MONTH_QUERY = f"""
    select
        mentioned_month as published_month,
        topic,
        cast(sum(texts) as bigint) as texts
    from mart.topics_by_month
    where
        mentioned_month is not null
        and topic in (
            select topic
            from mart.topics_by_month
            where mentioned_month is not null
            group by topic
            order by sum(texts) desc, topic
            limit {MAX_DRAWN_TOPICS}
        )
    group by mentioned_month, topic
    order by mentioned_month, topic
"""


def list_work_mentions(release: Release, work_id: str) -> pl.DataFrame:
    """The texts that mention a work, dated ones first, the newest first.

    Returns:
        ``item_kind`` and ``item_id`` (of the page of the text), ``kind``, ``mentioned_on``, ``published_in``,
        ``title``, ``authors``, ``recognised_by`` (the surest way first), ``certainty`` and ``fragment``.
    """
    return query_release(release, _WORK_MENTIONS, {"id": work_id})


def list_discussed_works(release: Release) -> pl.DataFrame:
    """The works that most posts, comments, segments and items of blogs mention."""
    return query_release(release, _DISCUSSED)


def list_taught_works(release: Release) -> pl.DataFrame:
    """The works that most episodes read or mention."""
    return query_release(release, _TAUGHT)


def list_delays(release: Release) -> pl.DataFrame:
    """The works with the days from their publication to the first dated text, the newest first."""
    return query_release(release, _DELAYS)


def list_author_topics(release: Release, authors: tuple[str, ...]) -> pl.DataFrame:
    """The topics of these authors (of all if empty), most texts first."""
    return query_release(release, _AUTHOR_TOPICS, {"authors": list(authors)})


def list_topics(release: Release) -> pl.DataFrame:
    """All topics with ``dated_texts`` and ``undated_texts``, those of most dated texts first."""
    return query_release(release, _TOPIC_TOTALS)


def list_rules(release: Release) -> pl.DataFrame:
    """The ways in which mentions are recognised, with the certainty in each and its basis, the surest first."""
    return query_release(release, _RULES)


def list_feed_scopes(release: Release) -> pl.DataFrame:
    """The feeds with their ``scope`` and its ``basis``, those of the field first."""
    return query_release(release, _SCOPES)
