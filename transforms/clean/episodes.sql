/*
row = "An entry of a podcast's episode list; an entry that is listed twice has two rows, the later one marked as a repeat."
sightings_of = ["raw.podcast_page_episodes"]
key = ["episode_id"]

[columns]
episode_id = { type = "text", meaning = "Identifier of the entry: hash of its summary, and the number of its occurrence in the list.", required = true }
entry = { meaning = "Position in the newest list that has the entry, from 1.", required = true, minimum = 1 }
linked_url = {}
linked_site = { type = "text", meaning = "Host of the linked text, without www." }
authors = {}
narrator = {}
publisher = {}
summary = {}
summary_sha256 = {}
is_repeat = { type = "boolean", meaning = "Whether the same entry is earlier in the list.", required = true }
first_seen_at = {}
last_seen_at = {}
*/
with versions as (
    select
        *,
        row_number() over (partition by record_id order by last_seen_at, version_id) as recency
    from raw.podcast_page_episodes
),

merged_entries as (
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

positions as (
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
    merged_entries.record_id || '-' || cast(positions.occurrence as varchar) as episode_id,
    positions.entry,
    merged_entries.linked_url,
    nullif(regexp_extract(lower(merged_entries.linked_url), '^https?://(?:www\.)?([^/?#]+)', 1), '') as linked_site,
    merged_entries.authors,
    merged_entries.narrator,
    merged_entries.publisher,
    merged_entries.summary,
    merged_entries.summary_sha256,
    positions.occurrence > 1 as is_repeat,
    merged_entries.first_seen_at,
    merged_entries.last_seen_at
from merged_entries
inner join positions on merged_entries.record_id = positions.record_id
