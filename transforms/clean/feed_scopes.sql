/*
row = "A feed, with whether it belongs to the field: as declared, else by what its items mention."
key = ["feed"]

[columns]
feed = { type = "text", meaning = "Name of the feed.", required = true }
published_in = {}
scope = { type = "text", meaning = "Whether its items are about AI safety: field or other.", required = true, one_of = ["field", "other"] }
is_declared = { type = "boolean", meaning = "Whether reference.feed_scopes has its scope.", required = true }
basis = { type = "text", meaning = "Reason.", required = true }
items = { type = "integer", unit = "items", meaning = "Items of the feed.", required = true, minimum = 1 }
items_with_mentions = { type = "integer", unit = "items", meaning = "Items that mention a work or topic.", required = true, minimum = 0 }
*/
with items_with_mentions as (
    select distinct item_id
    from clean.mentions
    where item_kind = 'feed item' and target_kind in ('work', 'topic') and is_counted
),

feeds as (
    select
        texts.feed,
        max(texts.published_in) as published_in,
        cast(count(*) as bigint) as items,
        cast(count(items_with_mentions.item_id) as bigint) as items_with_mentions
    from clean.texts as texts
    left join items_with_mentions on texts.item_id = items_with_mentions.item_id
    where texts.feed is not null
    group by texts.feed
),

declared as (
    select
        feeds.feed,
        min_by(scopes.scope, scopes.feed != feeds.feed) as scope,
        min_by(scopes.basis, scopes.feed != feeds.feed) as basis
    from feeds
    inner join reference.feed_scopes as scopes on scopes.feed in (feeds.feed, feeds.published_in)
    group by feeds.feed
)

select
    feeds.feed,
    feeds.published_in,
    -- a fifth of the items: announcements of products are most of a lab's news
    case
        when declared.scope is not null then declared.scope
        when 5 * feeds.items_with_mentions >= feeds.items then 'field'
        else 'other'
    end as scope,
    declared.scope is not null as is_declared,
    coalesce(
        declared.basis,
        'Not declared: ' || cast(feeds.items_with_mentions as varchar) || ' of its ' || cast(feeds.items as varchar)
        || ' items mention a work or topic; it belongs to the field from a fifth on.'
    ) as basis,
    feeds.items,
    feeds.items_with_mentions
from feeds
left join declared on feeds.feed = declared.feed
