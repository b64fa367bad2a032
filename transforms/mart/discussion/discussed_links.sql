/*
row = "A link in a podcast episode, a segment of a forum page, a post, a comment or a feed item, and the publication that it leads to, if it is in the lake."
key = ["kind", "item_id", "linked_key"]

[columns]
kind = { type = "text", meaning = "Kind of item that contains the link.", required = true, one_of = ["episode", "segment", "post", "comment", "feed item"] }
item_id = { type = "text", meaning = "Identifier of the episode, segment, post, comment or feed item.", required = true }
linked_key = { type = "text", meaning = "Canonical key of the link; the same for all addresses of a work.", required = true }
linked_url = { type = "text", meaning = "The link as written; one of them if several have the same key.", required = true }
linked_site = { type = "text", meaning = "Host of the link, without www." }
publication_id = { type = "text", meaning = "The publication with the same key, if any; if several, one that is not a duplicate." }
*/
with item_texts as (
    select
        'episode' as kind,
        episode_id as item_id,
        concat_ws(' ', linked_url, summary) as item_text
    from clean.episodes
    where not is_repeat
    union all
    select
        'segment' as kind,
        segment_id as item_id,
        segments.text as item_text
    from clean.segments
    union all
    select
        'post' as kind,
        forum_post_id as item_id,
        concat_ws(' ', linked_url, links, forum_posts.text) as item_text
    from clean.forum_posts
    union all
    select
        'comment' as kind,
        forum_comment_id as item_id,
        concat_ws(' ', links, forum_comments.text) as item_text
    from clean.forum_comments
    union all
    select
        'feed item' as kind,
        feed_item_id as item_id,
        concat_ws(' ', links, feed_items.text) as item_text
    from clean.feed_items
),

written_urls as (
    select
        kind,
        item_id,
        unnest(regexp_extract_all(item_text, '(?i)https?://[^\s<>"“”]+|arxiv:\s?\d{4}\.\d{4,5}')) as written_url
    from item_texts
),

links as (
    select
        kind,
        item_id,
        regexp_replace(written_url, '[\]).,;:!?''’»]+$', '') as linked_url
    from written_urls
),

keyed_links as (
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
    keyed_links.kind,
    keyed_links.item_id,
    keyed_links.linked_key,
    keyed_links.linked_url,
    nullif(regexp_extract(lower(keyed_links.linked_url), '^https?://(?:www\.)?([^/?#]+)', 1), '') as linked_site,
    publications.publication_id
from keyed_links
left join publications on keyed_links.linked_key = publications.linked_key
order by keyed_links.kind, keyed_links.item_id, keyed_links.linked_key
