/*
row = "A link in a podcast entry, a piece of a forum page, a post, a comment or an entry of a feed, and the publication it leads to, if that is held."
key = ["kind", "item_id", "linked_key"]

[columns]
kind = { type = "text", meaning = "What the link stands in.", required = true, one_of = ["episode", "segment", "post", "comment", "feed item"] }
item_id = { type = "text", meaning = "Identity of the episode, segment, post, comment or entry of a feed.", required = true }
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
    union all
    select
        'post' as kind,
        forum_post_id as item_id,
        concat_ws(' ', linked_url, links, forum_posts.text) as told_text
    from clean.forum_posts
    union all
    select
        'comment' as kind,
        forum_comment_id as item_id,
        concat_ws(' ', links, forum_comments.text) as told_text
    from clean.forum_comments
    union all
    select
        'feed item' as kind,
        feed_item_id as item_id,
        concat_ws(' ', links, feed_items.text) as told_text
    from clean.feed_items
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
