/*
row = "A corpus and a taxonomy in which it is counted: its own, those that the package maps that to, and those to which people do."
key = ["corpus", "taxonomy"]

[columns]
corpus = {}
taxonomy = { type = "text", meaning = "The taxonomy.", required = true }
is_own = { type = "boolean", meaning = "Whether it is the taxonomy of its categories; in others it is counted by clean.category_crosswalk.", required = true }
unmapped_category = { type = "text", meaning = "Where works count whose category is not mapped: “(not decided)” where only people map categories.", required = true, one_of = ["(no counterpart)", "(not decided)"] }
*/
with mapped as (
    select distinct
        from_taxonomy,
        to_taxonomy
    from clean.category_crosswalk
),

mapped_by_package as (
    select distinct
        from_taxonomy,
        to_taxonomy
    from reference.category_crosswalk
),

pairs as (
    select
        taxonomy as from_taxonomy,
        taxonomy as to_taxonomy
    from clean.corpora
    union
    select
        own.taxonomy as from_taxonomy,
        others.taxonomy as to_taxonomy
    from reference.taxonomies as own
    cross join reference.taxonomies as others
    where own.is_default
    union
    select
        from_taxonomy,
        to_taxonomy
    from mapped
)

select
    corpora.corpus,
    pairs.to_taxonomy as taxonomy,
    pairs.from_taxonomy = pairs.to_taxonomy as is_own,
    case when mapped_by_package.to_taxonomy is null then '(not decided)' else '(no counterpart)' end as unmapped_category
from clean.corpora as corpora
inner join pairs on corpora.taxonomy = pairs.from_taxonomy
left join mapped_by_package
    on pairs.from_taxonomy = mapped_by_package.from_taxonomy and pairs.to_taxonomy = mapped_by_package.to_taxonomy
order by corpus, taxonomy
