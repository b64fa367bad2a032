/*
row = "A category that a work has in a taxonomy: as people decided, else as the first list that has it gives it; none if the work is not in scope."
key = ["work_id", "taxonomy", "category"]

[columns]
work_id = { type = "text", meaning = "The work.", required = true }
taxonomy = { type = "text", meaning = "The taxonomy.", required = true }
category = { type = "text", meaning = "The category.", required = true }
category_position = { type = "integer", meaning = "Position among the categories of the work in the taxonomy, from 1.", required = true, minimum = 1 }
basis = {}
decided_by = { type = "text", meaning = "Who decided, separated by semicolons; missing for a listed one." }
list = { type = "text", meaning = "The list that gives it; missing for a decided one." }
*/
with decided as (
    select
        work_id,
        taxonomy,
        value,
        string_agg(distinct decided_by, '; ' order by decided_by) as decided_by
    from clean.decisions
    where kind = 'category' and outcome = 'holds'
    group by
        work_id,
        taxonomy,
        value
),

decided_categories as (
    select
        work_id,
        taxonomy,
        decided_by,
        unnest(string_split(value, '; ')) as category,
        unnest(range(1, len(string_split(value, '; ')) + 1)) as category_position
    from decided
),

listed_categories as (
    select
        work_id,
        taxonomy,
        category,
        category_position,
        list,
        dense_rank() over (partition by work_id, taxonomy order by list != 'iaps_mapping', list) as list_place
    from clean.work_labels
    where category != '(no category)'
),

labels as (
    select
        work_id,
        taxonomy,
        category,
        category_position,
        'decided' as basis,
        decided_by,
        cast(null as varchar) as list
    from decided_categories
    union all
    select
        listed.work_id,
        listed.taxonomy,
        listed.category,
        listed.category_position,
        'listed' as basis,
        cast(null as varchar) as decided_by,
        listed.list
    from listed_categories as listed
    left join decided on listed.work_id = decided.work_id and listed.taxonomy = decided.taxonomy
    where listed.list_place = 1 and decided.work_id is null
)

select
    labels.work_id,
    labels.taxonomy,
    labels.category,
    cast(min(labels.category_position) as bigint) as category_position,
    min(labels.basis) as basis,
    min(labels.decided_by) as decided_by,
    min(labels.list) as list
from labels
inner join clean.reviewed_scopes as scopes
    on labels.work_id = scopes.work_id and labels.taxonomy = scopes.taxonomy
where scopes.is_in_scope
group by
    labels.work_id,
    labels.taxonomy,
    labels.category
order by
    work_id,
    taxonomy,
    category_position
