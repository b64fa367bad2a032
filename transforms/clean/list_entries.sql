/*
row = "An entry of a list: a publication as the list has it; the entries of the published mapping are clean.publications."
sightings_of = ["raw.lab_sheet_publications"]
key = ["list", "publication_id"]

[columns]
list = { type = "text", meaning = "The list: its corpus in clean.corpora.", required = true }
publication_id = { type = "text", meaning = "Identifier of the publication: hash of its canonical link.", required = true }
sheet_row = {}
lab = { type = "text", meaning = "The lab, named as in reference.labs; “(no lab)” if the sheet names none.", required = true }
title = { type = "text", meaning = "Title: the newest one that is not truncated.", required = true }
published_on = { type = "date", meaning = "Day of publication; the first of the month if only the month is known; missing if only the year is known, or if it is after the day on which the publication was seen." }
date_precision = { type = "text", meaning = "Whether the day, only the month, or only the year of publication is known; missing for an undated publication.", one_of = ["day", "month", "year"] }
published_year = { type = "date", meaning = "First day of the year of publication, also where only the year is known." }
url = {}
other_links = { meaning = "Further links of the publication in the sheet, separated by spaces." }
category = { type = "text", meaning = "The safety category: the first one if the sheet gives several, “(no category)” if it gives none.", required = true }
categories = { meaning = "All categories that the sheet gives, as written there, in its order, separated by semicolons." }
is_duplicate = {}
abstract = { type = "text", meaning = "Abstract: the newest one that is not truncated." }
abstract_sha256 = { type = "text", meaning = "SHA-256 of the newest abstract, also if a list has only the hash.", matches = "[0-9a-f]{64}$" }
reading_note = {}
snapshots = { type = "integer", unit = "snapshots", meaning = "Number of snapshots that contain the publication.", required = true, minimum = 1 }
first_seen_at = {}
last_seen_at = {}
authors = {}
author_labs = {}
*/
with versions as (
    select
        coalesce(sheet.list, 'iaps_mapping') as list,
        sheet.record_id,
        sheet.sheet_row,
        sheet.title,
        case when sheet.published_on <= cast(sheet.last_seen_at as date) + 1 then sheet.published_on end as stated_on,
        coalesce(sheet.date_precision, 'day') as date_precision,
        sheet.url,
        sheet.other_links,
        sheet.is_duplicate,
        sheet.abstract,
        sheet.abstract_sha256,
        sheet.reading_note,
        sheet.authors,
        sheet.author_labs,
        sheet.first_seen_at,
        sheet.last_seen_at,
        coalesce(labs.lab, lab_aliases.lab, sheet.lab, '(no lab)') as lab,
        coalesce(categories.category, string_split(coalesce(sheet.categories, sheet.category), '; ')[1], '(no category)') as category,
        coalesce(sheet.categories, sheet.category, '(no category)') as categories,
        row_number() over (partition by sheet.list, sheet.record_id order by sheet.last_seen_at, sheet.version_id) as recency
    from raw.lab_sheet_publications as sheet
    left join reference.labs as labs on lower(sheet.lab) = lower(labs.lab)
    left join reference.lab_aliases as lab_aliases on lower(sheet.lab) = lower(lab_aliases.alias)
    left join reference.categories as categories
        on lower(string_split(coalesce(sheet.categories, sheet.category), '; ')[1]) = lower(categories.category)
),

dated_versions as (
    select
        list,
        record_id,
        recency,
        stated_on,
        date_precision,
        first_value(stated_on) over (partition by list, record_id order by recency desc) as newest_on,
        first_value(date_precision) over (partition by list, record_id order by recency desc) as newest_precision
    from versions
    where stated_on is not null
),

-- the most precise date that agrees with the newest one
publication_dates as (
    select
        list,
        record_id,
        max_by(stated_on, (date_precision = 'day', date_precision = 'month', recency)) as stated_on,
        max_by(date_precision, (date_precision = 'day', date_precision = 'month', recency)) as date_precision
    from dated_versions
    where
        year(stated_on) = year(newest_on)
        and (newest_precision = 'year' or month(stated_on) = month(newest_on))
        and (newest_precision in ('year', 'month') or stated_on = newest_on)
    group by
        list,
        record_id
),

-- a text is truncated if another version starts with it and is longer, even if that is older
truncated_titles as (
    select distinct
        short.list,
        short.record_id,
        short.recency
    from versions as short
    inner join versions as longer
        on
            short.list = longer.list
            and short.record_id = longer.record_id
            and length(short.title) < length(longer.title)
            and starts_with(longer.title, short.title)
),

truncated_abstracts as (
    select distinct
        short.list,
        short.record_id,
        short.recency
    from versions as short
    inner join versions as longer
        on
            short.list = longer.list
            and short.record_id = longer.record_id
            and length(short.abstract) < length(longer.abstract)
            and starts_with(longer.abstract, short.abstract)
),

snapshot_counts as (
    select
        coalesce(sheet.list, 'iaps_mapping') as list,
        sightings.record_id,
        cast(count(distinct sightings.snapshot_id) as bigint) as snapshots
    from raw.sightings as sightings
    inner join raw.lab_sheet_publications as sheet on sightings.version_id = sheet.version_id
    group by
        coalesce(sheet.list, 'iaps_mapping'),
        sightings.record_id
)

select
    versions.list,
    versions.record_id as publication_id,
    max_by(versions.sheet_row, versions.recency) filter (where versions.sheet_row is not null) as sheet_row,
    max_by(versions.lab, versions.recency) as lab,
    max_by(versions.title, versions.recency) filter (where truncated_titles.recency is null) as title,
    max(case when publication_dates.date_precision != 'year' then publication_dates.stated_on end) as published_on,
    max(publication_dates.date_precision) as date_precision,
    max(cast(date_trunc('year', publication_dates.stated_on) as date)) as published_year,
    max_by(versions.url, versions.recency) filter (where versions.url is not null) as url,
    max_by(versions.other_links, versions.recency) filter (where versions.url is not null) as other_links,
    max_by(versions.category, versions.recency) as category,
    max_by(versions.categories, versions.recency) as categories,
    max_by(versions.is_duplicate, versions.recency) as is_duplicate,
    max_by(versions.abstract, versions.recency) filter (where versions.abstract is not null and truncated_abstracts.recency is null) as abstract,
    max_by(versions.abstract_sha256, versions.recency) filter (where versions.abstract_sha256 is not null) as abstract_sha256,
    max_by(versions.reading_note, versions.recency) as reading_note,
    max(snapshot_counts.snapshots) as snapshots,
    min(versions.first_seen_at) as first_seen_at,
    max(versions.last_seen_at) as last_seen_at,
    max_by(versions.authors, versions.recency) filter (where versions.authors is not null) as authors,
    max_by(versions.author_labs, versions.recency) filter (where versions.author_labs is not null) as author_labs
from versions
inner join snapshot_counts on versions.list = snapshot_counts.list and versions.record_id = snapshot_counts.record_id
left join publication_dates on versions.list = publication_dates.list and versions.record_id = publication_dates.record_id
left join truncated_titles
    on
        versions.list = truncated_titles.list
        and versions.record_id = truncated_titles.record_id
        and versions.recency = truncated_titles.recency
left join truncated_abstracts
    on
        versions.list = truncated_abstracts.list
        and versions.record_id = truncated_abstracts.record_id
        and versions.recency = truncated_abstracts.recency
group by
    versions.list,
    versions.record_id
