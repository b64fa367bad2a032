/*
row = "Two records of which people decided whether they are one work; that stands above the rules of linking."
key = ["first_record_id", "second_record_id"]
function = "review.replay.list_decided_pairs"

[columns]
first_record_id = { type = "text", meaning = "A record of clean.work_records; the smaller identifier of the two.", required = true }
second_record_id = { type = "text", meaning = "The other record.", required = true }
is_same_work = { type = "boolean", meaning = "Whether they are one work.", required = true }
decided_by = { type = "text", meaning = "Who decided, separated by semicolons.", required = true }
decided_at = { type = "timestamp", meaning = "When it was decided last.", required = true }
reason = {}
*/
with decisions as (
    select
        raw_decisions.*,
        records.record_id as work_id,
        second_records.record_id as second_work_id
    from raw.decisions as raw_decisions
    left join clean.work_records as records on raw_decisions.record_id = records.record_id
    left join clean.work_records as second_records on raw_decisions.second_record_id = second_records.record_id
    where raw_decisions.kind in ('same work', 'undo')
),

shown_records as (
    select
        event_id,
        record_id
    from decisions
    union
    select
        event_id,
        second_record_id as record_id
    from decisions
    where second_record_id is not null
),

-- as in clean.decisions
parts as (
    select
        shown_records.event_id,
        'title:' || left(sha256(records.title_key), 16) as part
    from shown_records
    inner join clean.work_records as records on shown_records.record_id = records.record_id
    where records.title_key is not null
    union
    select
        shown_records.event_id,
        'abstract:' || left(coalesce(records.abstract_sha256, sha256(records.abstract)), 16) as part
    from shown_records
    inner join clean.work_records as records on shown_records.record_id = records.record_id
    where records.abstract_sha256 is not null or records.abstract is not null
),

present_parts as (
    select
        event_id,
        string_agg(part, '; ' order by part) as present
    from parts
    group by event_id
)

select
    decisions.event_id,
    decisions.kind,
    decisions.decided_by,
    decisions.decided_at,
    decisions.value,
    decisions.record_id,
    decisions.second_record_id,
    decisions.work_id,
    decisions.second_work_id,
    decisions.taxonomy,
    decisions.field,
    decisions.undone_event_id,
    decisions.reason,
    decisions.title,
    decisions.ground,
    decisions.seen_event_ids,
    decisions.from_taxonomy,
    decisions.from_category,
    present_parts.present
from decisions
left join present_parts on decisions.event_id = present_parts.event_id
