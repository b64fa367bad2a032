/*
row = "A source that a corpus has works of, with the time that those works span."
key = ["corpus", "source"]

[columns]
corpus = {}
source = { type = "text", meaning = "Name of the source.", required = true }
works = { type = "integer", unit = "works", meaning = "Works of the corpus that the source has; one that several sources have counts for each.", required = true, minimum = 1 }
dated_works = { type = "integer", unit = "works", meaning = "Those with a date.", required = true, minimum = 0 }
covers_from = { type = "date", meaning = "First day that the source claims to cover, or else the day of its oldest work here; missing without either." }
covers_until = { type = "date", meaning = "Last day that the source claims to cover, or else the day of its newest work here, at most that of its newest snapshot; missing without either." }
is_claimed = { type = "boolean", meaning = "Whether the source claims to cover that time; if not, works are missing from it that nobody knows of.", required = true }
newest_snapshot_at = { type = "timestamp", meaning = "When the newest snapshot of the source was fetched or added." }
*/
with items as (
    select distinct
        counted.corpus,
        counted.item_id,
        counted.work_id,
        counted.published_on,
        counted.published_year,
        corpora.list_source
    from mart.counted_works as counted
    inner join clean.corpora as corpora on counted.corpus = corpora.corpus
    where not counted.is_duplicate
),

item_sources as (
    select
        corpus,
        item_id,
        published_on,
        list_source as source,
        -- in a list, a year alone covers the year
        coalesce(published_on, published_year) as oldest_on,
        coalesce(published_on, cast(published_year + interval 1 year - interval 1 day as date)) as newest_on
    from items
    where list_source is not null
    union all
    select distinct
        items.corpus,
        items.item_id,
        items.published_on,
        members.source,
        items.published_on as oldest_on,
        items.published_on as newest_on
    from items
    inner join clean.work_members as members on items.work_id = members.work_id
    where items.list_source is null
),

source_spans as (
    select
        corpus,
        source,
        count(*) as works,
        count(published_on) as dated_works,
        min(oldest_on) as oldest,
        max(newest_on) as newest
    from item_sources
    group by corpus, source
),

snapshot_times as (
    select
        source,
        max(fetched_at) as newest_snapshot_at
    from raw.snapshots
    group by source
)

select
    spans.corpus,
    spans.source,
    spans.works,
    spans.dated_works,
    coalesce(claims.covers_from, spans.oldest) as covers_from,
    coalesce(
        claims.covers_until,
        case
            when spans.newest is not null
                then least(spans.newest, cast(coalesce(lists.newest_snapshot_at, times.newest_snapshot_at) as date))
        end
    ) as covers_until,
    claims.source is not null as is_claimed,
    coalesce(lists.newest_snapshot_at, times.newest_snapshot_at) as newest_snapshot_at
from source_spans as spans
inner join clean.corpora as corpora on spans.corpus = corpora.corpus
left join clean.lists as lists on spans.corpus = lists.list
left join reference.coverage as claims on spans.source = claims.source and (corpora.kind = 'living' or corpora.is_frozen)
left join snapshot_times as times on spans.source = times.source
order by spans.corpus, spans.source
