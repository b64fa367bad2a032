/*
row = "A work that lost records to another one since some release: its old identifier leads to the other. A work that fell apart has several rows."
key = ["old_work_id", "work_id"]

[columns]
old_work_id = { type = "text", meaning = "Identifier of the work that had the records.", required = true }
work_id = { type = "text", meaning = "The work that has them now.", required = true }
cause = { type = "text", meaning = "What happened: merged with another work, split into several, or renamed, since an earlier record became known.", required = true, one_of = ["merged", "split", "renamed"] }
evidence = { type = "text", meaning = "What connects the merged works." }
records = { type = "integer", unit = "records", meaning = "Records that went from the one to the other.", required = true, minimum = 1 }
changed_at = { type = "timestamp", meaning = "When the newest record of the other work was first seen.", required = true }
*/
with last_works as (
    select
        record_id,
        work_id
    from last_release.work_members
),

moves as (
    select
        last_works.work_id as old_work_id,
        members.work_id,
        cast(count(*) as bigint) as records
    from last_works
    inner join clean.work_members as members on last_works.record_id = members.record_id
    group by
        last_works.work_id,
        members.work_id
),

destinations as (
    select
        old_work_id,
        count(*) as works
    from moves
    group by old_work_id
),

origins as (
    select
        work_id,
        count(*) as works
    from moves
    group by work_id
),

-- of the links within a work, one between records that were in different works
bridges as (
    select
        members.work_id,
        min(members.evidence) as evidence
    from clean.work_members as members
    inner join last_works as ends on members.record_id = ends.record_id
    inner join last_works as starts on members.linked_record_id = starts.record_id
    where ends.work_id != starts.work_id
    group by members.work_id
),

new_changes as (
    select
        moves.old_work_id,
        moves.work_id,
        case
            when destinations.works > 1 then 'split'
            when origins.works > 1 then 'merged'
            else 'renamed'
        end as cause,
        case when origins.works > 1 then bridges.evidence end as evidence,
        moves.records
    from moves
    inner join destinations on moves.old_work_id = destinations.old_work_id
    inner join origins on moves.work_id = origins.work_id
    left join bridges on moves.work_id = bridges.work_id
    where moves.old_work_id != moves.work_id
),

-- what was noted before leads on to where the records are now
earlier_changes as (
    select
        history.old_work_id,
        coalesce(new_changes.work_id, history.work_id) as work_id,
        min(history.cause) as cause,
        min(history.evidence) as evidence,
        max(history.records) as records
    from last_release.work_history as history
    left join new_changes on history.work_id = new_changes.old_work_id
    where
        -- a work that is back leads nowhere; one that lost a part is still there
        (history.cause = 'split' or history.old_work_id not in (select work_id from clean.work_members))
        and coalesce(new_changes.work_id, history.work_id) in (select work_id from clean.work_members)
    group by
        history.old_work_id,
        coalesce(new_changes.work_id, history.work_id)
),

changes as (
    select * from new_changes
    union all
    select * from earlier_changes
),

newest_records as (
    select
        members.work_id,
        max(records.first_seen_at) as first_seen_at
    from clean.work_members as members
    inner join clean.work_records as records on members.record_id = records.record_id
    group by members.work_id
)

select
    changes.old_work_id,
    changes.work_id,
    min(changes.cause) as cause,
    min(changes.evidence) as evidence,
    max(changes.records) as records,
    max(newest_records.first_seen_at) as changed_at
from changes
inner join newest_records on changes.work_id = newest_records.work_id
group by
    changes.old_work_id,
    changes.work_id
