/*
row = "A category of a corpus and another taxonomy, with what the works say that lists give categories of both, and what is decided. Nothing that is only proposed is used."
key = ["from_taxonomy", "from_category", "to_taxonomy"]

[columns]
from_taxonomy = { type = "text", meaning = "The taxonomy of the category.", required = true }
from_category = { type = "text", meaning = "The category.", required = true }
to_taxonomy = { type = "text", meaning = "The taxonomy in which its works could be counted too.", required = true }
listed_works = { type = "integer", unit = "works", meaning = "Works to which lists give the category.", required = true, minimum = 0 }
from_works = { type = "integer", unit = "works", meaning = "Those of them to which lists give a category of the other taxonomy too.", required = true, minimum = 0 }
finding = { type = "text", meaning = "Whether they name one category: clear if it is proposed in clean.category_overlaps; too few below 5 works.", required = true, one_of = ["clear", "no clear category", "too few"] }
to_category = { type = "text", meaning = "The category of the other taxonomy that most of them have; the first by the alphabet of equals; missing without any. It is proposed only if the finding is clear." }
shared_works = { type = "integer", unit = "works", meaning = "Works that have both.", required = true, minimum = 0 }
share = { type = "real", unit = "share in 0 to 1", meaning = "Their share of from_works.", minimum = 0, maximum = 1 }
share_low = { type = "real", unit = "share in 0 to 1", meaning = "Lower end of the 95 % interval of the share (Wilson).", minimum = 0, maximum = 1 }
share_high = { type = "real", unit = "share in 0 to 1", meaning = "Upper end of the interval.", minimum = 0, maximum = 1 }
state = { type = "text", meaning = "Whether it is decided by people, or declared by the package; others are not used.", required = true, one_of = ["open", "decided", "declared", "disputed", "ground changed"] }
used_categories = { type = "text", meaning = "The categories in which its works are counted, with their weights; missing if none is used." }
decided_by = { type = "text", meaning = "Who decided it, separated by semicolons." }
*/
with taxonomies as (
    select taxonomy
    from clean.corpora
    union
    select taxonomy
    from reference.taxonomies
),

related as (
    select distinct
        from_taxonomy,
        to_taxonomy
    from clean.category_overlaps
    union
    select
        corpora.taxonomy as from_taxonomy,
        declared.taxonomy as to_taxonomy
    from clean.corpora as corpora
    cross join reference.taxonomies as declared
    where corpora.taxonomy != declared.taxonomy
),

questions as (
    select
        categories.taxonomy as from_taxonomy,
        categories.category as from_category,
        categories.listed_works,
        related.to_taxonomy
    from clean.categories as categories
    inner join related on categories.taxonomy = related.from_taxonomy
    inner join taxonomies on related.to_taxonomy = taxonomies.taxonomy
),

most_shared as (
    select
        *,
        row_number() over (partition by from_taxonomy, from_category, to_taxonomy order by shared_works desc, to_category asc) as place
    from clean.category_overlaps
),

used as (
    select
        from_taxonomy,
        from_category,
        to_taxonomy,
        max(decided_by) as decided_by,
        string_agg(to_category || case when weight < 1 then concat(' (', cast(round(100 * weight) as integer), ' %)') else '' end, '; ' order by 1 - weight, to_category) as used_categories
    from clean.category_crosswalk
    group by
        from_taxonomy,
        from_category,
        to_taxonomy
),

doubtful as (
    select
        from_taxonomy,
        from_category,
        taxonomy as to_taxonomy,
        min(outcome) as outcome,
        string_agg(distinct decided_by, '; ' order by decided_by) as decided_by
    from clean.decisions
    where kind = 'mapping' and outcome in ('disputed', 'ground changed')
    group by
        from_taxonomy,
        from_category,
        taxonomy
)

select
    questions.from_taxonomy,
    questions.from_category,
    questions.to_taxonomy,
    questions.listed_works,
    coalesce(most_shared.from_works, 0) as from_works,
    case
        when coalesce(most_shared.from_works, 0) < 5 then 'too few'
        when most_shared.is_proposed then 'clear'
        else 'no clear category'
    end as finding,
    most_shared.to_category,
    coalesce(most_shared.shared_works, 0) as shared_works,
    most_shared.share,
    most_shared.share_low,
    most_shared.share_high,
    case
        when doubtful.outcome is not null then doubtful.outcome
        when used.decided_by is not null then 'decided'
        when used.used_categories is not null then 'declared'
        else 'open'
    end as state,
    used.used_categories,
    coalesce(used.decided_by, doubtful.decided_by) as decided_by
from questions
left join most_shared
    on
        questions.from_taxonomy = most_shared.from_taxonomy
        and questions.from_category = most_shared.from_category
        and questions.to_taxonomy = most_shared.to_taxonomy
        and most_shared.place = 1
left join used
    on
        questions.from_taxonomy = used.from_taxonomy
        and questions.from_category = used.from_category
        and questions.to_taxonomy = used.to_taxonomy
left join doubtful
    on
        questions.from_taxonomy = doubtful.from_taxonomy
        and questions.from_category = doubtful.from_category
        and questions.to_taxonomy = doubtful.to_taxonomy
order by from_taxonomy, from_category, to_taxonomy
