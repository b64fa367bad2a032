/*
row = "An entry of a list other than the published mapping at a lab, with its weight there by each attribution; the weights of an entry add up to 1."
key = ["list", "publication_id", "lab"]

[columns]
list = {}
publication_id = {}
lab = { type = "text", meaning = "The lab, named as in reference.labs; “(no followed lab)” for the share of other authors, “(no lab)” if the list names none.", required = true }
category = { type = "text", meaning = "The category: the first one if the entry has several, “(no category)” if it has none.", required = true }
categories = { type = "text", meaning = "All categories of the entry, separated by semicolons.", required = true }
published_on = {}
published_year = {}
is_duplicate = {}
whole_weight = { type = "real", unit = "publications", meaning = "1 at the lab under which the list has the entry, else 0.", required = true, minimum = 0, maximum = 1 }
fractional_weight = { type = "real", unit = "publications", meaning = "Share of its authors at the lab; missing if the list does not give the labs of authors.", minimum = 0, maximum = 1 }
first_author_weight = { type = "real", unit = "publications", meaning = "1 at the lab of its first author, else 0; missing if the list does not give the labs of authors.", minimum = 0, maximum = 1 }
*/
with entries as (
    select *
    from clean.list_entries
    where list != 'iaps_mapping'
),

entry_categories as (
    select
        list,
        publication_id,
        min_by(category, category_position) as category,
        string_agg(category, '; ' order by category_position) as categories
    from clean.list_categories
    group by
        list,
        publication_id
),

listed_labs as (
    select distinct
        list,
        lab
    from entries
),

authors as (
    select
        list,
        publication_id,
        unnest(string_split(author_labs, '; ')) as lab_as_written,
        unnest(range(1, len(string_split(author_labs, '; ')) + 1)) as author_position
    from entries
    where author_labs is not null
),

authors_by_lab as (
    select
        authors.list,
        authors.publication_id,
        coalesce(labs.lab, lab_aliases.lab, listed_labs.lab, '(no followed lab)') as lab,
        count(*) as authors,
        cast(bool_or(authors.author_position = 1) as integer) as is_first
    from authors
    left join reference.labs as labs on lower(authors.lab_as_written) = lower(labs.lab)
    left join reference.lab_aliases as lab_aliases on lower(authors.lab_as_written) = lower(lab_aliases.alias)
    left join listed_labs on authors.list = listed_labs.list and lower(authors.lab_as_written) = lower(listed_labs.lab)
    group by all
),

author_weights as (
    select
        list,
        publication_id,
        lab,
        authors / sum(authors) over (partition by list, publication_id) as fractional_weight,
        cast(is_first as double) as first_author_weight
    from authors_by_lab
),

listed_weights as (
    select
        list,
        publication_id,
        lab,
        1.0 as whole_weight,
        case when author_labs is not null then 0.0 end as weight_without_author
    from entries
),

weights as (
    select
        coalesce(listed_weights.list, author_weights.list) as list,
        coalesce(listed_weights.publication_id, author_weights.publication_id) as publication_id,
        coalesce(listed_weights.lab, author_weights.lab) as lab,
        coalesce(listed_weights.whole_weight, 0.0) as whole_weight,
        coalesce(author_weights.fractional_weight, listed_weights.weight_without_author) as fractional_weight,
        coalesce(author_weights.first_author_weight, listed_weights.weight_without_author) as first_author_weight
    from listed_weights
    full outer join author_weights
        on
            listed_weights.list = author_weights.list
            and listed_weights.publication_id = author_weights.publication_id
            and listed_weights.lab = author_weights.lab
)

select
    weights.list,
    weights.publication_id,
    weights.lab,
    entry_categories.category,
    entry_categories.categories,
    entries.published_on,
    entries.published_year,
    entries.is_duplicate,
    weights.whole_weight,
    weights.fractional_weight,
    weights.first_author_weight
from weights
inner join entries on weights.list = entries.list and weights.publication_id = entries.publication_id
inner join entry_categories
    on weights.list = entry_categories.list and weights.publication_id = entry_categories.publication_id
order by weights.list, weights.publication_id, weights.lab
