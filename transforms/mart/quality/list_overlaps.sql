/*
row = "Two overlapping lists of works, and an estimate of how many works both miss; none if the lists are not independent."
sightings_of = ["raw.lab_sheet_publications"]
key = ["first_list", "second_list"]

[columns]
first_list = { type = "text", meaning = "Address or file name of the first list.", required = true }
second_list = { type = "text", meaning = "Address or file name of the second list.", required = true }
first_works = { type = "integer", unit = "works", meaning = "Works of the first list within the period that both cover.", required = true, minimum = 1 }
second_works = { type = "integer", unit = "works", meaning = "Works of the second list within the period that both cover.", required = true, minimum = 1 }
both_works = { type = "integer", unit = "works", meaning = "Works that are in both lists.", required = true, minimum = 1 }
equal_works = { type = "integer", unit = "works", meaning = "Works that are in both lists with the same values in all columns.", required = true, minimum = 0 }
estimated_works = { type = "real", unit = "works", meaning = "Estimated number of all works (Chapman): (a + 1)(b + 1) / (m + 1) - 1; missing if there is no estimate.", minimum = 1 }
missed_works = { type = "real", unit = "works", meaning = "Estimated number of works in neither list.", minimum = 0 }
missed_low = { type = "real", unit = "works", meaning = "Lower end of the exact 95 % interval of the works in neither list.", minimum = 0 }
missed_high = { type = "real", unit = "works", meaning = "Upper end of the exact 95 % interval of the works in neither list.", minimum = 0 }
no_estimate_reason = { type = "text", meaning = "Why there is no estimate: the lists overlap because one comes from the other; missing if there is one." }
assumptions = { type = "text", meaning = "What an estimate assumes, and reasons to doubt it.", required = true }
*/
with list_works as (
    select
        streams.stream as list,
        publications.publication_id,
        publications.published_on,
        list(distinct sightings.version_id) as versions
    from raw.sightings as sightings
    inner join clean.snapshot_streams as streams on sightings.snapshot_id = streams.snapshot_id
    inner join raw.lab_sheet_publications as sheet on sightings.version_id = sheet.version_id
    inner join clean.list_entries as publications
        on sightings.record_id = publications.publication_id and coalesce(sheet.list, 'iaps_mapping') = publications.list
    where not publications.is_duplicate and publications.published_on is not null
    group by all
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
),

-- a row that two people wrote about a work differs in a column or more; equal rows were copied
equal_counts as (
    select
        first_works.list as first_list,
        second_works.list as second_list,
        cast(count(*) as bigint) as equal_works
    from list_works as first_works
    inner join list_works as second_works on first_works.publication_id = second_works.publication_id and first_works.list < second_works.list
    where list_has_any(first_works.versions, second_works.versions)
    group by all
),

judged as (
    select
        overlap_counts.*,
        coalesce(equal_counts.equal_works, 0) as equal_works,
        case
            when m >= 0.9 * least(a, b)
                then concat(m, ' of the ', least(a, b), ' works of the shorter list stand in the other: one lies within the other, so their overlap does not show what both miss.')
            when 2 * coalesce(equal_counts.equal_works, 0) > m
                then concat(equal_counts.equal_works, ' of the ', m, ' common works have equal rows: one list was copied from the other, so their overlap does not show what both miss.')
        end as no_estimate_reason
    from overlap_counts
    left join equal_counts on overlap_counts.first_list = equal_counts.first_list and overlap_counts.second_list = equal_counts.second_list
)

select
    first_list,
    second_list,
    cast(a as bigint) as first_works,
    cast(b as bigint) as second_works,
    cast(m as bigint) as both_works,
    equal_works,
    case when no_estimate_reason is null then (a + 1) * (b + 1) / (m + 1) - 1 end as estimated_works,
    case when no_estimate_reason is null then greatest(0.0, (a + 1) * (b + 1) / (m + 1) - 1 - (a + b - m)) end as missed_works,
    case when no_estimate_reason is null then list_overlap_low(a, b, m) - (a + b - m) end as missed_low,
    case when no_estimate_reason is null then list_overlap_high(a, b, m) - (a + b - m) end as missed_high,
    no_estimate_reason,
    concat(
        'Holds if both lists were made independently, each work was as likely to be found as any other, the works are recognised in both,'
        ' and none came or went between the two.',
        ' Lists that look in the same places miss the same works, and then the number missed is too low.'
    ) as assumptions
from judged
where m > 0
order by first_list, second_list
