/*
row = "A category that a list gives to a work."
key = ["work_id", "list", "category"]

[columns]
work_id = {}
list = { type = "text", meaning = "The list: a corpus of reference.corpora.", required = true }
taxonomy = { type = "text", meaning = "The taxonomy of the category.", required = true }
category = { type = "text", meaning = "The category.", required = true }
category_position = { type = "integer", meaning = "Position among the categories that the list gives the work, from 1.", required = true, minimum = 1 }
record_id = { type = "text", meaning = "The row of the list; if several rows of the work have the category, one that is not marked as a duplicate.", required = true }
*/
select
    members.work_id,
    'iaps_mapping' as list,
    taxonomies.taxonomy,
    categories.category,
    min(categories.category_position) as category_position,
    min_by(publications.publication_id, (publications.is_duplicate, publications.publication_id)) as record_id
from clean.publication_categories as categories
inner join clean.publications as publications on categories.publication_id = publications.publication_id
inner join clean.work_members as members on publications.publication_id = members.record_id
inner join reference.taxonomies as taxonomies on taxonomies.is_default
where categories.category != '(no category)'
group by
    members.work_id,
    taxonomies.taxonomy,
    categories.category
