/*
row = "A source with its newest snapshot and newest record, and how many records and items it has given."
key = ["source"]

[columns]
source = { type = "text", meaning = "Name of the source.", required = true }
snapshots = { type = "integer", unit = "snapshots", meaning = "Snapshots of the source.", required = true, minimum = 1 }
newest_snapshot_at = { type = "timestamp", meaning = "When the newest snapshot was fetched or added.", required = true }
records_read = { type = "integer", unit = "records", meaning = "Records read from all snapshots, also repeated and rejected ones.", required = true, minimum = 0 }
items = { type = "integer", unit = "items", meaning = "Publications, papers, posts, comments, episodes and other items that search finds, without repeated episodes.", required = true, minimum = 0 }
newest_record_on = { type = "date", meaning = "Day of publication of its newest item; missing if no item has a date." }
covers_until = { type = "date", meaning = "Last day that the source claims to cover; missing if it claims nothing." }
*/
-- the items of search; each comes from one source, since a record of another source has another identity
with items as (
    select
        'lab_sheet' as source,
        published_on
    from clean.publications
    union all
    select
        'podcast_page' as source,
        cast(null as date) as published_on
    from clean.episodes
    where not is_repeat
    union all
    select
        'forum_page' as source,
        cast(null as date) as published_on
    from clean.segments
    union all
    select
        'forum_posts' as source,
        cast(posted_at as date) as published_on
    from clean.forum_posts
    union all
    select
        'forum_comments' as source,
        cast(posted_at as date) as published_on
    from clean.forum_comments
    union all
    select
        'feed_items' as source,
        cast(published_at as date) as published_on
    from clean.feed_items
    union all
    select
        source,
        published_on
    from clean.papers
),

item_counts as (
    select
        source,
        count(*) as items,
        max(published_on) as newest_record_on
    from items
    group by source
),

snapshot_counts as (
    select
        source,
        count(*) as snapshots,
        max(fetched_at) as newest_snapshot_at
    from raw.snapshots
    group by source
),

record_counts as (
    select
        source,
        sum(records_read) as records_read
    from raw.parses
    group by source
)

select
    snapshot_counts.source,
    snapshot_counts.snapshots,
    snapshot_counts.newest_snapshot_at,
    cast(coalesce(record_counts.records_read, 0) as bigint) as records_read,
    coalesce(item_counts.items, 0) as items,
    item_counts.newest_record_on,
    coverage.covers_until
from snapshot_counts
left join record_counts on snapshot_counts.source = record_counts.source
left join item_counts on snapshot_counts.source = item_counts.source
left join clean.coverage as coverage on snapshot_counts.source = coverage.source
order by snapshot_counts.source
