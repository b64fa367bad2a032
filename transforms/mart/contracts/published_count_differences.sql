/*
row = "A publication that a contract counts here but not by the study's own rows, or the other way round."
key = ["claim", "publication_id"]

[columns]
claim = {}
publication_id = {}
title = { type = "text", meaning = "Title of the publication.", required = true }
difference = { type = "integer", unit = "publications", meaning = "1 where it is counted here only, -1 where by the study only.", required = true, minimum = -1, maximum = 1 }
reason = { type = "text", meaning = "What has changed since the study, as a phrase.", required = true }
*/
with studied as (
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

both_ways as (
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
    from studied
),

counted as (
    select
        claims.claim,
        both_ways.publication_id,
        cast(sum(both_ways.difference) as bigint) as difference
    from reference.published_counts as claims
    inner join reference.counting_rules as rules on claims.counting_rule = rules.counting_rule
    inner join both_ways
        on
            both_ways.published_on between claims.published_from and claims.published_until
            and (claims.lab is null or claims.lab = both_ways.lab)
            and (claims.category is null or claims.category = both_ways.category)
            and (rules.counts_marked_duplicates or not both_ways.is_duplicate)
    where claims.not_comparable is null and rules.attribution = 'whole' and exists (select 1 from studied)
    group by all
    having sum(both_ways.difference) != 0
)

select
    counted.claim,
    counted.publication_id,
    coalesce(publications.title, studied.title) as title,
    counted.difference,
    case
        when studied.publication_id is null then 'not among the rows of the study'
        when publications.publication_id is null then 'no longer among the publications'
        else concat_ws(
            ', ',
            case when studied.lab != publications.lab then concat('lab was ', studied.lab, ', is ', publications.lab) end,
            case
                when studied.category != publications.category
                    then concat('category was ', studied.category, ', is ', publications.category)
            end,
            case
                when studied.published_on is distinct from publications.published_on
                    then concat('date was ', coalesce(cast(studied.published_on as varchar), 'unknown'), ', is ', coalesce(cast(publications.published_on as varchar), 'unknown'))
            end,
            case
                when studied.is_duplicate != publications.is_duplicate
                    then case when publications.is_duplicate then 'now marked as a duplicate' else 'no longer marked as a duplicate' end
            end
        )
    end as reason
from counted
left join studied on counted.publication_id = studied.publication_id
left join clean.publications as publications on counted.publication_id = publications.publication_id
order by counted.claim, counted.publication_id
