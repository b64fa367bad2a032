/*
row = "A lab of a work, with what makes it one."
key = ["work_id", "lab"]

[columns]
work_id = {}
lab = { type = "text", meaning = "The lab.", required = true }
basis = { type = "text", meaning = "Why: a decision, a list, its own site, or an author’s affiliation.", required = true, one_of = ["decided", "listed", "own site", "affiliation by institution", "affiliation by text"] }
author_positions = { type = "text", meaning = "Positions of its authors among those of the work, separated by semicolons; missing if they are not known." }
is_followed = { type = "boolean", meaning = "Whether the lab is in reference.labs.", required = true }
is_primary = { type = "boolean", meaning = "Whether the work counts for it where it counts once: as decided, else the followed lab with the best basis, then of the first author.", required = true }
decided_by = { type = "text", meaning = "Who decided it, separated by semicolons; missing for another basis." }
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
    inner join reference.lab_institutions as labs on matches_pattern(records.affiliations, labs.affiliation_pattern)
    union all
    select
        work_id,
        lab,
        if(lab_basis = 'listed', 'listed', 'affiliation by text') as basis,
        author_position
    from clean.work_authors
    where lab is not null
),

decided_labs as (
    select
        work_id,
        value as lab,
        string_agg(distinct decided_by, '; ' order by decided_by) as decided_by
    from clean.decisions
    where kind = 'lab' and outcome = 'holds'
    group by
        work_id,
        value
),

all_bases as (
    select * from bases
    union all
    select
        work_id,
        lab,
        'decided' as basis,
        null as author_position
    from decided_labs
),

work_labs as (
    select
        work_id,
        lab,
        min(
            case basis
                when 'decided' then 1 when 'listed' then 2 when 'own site' then 3 when 'affiliation by institution' then 4
                else 5
            end
        ) as place,
        string_agg(distinct cast(author_position as varchar), '; ' order by lpad(cast(author_position as varchar), 6, '0')) as author_positions,
        min(author_position) as first_position
    from all_bases
    group by
        work_id,
        lab
)

select
    work_labs.work_id,
    work_labs.lab,
    ['decided', 'listed', 'own site', 'affiliation by institution', 'affiliation by text'][work_labs.place] as basis,
    work_labs.author_positions,
    labs.lab is not null as is_followed,
    row_number() over (
        partition by work_labs.work_id
        order by work_labs.place > 1, labs.lab is null, work_labs.place, work_labs.first_position nulls last, work_labs.lab
    ) = 1 as is_primary,
    decided_labs.decided_by
from work_labs
left join reference.labs as labs on work_labs.lab = labs.lab
left join decided_labs on work_labs.work_id = decided_labs.work_id and work_labs.lab = decided_labs.lab
