/*
row = "An author, a kind of segment and a confidence, with the segments on captured forum pages; these have no dates."
key = ["author", "kind", "confidence"]

[columns]
author = { type = "text", meaning = "Owner of the page for own segments; “(someone else)” for replies by others; “(owner not known)” if the owner is not known.", required = true }
is_author_known = { type = "boolean", meaning = "Whether the author is a named person.", required = true }
kind = {}
confidence = {}
segments = { type = "integer", unit = "segments", meaning = "Number of segments.", required = true, minimum = 1 }
truncated_segments = { type = "integer", unit = "segments", meaning = "Segments whose text the page cut short.", required = true, minimum = 0 }
pages = { type = "integer", unit = "pages", meaning = "Captured pages with these segments.", required = true, minimum = 1 }
characters = { type = "integer", unit = "characters", meaning = "Length of their captured texts.", required = true, minimum = 0 }
*/
with segments_with_author as (
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
from segments_with_author
group by author, kind, confidence
order by author, kind, confidence
