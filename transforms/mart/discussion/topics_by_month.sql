/*
row = "A topic, a kind of text and a month, with the texts that mention the topic; captured pages have no month."
key = ["topic", "kind", "mentioned_month"]

[columns]
topic = { type = "text", meaning = "The topic, as named in reference.aliases.", required = true }
kind = {}
mentioned_month = { type = "date", meaning = "First day of the month in which the texts were published; missing for texts without a date, which are counted apart." }
texts = { type = "integer", unit = "texts", meaning = "Texts of this kind that mention the topic, each once, without those of feeds outside of the field.", required = true, minimum = 1 }
all_texts = { type = "integer", unit = "texts", meaning = "All texts of this kind in this month.", required = true, minimum = 1 }
texts_share = { type = "real", unit = "share in 0 to 1", meaning = "Share of these texts among all.", required = true, minimum = 0, maximum = 1 }
*/
with field_texts as (
    select
        texts.item_kind,
        texts.item_id,
        texts.kind,
        cast(date_trunc('month', texts.written_on) as date) as mentioned_month
    from clean.texts as texts
    left join clean.feed_scopes as scopes on texts.feed = scopes.feed
    where coalesce(scopes.scope, 'field') = 'field'
),

all_counts as (
    select
        kind,
        mentioned_month,
        cast(count(*) as bigint) as all_texts
    from field_texts
    group by all
),

topic_counts as (
    select
        mentions.target_id as topic,
        field_texts.kind,
        field_texts.mentioned_month,
        cast(count(distinct field_texts.item_id) as bigint) as texts
    from clean.mentions as mentions
    inner join field_texts
        on mentions.item_kind = field_texts.item_kind and mentions.item_id = field_texts.item_id
    where mentions.target_kind = 'topic' and mentions.is_counted
    group by all
)

select
    topic_counts.topic,
    topic_counts.kind,
    topic_counts.mentioned_month,
    topic_counts.texts,
    all_counts.all_texts,
    share_of(topic_counts.texts, all_counts.all_texts) as texts_share
from topic_counts
inner join all_counts
    on
        topic_counts.kind = all_counts.kind
        and topic_counts.mentioned_month is not distinct from all_counts.mentioned_month
