/*
row = "A category of one taxonomy and a category of another, with the works that lists give both."
key = ["from_taxonomy", "from_category", "to_taxonomy", "to_category"]

[columns]
from_taxonomy = { type = "text", meaning = "The taxonomy of the first category.", required = true }
from_category = { type = "text", meaning = "The first category.", required = true }
to_taxonomy = { type = "text", meaning = "The taxonomy of the second category.", required = true }
to_category = { type = "text", meaning = "The second category.", required = true }
shared_works = { type = "integer", unit = "works", meaning = "Works to which lists give both categories.", required = true, minimum = 1 }
from_works = { type = "integer", unit = "works", meaning = "Works of the first category to which lists give any category of the second taxonomy.", required = true, minimum = 1 }
to_works = { type = "integer", unit = "works", meaning = "Works of the second category to which lists give any category of the first taxonomy.", required = true, minimum = 1 }
share = { type = "real", unit = "share in 0 to 1", meaning = "Share of the works of the first category that have the second one.", required = true, minimum = 0, maximum = 1 }
share_low = { type = "real", unit = "share in 0 to 1", meaning = "Lower end of the 95 % interval of the share (Wilson).", required = true, minimum = 0, maximum = 1 }
share_high = { type = "real", unit = "share in 0 to 1", meaning = "Upper end of the interval.", required = true, minimum = 0, maximum = 1 }
is_proposed = { type = "boolean", meaning = "Whether it is proposed for the first: of at least 5 works, surely more than half have it (the interval lies above 0.5), and no other as many.", required = true }
*/
with labels as (
    select distinct
        work_id,
        taxonomy,
        category
    from clean.work_labels
),

-- works of a category that have any category of another taxonomy
shared_by_category as (
    select
        labels.taxonomy,
        labels.category,
        others.taxonomy as other_taxonomy,
        count(distinct labels.work_id) as works
    from labels
    inner join labels as others on labels.work_id = others.work_id
    where labels.taxonomy != others.taxonomy
    group by
        labels.taxonomy,
        labels.category,
        others.taxonomy
),

pairs as (
    select
        labels.taxonomy as from_taxonomy,
        labels.category as from_category,
        others.taxonomy as to_taxonomy,
        others.category as to_category,
        count(*) as shared_works
    from labels
    inner join labels as others on labels.work_id = others.work_id
    where labels.taxonomy != others.taxonomy
    group by
        labels.taxonomy,
        labels.category,
        others.taxonomy,
        others.category
),

counted as (
    select
        pairs.*,
        from_counts.works as from_works,
        to_counts.works as to_works,
        max(pairs.shared_works) over (partition by pairs.from_taxonomy, pairs.from_category, pairs.to_taxonomy) as most_works,
        count(*) over (partition by pairs.from_taxonomy, pairs.from_category, pairs.to_taxonomy, pairs.shared_works) as equals
    from pairs
    inner join shared_by_category as from_counts
        on
            pairs.from_taxonomy = from_counts.taxonomy
            and pairs.from_category = from_counts.category
            and pairs.to_taxonomy = from_counts.other_taxonomy
    inner join shared_by_category as to_counts
        on
            pairs.to_taxonomy = to_counts.taxonomy
            and pairs.to_category = to_counts.category
            and pairs.from_taxonomy = to_counts.other_taxonomy
)

select
    from_taxonomy,
    from_category,
    to_taxonomy,
    to_category,
    shared_works,
    from_works,
    to_works,
    share_of(shared_works, from_works) as share,
    wilson_low(shared_works, from_works) as share_low,
    wilson_high(shared_works, from_works) as share_high,
    from_works >= 5 and wilson_low(shared_works, from_works) > 0.5 and shared_works = most_works and equals = 1 as is_proposed
from counted
order by from_taxonomy, from_category, to_taxonomy, to_category
