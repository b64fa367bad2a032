/*
row = "A publication at a place in a snapshot, with the reason why it is counted for its lab and category."
sightings_of = ["raw.lab_sheet_publications"]
key = ["publication_id", "snapshot_id", "record_ordinal"]

[columns]
publication_id = {}
title = { type = "text", meaning = "Title of the publication.", required = true }
lab = { type = "text", meaning = "The lab that it is counted for, named as in reference.labs.", required = true }
lab_as_written = { type = "text", meaning = "The lab as the source writes it.", required = true }
category = { type = "text", meaning = "The safety category that it is counted in.", required = true }
category_as_written = { type = "text", meaning = "The category as the source writes it.", required = true }
basis = { type = "text", meaning = "The label or rule that decides lab and category.", required = true }
is_newest_version = { type = "boolean", meaning = "Whether this is the newest version; fields that it lacks are taken from older ones.", required = true }
locator = {}
record_ordinal = {}
snapshot_id = {}
original_name = {}
snapshot_url = { type = "text", meaning = "Address that the snapshot was fetched from, if any." }
sha256 = {}
fetched_at = {}
*/
select
    publications.publication_id,
    publications.title,
    publications.lab,
    coalesce(sheet.lab, '(no lab)') as lab_as_written,
    publications.category,
    coalesce(sheet.category, '(no category)') as category_as_written,
    concat(
        'label of the source',
        case
            when coalesce(sheet.lab, '(no lab)') = publications.lab then ''
            when lab_aliases.lab = publications.lab or lower(sheet.lab) = lower(publications.lab)
                then concat('; the lab is another name of ', publications.lab)
            else '; an older version with another lab'
        end,
        case
            when contains(sheet.categories, '; ') then concat('; one of several categories: ', sheet.categories)
            when lower(coalesce(sheet.category, '(no category)')) != lower(publications.category) then '; an older version with another category'
            else ''
        end,
        case when sheet.is_duplicate then '; marked as a duplicate, so only rules that count rows count it' else '' end
    ) as basis,
    dense_rank() over (partition by publications.publication_id order by sheet.last_seen_at desc, sheet.version_id desc) = 1
        as is_newest_version,
    sightings.locator,
    sightings.record_ordinal,
    snapshots.snapshot_id,
    snapshots.original_name,
    snapshots.url as snapshot_url,
    snapshots.sha256,
    snapshots.fetched_at
from clean.publications as publications
inner join raw.sightings as sightings on publications.publication_id = sightings.record_id
inner join raw.lab_sheet_publications as sheet on sightings.version_id = sheet.version_id and sheet.list is null
inner join raw.snapshots as snapshots on sightings.snapshot_id = snapshots.snapshot_id
left join reference.lab_aliases as lab_aliases on lower(sheet.lab) = lower(lab_aliases.alias)
order by publications.publication_id, snapshots.snapshot_id, sightings.record_ordinal
