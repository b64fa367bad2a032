/*
row = "A record that is a publication, with its work: the records that accepted pairs connect are one work."
key = ["record_id"]
function = "linking.members.assign_works"

[columns]
record_id = { type = "text", meaning = "A record of clean.work_records.", required = true }
work_id = { type = "text", meaning = "Identifier of the work; it stays when the work gains records, and is another when works are merged.", required = true }
source = { type = "text", meaning = "Name of the source.", required = true }
step = { type = "text", meaning = "The step that linked the record: first for the record that came first.", required = true, one_of = ["first", "key", "title", "abstract", "similar title"] }
similarity = { type = "real", unit = "similarity in 0 to 1", meaning = "How alike the two records are by what the step compares; 1 for equal.", required = true, minimum = 0, maximum = 1 }
linked_record_id = { type = "text", meaning = "The record of the work that it was linked to; missing for the first." }
evidence = { type = "text", meaning = "What the two have in common.", required = true }
decided_by = { type = "text", meaning = "Who decided that.", required = true, one_of = ["rule"] }
*/
select
    records.record_id,
    records.source,
    records.first_seen_at,
    links.second_record_id,
    links.step,
    links.similarity,
    links.evidence
from clean.work_records as records
left join clean.record_links as links on records.record_id = links.first_record_id and links.is_accepted
