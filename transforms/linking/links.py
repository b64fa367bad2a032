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

from transforms.linking import similar_texts, texts
from transforms.linking.changes import find_affected
from transforms.linking.limits import fill_limits

_NODES = """
create temp table nodes as
select
    -- the record that came first stands for those that are linked to it, so that what was one work before stays one
    row_number() over (order by first_seen_at, record_id) - 1 as id,
    -- decides between equals, since which records are one work does not depend on when they came
    row_number() over (order by record_id) as place,
    record_id,
    title_key,
    coalesce(identifiers, cast([] as varchar[])) as identifiers,
    coalesce(string_split(surnames, '; '), cast([] as varchar[])) as surnames,
    if(lab is null, cast([] as varchar[]), [lab]) as labs,
    -- of registers that give each work one id, so that two ids are two works
    coalesce(
        list_filter(identifiers, lambda key: regexp_matches(key, '^(arxiv|openalex):')), cast([] as varchar[])
    ) as register_ids,
    published_year,
    title_words >= {MIN_WORDS} or (length(title_key) >= {MIN_KEY_LETTERS} and strlen(title_key) > length(title_key))
        as is_telling,
    coalesce(words, '') as words,
    title_text,
    abstract_text,
    abstract_length,
    abstract_sha256
from all_records left join title_texts on all_records.title_text = title_texts.text
where {scope}
"""

# which texts and keys are rare is counted over all records, also if only some are linked
_RARE_TEXTS = """
create temp table rare_title_keys as
select title_key from all_records where {own_title_key}
group by title_key having count(*) <= {MAX_SAME_TEXT};
create temp table rare_titles as
select text, words from title_texts where records <= {MAX_SAME_TEXT} and {own_title};
create temp table small_blocks as
with own_keys as (
    select text, key from title_keys where text in (select text from rare_titles)
),
small as (
    select key from title_keys where {own_block}
    group by key having count(*) between 2 and {MAX_BLOCK}
)
select own_keys.text, own_keys.key from own_keys inner join small on own_keys.key = small.key;
create temp table rare_sentences as
with own_texts as (
    select text from abstract_texts where records <= {MAX_SAME_TEXT} and {own_abstract}
),
own_keys as (
    select text, key from abstract_keys where text in (select text from own_texts)
),
rare as (
    select key from abstract_keys where {own_sentence}
    group by key having count(*) <= {MAX_SENTENCE_ABSTRACTS}
)
select own_keys.text, own_keys.key from own_keys inner join rare on own_keys.key = rare.key
"""

_ALL = dict.fromkeys(("scope", "own_title", "own_title_key", "own_block", "own_abstract", "own_sentence"), "true")
_AFFECTED = {
    "scope": "all_records.rowid in (select row from affected)",
    "own_title": "text in (select title_text from nodes)",
    "own_title_key": "title_key in (select title_key from nodes)",
    "own_block": "key in (select key from own_keys)",
    "own_abstract": "text in (select abstract_text from nodes)",
    "own_sentence": "key in (select key from own_keys)",
}

# all pairs of the records with a key, since one of them can have it by mistake; of very many, those with one of them
_KEY_LINKS = """
create temp table links as
with keys as (
    select
        id,
        identifier,
        count(*) over (partition by identifier) as records,
        min(id) over (partition by identifier) as hub
    from (select id, unnest(identifiers) as identifier from nodes)
),
shared as (
    select * from keys where records > 1
),
pairs as (
    select a.id as first_id, b.id as second_id, min(a.identifier) as identifier
    from shared as a inner join shared as b on a.identifier = b.identifier and a.id < b.id
    where a.records <= {MAX_SAME_KEY} or a.id = a.hub
    group by a.id, b.id
),
compared as (
    select
        pairs.*,
        -- an identifier can be written at the wrong work
        case
            when list_has_any(a.surnames, b.surnames) then null
            when title_similarity(a.words, b.words) >= {MIN_SAME_KEY_SIMILARITY} then null
            when len(a.surnames) > 0 and len(b.surnames) > 0 then 'neither title nor author in common'
            when
                a.is_telling and b.is_telling
                -- in one script: a list can have translated titles
                and strlen(a.words || b.words) = length(a.words || b.words)
                and not list_has_any(
                    list_filter(string_split(a.words, ' '), lambda word: length(word) >= {MIN_WORD_LETTERS}),
                    list_filter(string_split(b.words, ' '), lambda word: length(word) >= {MIN_WORD_LETTERS})
                ) then 'no word of the titles in common, and authors are not known'
        end as objection
    from pairs
    inner join nodes as a on pairs.first_id = a.id
    inner join nodes as b on pairs.second_id = b.id
)
select
    first_id,
    second_id,
    'key' as step,
    1.0::double as similarity,
    'the same '
        || case split_part(identifier, ':', 1)
            when 'arxiv' then 'arXiv id ' when 'doi' then 'DOI ' when 'url' then 'address '
            when 'openalex' then 'OpenAlex id ' else 'identifier '
        end
        || regexp_replace(identifier, '^(arxiv|doi|url|openalex):', '')
        || coalesce(', but ' || objection, '') as evidence,
    objection is null as is_accepted
from compared
"""

# works that the steps so far have made and that have something in common with others: what their records state
_PARTS = """
create or replace temp table parts as
select
    components.component,
    list_sort(list_distinct(flatten(list(nodes.surnames)))) as surnames,
    list_distinct(flatten(list(nodes.labs))) as labs,
    list_distinct(flatten(list(nodes.register_ids))) as register_ids,
    list_distinct(list_transform(flatten(list(nodes.register_ids)), lambda key: split_part(key, ':', 1))) as registers,
    min(nodes.published_year) as first_year,
    max(nodes.published_year) as last_year,
    min(nodes.place) as place
from components inner join nodes on components.id = nodes.id
where components.component in ({paired})
group by components.component
"""

_SAME_TITLES = """
create temp table same_titles as
select nodes.title_key, components.component, min(nodes.id) as id, bool_or(nodes.is_telling) as is_telling
from nodes inner join components on nodes.id = components.id
where nodes.title_key in (select title_key from rare_title_keys)
group by nodes.title_key, components.component
qualify count(*) over (partition by nodes.title_key) between 2 and {MAX_SAME_TITLE}
"""

_TITLE_PAIRS = """
create temp table title_pairs as
with pairs as (
    select
        a.title_key,
        a.id as first_id,
        b.id as second_id,
        a.is_telling,
        list_has_any(x.surnames, y.surnames) as is_shared,
        list_has_any(x.labs, y.labs) as is_same_lab,
        len(x.surnames) > 0 and len(y.surnames) > 0 as is_known,
        greatest(x.first_year - y.last_year, y.first_year - x.last_year, 0) as years_apart
    from same_titles as a
    inner join same_titles as b on a.title_key = b.title_key and a.component < b.component
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

_RESULT = """
select
    least(a.record_id, b.record_id) as first_record_id,
    greatest(a.record_id, b.record_id) as second_record_id,
    links.step,
    links.similarity,
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

_LAST_LINKS = """
union all
select first_record_id, second_record_id, step, similarity, evidence, is_accepted
from last_release.record_links
where
    first_record_id not in (select record_id from nodes)
    and first_record_id not in (select record_id from former)
"""


def find_links(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """A query for the pairs of records that are one work, or may be.

    If the last release is at hand, only the records that a change can reach are linked, with the result that linking
    all of them has.

    Args:
        connection: A connection; temporary tables are made in it. ``last_release.record_links`` are the links of the
            last release.
        query: The records: ``record_id``, ``title``, ``title_key``, ``title_words``, ``identifiers`` (a sorted list),
            ``surnames``, ``lab``, ``published_year``, ``abstract``,
            ``abstract_sha256``, ``first_seen_at``; ``is_last`` for those of the last release.

    Returns:
        A query for ``first_record_id``, ``second_record_id``, ``step``, ``similarity`` (0 to 1), ``evidence``,
        ``is_accepted`` (false for a candidate).
    """
    connection.execute(f"create temp view input as {query.strip().rstrip(';')}")

    def run(*statements: str, **values: str) -> None:
        for statement in statements:
            connection.execute(fill_limits(statement, **values))

    run("create temp table all_records as" + texts.SELECT_RECORDS, filter="not is_last")
    run(texts.TITLE_TEXTS, texts.ABSTRACT_TEXTS, texts.TITLE_KEYS, texts.ABSTRACT_KEYS)
    is_partial = find_affected(connection)
    run(_NODES, _RARE_TEXTS, **(_AFFECTED if is_partial else _ALL))
    run(_KEY_LINKS)
    _connect(connection)
    run(_SAME_TITLES, _PARTS, _TITLE_PAIRS, _TITLE_LINKS, paired="select component from same_titles")
    _connect(connection)
    run(similar_texts.ABSTRACTS, similar_texts.ABSTRACT_PAIRS)
    run(_PARTS, similar_texts.ABSTRACT_LINKS, paired=similar_texts.ABSTRACT_COMPONENTS)
    _connect(connection)
    run(similar_texts.TITLES, similar_texts.TITLE_PAIRS, similar_texts.TITLE_WORKS)
    run(_PARTS, similar_texts.SIMILAR_PAIRS, similar_texts.SIMILAR_LINKS, paired=similar_texts.SIMILAR_COMPONENTS)
    _connect(connection)
    return _RESULT + (_LAST_LINKS if is_partial else "")


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
