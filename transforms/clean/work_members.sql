/*
row = "A record that is a publication, with its work: the records that accepted pairs connect are one work, as far as people have not decided otherwise."
key = ["record_id"]
function = "linking.members.assign_works"

[columns]
record_id = { type = "text", meaning = "A record of clean.work_records.", required = true }
work_id = { type = "text", meaning = "Identifier of the work; it stays when the work gains records, and is another when works are merged.", required = true }
source = { type = "text", meaning = "Name of the source.", required = true }
step = { type = "text", meaning = "The step that linked the record: first for the record that came first.", required = true, one_of = ["first", "key", "title", "abstract", "similar title", "decided"] }
similarity = { type = "real", unit = "similarity in 0 to 1", meaning = "How alike the two records are by what the step compares; 1 for equal.", required = true, minimum = 0, maximum = 1 }
linked_record_id = { type = "text", meaning = "The record of the work that it was linked to; missing for the first." }
evidence = { type = "text", meaning = "What the two have in common.", required = true }
decided_by = { type = "text", meaning = "Who decided that: rule, or the people who did.", required = true }
*/
with rule_links as (
    select
        links.first_record_id,
        links.second_record_id,
        links.step,
        links.similarity,
        links.evidence
    from clean.record_links as links
    left join clean.decided_pairs as decided
        on links.first_record_id = decided.first_record_id and links.second_record_id = decided.second_record_id
    where links.is_accepted and decided.first_record_id is null
),

links as (
    select
        *,
        'rule' as decided_by,
        true as is_same_work
    from rule_links
    union all
    select
        first_record_id,
        second_record_id,
        'decided' as step,
        1.0 as similarity,
        concat(
            decided_by,
            if(is_same_work, ' decided that they are one work', ' decided that they are different works'),
            coalesce(': ' || reason, '')
        ) as evidence,
        decided_by,
        is_same_work
    from clean.decided_pairs
)

select
    records.record_id,
    records.source,
    records.first_seen_at,
    links.second_record_id,
    links.step,
    links.similarity,
    links.evidence,
    links.decided_by,
    links.is_same_work
from clean.work_records as records
left join links on records.record_id = links.first_record_id
