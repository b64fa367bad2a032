/*
row = "A comment or quick take on a forum in its newest version; withdrawn comments have no text."
key = ["forum_comment_id"]

[columns]
forum_comment_id = { type = "text", meaning = "Identifier of the comment: hash of the forum and its id there.", required = true }
site = {}
forum_id = {}
forum_post_id = { type = "text", meaning = "The post that it is on, if that post is in the lake." }
post_forum_id = {}
parent_forum_id = {}
thread_forum_id = {}
post_title = {}
url = {}
posted_at = {}
edited_at = {}
author_forum_id = {}
author_slug = {}
author = {}
score = {}
alignment_score = {}
agreement_score = {}
votes = {}
replies = {}
words = {}
is_on_alignment_forum = {}
is_withdrawn = {}
is_retracted = {}
is_shortform = {}
is_answer = {}
text = {}
links = {}
first_seen_at = {}
last_seen_at = {}
*/
with newest as (
    select *
    from raw.forum_comments
    qualify
        row_number() over (
            partition by record_id
            -- a saved page shows fewer fields than the API, and does not state whether a comment was withdrawn
            order by is_withdrawn is null, edited_at desc nulls last, last_seen_at desc, version_id desc
        ) = 1
),

spans as (
    select
        record_id,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from raw.forum_comments
    group by record_id
),

posts as (
    select
        site,
        forum_id,
        max(record_id) as record_id,
        max_by(title, last_seen_at) as title
    from raw.forum_posts
    group by site, forum_id
)

select
    newest.record_id as forum_comment_id,
    newest.site,
    newest.forum_id,
    posts.record_id as forum_post_id,
    newest.post_forum_id,
    newest.parent_forum_id,
    newest.thread_forum_id,
    coalesce(newest.post_title, posts.title) as post_title,
    newest.url,
    newest.posted_at,
    newest.edited_at,
    newest.author_forum_id,
    newest.author_slug,
    newest.author,
    newest.score,
    newest.alignment_score,
    newest.agreement_score,
    newest.votes,
    newest.replies,
    newest.words,
    newest.is_on_alignment_forum,
    coalesce(newest.is_withdrawn, false) as is_withdrawn,
    newest.is_retracted,
    newest.is_shortform,
    newest.is_answer,
    newest.text,
    newest.links,
    spans.first_seen_at,
    spans.last_seen_at
from newest
inner join spans on newest.record_id = spans.record_id
left join posts on newest.site = posts.site and newest.post_forum_id = posts.forum_id
