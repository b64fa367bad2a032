/*
row = "A publication that a published claim counts in this lake but not in the rows of the study, or the other way round."
sightings_of = ["raw.lab_sheet_publications"]
key = ["claim", "publication_id"]

[columns]
claim = {}
publication_id = {}
title = { type = "text", meaning = "Title of the publication.", required = true }
difference = { type = "integer", unit = "publications", meaning = "1 if it is counted in this lake only, -1 if in the study only.", required = true, minimum = -1, maximum = 1 }
reason = { type = "text", meaning = "What changed since the study, as a phrase.", required = true }
*/
with study_publications as (
    select
        sightings.record_id as publication_id,
        max_by(sheet.title, sightings.record_ordinal) as title,
        max_by(coalesce(labs.lab, lab_aliases.lab, sheet.lab), sightings.record_ordinal) as lab,
        max_by(sheet.category, sightings.record_ordinal) as category,
        max_by(sheet.published_on, sightings.record_ordinal) as published_on,
        max_by(sheet.is_duplicate, sightings.record_ordinal) as is_duplicate
    from raw.sightings as sightings
    inner join raw.snapshots as snapshots on sightings.snapshot_id = snapshots.snapshot_id and snapshots.origin = 'bundled'
    inner join raw.lab_sheet_publications as sheet on sightings.version_id = sheet.version_id
    left join reference.labs as labs on lower(sheet.lab) = lower(labs.lab)
    left join reference.lab_aliases as lab_aliases on lower(sheet.lab) = lower(lab_aliases.alias)
    group by sightings.record_id
),

signed_publications as (
    select
        publication_id,
        title,
        lab,
        category,
        published_on,
        is_duplicate,
        1 as difference
    from clean.publications
    union all
    select
        publication_id,
        title,
        lab,
        category,
        published_on,
        is_duplicate,
        -1 as difference
    from study_publications
),

claim_differences as (
    select
        claims.claim,
        signed_publications.publication_id,
        cast(sum(signed_publications.difference) as bigint) as difference
    from reference.published_counts as claims
    inner join reference.counting_rules as rules on claims.counting_rule = rules.counting_rule
    inner join signed_publications
        on
            signed_publications.published_on between claims.published_from and claims.published_until
            and (claims.lab is null or claims.lab = signed_publications.lab)
            and (claims.category is null or claims.category = signed_publications.category)
            and (rules.counts_marked_duplicates or not signed_publications.is_duplicate)
    where claims.not_comparable is null and rules.attribution = 'whole' and exists (select 1 from study_publications)
    group by all
    having sum(signed_publications.difference) != 0
)

select
    claim_differences.claim,
    claim_differences.publication_id,
    coalesce(publications.title, study_publications.title) as title,
    claim_differences.difference,
    case
        when study_publications.publication_id is null then 'not among the rows of the study'
        when publications.publication_id is null then 'no longer among the publications'
        else concat_ws(
            ', ',
            case when study_publications.lab != publications.lab then concat('lab was ', study_publications.lab, ', is ', publications.lab) end,
            case
                when study_publications.category != publications.category
                    then concat('category was ', study_publications.category, ', is ', publications.category)
            end,
            case
                when study_publications.published_on is distinct from publications.published_on
                    then concat('date was ', coalesce(cast(study_publications.published_on as varchar), 'unknown'), ', is ', coalesce(cast(publications.published_on as varchar), 'unknown'))
            end,
            case
                when study_publications.is_duplicate != publications.is_duplicate
                    then case when publications.is_duplicate then 'now marked as a duplicate' else 'no longer marked as a duplicate' end
            end
        )
    end as reason
from claim_differences
left join study_publications on claim_differences.publication_id = study_publications.publication_id
left join clean.publications as publications on claim_differences.publication_id = publications.publication_id
order by claim_differences.claim, claim_differences.publication_id
