"""The steps that compare texts, as SQL: abstracts, and titles that are nearly the same.

They read the tables that `transforms.linking.links` makes: ``input``, ``nodes``, ``components``, ``parts``; and add
rows to ``links``.
"""

from __future__ import annotations

# the longest abstract of each work; two that are nearly the same share a whole sentence
ABSTRACTS = """
create temp table abstracts as
select components.component, arg_max(nodes.id, (nodes.abstract_length, -nodes.id)) as id
from components inner join nodes on components.id = nodes.id
where nodes.abstract_length >= {MIN_ABSTRACT_LETTERS}
group by components.component
"""

ABSTRACT_PAIRS = """
create temp table abstract_pairs as
with sentences as (
    select distinct
        abstracts.id,
        hash(unnest(list_filter(
            list_transform(
                string_split(input.abstract, '. '),
                lambda sentence: regexp_replace(lower(sentence), '[^\\pL\\pN]+', '', 'g')
            ),
            lambda sentence: length(sentence) >= {MIN_SENTENCE_LETTERS}
        ))) as sentence
    from abstracts
    inner join nodes on abstracts.id = nodes.id
    inner join input on nodes.record_id = input.record_id
),
shared as (
    select sentence, list_sort(list(id)) as ids
    from sentences group by sentence
    having count(*) between 2 and {MAX_SAME_SENTENCE}
),
pairs as (
    select distinct a.id as first_id, b.id as second_id
    from (select sentence, unnest(ids) as id from shared) as a
    inner join (select sentence, unnest(ids) as id from shared) as b on a.sentence = b.sentence and a.id < b.id
)
select pairs.first_id, pairs.second_id, text_similarity(a.abstract, b.abstract) as similarity
from pairs
inner join nodes as x on pairs.first_id = x.id
inner join nodes as y on pairs.second_id = y.id
inner join input as a on x.record_id = a.record_id
inner join input as b on y.record_id = b.record_id
union
-- a list can have the hash of an abstract without the text
select min(nodes.id), max(nodes.id), 100.0
from nodes inner join components on nodes.id = components.id
where nodes.abstract_sha256 is not null
group by nodes.abstract_sha256
having count(distinct components.component) = 2
"""

ABSTRACT_LINKS = """
insert into links
select
    first_id,
    second_id,
    'abstract',
    similarity / 100,
    'abstracts alike to ' || round(similarity)::int || ' %'
        || case
            when is_disjoint then ', but no author in common'
            when are_registered then ', but a register has them as two works'
            when works_alike > 1 then ', which other works have too'
            else ''
        end,
    not is_disjoint and not are_registered and works_alike = 1
from (
    select
        pairs.*,
        len(a.surnames) > 0 and len(b.surnames) > 0 and not list_has_any(a.surnames, b.surnames) as is_disjoint,
        list_has_any(a.registers, b.registers) and not list_has_any(a.register_ids, b.register_ids) as are_registered,
        -- chapters of a book can have the text of its cover in common
        greatest(
            count(*) over (partition by pairs.first_id), count(*) over (partition by pairs.second_id)
        ) as works_alike
    from abstract_pairs as pairs
    inner join components as x on pairs.first_id = x.id
    inner join components as y on pairs.second_id = y.id
    inner join parts as a on x.component = a.component
    inner join parts as b on y.component = b.component
    where pairs.similarity >= {MIN_ABSTRACT_SIMILARITY}
)
where works_alike = 1 or not are_registered
"""

# one row per work and title; blocks: how the title begins and ends, its longest words, words chosen by hash
TITLES = """
create temp table titles as
select
    row_number() over (order by components.component, nodes.words) - 1 as title,
    components.component,
    min(nodes.id) as id,
    nodes.words,
    list_sort(regexp_extract_all(nodes.words, '{NUMBERS}')) as digits,
    bool_or(nodes.is_telling) as is_telling
from components inner join nodes on components.id = nodes.id
where length(nodes.words) >= {MIN_COMPARED_LETTERS}
group by components.component, nodes.words
"""

BLOCK_PAIRS = """
create temp table block_pairs as
with keys as (
    select
        title,
        replace(words, ' ', '') as letters,
        list_distinct(list_filter(string_split(words, ' '), lambda word: length(word) >= 4)) as content_words
    from titles
),
blocks as (
    select title, hash('begin', left(letters, 14)) as block from keys
    union all
    select title, hash('end', right(letters, 14)) as block from keys
    union all
    select title, hash('both', left(letters, 7) || right(letters, 7)) as block from keys
    union all
    -- for titles that begin or end as many others do
    select title, hash('long begin', left(letters, 24)) as block from keys where length(letters) > 24
    union all
    select title, hash('long end', right(letters, 24)) as block from keys where length(letters) > 24
    union all
    select title, hash('long', list_sort(list_transform(
        list_sort(list_transform(content_words, lambda word: printf('%03d', 999 - length(word)) || word))[1:2],
        lambda word: word[4:]
    ))) as block
    from keys where len(content_words) >= 2
    union all
    -- two words that other titles with the same words choose too, wherever they stand
    select title, hash('chosen', list_sort(list_transform(content_words, lambda word: reverse(word)))[1:2]) as block
    from keys where len(content_words) >= 3
),
small_blocks as (
    select block, title
    from blocks
    qualify count(*) over (partition by block) between 2 and {MAX_BLOCK}
)
select distinct a.title as first_title, b.title as second_title
from small_blocks as a inner join small_blocks as b on a.block = b.block and a.title < b.title
"""

# conditions on both titles stand outside of the joins: DuckDB would join all titles with all by them first
COMPARED_TITLES = """
create temp table compared as
with pairs as materialized (
    select
        x.component as first_component,
        y.component as second_component,
        x.id as first_id,
        y.id as second_id,
        x.words as first_words,
        y.words as second_words,
        x.digits as first_digits,
        y.digits as second_digits,
        x.is_telling as is_first_telling,
        y.is_telling as is_second_telling
    from block_pairs
    inner join titles as x on block_pairs.first_title = x.title
    inner join titles as y on block_pairs.second_title = y.title
)
select
    first_component,
    second_component,
    first_id,
    second_id,
    title_similarity(first_words, second_words) as similarity,
    first_digits = second_digits as has_same_digits,
    is_first_telling and is_second_telling as is_telling,
    (starts_with(second_words, first_words || ' ') or starts_with(first_words, second_words || ' ')) as is_subtitle
from pairs
where
    first_component != second_component and first_words != second_words
    -- parts of a series have other numbers
    and (first_digits = second_digits or len(first_digits) = 0 or len(second_digits) = 0)
"""

# a table of its own, so that similarities are computed for pairs of a block only
SIMILAR_PAIRS = """
create temp table similar_pairs as
with pairs as materialized (
    select
        compared.*,
        list_has_any(a.surnames, b.surnames) as is_shared,
        len(a.surnames) > 0 and len(b.surnames) > 0 and not list_has_any(a.surnames, b.surnames) as is_disjoint,
        greatest(a.first_year - b.last_year, b.first_year - a.last_year, 0) as years_apart,
        list_has_any(a.registers, b.registers) and not list_has_any(a.register_ids, b.register_ids) as are_registered
    from compared
    inner join parts as a on compared.first_component = a.component
    inner join parts as b on compared.second_component = b.component
)
select *
from pairs
where (similarity >= {MIN_CANDIDATE_SIMILARITY} or is_subtitle) and (is_telling or is_shared)
"""

# a work is linked to the one with the most similar title, if each is that of the other: no chain arises
SIMILAR_LINKS = """
insert into links
with ranked as (
    select
        *,
        row_number() over (
            partition by least(first_component, second_component), greatest(first_component, second_component)
            order by similarity desc, first_id, second_id
        ) as place
    from similar_pairs
),
safe as (
    select *
    from ranked
    where
        place = 1 and similarity >= {MIN_LINK_SIMILARITY} and is_telling and has_same_digits and is_shared
        and not are_registered
        and coalesce(years_apart, 0) <= {MAX_YEARS_APART}
),
ends as (
    select first_component as component, similarity, first_id, second_id from safe
    union all
    select second_component as component, similarity, first_id, second_id from safe
),
best as (
    select component, arg_max((first_id, second_id), (similarity, -first_id, -second_id)) as pair
    from ends group by component
),
mutual as (
    select pair from best group by pair having count(*) = 2
)
select
    ranked.first_id,
    ranked.second_id,
    if(ranked.similarity >= {MIN_CANDIDATE_SIMILARITY}, 'similar title', 'subtitle'),
    ranked.similarity / 100,
    'titles alike to ' || floor(ranked.similarity)::int || ' %'
        || if(ranked.is_subtitle, ', one with a subtitle', '')
        || if(ranked.has_same_digits, '', ', with other numbers')
        || case
            when ranked.are_registered then ', but a register has them as two works'
            when ranked.is_shared then ', an author with the same name'
            when ranked.is_disjoint then ', but no author in common'
            else ''
        end,
    mutual.pair is not null
from ranked
left join mutual on (ranked.first_id, ranked.second_id) = mutual.pair
where
    ranked.place = 1
    and (mutual.pair is not null or not ranked.is_disjoint or ranked.similarity >= {MIN_LINK_SIMILARITY})
"""
