/*
row = "A lab of a work, with what makes it one."
key = ["work_id", "lab"]

[columns]
work_id = {}
lab = { type = "text", meaning = "The lab.", required = true }
basis = { type = "text", meaning = "Why: a list, its own site, or an affiliation of an author.", required = true, one_of = ["listed", "own site", "affiliation by institution", "affiliation by text"] }
author_positions = { type = "text", meaning = "Positions of its authors among those of the work, separated by semicolons; missing if they are not known." }
is_followed = { type = "boolean", meaning = "Whether the lab is in reference.labs.", required = true }
is_primary = { type = "boolean", meaning = "Whether the work counts for this lab where a work counts once: the followed lab with the best basis, then with the first author.", required = true }
*/
with records as (
    select
        members.work_id,
        records.*
    from clean.work_records as records
    inner join clean.work_members as members on records.record_id = members.record_id
),

institutions as (
    select distinct
        work_id,
        unnest(string_split(institution_openalex_ids, '; ')) as openalex_institution_id
    from records
    where institution_openalex_ids is not null
),

bases as (
    select
        work_id,
        lab,
        lab_basis as basis,
        null as author_position
    from records
    where lab is not null
    union all
    select
        institutions.work_id,
        labs.lab,
        'affiliation by institution' as basis,
        null as author_position
    from institutions
    inner join reference.lab_institutions as labs on institutions.openalex_institution_id = labs.openalex_institution_id
    union all
    select
        records.work_id,
        labs.lab,
        'affiliation by text' as basis,
        null as author_position
    from records
    inner join reference.lab_institutions as labs on regexp_matches(records.affiliations, labs.affiliation_pattern)
    union all
    select
        work_id,
        lab,
        if(lab_basis = 'listed', 'listed', 'affiliation by text') as basis,
        author_position
    from clean.work_authors
    where lab is not null
),

work_labs as (
    select
        work_id,
        lab,
        min(case basis when 'listed' then 1 when 'own site' then 2 when 'affiliation by institution' then 3 else 4 end) as place,
        string_agg(distinct cast(author_position as varchar), '; ' order by lpad(cast(author_position as varchar), 6, '0')) as author_positions,
        min(author_position) as first_position
    from bases
    group by
        work_id,
        lab
)

select
    work_labs.work_id,
    work_labs.lab,
    ['listed', 'own site', 'affiliation by institution', 'affiliation by text'][work_labs.place] as basis,
    work_labs.author_positions,
    labs.lab is not null as is_followed,
    row_number() over (
        partition by work_labs.work_id
        order by labs.lab is null, work_labs.place, work_labs.first_position nulls last, work_labs.lab
    ) = 1 as is_primary
from work_labs
left join reference.labs as labs on work_labs.lab = labs.lab
