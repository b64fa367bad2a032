/*
row = "Two overlapping lists of works, and an estimate of how many works both miss if the lists are independent."
key = ["first_list", "second_list"]

[columns]
first_list = { type = "text", meaning = "Address or file name of the first list.", required = true }
second_list = { type = "text", meaning = "Address or file name of the second list.", required = true }
first_works = { type = "integer", unit = "works", meaning = "Works of the first list within the period that both cover.", required = true, minimum = 1 }
second_works = { type = "integer", unit = "works", meaning = "Works of the second list within the period that both cover.", required = true, minimum = 1 }
both_works = { type = "integer", unit = "works", meaning = "Works that are in both lists.", required = true, minimum = 1 }
estimated_works = { type = "real", unit = "works", meaning = "Estimated number of all works (Chapman): (a + 1)(b + 1) / (m + 1) - 1.", required = true, minimum = 1 }
missed_works = { type = "real", unit = "works", meaning = "Estimated number of works in neither list.", required = true, minimum = 0 }
missed_low = { type = "real", unit = "works", meaning = "Lower end of the exact 95 % interval of the works in neither list.", required = true, minimum = 0 }
missed_high = { type = "real", unit = "works", meaning = "Upper end of the exact 95 % interval of the works in neither list.", minimum = 0 }
assumptions = { type = "text", meaning = "What the estimate assumes, and reasons to doubt it.", required = true }
*/
with list_works as (
    select distinct
        streams.stream as list,
        publications.publication_id,
        publications.published_on
    from raw.sightings as sightings
    inner join clean.snapshot_streams as streams on sightings.snapshot_id = streams.snapshot_id
    inner join clean.publications as publications on sightings.record_id = publications.publication_id
    where not publications.is_duplicate and publications.published_on is not null
),

spans as (
    select
        list,
        min(published_on) as first_on,
        max(published_on) as last_on
    from list_works
    group by list
),

list_pairs as (
    select
        first_spans.list as first_list,
        second_spans.list as second_list,
        greatest(first_spans.first_on, second_spans.first_on) as first_on,
        least(first_spans.last_on, second_spans.last_on) as last_on
    from spans as first_spans
    inner join spans as second_spans on first_spans.list < second_spans.list
),

overlap_counts as (
    select
        list_pairs.first_list,
        list_pairs.second_list,
        count(distinct list_works.publication_id) filter (where list_works.list = list_pairs.first_list) as a,
        count(distinct list_works.publication_id) filter (where list_works.list = list_pairs.second_list) as b,
        count(*) - count(distinct list_works.publication_id) as m
    from list_pairs
    inner join list_works
        on list_works.list in (list_pairs.first_list, list_pairs.second_list) and list_works.published_on between list_pairs.first_on and list_pairs.last_on
    group by all
)

select
    first_list,
    second_list,
    cast(a as bigint) as first_works,
    cast(b as bigint) as second_works,
    cast(m as bigint) as both_works,
    (a + 1) * (b + 1) / (m + 1) - 1 as estimated_works,
    greatest(0.0, (a + 1) * (b + 1) / (m + 1) - 1 - (a + b - m)) as missed_works,
    list_overlap_low(a, b, m) - (a + b - m) as missed_low,
    list_overlap_high(a, b, m) - (a + b - m) as missed_high,
    concat(
        'Holds if both lists were made independently, each work was as likely to be found as any other, the works are recognised in both,'
        ' and none came or went between the two.',
        case
            when m >= 0.9 * least(a, b) then ' Nine tenths of the shorter list stand in the other: probably one was made from the other, and the number missed is too low.'
            else ' Lists that look in the same places miss the same works, and then the number missed is too low.'
        end
    ) as assumptions
from overlap_counts
where m > 0
order by first_list, second_list
