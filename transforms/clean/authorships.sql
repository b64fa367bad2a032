/*
row = "An author of a publication at their place among its authors; publications whose source names no authors have none."
key = ["publication_id", "author_position"]

[columns]
publication_id = { type = "text", meaning = "Identity of the publication: its canonical link, hashed.", required = true }
author_position = { type = "integer", meaning = "Place among the authors, from 1.", required = true, minimum = 1 }
author = { type = "text", meaning = "Name of the author, where the source names them." }
lab = { type = "text", meaning = "The lab of the author, by its name in reference.labs or in the sheet; missing for one of none of the followed labs." }
*/
with newest as (
    select
        record_id as publication_id,
        max_by(author_labs, (last_seen_at, version_id)) as author_labs,
        max_by(authors, (last_seen_at, version_id)) as authors
    from raw.lab_sheet_publications
    where author_labs is not null
    group by record_id
),

listed as (
    select distinct lab
    from clean.publications
),

placed as (
    select
        publication_id,
        unnest(string_split(author_labs, '; ')) as named,
        unnest(string_split(authors, '; ')) as author,
        unnest(range(1, len(string_split(author_labs, '; ')) + 1)) as author_position
    from newest
)

select
    placed.publication_id,
    placed.author_position,
    placed.author,
    coalesce(labs.lab, lab_aliases.lab, listed.lab) as lab
from placed
left join reference.labs as labs on lower(placed.named) = lower(labs.lab)
left join reference.lab_aliases as lab_aliases on lower(placed.named) = lower(lab_aliases.alias)
left join listed on lower(placed.named) = lower(listed.lab)
order by placed.publication_id, placed.author_position
