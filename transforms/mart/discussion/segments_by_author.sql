/*
row = "An author and a kind of segment on captured forum pages; undated, so never part of a trend."
key = ["author", "kind", "confidence"]

[columns]
author = { type = "text", meaning = "Owner of the page for own segments; “(someone else)” for replies of others, “(owner not known)” without an owner.", required = true }
is_author_known = { type = "boolean", meaning = "Whether the author is a named person.", required = true }
kind = {}
confidence = {}
segments = { type = "integer", unit = "segments", meaning = "Number of segments.", required = true, minimum = 1 }
truncated_segments = { type = "integer", unit = "segments", meaning = "Segments whose text the page cut short.", required = true, minimum = 0 }
pages = { type = "integer", unit = "pages", meaning = "Captured pages on which they stand.", required = true, minimum = 1 }
characters = { type = "integer", unit = "characters", meaning = "Length of their texts as captured.", required = true, minimum = 0 }
*/
with attributed as (
    select
        *,
        case
            when kind = 'reply_by_other' then '(someone else)'
            else coalesce(page_owner, '(owner not known)')
        end as author
    from clean.segments
)

select
    author,
    author not in ('(someone else)', '(owner not known)') as is_author_known,
    kind,
    confidence,
    cast(count(*) as bigint) as segments,
    cast(count(*) filter (where is_truncated) as bigint) as truncated_segments,
    cast(count(distinct page_sha256) as bigint) as pages,
    cast(sum(characters) as bigint) as characters
from attributed
group by author, kind, confidence
order by author, kind, confidence
