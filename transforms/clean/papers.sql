/*
row = "A paper or article in one source (arXiv, OpenAlex or a lab's site); the same paper in another source is another row."
key = ["paper_id"]

[columns]
paper_id = { type = "text", meaning = "Identifier of the paper: hash of its id in the source.", required = true }
source = { type = "text", meaning = "Name of the source.", required = true, one_of = ["arxiv_papers", "openalex_works", "lab_pages"] }
arxiv_id = { meaning = "arXiv id of the paper, without version, if it is on arXiv.", required = false }
doi = {}
openalex_id = { meaning = "OpenAlex id of the work, if the source is OpenAlex.", required = false }
title = {}
abstract = {}
authors = {}
affiliations = {}
institution_openalex_ids = {}
labs = { type = "text", meaning = "Labs among the affiliations, or the lab of the site, separated by semicolons." }
published_on = { type = "date", meaning = "Day of publication; for arXiv, of the first version." }
date_precision = {}
venue = {}
work_type = {}
url = { type = "text", meaning = "Link to the paper." }
citations = {}
is_withdrawn = { type = "boolean", meaning = "Whether the paper was retracted or its record deleted.", required = true }
reading_note = {}
first_seen_at = {}
last_seen_at = {}
*/
with arxiv as (
    select
        *,
        row_number() over (
            partition by record_id
            order by version_number nulls first, revised_on nulls first, last_seen_at, version_id
        ) as recency
    from raw.arxiv_papers
),

-- found in narrow columns, so that abstracts are read once
openalex_spans as (
    select
        record_id,
        max_by(version_id, row(updated_at is not null, updated_at, last_seen_at, version_id)) as version_id,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from raw.openalex_works
    group by record_id
),

-- an index page has the month of an article, its own page the day
pages as (
    select
        *,
        row_number() over (
            partition by record_id
            order by coalesce(date_precision = 'day', false), text is not null, last_seen_at, version_id
        ) as recency
    from raw.lab_pages
),

papers as (
    select
        record_id as paper_id,
        'arxiv_papers' as source,
        max(arxiv_id) as arxiv_id,
        max_by(doi, recency) filter (where doi is not null) as doi,
        null as openalex_id,
        max_by(title, recency) filter (where title is not null) as title,
        max_by(abstract, recency) filter (where abstract is not null) as abstract,
        max_by(authors, recency) filter (where authors is not null) as authors,
        max_by(affiliations, recency) filter (where affiliations is not null) as affiliations,
        null as institution_openalex_ids,
        null as lab,
        -- the day of the first version does not change; if two differ, the earlier one is of an earlier version
        min(submitted_on) as published_on,
        if(min(submitted_on) is not null, 'day', null) as date_precision,
        max_by(journal_reference, recency) filter (where journal_reference is not null) as venue,
        null as work_type,
        'https://arxiv.org/abs/' || max(arxiv_id) as url,
        null as citations,
        max_by(is_deleted, last_seen_at) as is_withdrawn,
        max_by(reading_note, recency) as reading_note,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from arxiv
    group by record_id
    union all
    select
        openalex.record_id as paper_id,
        'openalex_works' as source,
        openalex.arxiv_id,
        openalex.doi,
        openalex.openalex_id,
        openalex.title,
        openalex.abstract,
        openalex.authors,
        openalex.affiliations,
        openalex.institution_openalex_ids,
        null as lab,
        openalex.published_on,
        if(openalex.published_on is not null, 'day', null) as date_precision,
        openalex.venue,
        openalex.work_type,
        openalex.url,
        openalex.citations,
        coalesce(openalex.is_retracted, false) as is_withdrawn,
        openalex.reading_note,
        openalex_spans.first_seen_at,
        openalex_spans.last_seen_at
    from raw.openalex_works as openalex
    inner join openalex_spans on openalex.version_id = openalex_spans.version_id
    union all
    select
        record_id as paper_id,
        'lab_pages' as source,
        null as arxiv_id,
        null as doi,
        null as openalex_id,
        max_by(title, recency) as title,
        max_by(summary, recency) filter (where summary is not null) as abstract,
        max_by(authors, recency) filter (where authors is not null) as authors,
        null as affiliations,
        null as institution_openalex_ids,
        max_by(lab, recency) as lab,
        max_by(published_on, recency) filter (where published_on is not null) as published_on,
        max_by(date_precision, recency) filter (where published_on is not null) as date_precision,
        null as venue,
        null as work_type,
        max_by(url, recency) as url,
        null as citations,
        false as is_withdrawn,
        max_by(reading_note, recency) as reading_note,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from pages
    group by record_id
),

institutions as (
    select distinct
        paper_id,
        unnest(string_split(institution_openalex_ids, '; ')) as openalex_institution_id
    from papers
    where institution_openalex_ids is not null
),

labs_of_papers as (
    select
        institutions.paper_id,
        lab_institutions.lab
    from institutions
    inner join reference.lab_institutions as lab_institutions
        on institutions.openalex_institution_id = lab_institutions.openalex_institution_id
    union all
    select
        papers.paper_id,
        lab_institutions.lab
    from papers
    inner join reference.lab_institutions as lab_institutions
        on matches_pattern(papers.affiliations, lab_institutions.affiliation_pattern)
),

lab_matches as (
    select
        paper_id,
        string_agg(distinct lab, '; ' order by lab) as labs
    from labs_of_papers
    group by paper_id
)

select
    papers.paper_id,
    papers.source,
    papers.arxiv_id,
    papers.doi,
    papers.openalex_id,
    papers.title,
    papers.abstract,
    papers.authors,
    papers.affiliations,
    papers.institution_openalex_ids,
    coalesce(papers.lab, lab_matches.labs) as labs,
    papers.published_on,
    papers.date_precision,
    papers.venue,
    papers.work_type,
    papers.url,
    papers.citations,
    papers.is_withdrawn,
    papers.reading_note,
    papers.first_seen_at,
    papers.last_seen_at
from papers
left join lab_matches on papers.paper_id = lab_matches.paper_id
