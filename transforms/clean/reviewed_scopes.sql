/*
row = "Whether a work is in scope of a taxonomy: as people decided, else because a list gives it a category of it."
key = ["work_id", "taxonomy"]

[columns]
work_id = { type = "text", meaning = "The work.", required = true }
taxonomy = { type = "text", meaning = "The taxonomy.", required = true }
is_in_scope = { type = "boolean", meaning = "Whether the work is in scope.", required = true }
basis = { type = "text", meaning = "decided by people, or listed.", required = true, one_of = ["decided", "listed"] }
decided_by = { type = "text", meaning = "Who decided, separated by semicolons; missing for a listed one." }
list = { type = "text", meaning = "The list that has it, the published mapping before others; missing for a decided one." }
*/
with decided as (
    select
        work_id,
        taxonomy,
        value = 'yes' as is_in_scope,
        string_agg(distinct decided_by, '; ' order by decided_by) as decided_by
    from clean.decisions
    where kind = 'scope' and outcome = 'holds'
    group by
        work_id,
        taxonomy,
        value = 'yes'
),

-- a category implies the scope, unless that is decided on its own
categorised as (
    select
        work_id,
        taxonomy,
        string_agg(distinct decided_by, '; ' order by decided_by) as decided_by
    from clean.decisions
    where kind = 'category' and outcome = 'holds'
    group by
        work_id,
        taxonomy
),

listed as (
    select
        work_id,
        taxonomy,
        min_by(list, (list != 'iaps_mapping', list)) as list
    from clean.work_labels
    group by
        work_id,
        taxonomy
),

statements as (
    select
        work_id,
        taxonomy,
        is_in_scope,
        'decided' as basis,
        decided_by,
        cast(null as varchar) as list,
        1 as place
    from decided
    union all
    select
        work_id,
        taxonomy,
        true as is_in_scope,
        'decided' as basis,
        decided_by,
        cast(null as varchar) as list,
        2 as place
    from categorised
    union all
    select
        work_id,
        taxonomy,
        true as is_in_scope,
        'listed' as basis,
        cast(null as varchar) as decided_by,
        list,
        3 as place
    from listed
),

ranked as (
    select
        *,
        row_number() over (partition by work_id, taxonomy order by place) as rank_of_basis
    from statements
)

select
    work_id,
    taxonomy,
    is_in_scope,
    basis,
    decided_by,
    list
from ranked
where rank_of_basis = 1
order by work_id, taxonomy
