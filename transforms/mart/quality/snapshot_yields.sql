/*
row = "A snapshot beside the earlier ones of the same address or file name: whether it holds far less than they let expect."
key = ["snapshot_id"]

[columns]
snapshot_id = {}
source = {}
stream = { type = "text", meaning = "What makes snapshots comparable: the address, or else the name of the file.", required = true }
fetched_at = {}
records_read = {}
usual_records = { type = "real", unit = "records", meaning = "What the earlier snapshots of the stream let expect: the most they had for a list that grows, else their median; missing for its first.", minimum = 0 }
records_gone = { type = "integer", unit = "records", meaning = "Records of the snapshot before that this one does not have; what is gone is kept all the same.", required = true, minimum = 0 }
is_newest = { type = "boolean", meaning = "Whether it is the newest of its stream.", required = true }
is_cut_short = { type = "boolean", meaning = "Whether it has less than four fifths of what is usual for a list that grows, or less than half otherwise, where that is at least 4.", required = true }
*/
with streamed as (
    select
        snapshots.snapshot_id,
        snapshots.source,
        coalesce(snapshots.url, snapshots.original_name) as stream,
        snapshots.fetched_at,
        parses.records_read
    from raw.snapshots as snapshots
    inner join raw.parses as parses on snapshots.snapshot_id = parses.snapshot_id
),

compared as (
    select
        *,
        case
            when source = 'lab_sheet' then max(records_read) over earlier
            else median(records_read) over earlier
        end as usual_records,
        lag(snapshot_id) over (partition by source, stream order by fetched_at, snapshot_id) as previous_id,
        lead(snapshot_id) over (partition by source, stream order by fetched_at, snapshot_id) is null as is_newest
    from streamed
    window earlier as (
        partition by source, stream
        order by fetched_at, snapshot_id
        rows between unbounded preceding and 1 preceding
    )
),

gone as (
    select
        compared.snapshot_id,
        cast(count(distinct before.record_id) as bigint) as records_gone
    from compared
    inner join raw.sightings as before on compared.previous_id = before.snapshot_id
    left join raw.sightings as now on compared.snapshot_id = now.snapshot_id and before.record_id = now.record_id
    where now.record_id is null
    group by compared.snapshot_id
)

select
    compared.snapshot_id,
    compared.source,
    compared.stream,
    compared.fetched_at,
    compared.records_read,
    compared.usual_records,
    coalesce(gone.records_gone, 0) as records_gone,
    compared.is_newest,
    coalesce(compared.usual_records >= 4 and compared.records_read < compared.usual_records * case when compared.source = 'lab_sheet' then 0.8 else 0.5 end, false) as is_cut_short
from compared
left join gone on compared.snapshot_id = gone.snapshot_id
order by compared.snapshot_id
