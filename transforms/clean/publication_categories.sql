/*
row = "A safety category of a publication; a publication whose row or rows give several categories has as many rows."
key = ["publication_id", "category"]

[columns]
publication_id = {}
category_position = { type = "integer", meaning = "Position among the categories of the publication, from 1.", required = true, minimum = 1 }
category = { type = "text", meaning = "The safety category; “(no category)” if the sheet gives none.", required = true, one_of = "reference.categories", warn = ["one_of"] }
weight = { type = "real", unit = "share in 0 to 1", meaning = "Share of the category in the publication: all its categories have the same.", required = true, minimum = 0, maximum = 1 }
*/
with sheet_categories as (
    select
        publication_id,
        unnest(string_split(coalesce(categories, category), '; ')) as category_as_written,
        unnest(range(1, len(string_split(coalesce(categories, category), '; ')) + 1)) as category_position
    from clean.publications
),

distinct_categories as (
    select
        sheet_categories.publication_id,
        coalesce(categories.category, sheet_categories.category_as_written) as category,
        min(sheet_categories.category_position) as first_position
    from sheet_categories
    left join reference.categories as categories
        on lower(sheet_categories.category_as_written) = lower(categories.category)
    group by all
)

select
    publication_id,
    row_number() over (partition by publication_id order by first_position) as category_position,
    category,
    1.0 / count(*) over (partition by publication_id) as weight
from distinct_categories
order by publication_id, category_position
