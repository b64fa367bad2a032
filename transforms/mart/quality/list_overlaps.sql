/*
row = "Two lists of works that overlap: how many works both miss, if they were made independently of each other."
key = ["first_list", "second_list"]

[columns]
first_list = { type = "text", meaning = "Address or file name of the one list.", required = true }
second_list = { type = "text", meaning = "Address or file name of the other list.", required = true }
first_works = { type = "integer", unit = "works", meaning = "Works of the one list within the span that both cover.", required = true, minimum = 1 }
second_works = { type = "integer", unit = "works", meaning = "Works of the other list within the span.", required = true, minimum = 1 }
both_works = { type = "integer", unit = "works", meaning = "Works that stand in both.", required = true, minimum = 1 }
estimated_works = { type = "real", unit = "works", meaning = "Estimated number of all works there are (Chapman): (a + 1)(b + 1) / (m + 1) - 1.", required = true, minimum = 1 }
missed_works = { type = "real", unit = "works", meaning = "Of them those in neither list.", required = true, minimum = 0 }
missed_low = { type = "real", unit = "works", meaning = "Lower end of the exact 95 % interval of the works in neither list.", required = true, minimum = 0 }
missed_high = { type = "real", unit = "works", meaning = "Upper end of the interval.", minimum = 0 }
assumptions = { type = "text", meaning = "What must be true for the estimate to hold, and what speaks against it.", required = true }
*/
with listed as (
    select distinct
        coalesce(snapshots.url, snapshots.original_name) as list,
        publications.publication_id,
        publications.published_on
    from raw.sightings as sightings
    inner join raw.snapshots as snapshots on sightings.snapshot_id = snapshots.snapshot_id
    inner join clean.publications as publications on sightings.record_id = publications.publication_id
    where not publications.is_duplicate and publications.published_on is not null
),

spans as (
    select
        list,
        min(published_on) as first_on,
        max(published_on) as last_on
    from listed
    group by list
),

paired as (
    select
        one.list as first_list,
        other.list as second_list,
        greatest(one.first_on, other.first_on) as first_on,
        least(one.last_on, other.last_on) as last_on
    from spans as one
    inner join spans as other on one.list < other.list
),

counted as (
    select
        paired.first_list,
        paired.second_list,
        count(distinct listed.publication_id) filter (where listed.list = paired.first_list) as a,
        count(distinct listed.publication_id) filter (where listed.list = paired.second_list) as b,
        count(*) - count(distinct listed.publication_id) as m
    from paired
    inner join listed
        on listed.list in (paired.first_list, paired.second_list) and listed.published_on between paired.first_on and paired.last_on
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
from counted
where m > 0
order by first_list, second_list
