/*
row = "A snapshot with the document of which it is a version, so that versions can be compared."
key = ["snapshot_id"]

[columns]
snapshot_id = {}
source = {}
stream = { type = "text", meaning = "The document: its address, or its file name, numbered where files of that name share less than half of the records of the smaller one.", required = true }
fetched_at = {}
*/
with recursive records as (
    select distinct
        snapshots.snapshot_id,
        snapshots.source,
        snapshots.original_name,
        snapshots.fetched_at,
        sightings.record_id
    from raw.snapshots as snapshots
    inner join raw.sightings as sightings on snapshots.snapshot_id = sightings.snapshot_id
    where snapshots.url is null
),

sizes as (
    select
        snapshot_id,
        count(*) as records
    from records
    group by snapshot_id
),

-- each record is compared with the last file of that name that had it, so that the work grows with the records alone
earlier_records as (
    select
        snapshot_id,
        lag(snapshot_id) over (partition by source, original_name, record_id order by fetched_at, snapshot_id) as earlier_id
    from records
),

shared as (
    select
        snapshot_id,
        earlier_id,
        count(*) as shared_records
    from earlier_records
    where earlier_id is not null
    group by snapshot_id, earlier_id
),

ranked as (
    select
        shared.snapshot_id,
        shared.earlier_id,
        row_number() over (partition by shared.snapshot_id order by shared.shared_records desc, shared.earlier_id asc) as place
    from shared
    inner join sizes on shared.snapshot_id = sizes.snapshot_id
    inner join sizes as earlier_sizes on shared.earlier_id = earlier_sizes.snapshot_id
    where 2 * shared.shared_records >= least(sizes.records, earlier_sizes.records)
),

versions as (
    select
        snapshots.snapshot_id,
        snapshots.snapshot_id as first_id
    from raw.snapshots as snapshots
    left join ranked on snapshots.snapshot_id = ranked.snapshot_id and ranked.place = 1
    where snapshots.url is null and ranked.snapshot_id is null
    union all
    select
        ranked.snapshot_id,
        versions.first_id
    from ranked
    inner join versions on ranked.earlier_id = versions.snapshot_id
    where ranked.place = 1
),

numbered as (
    select
        versions.snapshot_id,
        dense_rank() over (partition by firsts.source, firsts.original_name order by firsts.fetched_at, firsts.snapshot_id) as document
    from versions
    inner join raw.snapshots as firsts on versions.first_id = firsts.snapshot_id
)

select
    snapshots.snapshot_id,
    snapshots.source,
    case
        when snapshots.url is not null then snapshots.url
        when numbered.document = 1 then snapshots.original_name
        else concat(snapshots.original_name, ' (', numbered.document, ')')
    end as stream,
    snapshots.fetched_at
from raw.snapshots as snapshots
left join numbered on snapshots.snapshot_id = numbered.snapshot_id
order by snapshots.snapshot_id
