/*
row = "An author of a work, from the record that has most about its authors."
key = ["work_id", "author_position"]

[columns]
work_id = {}
author_position = {}
author = {}
lab = { type = "text", meaning = "The followed lab of the author; missing if it is none of them, or not known." }
lab_basis = { type = "text", meaning = "What the affiliation of the author is known from; missing if it is not known.", one_of = ["listed", "affiliation by text"] }
record_id = { type = "text", meaning = "The record that the author is taken from.", required = true }
*/
with chosen as (
    select
        members.work_id,
        min_by(
            records.record_id,
            (
                regexp_matches(records.authors, ' et al\b'),
                records.affiliations is null and records.source != 'lab_sheet',
                list_position(
                    [
                        'arxiv_papers', 'openalex_works', 'crossref_works', 'semanticscholar_papers', 'huggingface_papers',
                        'lab_sheet', 'lab_pages', 'feed_items', 'alignment_dataset', 'forum_posts'
                    ],
                    records.source
                ),
                records.record_id
            )
        ) as record_id
    from clean.work_records as records
    inner join clean.work_members as members on records.record_id = members.record_id
    where records.authors is not null
    group by members.work_id
),

authors as (
    select
        chosen.work_id,
        records.record_id,
        unnest(string_split(records.authors, '; ')) as author,
        unnest(range(1, len(string_split(records.authors, '; ')) + 1)) as author_position
    from chosen
    inner join clean.work_records as records on chosen.record_id = records.record_id
    where records.source != 'lab_sheet'
),

entries as (
    select
        record_id,
        unnest(from_json(affiliations, '[{"author": "VARCHAR", "affiliation": "VARCHAR"}]')) as entry
    from clean.work_records
    where affiliations is not null and record_id in (select record_id from chosen)
),

affiliations as (
    select
        record_id,
        struct_extract(entry, 'author') as author,
        struct_extract(entry, 'affiliation') as affiliation
    from entries
),

-- each text is compared once
labs_by_affiliation as (
    select
        written.affiliation,
        labs.lab
    from (select distinct affiliation from affiliations) as written
    inner join reference.lab_institutions as labs on matches_pattern(written.affiliation, labs.affiliation_pattern)
),

labs_by_author as (
    select
        affiliations.record_id,
        affiliations.author,
        min(labs_by_affiliation.lab) as lab
    from affiliations
    left join labs_by_affiliation on affiliations.affiliation = labs_by_affiliation.affiliation
    group by
        affiliations.record_id,
        affiliations.author
)

select
    authors.work_id,
    authors.author_position,
    authors.author,
    labs_by_author.lab,
    if(labs_by_author.record_id is not null, 'affiliation by text', null) as lab_basis,
    authors.record_id
from authors
left join labs_by_author on authors.record_id = labs_by_author.record_id and authors.author = labs_by_author.author
union all
select
    chosen.work_id,
    authorships.author_position,
    authorships.author,
    authorships.lab,
    'listed' as lab_basis,
    authorships.publication_id as record_id
from chosen
inner join clean.authorships as authorships on chosen.record_id = authorships.publication_id
