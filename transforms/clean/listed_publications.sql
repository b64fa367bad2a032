/*
row = "A publication that lists have, as one record: as the published mapping has it, else the list that had it first."
key = ["publication_id"]

[columns]
publication_id = {}
found_in = { type = "text", meaning = "The list whose values these are.", required = true }
title = {}
abstract = {}
abstract_sha256 = { matches = "[0-9a-f]{64}$" }
authors = { type = "text", meaning = "Authors in the list, separated by semicolons." }
lab = {}
published_on = {}
date_precision = {}
published_year = {}
url = {}
other_links = {}
is_duplicate = { type = "boolean", meaning = "Whether every list that has it marks it as a duplicate of another row.", required = true }
lists = { type = "text", meaning = "The lists that have it, separated by semicolons.", required = true }
first_seen_at = {}
last_seen_at = {}
*/
with sheet_authors as (
    select
        publication_id,
        string_agg(author, '; ' order by author_position) as authors
    from clean.authorships
    group by publication_id
),

entries as (
    select
        'iaps_mapping' as list,
        publications.publication_id,
        'the list of lab publications' as found_in,
        publications.title,
        publications.abstract,
        publications.abstract_sha256,
        sheet_authors.authors,
        publications.lab,
        publications.published_on,
        publications.date_precision,
        publications.published_year,
        publications.url,
        publications.other_links,
        publications.is_duplicate,
        publications.first_seen_at,
        publications.last_seen_at
    from clean.publications as publications
    left join sheet_authors on publications.publication_id = sheet_authors.publication_id
    union all
    select
        entries.list,
        entries.publication_id,
        concat('the list “', lists.list_title, '”') as found_in,
        entries.title,
        entries.abstract,
        entries.abstract_sha256,
        entries.authors,
        entries.lab,
        entries.published_on,
        entries.date_precision,
        entries.published_year,
        entries.url,
        entries.other_links,
        entries.is_duplicate,
        entries.first_seen_at,
        entries.last_seen_at
    from clean.list_entries as entries
    inner join clean.lists as lists on entries.list = lists.list
    where entries.list != 'iaps_mapping'
),

placed_entries as (
    select
        *,
        bool_and(is_duplicate) over of_publication as is_marked_everywhere,
        string_agg(list, '; ' order by list) over of_publication as lists,
        min(first_seen_at) over of_publication as first_seen_anywhere_at,
        max(last_seen_at) over of_publication as last_seen_anywhere_at,
        row_number() over (partition by publication_id order by list != 'iaps_mapping', first_seen_at, list) as place
    from entries
    window of_publication as (partition by publication_id)
)

select
    publication_id,
    found_in,
    title,
    abstract,
    abstract_sha256,
    authors,
    lab,
    published_on,
    date_precision,
    published_year,
    url,
    other_links,
    is_marked_everywhere as is_duplicate,
    lists,
    first_seen_anywhere_at as first_seen_at,
    last_seen_anywhere_at as last_seen_at
from placed_entries
where place = 1
order by publication_id
