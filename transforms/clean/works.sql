/*
row = "A publication, whatever and however many places have it."
key = ["work_id"]

[columns]
work_id = {}
title = { type = "text", meaning = "Title: that of arXiv, of a list, of the lab's page, or of a register, in this order; or as people corrected it." }
abstract = { type = "text", meaning = "Abstract, from the same order of sources." }
authors = { type = "text", meaning = "Authors, separated by semicolons; as in clean.work_authors." }
published_on = { type = "date", meaning = "Day on which it was first public; the first of the month or year if only that is known; see clean.work_dates." }
date_precision = {}
published_year = { type = "date", meaning = "First day of the year of publication." }
date_kind = { type = "text", meaning = "What the date is.", one_of = ["first version", "page", "listed", "journal", "decided"] }
date_rule = { type = "text", meaning = "Why this date is shown." }
url = { type = "text", meaning = "Address: that of arXiv if there is one, else from the same order of sources as the title; or as people corrected it." }
arxiv_id = { type = "text", meaning = "arXiv id, without version; the smallest if there are several." }
doi = { type = "text", meaning = "DOI, if it has one; the smallest if there are several." }
labs = { type = "text", meaning = "Its labs, the primary one first, separated by semicolons." }
venue = {}
citations = { type = "integer", unit = "works", meaning = "Largest number of citing works that a source gives.", minimum = 0 }
is_withdrawn = { type = "boolean", meaning = "Whether a source has it as retracted or deleted.", required = true }
is_excluded = { type = "boolean", meaning = "Whether people excluded it from the living corpora.", required = true }
exclusion = { type = "text", meaning = "Who excluded it, and why; missing if it is not excluded." }
corrections = { type = "text", meaning = "Fields that people corrected, each with who did, separated by semicolons; missing if there are none." }
members = { type = "integer", unit = "records", meaning = "Number of its records.", required = true, minimum = 1 }
sources = { type = "integer", unit = "sources", meaning = "Number of different sources.", required = true, minimum = 1 }
source_names = { type = "text", meaning = "Names of its sources, separated by semicolons.", required = true }
first_seen_at = {}
last_seen_at = {}
*/
with records as (
    select
        members.work_id,
        records.record_id,
        records.source,
        records.title,
        records.abstract,
        records.url,
        records.venue,
        records.citations,
        records.is_withdrawn,
        records.first_seen_at,
        records.last_seen_at,
        row_number() over (
            partition by members.work_id
            order by
                list_position(
                    [
                        'arxiv_papers', 'lab_sheet', 'lab_pages', 'feed_items', 'openalex_works', 'crossref_works',
                        'semanticscholar_papers', 'huggingface_papers', 'alignment_dataset', 'forum_posts'
                    ],
                    records.source
                ),
                records.record_id
        ) as place
    from clean.work_records as records
    inner join clean.work_members as members on records.record_id = members.record_id
),

merged as (
    select
        work_id,
        min_by(title, place) filter (where title is not null) as title,
        min_by(abstract, place) filter (where abstract is not null) as abstract,
        min_by(url, place) filter (where url is not null) as url,
        min_by(venue, place) filter (where venue is not null) as venue,
        max(citations) as citations,
        bool_or(is_withdrawn) as is_withdrawn,
        cast(count(*) as bigint) as members,
        cast(count(distinct source) as bigint) as sources,
        string_agg(distinct source, '; ' order by source) as source_names,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from records
    group by work_id
),

identifiers as (
    select
        work_id,
        min(identifier) filter (where identifier_kind = 'arxiv') as arxiv_key,
        min(identifier) filter (where identifier_kind = 'doi') as doi_key
    from clean.work_identifiers
    where identifier_kind in ('arxiv', 'doi')
    group by work_id
),

authors as (
    select
        work_id,
        string_agg(author, '; ' order by author_position) as authors
    from clean.work_authors
    where author is not null
    group by work_id
),

labs as (
    select
        work_id,
        string_agg(lab, '; ' order by not is_primary, lab) as labs
    from clean.work_labs
    group by work_id
),

corrections as (
    select
        work_id,
        field,
        value,
        concat(field, ' by ', string_agg(distinct decided_by, ', ' order by decided_by)) as statement
    from clean.decisions
    where kind = 'field' and outcome = 'holds'
    group by
        work_id,
        field,
        value
),

corrected_works as (
    select
        work_id,
        max(value) filter (where field = 'title') as title,
        max(value) filter (where field = 'url') as url,
        string_agg(statement, '; ' order by statement) as corrections
    from corrections
    group by work_id
),

exclusions as (
    select
        work_id,
        concat(
            string_agg(distinct decided_by, ', ' order by decided_by),
            coalesce(': ' || string_agg(distinct reason, '; ' order by reason), '')
        ) as exclusion
    from clean.decisions
    where kind = 'excluded' and value = 'yes' and outcome = 'holds'
    group by work_id
)

select
    merged.work_id,
    coalesce(corrected_works.title, merged.title) as title,
    merged.abstract,
    authors.authors,
    dates.published_on,
    dates.date_precision,
    cast(date_trunc('year', dates.published_on) as date) as published_year,
    dates.date_kind,
    dates.date_rule,
    coalesce(
        corrected_works.url,
        'https://arxiv.org/abs/' || regexp_replace(identifiers.arxiv_key, '^arxiv:', ''),
        merged.url
    ) as url,
    regexp_replace(identifiers.arxiv_key, '^arxiv:', '') as arxiv_id,
    regexp_replace(identifiers.doi_key, '^doi:', '') as doi,
    labs.labs,
    merged.venue,
    merged.citations,
    merged.is_withdrawn,
    exclusions.work_id is not null as is_excluded,
    exclusions.exclusion,
    corrected_works.corrections,
    merged.members,
    merged.sources,
    merged.source_names,
    merged.first_seen_at,
    merged.last_seen_at
from merged
left join clean.work_dates as dates on merged.work_id = dates.work_id and dates.is_shown
left join identifiers on merged.work_id = identifiers.work_id
left join authors on merged.work_id = authors.work_id
left join labs on merged.work_id = labs.work_id
left join corrected_works on merged.work_id = corrected_works.work_id
left join exclusions on merged.work_id = exclusions.work_id
