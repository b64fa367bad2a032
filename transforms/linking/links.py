"""Finds the records that are one work, pair by pair, each with the step that found it and its evidence.

The steps go from sure to unsure: the same key, the same title, the same abstract, a title that is nearly the same. Each
step compares what the earlier ones have left apart. A pair below the safe threshold is a candidate for people. The
result depends on the records alone, not on their order.

Blocking, keys and titles are SQL; only pairs that share a block reach Python.
"""

from __future__ import annotations

import duckdb
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

MIN_WORDS = 4  # of a title that is evidence without authors
MIN_KEY_LETTERS = 20  # the same for scripts without blanks between words
MAX_YEARS_APART = 3  # of works with the same title whose authors are not known
MAX_SAME_TITLE = 20  # works; a title of more is no evidence
MAX_BLOCK = 40  # titles; a block with more is not compared
MIN_SAME_KEY_SIMILARITY = 60  # of titles with the same key and no author in common
MIN_LINK_SIMILARITY = 95
MIN_CANDIDATE_SIMILARITY = 85
MIN_ABSTRACT_SIMILARITY = 90
MIN_ABSTRACT_LETTERS = 200
MIN_SENTENCE_LETTERS = 40
NUMBERS = r"\d+|\b(?:january|february|march|april|may|june|july|august|september|october|november|december)\b"
MAX_SAME_SENTENCE = 10  # works; a sentence in more abstracts is a set phrase

_NODES = """
create temp table nodes as
select
    row_number() over (order by record_id) - 1 as id,
    record_id,
    title_key,
    identifiers,
    coalesce(string_split(surnames, '; '), []) as surnames,
    if(lab is null, [], [lab]) as labs,
    -- of registers that give each work one id, so that two ids are two works
    coalesce(list_filter(identifiers, lambda key: regexp_matches(key, '^(arxiv|openalex):')), []) as register_ids,
    published_year,
    title_words >= {MIN_WORDS} or (length(title_key) >= {MIN_KEY_LETTERS} and strlen(title_key) > length(title_key))
        as is_telling,
    trim(regexp_replace(lower(title), '[^\\pL\\pM\\pN+*]+', ' ', 'g')) as words,
    length(coalesce(abstract, '')) as abstract_length
from input
"""

# a group of n records with a key is n - 1 pairs, each with the first record
_KEY_LINKS = """
create temp table links as
with keys as (
    select id, unnest(identifiers) as identifier from nodes
),
hubs as (
    select identifier, min(id) as hub from keys group by identifier having count(*) > 1
),
pairs as (
    select hubs.hub, keys.id, min(keys.identifier) as identifier
    from keys
    inner join hubs on keys.identifier = hubs.identifier and keys.id != hubs.hub
    group by hubs.hub, keys.id
),
compared as (
    select
        pairs.*,
        -- an identifier can be written at the wrong work
        case
            when len(a.surnames) = 0 or len(b.surnames) = 0 or list_has_any(a.surnames, b.surnames) then false
            else coalesce(title_similarity(a.words, b.words) < {MIN_SAME_KEY_SIMILARITY}, false)
        end as is_wrong
    from pairs
    inner join nodes as a on pairs.hub = a.id
    inner join nodes as b on pairs.id = b.id
)
select
    hub as first_id,
    id as second_id,
    'key' as step,
    1.0 as score,
    'the same '
        || case split_part(identifier, ':', 1)
            when 'arxiv' then 'arXiv id ' when 'doi' then 'DOI ' when 'url' then 'address '
            when 'openalex' then 'OpenAlex id ' else 'identifier '
        end
        || regexp_replace(identifier, '^(arxiv|doi|url|openalex):', '')
        || if(is_wrong, ', but neither title nor author in common', '') as evidence,
    not is_wrong as is_accepted
from compared
"""

# works that the steps so far have made: a component with what its records state
_PARTS = """
create or replace temp table parts as
select
    components.component,
    list_sort(list_distinct(flatten(list(nodes.surnames)))) as surnames,
    list_distinct(flatten(list(nodes.labs))) as labs,
    list_distinct(flatten(list(nodes.register_ids))) as register_ids,
    list_distinct(list_transform(flatten(list(nodes.register_ids)), lambda key: split_part(key, ':', 1))) as registers,
    min(nodes.published_year) as first_year,
    max(nodes.published_year) as last_year
from components inner join nodes on components.id = nodes.id
group by components.component
"""

_TITLE_PAIRS = """
create temp table title_pairs as
with titles as (
    select nodes.title_key, components.component, min(nodes.id) as id, bool_or(nodes.is_telling) as is_telling
    from nodes inner join components on nodes.id = components.id
    where nodes.title_key is not null
    group by nodes.title_key, components.component
    qualify count(*) over (partition by nodes.title_key) between 2 and {MAX_SAME_TITLE}
),
pairs as (
    select
        a.title_key,
        a.id as first_id,
        b.id as second_id,
        a.is_telling,
        list_has_any(x.surnames, y.surnames) as is_shared,
        list_has_any(x.labs, y.labs) as is_same_lab,
        len(x.surnames) > 0 and len(y.surnames) > 0 as is_known,
        greatest(x.first_year - y.last_year, y.first_year - x.last_year, 0) as years_apart
    from titles as a
    inner join titles as b on a.title_key = b.title_key and a.component < b.component
    inner join parts as x on a.component = x.component
    inner join parts as y on b.component = y.component
)
select
    *,
    bool_or(is_known and not is_shared) over (partition by title_key) as is_ambiguous
from pairs
"""

_TITLE_LINKS = """
insert into links
select
    first_id,
    second_id,
    'title',
    1.0,
    'the same title'
        || case
            when is_shared then ' and an author with the same name'
            when is_known then ', but no author in common'
            when is_same_lab then ' and the same lab'
            when coalesce(years_apart, 0) > {MAX_YEARS_APART} then ', but years apart'
            when is_ambiguous then ', which works of other authors have too'
            else ''
        end,
    case
        when is_shared then is_telling or coalesce(years_apart, 0) <= 1
        when is_known then false
        when not is_telling then is_same_lab and coalesce(years_apart, 0) <= 1
        else not is_ambiguous and coalesce(years_apart, 0) <= {MAX_YEARS_APART}
    end
from title_pairs
where is_telling or is_shared or (not is_known and coalesce(years_apart, 0) <= 1)
"""

# the longest abstract of each work; two that are nearly the same share a whole sentence
_ABSTRACTS = """
create temp table abstracts as
select components.component, arg_max(nodes.id, (nodes.abstract_length, -nodes.id)) as id
from components inner join nodes on components.id = nodes.id
where nodes.abstract_length >= {MIN_ABSTRACT_LETTERS}
group by components.component
"""

_ABSTRACT_PAIRS = """
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
"""

_ABSTRACT_LINKS = """
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
_TITLES = """
create temp table titles as
select
    row_number() over (order by components.component, nodes.words) - 1 as title,
    components.component,
    min(nodes.id) as id,
    nodes.words,
    list_sort(regexp_extract_all(nodes.words, '{NUMBERS}')) as digits
from components inner join nodes on components.id = nodes.id
where length(nodes.words) >= 12 and nodes.is_telling
group by components.component, nodes.words
"""

_SIMILAR_PAIRS = """
create temp table similar_pairs as
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
),
pairs as (
    select distinct a.title as first_title, b.title as second_title
    from small_blocks as a inner join small_blocks as b on a.block = b.block and a.title < b.title
),
compared as (
    select
        x.component as first_component,
        y.component as second_component,
        x.id as first_id,
        y.id as second_id,
        title_similarity(x.words, y.words) as similarity,
        x.digits = y.digits as has_same_digits,
        (starts_with(y.words, x.words || ' ') or starts_with(x.words, y.words || ' ')) as is_subtitle
    from pairs
    inner join titles as x on pairs.first_title = x.title
    inner join titles as y on pairs.second_title = y.title
    where
        x.component != y.component and x.words != y.words
        and (x.digits = y.digits or len(x.digits) = 0 or len(y.digits) = 0)  -- a series
)
select
    *,
    list_has_any(a.surnames, b.surnames) as is_shared,
    len(a.surnames) > 0 and len(b.surnames) > 0 and not list_has_any(a.surnames, b.surnames) as is_disjoint,
    greatest(a.first_year - b.last_year, b.first_year - a.last_year, 0) as years_apart
from compared
inner join parts as a on compared.first_component = a.component
inner join parts as b on compared.second_component = b.component
where similarity >= {MIN_CANDIDATE_SIMILARITY} or is_subtitle
"""

# a work is linked to the one with the most similar title, if each is that of the other: no chain arises
_SIMILAR_LINKS = """
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
        place = 1 and similarity >= {MIN_LINK_SIMILARITY} and has_same_digits and is_shared
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

_RESULT = """
select
    least(a.record_id, b.record_id) as first_record_id,
    greatest(a.record_id, b.record_id) as second_record_id,
    links.step,
    links.score,
    links.evidence,
    links.is_accepted
from links
inner join nodes as a on links.first_id = a.id
inner join nodes as b on links.second_id = b.id
inner join components as x on links.first_id = x.id
inner join components as y on links.second_id = y.id
where links.is_accepted or x.component != y.component
qualify
    row_number() over (
        partition by least(links.first_id, links.second_id), greatest(links.first_id, links.second_id)
        order by
            links.is_accepted desc,
            list_position(['key', 'title', 'abstract', 'similar title', 'subtitle'], links.step),
            links.evidence
    ) = 1
"""


def find_links(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """A query for the pairs of records that are one work, or may be.

    Args:
        connection: A connection; temporary tables are made in it.
        query: The records: ``record_id``, ``title``, ``title_key``, ``title_words``, ``identifiers`` (a list),
            ``surnames``, ``lab``, ``published_year``, ``abstract``.

    Returns:
        A query for ``first_record_id``, ``second_record_id``, ``step``, ``score`` (0 to 1), ``evidence``,
        ``is_accepted`` (false for a candidate).
    """
    connection.execute(f"create temp view input as {query.strip().rstrip(';')}")
    limits = {name: value for name, value in globals().items() if name.startswith(("MIN_", "MAX_", "NUMBERS"))}

    def run(*statements: str) -> None:
        for statement in statements:
            connection.execute(_fill(statement, limits))

    run(_NODES, _KEY_LINKS)
    _connect(connection)
    run(_PARTS, _TITLE_PAIRS, _TITLE_LINKS)
    _connect(connection)
    run(_PARTS, _ABSTRACTS, _ABSTRACT_PAIRS, _ABSTRACT_LINKS)
    _connect(connection)
    run(_PARTS, _TITLES, _SIMILAR_PAIRS, _SIMILAR_LINKS)
    _connect(connection)
    return _RESULT


def _fill(statement: str, limits: dict[str, int | str]) -> str:
    for name, value in limits.items():
        statement = statement.replace(f"{{{name}}}", str(value))
    return statement


def _connect(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table ``components``: the component of each record by the accepted links, named by its first record."""
    ((count,),) = connection.execute("select count(*) from nodes").fetchall()
    edges = connection.execute("select first_id, second_id from links where is_accepted").fetchnumpy()
    first, second = (np.asarray(edges[name], dtype=np.int64) for name in ("first_id", "second_id"))
    graph = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(count, count))
    _, labels = connected_components(graph, directed=False) if count else (0, np.empty(0, dtype=np.int64))
    _, first_members = np.unique(labels, return_index=True)
    frame = {"id": np.arange(count), "component": first_members[labels].astype(np.int64)}
    connection.register("component_arrays", frame)
    connection.execute("create or replace temp table components as select * from component_arrays")
    connection.unregister("component_arrays")
