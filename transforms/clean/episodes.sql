/*
row = "An entry of a podcast's list; an entry that the list shows twice is two rows, the later ones marked."
key = ["episode_id"]

[columns]
episode_id = { type = "text", meaning = "Identity of the entry: its summary, hashed, and how many times the list has shown it.", required = true }
entry = { meaning = "Place in the newest list that has the entry, from 1.", required = true, minimum = 1 }
linked_url = {}
linked_site = { type = "text", meaning = "Host of the linked text, without www." }
authors = {}
narrator = {}
publisher = {}
summary = {}
summary_sha256 = {}
is_repeat = { type = "boolean", meaning = "Whether the list has shown the same entry before.", required = true }
first_seen_at = {}
last_seen_at = {}
*/
with versions as (
    select
        *,
        row_number() over (partition by record_id order by last_seen_at, version_id) as recency
    from raw.podcast_page_episodes
),

richest as (
    select
        record_id,
        summary_sha256,
        max_by(linked_url, recency) filter (where linked_url is not null) as linked_url,
        max_by(authors, recency) filter (where authors is not null) as authors,
        max_by(narrator, recency) filter (where narrator is not null) as narrator,
        max_by(publisher, recency) filter (where publisher is not null) as publisher,
        max_by(summary, recency) filter (where summary is not null) as summary,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from versions
    group by record_id, summary_sha256
),

places as (
    select
        sightings.record_id,
        sightings.occurrence,
        max_by(sightings.record_ordinal, cast(snapshots.fetched_at as varchar) || snapshots.snapshot_id) as entry
    from raw.sightings as sightings
    inner join raw.snapshots as snapshots on sightings.snapshot_id = snapshots.snapshot_id
    where sightings.source = 'podcast_page'
    group by sightings.record_id, sightings.occurrence
)

select
    richest.record_id || '-' || cast(places.occurrence as varchar) as episode_id,
    places.entry,
    richest.linked_url,
    nullif(regexp_extract(lower(richest.linked_url), '^https?://(?:www\.)?([^/?#]+)', 1), '') as linked_site,
    richest.authors,
    richest.narrator,
    richest.publisher,
    richest.summary,
    richest.summary_sha256,
    places.occurrence > 1 as is_repeat,
    richest.first_seen_at,
    richest.last_seen_at
from richest
inner join places on richest.record_id = places.record_id
