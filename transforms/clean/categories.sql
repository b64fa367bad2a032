/*
row = "A category of a taxonomy: declared in reference.categories, or given by a list."
key = ["taxonomy", "category"]

[columns]
taxonomy = {}
category = { type = "text", meaning = "The category.", required = true }
definition = { type = "text", meaning = "What belongs to it; missing for a category that only lists have." }
listed_works = { type = "integer", unit = "works", meaning = "Works to which lists give it.", required = true, minimum = 0 }
*/
with listed as (
    select
        taxonomy,
        category,
        count(distinct work_id) as works
    from clean.work_labels
    group by
        taxonomy,
        category
)

select
    coalesce(declared.taxonomy, listed.taxonomy) as taxonomy,
    coalesce(declared.category, listed.category) as category,
    declared.definition,
    coalesce(listed.works, 0) as listed_works
from reference.categories as declared
full outer join listed on declared.taxonomy = listed.taxonomy and declared.category = listed.category
order by taxonomy, category
