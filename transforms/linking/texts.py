"""Records as the steps compare them, and the keys by which similar titles and abstracts are found, as SQL.

What a row holds follows from one record or one text alone, so that a new record changes no key of another.
"""

from __future__ import annotations

# of the records of ``input``; a filter follows
SELECT_RECORDS = """
select
    record_id,
    title_key,
    title_words,
    identifiers,
    surnames,
    lab,
    published_year,
    abstract_sha256,
    first_seen_at,
    lower(title) as title,
    hash(lower(title)) as title_text,
    length(coalesce(abstract, '')) as abstract_length,
    if(length(abstract) >= {MIN_ABSTRACT_LETTERS}, hash(abstract), null) as abstract_text,
    -- two abstracts that are nearly the same share a whole sentence
    if(length(abstract) >= {MIN_ABSTRACT_LETTERS}, list_transform(
        string_split(replace(abstract, chr(10), ' '), '. '),
        lambda sentence: if(strlen(sentence) >= {MIN_SENTENCE_LETTERS}, hash(sentence), null)
    ), null) as sentences,
    hash(
        title, title_key, title_words, identifiers, surnames, lab, published_year, abstract, abstract_sha256,
        first_seen_at
    ) as content
from input
where {filter}
"""

TITLE_TEXTS = """
create temp table title_texts as
select
    text,
    trim(regexp_replace(title, '[^\\pL\\pM\\pN+*]+', ' ', 'g')) as words,
    records
from (
    select title_text as text, any_value(title) as title, count(*) as records
    from all_records where title is not null group by title_text
)
"""

ABSTRACT_TEXTS = """
create temp table abstract_texts as
select abstract_text as text, any_value(sentences) as sentences, count(*) as records
from all_records where abstract_text is not null group by abstract_text
"""

# how a title begins and ends, its longest words, and words that other titles with the same words choose too
BLOCKS = """
select
    text,
    unnest([
        hash('begin', left(letters, 14)),
        hash('end', right(letters, 14)),
        hash('both', left(letters, 7) || right(letters, 7)),
        -- for titles that begin or end as many others do
        if(length(letters) > 24, hash('long begin', left(letters, 24)), null),
        if(length(letters) > 24, hash('long end', right(letters, 24)), null),
        if(len(codes) >= 2, hash('longest', list_aggregate(codes, 'max', 2)), null),
        if(len(codes) >= 3, hash('chosen', list_aggregate(
            list_transform(codes, lambda code: code % (1::bigint << 56)), 'min', 2
        )), null)
    ]) as key
from (
    select
        text,
        replace(words, ' ', '') as letters,
        -- a word as a number: its length, then its hash
        list_transform(
            list_filter(string_split(words, ' '), lambda word: length(word) >= {MIN_WORD_LETTERS}),
            lambda word: (least(length(word), 127)::bigint << 56) + (hash(word) >> 8)::bigint
        ) as codes
    from {texts}
    where length(words) >= {MIN_COMPARED_LETTERS}
)
"""

TITLE_KEYS = f"create temp table title_keys as select text, key from ({BLOCKS}) where key is not null".replace(
    "{texts}", "title_texts"
)
ABSTRACT_KEYS = """
create temp table abstract_keys as
select text, unnest(list_distinct(sentences)) as key from abstract_texts
"""
