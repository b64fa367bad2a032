/*
row = "A category that a list gives to a work."
key = ["work_id", "list", "category"]

[columns]
work_id = {}
list = { type = "text", meaning = "The list: a corpus of clean.corpora.", required = true }
taxonomy = { type = "text", meaning = "The taxonomy of the category.", required = true }
category = { type = "text", meaning = "The category.", required = true }
category_position = { type = "integer", meaning = "Position among the categories that the list gives the work, from 1.", required = true, minimum = 1 }
record_id = { type = "text", meaning = "The row of the list; if several rows of the work have the category, one that is not marked as a duplicate.", required = true }
*/
with listed_categories as (
    select
        'iaps_mapping' as list,
        taxonomies.taxonomy,
        categories.publication_id,
        categories.category,
        categories.category_position,
        publications.is_duplicate
    from clean.publication_categories as categories
    inner join clean.publications as publications on categories.publication_id = publications.publication_id
    inner join reference.taxonomies as taxonomies on taxonomies.is_default
    union all
    select
        categories.list,
        categories.taxonomy,
        categories.publication_id,
        categories.category,
        categories.category_position,
        entries.is_duplicate
    from clean.list_categories as categories
    inner join clean.list_entries as entries
        on categories.list = entries.list and categories.publication_id = entries.publication_id
)

select
    members.work_id,
    listed.list,
    listed.taxonomy,
    listed.category,
    min(listed.category_position) as category_position,
    min_by(listed.publication_id, (listed.is_duplicate, listed.publication_id)) as record_id
from listed_categories as listed
inner join clean.work_members as members on listed.publication_id = members.record_id
where listed.category != '(no category)'
group by
    members.work_id,
    listed.list,
    listed.taxonomy,
    listed.category
