/*
row = "A publication at a lab, and how much of it each attribution counts there; the weights of a publication add up to 1."
key = ["publication_id", "lab"]

[columns]
publication_id = {}
lab = { type = "text", meaning = "The lab, by its name in reference.labs, or “(no followed lab)” for the part of other authors.", required = true }
category = {}
published_on = {}
is_duplicate = {}
whole_weight = { type = "real", unit = "publications", meaning = "1 at the lab under which the source lists it, else 0.", required = true, minimum = 0, maximum = 1 }
fractional_weight = { type = "real", unit = "publications", meaning = "Share of its authors who are at the lab; missing where the authors are not known.", minimum = 0, maximum = 1 }
first_author_weight = { type = "real", unit = "publications", meaning = "1 at the lab of its first author, else 0; missing where the authors are not known.", minimum = 0, maximum = 1 }
*/
with authored as (
    select
        publication_id,
        coalesce(lab, '(no followed lab)') as lab,
        count(*) as authors,
        cast(bool_or(author_position = 1) as integer) as is_first
    from clean.authorships
    group by all
),

shared as (
    select
        publication_id,
        lab,
        authors / sum(authors) over (partition by publication_id) as fractional_weight,
        cast(is_first as double) as first_author_weight
    from authored
),

known as (
    select distinct publication_id
    from shared
),

listed as (
    select
        publications.publication_id,
        publications.lab,
        1.0 as whole_weight,
        case when known.publication_id is not null then 0.0 end as unless_author
    from clean.publications as publications
    left join known on publications.publication_id = known.publication_id
),

placed as (
    select
        coalesce(listed.publication_id, shared.publication_id) as publication_id,
        coalesce(listed.lab, shared.lab) as lab,
        coalesce(listed.whole_weight, 0.0) as whole_weight,
        coalesce(shared.fractional_weight, listed.unless_author) as fractional_weight,
        coalesce(shared.first_author_weight, listed.unless_author) as first_author_weight
    from listed
    full outer join shared on listed.publication_id = shared.publication_id and listed.lab = shared.lab
)

select
    placed.publication_id,
    placed.lab,
    publications.category,
    publications.published_on,
    publications.is_duplicate,
    placed.whole_weight,
    placed.fractional_weight,
    placed.first_author_weight
from placed
inner join clean.publications as publications on placed.publication_id = publications.publication_id
order by placed.publication_id, placed.lab
