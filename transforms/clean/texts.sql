/*
row = "A text that can mention works: a post, comment, segment of a captured page, episode or item of a blog; its words are in the table of its item kind."
key = ["item_kind", "item_id"]

[columns]
item_kind = { type = "text", meaning = "Kind of item, by which search and pages know it; entries of feeds are feed items.", required = true, one_of = ["post", "comment", "segment", "episode", "feed item"] }
item_id = { type = "text", meaning = "Identifier of the item within its kind.", required = true }
kind = { type = "text", meaning = "What it is; entries of feeds with an audio file are episodes, the others feed items.", required = true, one_of = ["post", "comment", "segment", "episode", "feed item"] }
title = { type = "text", meaning = "Its title, or that of the post that it is on." }
authors = { type = "text", meaning = "Its authors as stated, separated by semicolons; the owner of the page for own segments." }
written_on = { type = "date", meaning = "Day on which it was published; captured pages give none." }
published_in = { type = "text", meaning = "The forum, feed or captured page.", required = true }
feed = { meaning = "Name of the feed, for items of feeds.", required = false }
*/
select
    'post' as item_kind,
    forum_post_id as item_id,
    'post' as kind,
    title,
    nullif(concat_ws('; ', author, coauthors), '') as authors,
    cast(posted_at as date) as written_on,
    case site when 'lw' then 'LessWrong' when 'eaf' then 'EA Forum' else coalesce(site, '(forum not known)') end as published_in,
    cast(null as varchar) as feed
from clean.forum_posts
where not is_withdrawn
union all
select
    'comment' as item_kind,
    forum_comment_id as item_id,
    'comment' as kind,
    post_title as title,
    author as authors,
    cast(posted_at as date) as written_on,
    case site when 'lw' then 'LessWrong' when 'eaf' then 'EA Forum' else coalesce(site, '(forum not known)') end as published_in,
    null as feed
from clean.forum_comments
where not is_withdrawn
union all
select
    'segment' as item_kind,
    segment_id as item_id,
    'segment' as kind,
    null as title,
    case when kind != 'reply_by_other' then page_owner end as authors,
    null as written_on,
    'captured page of ' || coalesce(page_owner, 'an unknown owner') as published_in,
    null as feed
from clean.segments
union all
select
    'episode' as item_kind,
    episode_id as item_id,
    'episode' as kind,
    null as title,
    authors,
    null as written_on,
    'captured page of ' || coalesce(publisher, 'a podcast') as published_in,
    null as feed
from clean.episodes
where not is_repeat
union all
select
    'feed item' as item_kind,
    feed_item_id as item_id,
    case when audio_url is not null then 'episode' else 'feed item' end as kind,
    title,
    authors,
    cast(published_at as date) as written_on,
    coalesce(feed_title, feed) as published_in,
    feed
from clean.feed_items
