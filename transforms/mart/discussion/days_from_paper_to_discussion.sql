/*
row = "A work whose day of publication is known, and that a dated post, comment, episode or item of a blog mentions, with the days until the first one."
key = ["work_id"]

[columns]
work_id = { type = "text", meaning = "Identifier of the work.", required = true }
title = {}
labs = {}
published_on = {}
first_mentioned_on = { type = "date", meaning = "Day of the first dated text that mentions it.", required = true }
first_kind = { type = "text", meaning = "What that text is.", required = true }
first_item_kind = { type = "text", meaning = "Kind of item of that text, by which pages know it.", required = true }
first_item_id = { type = "text", meaning = "Identifier of that text; the smallest of that day.", required = true }
days = { type = "integer", unit = "days", meaning = "Days from its publication to the first text; negative if the text came before the date that is shown for the work.", required = true }
dated_mentions = { type = "integer", unit = "texts", meaning = "Dated texts that mention it.", required = true, minimum = 1 }
undated_mentions = { type = "integer", unit = "texts", meaning = "Texts without a date that mention it, which may have come before; they are not used.", required = true, minimum = 0 }
*/
with mentioning_texts as (
    select distinct
        mentions.target_id as work_id,
        mentions.kind,
        mentions.item_kind,
        mentions.item_id,
        mentions.mentioned_on
    from clean.mentions as mentions
    inner join clean.texts as texts on mentions.item_kind = texts.item_kind and mentions.item_id = texts.item_id
    left join clean.feed_scopes as scopes on texts.feed = scopes.feed
    where mentions.target_kind = 'work' and mentions.is_counted and coalesce(scopes.scope, 'field') = 'field'
),

counts as (
    select
        work_id,
        min(mentioned_on) as first_mentioned_on,
        min_by(kind, (mentioned_on, item_kind, item_id)) filter (where mentioned_on is not null) as first_kind,
        min_by(item_kind, (mentioned_on, item_kind, item_id)) filter (where mentioned_on is not null) as first_item_kind,
        min_by(item_id, (mentioned_on, item_kind, item_id)) filter (where mentioned_on is not null) as first_item_id,
        cast(count(mentioned_on) as bigint) as dated_mentions,
        cast(count(*) - count(mentioned_on) as bigint) as undated_mentions
    from mentioning_texts
    group by work_id
    having count(mentioned_on) > 0
)

select
    counts.work_id,
    works.title,
    works.labs,
    works.published_on,
    counts.first_mentioned_on,
    counts.first_kind,
    counts.first_item_kind,
    counts.first_item_id,
    cast(date_diff('day', works.published_on, counts.first_mentioned_on) as bigint) as days,
    counts.dated_mentions,
    counts.undated_mentions
from counts
inner join clean.works as works on counts.work_id = works.work_id
where works.date_precision = 'day'
