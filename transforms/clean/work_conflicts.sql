/*
row = "A field of a work on which its sources differ."
key = ["work_id", "field"]

[columns]
work_id = {}
field = { type = "text", meaning = "What they differ on.", required = true, one_of = ["date", "lab", "title", "category"] }
statements = { type = "text", meaning = "What each source has: source and value, separated by semicolons.", required = true }
sources = { type = "integer", unit = "sources", meaning = "Number of different values.", required = true, minimum = 2 }
*/
with statements as (
    select
        work_id,
        'date' as field,
        source,
        left(cast(published_on as varchar), if(date_precision = 'day', 10, 7)) as shown,
        left(cast(published_on as varchar), 7) as compared
    from clean.work_dates
    where date_kind not in ('decided', 'journal') and date_precision != 'year'
    union all
    select
        members.work_id,
        'title' as field,
        records.source,
        records.title as shown,
        records.title_key as compared
    from clean.work_records as records
    inner join clean.work_members as members on records.record_id = members.record_id
    where records.title_key is not null
    union all
    select
        members.work_id,
        'lab' as field,
        records.source,
        records.lab as shown,
        records.lab as compared
    from clean.work_records as records
    inner join clean.work_members as members on records.record_id = members.record_id
    where records.lab is not null
    union all
    select
        members.work_id,
        'category' as field,
        'lab_sheet' as source,
        publications.category as shown,
        publications.category as compared
    from clean.publications as publications
    inner join clean.work_members as members on publications.publication_id = members.record_id
    where publications.category != '(no category)'
    union all
    select
        members.work_id,
        'category' as field,
        categories.list as source,
        categories.category as shown,
        categories.category as compared
    from clean.list_categories as categories
    inner join clean.work_members as members on categories.publication_id = members.record_id
    inner join reference.taxonomies as taxonomies on categories.taxonomy = taxonomies.taxonomy and taxonomies.is_default
    where categories.category_position = 1 and categories.category != '(no category)'
)

select
    work_id,
    field,
    string_agg(distinct source || ': ' || shown, '; ' order by source || ': ' || shown) as statements,
    cast(count(distinct compared) as bigint) as sources
from statements
group by
    work_id,
    field
having count(distinct compared) > 1
