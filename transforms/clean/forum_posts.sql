/*
row = "A post on LessWrong, the Alignment Forum or the EA Forum in its newest version; withdrawn posts have no text."
key = ["forum_post_id"]

[columns]
forum_post_id = { type = "text", meaning = "Identifier of the post: hash of the forum and its id there.", required = true }
site = {}
forum_id = {}
title = {}
url = {}
linked_url = {}
posted_at = {}
modified_at = {}
curated_at = {}
promoted_at = {}
author_forum_id = {}
author_slug = {}
author = {}
coauthors = {}
tags = {}
score = {}
alignment_score = {}
votes = {}
comments = {}
words = {}
is_on_alignment_forum = {}
is_withdrawn = { type = "boolean", meaning = "Whether the post was deleted, made a draft again, or rejected.", required = true }
is_shortform = {}
is_question = {}
is_event = {}
crosspost_forum_id = {}
text = {}
links = {}
first_seen_at = {}
last_seen_at = {}
*/
with versions as (
    select
        *,
        row_number() over (
            partition by record_id order by modified_at nulls first, last_seen_at, version_id
        ) as recency
    from raw.forum_posts
),

-- a captured page has fewer fields than the API: missing ones are taken from older versions
posts as (
    select
        record_id,
        max(site) as site,
        max(forum_id) as forum_id,
        max_by(title, recency) as title,
        max_by(url, recency) filter (where url is not null) as url,
        max_by(linked_url, recency) filter (where linked_url is not null) as linked_url,
        max_by(posted_at, recency) as posted_at,
        max(modified_at) as modified_at,
        max_by(curated_at, recency) filter (where curated_at is not null) as curated_at,
        max_by(promoted_at, recency) filter (where promoted_at is not null) as promoted_at,
        max_by(author_forum_id, recency) filter (where author_forum_id is not null) as author_forum_id,
        max_by(author_slug, recency) filter (where author_slug is not null) as author_slug,
        max_by(author, recency) filter (where author is not null) as author,
        max_by(coauthors, recency) filter (where coauthors is not null) as coauthors,
        max_by(tags, recency) filter (where tags is not null) as tags,
        max_by(score, recency) filter (where score is not null) as score,
        max_by(alignment_score, recency) filter (where alignment_score is not null) as alignment_score,
        max_by(votes, recency) filter (where votes is not null) as votes,
        max_by(comments, recency) filter (where comments is not null) as comments,
        max_by(words, recency) filter (where words is not null) as words,
        coalesce(bool_or(is_on_alignment_forum), false) as is_on_alignment_forum,
        coalesce(max_by(is_withdrawn, recency) filter (where is_withdrawn is not null), false) as is_withdrawn,
        max_by(is_shortform, recency) filter (where is_shortform is not null) as is_shortform,
        max_by(is_question, recency) filter (where is_question is not null) as is_question,
        max_by(is_event, recency) filter (where is_event is not null) as is_event,
        max_by(crosspost_forum_id, recency) filter (where crosspost_forum_id is not null) as crosspost_forum_id,
        max_by(text, recency) filter (where text is not null) as text,
        max_by(links, recency) filter (where text is not null) as links,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from versions
    group by record_id
)

select
    record_id as forum_post_id,
    site,
    forum_id,
    title,
    url,
    linked_url,
    posted_at,
    modified_at,
    curated_at,
    promoted_at,
    author_forum_id,
    author_slug,
    author,
    coauthors,
    tags,
    score,
    alignment_score,
    votes,
    comments,
    words,
    is_on_alignment_forum,
    is_withdrawn,
    is_shortform,
    is_question,
    is_event,
    crosspost_forum_id,
    case when not is_withdrawn then text end as text,
    case when not is_withdrawn then links end as links,
    first_seen_at,
    last_seen_at
from posts
