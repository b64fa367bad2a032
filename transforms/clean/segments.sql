/*
row = "A segment of a captured forum page: one comment, quick take or reply, without date, id or stated author."
key = ["segment_id"]

[columns]
segment_id = { type = "text", meaning = "Identifier of the segment, the same in other captures of the page: hash of the opening of its text, of the one below if short, and its number among equals.", required = true }
page_sha256 = {}
page_owner = { type = "text", meaning = "Person whose page was captured, if known from outside the page." }
segment = {}
first_line = {}
last_line = {}
kind = {}
is_truncated = {}
confidence = {}
text = {}
characters = {}
is_text_repeated = { type = "boolean", meaning = "Whether another segment of the same page has the same text.", required = true }
first_seen_at = {}
last_seen_at = {}
*/
with newest as (
    select *
    from raw.forum_page_segments
    qualify row_number() over (partition by record_id order by last_seen_at desc, version_id desc) = 1
)

select
    newest.record_id as segment_id,
    newest.page_sha256,
    newest.page_owner,
    newest.segment,
    newest.first_line,
    newest.last_line,
    newest.kind,
    newest.is_truncated,
    newest.confidence,
    newest.text,
    newest.characters,
    count(*) over (partition by newest.page_sha256, newest.text) > 1 as is_text_repeated,
    newest.first_seen_at,
    newest.last_seen_at
from newest
