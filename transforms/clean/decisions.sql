/*
row = "A decision of a person, with what became of it: it is disputed if two decided differently unseen, and its ground has changed if what was shown is no longer what the lake states."
key = ["event_id"]
function = "review.replay.replay_decisions"

[columns]
event_id = {}
kind = {}
decided_by = {}
decided_at = {}
value = {}
record_id = { type = "text", meaning = "The record of a work that it is about; missing for a mapping." }
second_record_id = {}
work_id = { type = "text", meaning = "The work that has the record now; missing if no work has it." }
second_work_id = { type = "text", meaning = "The work that has the other record now." }
taxonomy = { type = "text", meaning = "The taxonomy of the categories or the scope; of a mapping, the one that it leads into." }
field = {}
undone_event_id = {}
reason = {}
title = {}
ground = {}
seen_event_ids = {}
from_taxonomy = { type = "text", meaning = "The taxonomy of the category that is mapped." }
from_category = { type = "text", meaning = "The category that is mapped." }
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

mappings as (
    select
        decisions.event_id,
        decisions.taxonomy,
        decisions.value,
        decisions.ground,
        categories.category,
        categories.definition,
        coalesce(proposed.to_category, '(none)') as proposed_category
    from decisions
    inner join clean.categories as categories
        on decisions.from_taxonomy = categories.taxonomy and decisions.from_category = categories.category
    left join clean.category_overlaps as proposed
        on
            decisions.from_taxonomy = proposed.from_taxonomy
            and decisions.from_category = proposed.from_category
            and decisions.taxonomy = proposed.to_taxonomy
            and proposed.is_proposed
    where decisions.kind = 'mapping'
),

-- what is proposed now speaks for a decision that says so too, whatever was proposed before
mapping_parts as (
    select
        event_id,
        'proposal:' || left(sha256(proposed_category), 16) as part
    from mappings
    union
    select
        event_id,
        part
    from (
        select
            event_id,
            unnest(string_split(ground, '; ')) as part
        from mappings
        where contains('; ' || value, '; ' || proposed_category || '=')
    ) as shown
    where starts_with(part, 'proposal:')
    union
    select
        event_id,
        'definition:' || left(sha256(category || ': ' || definition), 16) as part
    from mappings
    where definition is not null
    union
    select
        mappings.event_id,
        'definition:' || left(sha256(targets.category || ': ' || targets.definition), 16) as part
    from mappings
    inner join clean.categories as targets on mappings.taxonomy = targets.taxonomy
    where targets.definition is not null
    union
    select
        mappings.event_id,
        'category:' || left(sha256(targets.category), 16) as part
    from mappings
    inner join clean.categories as targets on mappings.taxonomy = targets.taxonomy
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
    where decisions.kind != 'mapping'
    union
    select
        event_id,
        part
    from mapping_parts
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
