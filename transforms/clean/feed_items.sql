/*
row = "An item of a feed (blog post or podcast episode) in its newest version; items that left the feed stay."
key = ["feed_item_id"]

[columns]
feed_item_id = { type = "text", meaning = "Identifier of the item: hash of its feed and its guid.", required = true }
feed = {}
feed_title = {}
item_guid = {}
title = {}
url = {}
published_at = { type = "timestamp", meaning = "When it was published: the earliest time in any version." }
updated_at = {}
authors = {}
categories = {}
text = {}
links = {}
audio_url = {}
audio_type = {}
audio_bytes = {}
duration_seconds = {}
season_number = {}
episode_number = {}
episode_kind = {}
people = {}
transcripts = {}
reading_note = {}
versions = { type = "integer", unit = "versions", meaning = "Number of different versions seen.", required = true, minimum = 1 }
first_seen_at = {}
last_seen_at = {}
*/
with newest as (
    select *
    from raw.feed_items
    qualify
        row_number() over (
            partition by record_id order by last_seen_at desc, updated_at desc nulls last, version_id desc
        ) = 1
),

spans as (
    select
        record_id,
        min(published_at) as published_at,
        cast(count(*) as bigint) as versions,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from raw.feed_items
    group by record_id
)

select
    newest.record_id as feed_item_id,
    newest.feed,
    newest.feed_title,
    newest.item_guid,
    newest.title,
    newest.url,
    spans.published_at,
    newest.updated_at,
    newest.authors,
    newest.categories,
    newest.text,
    newest.links,
    newest.audio_url,
    newest.audio_type,
    newest.audio_bytes,
    newest.duration_seconds,
    newest.season_number,
    newest.episode_number,
    newest.episode_kind,
    newest.people,
    newest.transcripts,
    newest.reading_note,
    spans.versions,
    spans.first_seen_at,
    spans.last_seen_at
from newest
inner join spans on newest.record_id = spans.record_id
