/*
row = "Two works that may be one: a pair of records below the safe threshold, for people to decide; those that they decided are left out."
key = ["first_work_id", "second_work_id"]

[columns]
first_work_id = { type = "text", meaning = "One of the works.", required = true }
second_work_id = { type = "text", meaning = "The other one.", required = true }
first_record_id = {}
second_record_id = {}
step = { type = "text", meaning = "The step that found the pair.", required = true, one_of = ["key", "title", "abstract", "similar title", "subtitle"] }
similarity = {}
evidence = {}
*/
with apart as (
    select distinct
        least(first_members.work_id, second_members.work_id) as first_work_id,
        greatest(first_members.work_id, second_members.work_id) as second_work_id
    from clean.decided_pairs as decided
    inner join clean.work_members as first_members on decided.first_record_id = first_members.record_id
    inner join clean.work_members as second_members on decided.second_record_id = second_members.record_id
    where not decided.is_same_work
),

pairs as (
    select
        least(first_members.work_id, second_members.work_id) as first_work_id,
        greatest(first_members.work_id, second_members.work_id) as second_work_id,
        arg_max(links.first_record_id, (links.similarity, links.first_record_id, links.second_record_id)) as first_record_id,
        arg_max(links.second_record_id, (links.similarity, links.first_record_id, links.second_record_id)) as second_record_id,
        arg_max(links.step, (links.similarity, links.first_record_id, links.second_record_id)) as step,
        max(links.similarity) as similarity,
        arg_max(links.evidence, (links.similarity, links.first_record_id, links.second_record_id)) as evidence
    from clean.record_links as links
    inner join clean.work_members as first_members on links.first_record_id = first_members.record_id
    inner join clean.work_members as second_members on links.second_record_id = second_members.record_id
    where not links.is_accepted and first_members.work_id != second_members.work_id
    group by
        least(first_members.work_id, second_members.work_id),
        greatest(first_members.work_id, second_members.work_id)
)

select
    pairs.first_work_id,
    pairs.second_work_id,
    pairs.first_record_id,
    pairs.second_record_id,
    pairs.step,
    pairs.similarity,
    pairs.evidence
from pairs
left join apart on pairs.first_work_id = apart.first_work_id and pairs.second_work_id = apart.second_work_id
where apart.first_work_id is null
