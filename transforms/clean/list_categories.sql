/*
row = "A category that a list gives one of its entries; an entry without any has one row, “(no category)”. Those of the published mapping are clean.publication_categories."
key = ["list", "publication_id", "category"]

[columns]
list = {}
publication_id = {}
taxonomy = {}
category_position = { type = "integer", meaning = "Position among the categories of the entry, from 1.", required = true, minimum = 1 }
category = { type = "text", meaning = "The category, in the spelling that most entries of the list have; “(no category)” if the list gives none.", required = true }
weight = { type = "real", unit = "share in 0 to 1", meaning = "Share of the category in the entry: all its categories have the same.", required = true, minimum = 0, maximum = 1 }
*/
with written as (
    select
        list,
        publication_id,
        unnest(string_split(categories, '; ')) as category_as_written,
        unnest(range(1, len(string_split(categories, '; ')) + 1)) as category_position
    from clean.list_entries
    where list != 'iaps_mapping'
),

spelling_counts as (
    select
        list,
        category_as_written,
        count(*) as entries
    from written
    group by
        list,
        category_as_written
),

spellings as (
    select
        list,
        lower(category_as_written) as category_key,
        max_by(category_as_written, (entries, category_as_written)) as category
    from spelling_counts
    group by
        list,
        lower(category_as_written)
),

distinct_categories as (
    select
        written.list,
        written.publication_id,
        lists.taxonomy,
        coalesce(categories.category, spellings.category) as category,
        min(written.category_position) as first_position
    from written
    inner join clean.lists as lists on written.list = lists.list
    inner join spellings on written.list = spellings.list and lower(written.category_as_written) = spellings.category_key
    left join reference.categories as categories
        on lists.taxonomy = categories.taxonomy and lower(written.category_as_written) = lower(categories.category)
    group by all
)

select
    list,
    publication_id,
    taxonomy,
    row_number() over (partition by list, publication_id order by first_position, category) as category_position,
    category,
    1.0 / count(*) over (partition by list, publication_id) as weight
from distinct_categories
order by list, publication_id, category_position
