/*
row = "A publication that an earlier snapshot of a list has, and no newest snapshot of a file of that list: it was removed there, but is still counted."
key = ["stream", "publication_id"]

[columns]
stream = {}
publication_id = { type = "text", meaning = "Identifier of the publication.", required = true }
last_listed_at = { type = "timestamp", meaning = "When the last snapshot of the list that has it was fetched or added.", required = true }
*/
with listings as (
    select
        yields.stream,
        yields.is_newest,
        yields.fetched_at,
        sightings.record_id,
        coalesce(sheet.list, 'iaps_mapping') as list
    from mart.snapshot_yields as yields
    inner join raw.sightings as sightings on yields.snapshot_id = sightings.snapshot_id
    inner join raw.lab_sheet_publications as sheet on sightings.version_id = sheet.version_id
    where yields.source = 'lab_sheet'
),

listed_now as (
    select distinct
        list,
        record_id
    from listings
    where is_newest
)

select
    listings.stream,
    listings.record_id as publication_id,
    max(listings.fetched_at) as last_listed_at
from listings
left join listed_now on listings.list = listed_now.list and listings.record_id = listed_now.record_id
where listed_now.record_id is null
group by listings.stream, listings.record_id
order by listings.stream, listings.record_id
