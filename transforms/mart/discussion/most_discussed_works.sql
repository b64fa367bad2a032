/*
row = "A work that posts, comments, segments of captured pages or items of blogs mention."
key = ["work_id"]

[columns]
work_id = { type = "text", meaning = "Identifier of the work.", required = true }
title = {}
labs = {}
published_on = {}
mentions = { type = "integer", unit = "texts", meaning = "Texts that mention it, each once; only what is recognised surely enough to count.", required = true, minimum = 1 }
posts = { type = "integer", unit = "posts", meaning = "Posts that mention it.", required = true, minimum = 0 }
comments = { type = "integer", unit = "comments", meaning = "Comments that mention it.", required = true, minimum = 0 }
segments = { type = "integer", unit = "segments", meaning = "Segments of captured pages that mention it; these have no dates.", required = true, minimum = 0 }
feed_items = { type = "integer", unit = "items", meaning = "Items of blogs that mention it, from feeds of the field.", required = true, minimum = 0 }
mentioning_authors = { type = "integer", unit = "authors", meaning = "Different stated authors of these texts.", required = true, minimum = 0 }
dated_mentions = { type = "integer", unit = "texts", meaning = "Texts with a date among them.", required = true, minimum = 0 }
first_mentioned_on = { type = "date", meaning = "Day of the first dated text." }
last_mentioned_on = { type = "date", meaning = "Day of the last dated text." }
recognised_by = { type = "text", meaning = "How it was recognised, separated by semicolons.", required = true }
*/
with mentioning_texts as (
    select
        mentions.target_id as work_id,
        mentions.kind,
        mentions.item_kind,
        mentions.item_id,
        texts.authors,
        texts.written_on,
        string_agg(distinct mentions.recognised_by, '; ' order by mentions.recognised_by) as recognised_by
    from clean.mentions as mentions
    inner join clean.texts as texts on mentions.item_kind = texts.item_kind and mentions.item_id = texts.item_id
    left join clean.feed_scopes as scopes on texts.feed = scopes.feed
    where
        mentions.target_kind = 'work'
        and mentions.kind != 'episode'
        and mentions.is_counted
        and coalesce(scopes.scope, 'field') = 'field'
    group by all
),

counts as (
    select
        work_id,
        cast(count(*) as bigint) as mentions,
        cast(count(*) filter (where kind = 'post') as bigint) as posts,
        cast(count(*) filter (where kind = 'comment') as bigint) as comments,
        cast(count(*) filter (where kind = 'segment') as bigint) as segments,
        cast(count(*) filter (where kind = 'feed item') as bigint) as feed_items,
        cast(count(distinct authors) as bigint) as mentioning_authors,
        cast(count(written_on) as bigint) as dated_mentions,
        min(written_on) as first_mentioned_on,
        max(written_on) as last_mentioned_on,
        array_to_string(
            list_sort(list_distinct(flatten(list(string_split(recognised_by, '; '))))), '; '
        ) as recognised_by
    from mentioning_texts
    group by work_id
)

select
    counts.work_id,
    works.title,
    works.labs,
    works.published_on,
    counts.mentions,
    counts.posts,
    counts.comments,
    counts.segments,
    counts.feed_items,
    counts.mentioning_authors,
    counts.dated_mentions,
    counts.first_mentioned_on,
    counts.last_mentioned_on,
    counts.recognised_by
from counts
inner join clean.works as works on counts.work_id = works.work_id
