/*
row = "A link in a podcast episode, a segment of a forum page, a post, a comment or a feed item, and the work that it leads to, if it is in the lake."
key = ["kind", "item_id", "linked_key"]

[columns]
kind = { type = "text", meaning = "Kind of item that contains the link.", required = true, one_of = ["episode", "segment", "post", "comment", "feed item"] }
item_id = {}
linked_key = {}
linked_url = {}
linked_site = {}
publication_id = { type = "text", meaning = "The publication of the list of publications with the same key, if any; if several, one that is not a duplicate." }
work_id = { type = "text", meaning = "The work with the same key, if any." }
*/
with publications as (
    select
        link_key(url) as linked_key,
        min_by(publication_id, (is_duplicate, publication_id)) as publication_id
    from clean.publications
    where url is not null
    group by all
),

works as (
    select
        identifier as linked_key,
        min(work_id) as work_id
    from clean.work_identifiers
    group by identifier
)

select
    links.item_kind as kind,
    links.item_id,
    links.linked_key,
    links.linked_url,
    links.linked_site,
    publications.publication_id,
    works.work_id
from clean.text_links as links
left join publications on links.linked_key = publications.linked_key
left join works on links.linked_key = works.linked_key
order by links.item_kind, links.item_id, links.linked_key
