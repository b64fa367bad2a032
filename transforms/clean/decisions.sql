/*
row = "A decision of a person, with what became of it: it is disputed if two decided differently without seeing each other, and its ground has changed if what was shown is no longer what the records state."
key = ["event_id"]
function = "review.replay.replay_decisions"

[columns]
event_id = {}
kind = {}
decided_by = {}
decided_at = {}
value = {}
record_id = {}
second_record_id = {}
work_id = { type = "text", meaning = "The work that has the record now; missing if no work has it." }
second_work_id = { type = "text", meaning = "The work that has the other record now." }
taxonomy = {}
field = {}
undone_event_id = {}
reason = {}
title = {}
ground = {}
seen_event_ids = {}
outcome = { type = "text", meaning = "Whether it holds, or why not.", required = true, one_of = ["holds", "superseded", "undone", "disputed", "ground changed", "record missing"] }
*/
with decisions as (
    select
        raw_decisions.*,
        members.work_id,
        second_members.work_id as second_work_id
    from raw.decisions as raw_decisions
    left join clean.work_members as members on raw_decisions.record_id = members.record_id
    left join clean.work_members as second_members on raw_decisions.second_record_id = second_members.record_id
),

-- on two records, only what they state themselves counts
shown_records as (
    select
        decisions.event_id,
        members.record_id
    from decisions
    inner join clean.work_members as members on decisions.work_id = members.work_id
    where decisions.second_record_id is null
    union
    select
        event_id,
        record_id
    from decisions
    where second_record_id is not null
    union
    select
        event_id,
        second_record_id as record_id
    from decisions
    where second_record_id is not null
),

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
    union
    select
        decisions.event_id,
        'definition:' || left(sha256(categories.category || ': ' || categories.definition), 16) as part
    from decisions
    inner join reference.categories as categories on decisions.taxonomy = categories.taxonomy
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
    present_parts.present
from decisions
left join present_parts on decisions.event_id = present_parts.event_id
