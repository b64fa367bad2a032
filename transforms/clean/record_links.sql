/*
row = "Two records that are one work by the rules, or may be: a pair that is not accepted is for people to decide, and what they decide is in clean.decided_pairs."
key = ["first_record_id", "second_record_id"]
function = "linking.links.find_links"
is_incremental = true

[columns]
first_record_id = { type = "text", meaning = "A record of clean.work_records; the smaller identifier of the two.", required = true }
second_record_id = { type = "text", meaning = "The other record.", required = true }
step = { type = "text", meaning = "The step that found the pair.", required = true, one_of = ["key", "title", "abstract", "similar title", "subtitle"] }
similarity = { type = "real", unit = "similarity in 0 to 1", meaning = "How alike they are by what the step compares; 1 for equal.", required = true, minimum = 0, maximum = 1 }
evidence = { type = "text", meaning = "What they share, and what speaks against it.", required = true }
is_accepted = { type = "boolean", meaning = "Whether they are one work by this pair.", required = true }
*/
with records as (
    select
        record_id,
        title,
        title_key,
        title_words,
        surnames,
        lab,
        published_on,
        abstract,
        abstract_sha256,
        first_seen_at,
        false as is_last
    from clean.work_records
    union all
    select
        record_id,
        title,
        title_key,
        title_words,
        surnames,
        lab,
        published_on,
        abstract,
        abstract_sha256,
        first_seen_at,
        true as is_last
    from last_release.work_records
),

identifiers as (
    select
        record_id,
        false as is_last,
        list_sort(list(identifier)) as identifiers
    from clean.record_identifiers
    where not is_collective
    group by record_id
    union all
    select
        record_id,
        true as is_last,
        list_sort(list(identifier)) as identifiers
    from last_release.record_identifiers
    where not is_collective
    group by record_id
)

select
    records.record_id,
    records.title,
    records.title_key,
    records.title_words,
    identifiers.identifiers,
    records.surnames,
    records.lab,
    year(records.published_on) as published_year,
    records.abstract,
    records.abstract_sha256,
    records.first_seen_at,
    records.is_last
from records
left join identifiers on records.record_id = identifiers.record_id and records.is_last = identifiers.is_last
