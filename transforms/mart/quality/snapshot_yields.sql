/*
row = "A snapshot compared with earlier ones of the same document, to find those with far too few records."
key = ["snapshot_id"]

[columns]
snapshot_id = {}
source = {}
stream = {}
fetched_at = {}
records_read = {}
usual_records = { type = "real", unit = "records", meaning = "Expected records: the maximum of earlier snapshots for a growing list, else their median; missing for the first one.", minimum = 0 }
records_gone = { type = "integer", unit = "records", meaning = "Records of the previous snapshot that this one lacks; they stay in the lake.", required = true, minimum = 0 }
is_newest = { type = "boolean", meaning = "Whether it is the newest snapshot of its stream.", required = true }
is_cut_short = { type = "boolean", meaning = "Whether it has less than 80 % of the usual records (growing list) or less than half (others), where at least 4 are usual.", required = true }
*/
with snapshots_by_stream as (
    select
        streams.snapshot_id,
        streams.source,
        streams.stream,
        streams.fetched_at,
        parses.records_read
    from clean.snapshot_streams as streams
    inner join raw.parses as parses on streams.snapshot_id = parses.snapshot_id
),

yields as (
    select
        *,
        case
            when source = 'lab_sheet' then max(records_read) over earlier
            else list_median(list(records_read) over earlier)
        end as usual_records,
        lag(snapshot_id) over (partition by source, stream order by fetched_at, snapshot_id) as previous_id,
        lead(snapshot_id) over (partition by source, stream order by fetched_at, snapshot_id) is null as is_newest
    from snapshots_by_stream
    window earlier as (
        partition by source, stream
        order by fetched_at, snapshot_id
        rows between unbounded preceding and 1 preceding
    )
),

missing_records as (
    select
        yields.snapshot_id,
        cast(count(distinct previous_sightings.record_id) as bigint) as records_gone
    from yields
    inner join raw.sightings as previous_sightings on yields.previous_id = previous_sightings.snapshot_id
    left join raw.sightings as current_sightings on yields.snapshot_id = current_sightings.snapshot_id and previous_sightings.record_id = current_sightings.record_id
    where current_sightings.record_id is null
    group by yields.snapshot_id
)

select
    yields.snapshot_id,
    yields.source,
    yields.stream,
    yields.fetched_at,
    yields.records_read,
    yields.usual_records,
    coalesce(missing_records.records_gone, 0) as records_gone,
    yields.is_newest,
    coalesce(yields.usual_records >= 4 and yields.records_read < yields.usual_records * case when yields.source = 'lab_sheet' then 0.8 else 0.5 end, false) as is_cut_short
from yields
left join missing_records on yields.snapshot_id = missing_records.snapshot_id
order by yields.snapshot_id
