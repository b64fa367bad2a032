/*
row = "A link in a podcast entry or a piece of a forum page, and the publication it leads to, if that is held."
key = ["kind", "item_id", "linked_key"]

[columns]
kind = { type = "text", meaning = "What the link stands in.", required = true, one_of = ["episode", "segment"] }
item_id = { type = "text", meaning = "Identity of the episode or the segment.", required = true }
linked_key = { type = "text", meaning = "Canonical key of the link: the same for all addresses of a work.", required = true }
linked_url = { type = "text", meaning = "The link as it is written there; one of them, where several have the same key.", required = true }
linked_site = { type = "text", meaning = "Host of the link, without www." }
publication_id = { type = "text", meaning = "The publication with the same key, if one is held; of several the one that is no duplicate." }
*/
with told as (
    select
        'episode' as kind,
        episode_id as item_id,
        concat_ws(' ', linked_url, summary) as told_text
    from clean.episodes
    where not is_repeat
    union all
    select
        'segment' as kind,
        segment_id as item_id,
        segments.text as told_text
    from clean.segments
),

written as (
    select
        kind,
        item_id,
        unnest(regexp_extract_all(told_text, '(?i)https?://[^\s<>"“”]+|arxiv:\s?\d{4}\.\d{4,5}')) as written_url
    from told
),

links as (
    select
        kind,
        item_id,
        regexp_replace(written_url, '[\]).,;:!?''’»]+$', '') as linked_url
    from written
),

keyed as (
    select
        kind,
        item_id,
        link_key(linked_url) as linked_key,
        max(linked_url) as linked_url
    from links
    where length(linked_url) > 8
    group by all
),

publications as (
    select
        link_key(url) as linked_key,
        min_by(publication_id, (is_duplicate, publication_id)) as publication_id
    from clean.publications
    where url is not null
    group by all
)

select
    keyed.kind,
    keyed.item_id,
    keyed.linked_key,
    keyed.linked_url,
    nullif(regexp_extract(lower(keyed.linked_url), '^https?://(?:www\.)?([^/?#]+)', 1), '') as linked_site,
    publications.publication_id
from keyed
left join publications on keyed.linked_key = publications.linked_key
order by keyed.kind, keyed.item_id, keyed.linked_key
