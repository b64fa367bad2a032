/*
row = "A publication at a lab, with its weight there by each attribution; the weights of a publication add up to 1 (corpus iaps_mapping)."
key = ["publication_id", "lab"]

[columns]
publication_id = {}
lab = { type = "text", meaning = "The lab, named as in reference.labs, or “(no followed lab)” for the share of other authors.", required = true }
category = { type = "text", meaning = "The safety category: the first one if the publication has several.", required = true }
categories = { type = "text", meaning = "All categories of the publication, named as in reference.categories, separated by semicolons.", required = true }
published_on = {}
published_year = {}
is_duplicate = {}
whole_weight = { type = "real", unit = "publications", meaning = "1 at the lab under which the source lists the publication, else 0.", required = true, minimum = 0, maximum = 1 }
fractional_weight = { type = "real", unit = "publications", meaning = "Share of its authors at the lab; missing if the authors are not known.", minimum = 0, maximum = 1 }
first_author_weight = { type = "real", unit = "publications", meaning = "1 at the lab of its first author, else 0; missing if the authors are not known.", minimum = 0, maximum = 1 }
*/
with publication_categories as (
    select
        publication_id,
        string_agg(category, '; ' order by category_position) as categories
    from clean.publication_categories
    group by publication_id
),

authors_by_lab as (
    select
        publication_id,
        coalesce(lab, '(no followed lab)') as lab,
        count(*) as authors,
        cast(bool_or(author_position = 1) as integer) as is_first
    from clean.authorships
    group by all
),

author_weights as (
    select
        publication_id,
        lab,
        authors / sum(authors) over (partition by publication_id) as fractional_weight,
        cast(is_first as double) as first_author_weight
    from authors_by_lab
),

publications_with_authors as (
    select distinct publication_id
    from author_weights
),

source_weights as (
    select
        publications.publication_id,
        publications.lab,
        1.0 as whole_weight,
        case when publications_with_authors.publication_id is not null then 0.0 end as weight_without_author
    from clean.publications as publications
    left join publications_with_authors on publications.publication_id = publications_with_authors.publication_id
),

weights as (
    select
        coalesce(source_weights.publication_id, author_weights.publication_id) as publication_id,
        coalesce(source_weights.lab, author_weights.lab) as lab,
        coalesce(source_weights.whole_weight, 0.0) as whole_weight,
        coalesce(author_weights.fractional_weight, source_weights.weight_without_author) as fractional_weight,
        coalesce(author_weights.first_author_weight, source_weights.weight_without_author) as first_author_weight
    from source_weights
    full outer join author_weights on source_weights.publication_id = author_weights.publication_id and source_weights.lab = author_weights.lab
)

select
    weights.publication_id,
    weights.lab,
    publications.category,
    publication_categories.categories,
    publications.published_on,
    publications.published_year,
    publications.is_duplicate,
    weights.whole_weight,
    weights.fractional_weight,
    weights.first_author_weight
from weights
inner join publication_categories on weights.publication_id = publication_categories.publication_id
inner join clean.publications as publications on weights.publication_id = publications.publication_id
order by weights.publication_id, weights.lab
