"""The steps that compare texts, as SQL: abstracts, and titles that are nearly the same.

They read the tables that `transforms.linking.links` makes: ``input``, ``nodes``, ``components``, ``parts``, and of the
texts of the nodes ``rare_titles``, ``small_blocks``, ``rare_sentences``; and add rows to ``links``.
"""

from __future__ import annotations

# the longest abstract of each work
ABSTRACTS = """
create temp table abstracts as
select components.component, arg_max(nodes.id, (nodes.abstract_length, -nodes.place)) as id
from components inner join nodes on components.id = nodes.id
where nodes.abstract_text is not null
group by components.component
"""

ABSTRACT_PAIRS = """
create temp table abstract_pairs as
with sentences as (
    select abstracts.id, rare_sentences.key as sentence
    from abstracts
    inner join nodes on abstracts.id = nodes.id
    inner join rare_sentences on nodes.abstract_text = rare_sentences.text
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
),
texts as materialized (
    select nodes.id, input.abstract
    from (select first_id as id from pairs union select second_id from pairs) as needed
    inner join nodes on needed.id = nodes.id
    inner join input on nodes.record_id = input.record_id and not input.is_last
)
select pairs.first_id, pairs.second_id, text_similarity(a.abstract, b.abstract) as similarity
from pairs
inner join texts as a on pairs.first_id = a.id
inner join texts as b on pairs.second_id = b.id
union
-- a list can have the hash of an abstract without the text
select min(nodes.id), max(nodes.id), 100.0
from nodes inner join components on nodes.id = components.id
where nodes.abstract_sha256 is not null
group by nodes.abstract_sha256
having count(distinct components.component) = 2
"""

ABSTRACT_COMPONENTS = """
    select component from components
    where id in (select first_id from abstract_pairs union select second_id from abstract_pairs)
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

# one row per work and title
TITLES = """
create temp table titles as
select
    components.component,
    nodes.title_text as text,
    min(nodes.id) as id,
    bool_or(nodes.is_telling) as is_telling
from components inner join nodes on components.id = nodes.id
inner join rare_titles on nodes.title_text = rare_titles.text
group by components.component, nodes.title_text
"""

# Where two tables of one kind are joined with pairs, conditions on both wait for the next statement: DuckDB moves them
# into the joins, and would compare all titles with all.
TITLE_PAIRS = """
create temp table block_pairs as
select distinct a.text as first_text, b.text as second_text
from small_blocks as a inner join small_blocks as b on a.key = b.key and a.text < b.text;
create temp table written_pairs as
with numbered as (
    select text, words, list_sort(regexp_extract_all(words, '{NUMBERS}')) as numbers
    from rare_titles
    where text in (select text from small_blocks)
)
select
    block_pairs.*,
    x.words as first_words,
    y.words as second_words,
    x.numbers as first_numbers,
    y.numbers as second_numbers
from block_pairs
inner join numbered as x on block_pairs.first_text = x.text
inner join numbered as y on block_pairs.second_text = y.text;
create temp table compared_titles as
select
    first_text,
    second_text,
    title_similarity(first_words, second_words) as similarity,
    first_numbers = second_numbers as has_same_digits,
    starts_with(second_words, first_words || ' ') or starts_with(first_words, second_words || ' ') as is_subtitle
from written_pairs
where
    first_words != second_words
    -- parts of a series have other numbers
    and (first_numbers = second_numbers or len(first_numbers) = 0 or len(second_numbers) = 0)
"""

TITLE_WORKS = """
create temp table directed_works as
with similar_titles as (
    select * from compared_titles where similarity >= {MIN_CANDIDATE_SIMILARITY} or is_subtitle
),
directed as (
    select * from similar_titles
    union all
    select second_text as first_text, first_text as second_text, similarity, has_same_digits, is_subtitle
    from similar_titles
)
select
    x.component as first_component,
    y.component as second_component,
    x.id as first_id,
    y.id as second_id,
    directed.similarity,
    directed.has_same_digits,
    directed.is_subtitle,
    x.is_telling as is_first_telling,
    y.is_telling as is_second_telling
from directed
inner join titles as x on directed.first_text = x.text
inner join titles as y on directed.second_text = y.text;
create temp table similar_works as
select
    first_component,
    second_component,
    first_id,
    second_id,
    similarity,
    has_same_digits,
    is_subtitle,
    is_first_telling and is_second_telling as is_telling
from directed_works
where first_component < second_component
"""

SIMILAR_COMPONENTS = "select first_component from similar_works union select second_component from similar_works"

SIMILAR_PAIRS = """
create temp table similar_pairs as
select
    similar_works.*,
    list_has_any(a.surnames, b.surnames) as is_shared,
    len(a.surnames) > 0 and len(b.surnames) > 0 and not list_has_any(a.surnames, b.surnames) as is_disjoint,
    greatest(a.first_year - b.last_year, b.first_year - a.last_year, 0) as years_apart,
    list_has_any(a.registers, b.registers) and not list_has_any(a.register_ids, b.register_ids) as are_registered,
    least(a.place, b.place) as first_place,
    greatest(a.place, b.place) as second_place
from similar_works
inner join parts as a on similar_works.first_component = a.component
inner join parts as b on similar_works.second_component = b.component
"""

# a work is linked to the one with the most similar title, if each is that of the other: no chain arises
SIMILAR_LINKS = """
insert into links
with ranked as (
    select
        *,
        row_number() over (
            partition by least(first_component, second_component), greatest(first_component, second_component)
            order by similarity desc, has_same_digits desc, is_telling desc, first_id, second_id
        ) as rank
    from similar_pairs
    where is_telling or is_shared
),
safe as (
    select *
    from ranked
    where
        rank = 1 and similarity >= {MIN_LINK_SIMILARITY} and is_telling and has_same_digits and is_shared
        and not are_registered
        and coalesce(years_apart, 0) <= {MAX_YEARS_APART}
),
ends as (
    select first_component as component, * from safe
    union all
    select second_component as component, * from safe
),
best as (
    select component, arg_max((first_id, second_id), (similarity, -first_place, -second_place)) as pair
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
    ranked.rank = 1
    and (mutual.pair is not null or not ranked.is_disjoint or ranked.similarity >= {MIN_LINK_SIMILARITY})
"""
