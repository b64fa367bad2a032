/*
row = "A category of one taxonomy and a category of another in which its works are counted there: what people decided, else what reference.category_crosswalk has."
key = ["from_taxonomy", "from_category", "to_taxonomy", "to_category"]

[columns]
from_taxonomy = { type = "text", meaning = "The taxonomy to map from.", required = true }
from_category = { type = "text", meaning = "The category to map from.", required = true }
to_taxonomy = { type = "text", meaning = "The taxonomy to map to.", required = true }
to_category = { type = "text", meaning = "The category to map to; “(no counterpart)” if it was decided that there is none.", required = true }
weight = {}
confidence = { type = "text", meaning = "Confidence in the mapping of the package; “decided” for one that people decided.", required = true, one_of = ["high", "medium", "low", "decided"] }
basis = { type = "text", meaning = "Reason for the mapping, or who decided it.", required = true }
decided_by = { type = "text", meaning = "Who decided, separated by semicolons; missing for one of the package." }
*/
with decided as (
    select
        from_taxonomy,
        from_category,
        taxonomy,
        min(value) as value, -- those that hold say the same, perhaps in another order
        string_agg(distinct decided_by, '; ' order by decided_by) as decided_by,
        string_agg(distinct reason, '; ' order by reason) as reasons
    from clean.decisions
    where kind = 'mapping' and outcome = 'holds'
    group by
        from_taxonomy,
        from_category,
        taxonomy
),

decided_parts as (
    select
        from_taxonomy,
        from_category,
        taxonomy,
        decided_by,
        reasons,
        unnest(string_split(value, '; ')) as part
    from decided
)

select
    from_taxonomy,
    from_category,
    taxonomy as to_taxonomy,
    regexp_extract(part, '^(.+)=([0-9.]+)$', 1) as to_category,
    cast(regexp_extract(part, '^(.+)=([0-9.]+)$', 2) as double) as weight,
    'decided' as confidence,
    concat('Decided by ', decided_by, coalesce(': ' || reasons, ''), '.') as basis,
    decided_by
from decided_parts
union all
select
    declared.from_taxonomy,
    declared.from_category,
    declared.to_taxonomy,
    declared.to_category,
    declared.weight,
    declared.confidence,
    declared.basis,
    cast(null as varchar) as decided_by
from reference.category_crosswalk as declared
left join decided
    on
        declared.from_taxonomy = decided.from_taxonomy
        and declared.from_category = decided.from_category
        and declared.to_taxonomy = decided.taxonomy
where decided.value is null
order by from_taxonomy, from_category, to_taxonomy, to_category
