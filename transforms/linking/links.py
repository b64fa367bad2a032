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

from transforms.linking import similar_texts
from transforms.linking.limits import fill_limits

_NODES = """
create temp table nodes as
select
    -- the record that came first stands for those that are linked to it, so that what was one work before stays one
    row_number() over (order by first_seen_at, record_id) - 1 as id,
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
    length(coalesce(abstract, '')) as abstract_length,
    abstract_sha256
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
    1.0::double as similarity,
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


def find_links(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """A query for the pairs of records that are one work, or may be.

    Args:
        connection: A connection; temporary tables are made in it.
        query: The records: ``record_id``, ``title``, ``title_key``, ``title_words``, ``identifiers`` (a list),
            ``surnames``, ``lab``, ``published_year``, ``abstract``,
            ``abstract_sha256``, ``first_seen_at``.

    Returns:
        A query for ``first_record_id``, ``second_record_id``, ``step``, ``similarity`` (0 to 1), ``evidence``,
        ``is_accepted`` (false for a candidate).
    """
    connection.execute(f"create temp view input as {query.strip().rstrip(';')}")

    def run(*statements: str) -> None:
        for statement in statements:
            connection.execute(fill_limits(statement))

    run(_NODES, _KEY_LINKS)
    _connect(connection)
    run(_PARTS, _TITLE_PAIRS, _TITLE_LINKS)
    _connect(connection)
    run(_PARTS, similar_texts.ABSTRACTS, similar_texts.ABSTRACT_PAIRS, similar_texts.ABSTRACT_LINKS)
    _connect(connection)
    run(
        _PARTS,
        similar_texts.TITLES,
        similar_texts.BLOCK_PAIRS,
        similar_texts.COMPARED_TITLES,
        similar_texts.SIMILAR_PAIRS,
        similar_texts.SIMILAR_LINKS,
    )
    _connect(connection)
    return _RESULT


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
