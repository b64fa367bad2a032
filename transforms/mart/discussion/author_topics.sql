/*
row = "An author of posts, comments, segments of captured pages or items of blogs, and a topic that these mention."
key = ["author", "topic"]

[columns]
author = { type = "text", meaning = "Name of the author, as stated.", required = true }
topic = { type = "text", meaning = "The topic, as named in reference.aliases.", required = true }
texts = { type = "integer", unit = "texts", meaning = "Texts of the author that mention the topic, each once.", required = true, minimum = 1 }
dated_texts = { type = "integer", unit = "texts", meaning = "Texts with a date among them; those of captured pages have none.", required = true, minimum = 0 }
first_on = { type = "date", meaning = "Day of the first dated text." }
last_on = { type = "date", meaning = "Day of the last dated text." }
all_texts = { type = "integer", unit = "texts", meaning = "All texts of the author.", required = true, minimum = 1 }
*/
with authored_texts as (
    select distinct
        texts.item_kind,
        texts.item_id,
        texts.written_on,
        trim(unnest(string_split(texts.authors, ';'))) as author
    from clean.texts as texts
    left join clean.feed_scopes as scopes on texts.feed = scopes.feed
    where texts.kind != 'episode' and coalesce(scopes.scope, 'field') = 'field'
),

all_counts as (
    select
        author,
        cast(count(*) as bigint) as all_texts
    from authored_texts
    where author != ''
    group by author
),

topic_counts as (
    select
        authored_texts.author,
        mentions.target_id as topic,
        cast(count(distinct authored_texts.item_id) as bigint) as texts,
        cast(count(distinct authored_texts.item_id) filter (where authored_texts.written_on is not null) as bigint)
            as dated_texts,
        min(authored_texts.written_on) as first_on,
        max(authored_texts.written_on) as last_on
    from authored_texts
    inner join clean.mentions as mentions
        on authored_texts.item_kind = mentions.item_kind and authored_texts.item_id = mentions.item_id
    where mentions.target_kind = 'topic' and mentions.is_counted
    group by all
)

select
    topic_counts.author,
    topic_counts.topic,
    topic_counts.texts,
    topic_counts.dated_texts,
    topic_counts.first_on,
    topic_counts.last_on,
    all_counts.all_texts
from topic_counts
inner join all_counts on topic_counts.author = all_counts.author
