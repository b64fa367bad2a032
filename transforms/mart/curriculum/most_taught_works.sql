/*
row = "A work that episodes of podcasts and courses read or mention."
key = ["work_id"]

[columns]
work_id = { type = "text", meaning = "Identifier of the work.", required = true }
title = {}
labs = {}
published_on = {}
episodes = { type = "integer", unit = "episodes", meaning = "Episodes that read or mention it, each once; only what is recognised surely enough to count, and only feeds of the field.", required = true, minimum = 1 }
podcasts = { type = "integer", unit = "podcasts", meaning = "Different feeds and captured pages of these episodes.", required = true, minimum = 1 }
podcast_names = { type = "text", meaning = "Their names, separated by semicolons.", required = true }
dated_episodes = { type = "integer", unit = "episodes", meaning = "Episodes with a date among them; entries of captured pages have none.", required = true, minimum = 0 }
first_taught_on = { type = "date", meaning = "Day of the first dated episode." }
last_taught_on = { type = "date", meaning = "Day of the last dated episode." }
recognised_by = { type = "text", meaning = "How it was recognised, separated by semicolons.", required = true }
*/
with episodes as (
    select
        mentions.target_id as work_id,
        mentions.item_kind,
        mentions.item_id,
        texts.published_in,
        texts.written_on,
        string_agg(distinct mentions.recognised_by, '; ' order by mentions.recognised_by) as recognised_by
    from clean.mentions as mentions
    inner join clean.texts as texts on mentions.item_kind = texts.item_kind and mentions.item_id = texts.item_id
    left join clean.feed_scopes as scopes on texts.feed = scopes.feed
    where
        mentions.target_kind = 'work'
        and mentions.kind = 'episode'
        and mentions.is_counted
        and coalesce(scopes.scope, 'field') = 'field'
    group by all
),

counts as (
    select
        work_id,
        cast(count(*) as bigint) as episodes,
        cast(count(distinct published_in) as bigint) as podcasts,
        string_agg(distinct published_in, '; ' order by published_in) as podcast_names,
        cast(count(written_on) as bigint) as dated_episodes,
        min(written_on) as first_taught_on,
        max(written_on) as last_taught_on,
        array_to_string(
            list_sort(list_distinct(flatten(list(string_split(recognised_by, '; '))))), '; '
        ) as recognised_by
    from episodes
    group by work_id
)

select
    counts.work_id,
    works.title,
    works.labs,
    works.published_on,
    counts.episodes,
    counts.podcasts,
    counts.podcast_names,
    counts.dated_episodes,
    counts.first_taught_on,
    counts.last_taught_on,
    counts.recognised_by
from counts
inner join clean.works as works on counts.work_id = works.work_id
