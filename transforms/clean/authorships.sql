/*
row = "An author of a publication, with the position among its authors; publications without named authors have no rows."
key = ["publication_id", "author_position"]

[columns]
publication_id = { type = "text", meaning = "Identifier of the publication: hash of its canonical link.", required = true }
author_position = { type = "integer", meaning = "Position among the authors, from 1.", required = true, minimum = 1 }
author = { type = "text", meaning = "Name of the author, if the source gives it." }
lab = { type = "text", meaning = "The lab of the author, named as in reference.labs or in the sheet; missing if it is none of the followed labs." }
*/
with newest_lists as (
    select
        record_id as publication_id,
        max_by(author_labs, (last_seen_at, version_id)) as author_labs,
        max_by(authors, (last_seen_at, version_id)) as authors
    from raw.lab_sheet_publications
    where author_labs is not null and list is null
    group by record_id
),

sheet_labs as (
    select distinct lab
    from clean.publications
),

authors as (
    select
        publication_id,
        unnest(string_split(author_labs, '; ')) as lab_as_written,
        unnest(string_split(authors, '; ')) as author,
        unnest(range(1, len(string_split(author_labs, '; ')) + 1)) as author_position
    from newest_lists
)

select
    authors.publication_id,
    authors.author_position,
    authors.author,
    coalesce(labs.lab, lab_aliases.lab, sheet_labs.lab) as lab
from authors
left join reference.labs as labs on lower(authors.lab_as_written) = lower(labs.lab)
left join reference.lab_aliases as lab_aliases on lower(authors.lab_as_written) = lower(lab_aliases.alias)
left join sheet_labs on lower(authors.lab_as_written) = lower(sheet_labs.lab)
order by authors.publication_id, authors.author_position
