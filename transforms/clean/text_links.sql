/*
row = "A link in a text: a post, comment, segment, episode or feed item, or in one of its fields."
key = ["item_kind", "item_id", "linked_key"]

[columns]
item_kind = { type = "text", meaning = "Kind of item that contains the link.", required = true, one_of = ["episode", "segment", "post", "comment", "feed item"] }
item_id = { type = "text", meaning = "Identifier of the episode, segment, post, comment or feed item.", required = true }
linked_key = { type = "text", meaning = "Canonical key of the link; the same for all addresses of a work.", required = true }
linked_url = { type = "text", meaning = "The link as written; one of them if several have the same key.", required = true }
linked_site = { type = "text", meaning = "Host of the link, without www." }
place = { type = "integer", unit = "characters", meaning = "Position of the link in the text, from 1; missing if only a field or the address behind words has it.", minimum = 1 }
*/
with item_texts as (
    select
        'episode' as item_kind,
        episode_id as item_id,
        linked_url as item_links,
        summary as item_text
    from clean.episodes
    where not is_repeat
    union all
    select
        'segment' as item_kind,
        segment_id as item_id,
        null as item_links,
        segments.text as item_text
    from clean.segments
    union all
    select
        'post' as item_kind,
        forum_post_id as item_id,
        concat_ws(' ', linked_url, links) as item_links,
        forum_posts.text as item_text
    from clean.forum_posts
    union all
    select
        'comment' as item_kind,
        forum_comment_id as item_id,
        links as item_links,
        forum_comments.text as item_text
    from clean.forum_comments
    union all
    select
        'feed item' as item_kind,
        feed_item_id as item_id,
        links as item_links,
        feed_items.text as item_text
    from clean.feed_items
),

written_urls as (
    select
        item_kind,
        item_id,
        item_text,
        unnest(regexp_extract_all(
            concat_ws(' ', item_links, item_text), '(?i)https?://[^\s<>"“”]+|arxiv:\s?\d{4}\.\d{4,5}'
        )) as written_url
    from item_texts
),

links as (
    select
        item_kind,
        item_id,
        item_text,
        regexp_replace(written_url, '[\]).,;:!?''’»]+$', '') as linked_url
    from written_urls
),

keyed_links as (
    select
        item_kind,
        item_id,
        link_key(linked_url) as linked_key,
        max(linked_url) as linked_url,
        min(nullif(strpos(item_text, linked_url), 0)) as place
    from links
    where length(linked_url) > 8
    group by all
)

select
    item_kind,
    item_id,
    linked_key,
    linked_url,
    nullif(regexp_extract(lower(linked_url), '^https?://(?:www\.)?([^/?#]+)', 1), '') as linked_site,
    cast(place as bigint) as place
from keyed_links
order by item_kind, item_id, linked_key
