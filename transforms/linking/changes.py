"""Which records a change can reach, so that only these are linked again.

Two records can have an identifier in common, a title, a sentence of their abstracts, or titles that are similar and
share a block. Records that these connect, over any number of others, are linked by each other alone; the links of all
others stay as they were. What is too frequent connects nothing, so that a key connects what it did not before if it
becomes rare, and no more what it did if it becomes frequent.
"""

from __future__ import annotations

import duckdb

from transforms.linking.limits import fill_limits
from transforms.linking.texts import BLOCKS, SELECT_RECORDS

MAX_SHARE = 0.2  # of the records; if a change reaches more, all are linked

_LAST_RECORDS = """
create temp table last_records as
select record_id, content from ({records});
create temp table changed as
select all_records.rowid as row
from all_records anti join last_records using (record_id, content);
create temp table former_ids as
select last_records.record_id
from last_records anti join all_records using (record_id, content)
"""

# the records that are no more, or that were otherwise
_FORMER = "create temp table former as {records}"

_FORMER_TITLES = """
create temp table former_titles as
select
    title_text as text,
    trim(regexp_replace(any_value(title), '[^\\pL\\pM\\pN+*]+', ' ', 'g')) as words
from former where title is not null group by title_text
"""

_EVIDENCE = """
create temp table {name}evidence as
select row, hash('identifier', identifier) as value, false as is_title
from (select {row} as row, unnest(identifiers) as identifier from {records})
union all
select {row}, hash('title', title_key), true from {records} where title_key is not null
union all
select {row}, hash('abstract', abstract_sha256), false from {records} where abstract_sha256 is not null
"""

# identifiers and titles: all records that have what a changed one has or had
_REACHED_BY_EVIDENCE = """
create temp table reached as
with touched as (
    select value from evidence where row in (select row from changed)
    union
    select value from former_evidence
),
holders as materialized (
    select value, row, is_title, row in (select row from changed) as is_changed
    from evidence where value in (select value from touched)
),
former_holders as (
    select value, count(*) as records from former_evidence group by value
),
counts as (
    select
        holders.value,
        bool_or(is_title) as is_title,
        least(
            count(*), count(*) filter (where not is_changed) + coalesce(any_value(former_holders.records), 0)
        ) as records
    from holders left join former_holders on holders.value = former_holders.value
    group by holders.value
)
select row from changed
union
select holders.row
from holders inner join counts on holders.value = counts.value
where not counts.is_title or counts.records <= {MAX_SAME_TEXT}
"""

# the texts with a key that a changed text has or had; is_now, is_before: whether a record has or had the text
_TOUCHED_KEYS = """
create or replace temp table touched_keys as
with new_texts as (
    select distinct {kind}_text as text from all_records
    where rowid in (select row from changed) and {kind}_text is not null
),
old_keys as (
    {former_keys}
),
changed_texts as (
    select text from new_texts union select text from old_keys
),
kept_texts as (
    select distinct {kind}_text as text
    from all_records
    where {kind}_text in (select text from changed_texts) and rowid not in (select row from changed)
),
touched as (
    select key from {kind}_keys where text in (select text from new_texts)
    union
    select key from old_keys
),
members as (
    select
        key,
        text,
        true as is_now,
        not (text in (select text from new_texts) and text not in (select text from kept_texts)) as is_before,
        text in (select text from changed_texts) as is_changed
    from {kind}_keys where key in (select key from touched)
    union all
    select key, text, false, true, true from old_keys
),
texts as (
    select key, text, bool_or(is_now) as is_now, bool_or(is_before) as is_before, bool_or(is_changed) as is_changed
    from members group by key, text
)
select
    *,
    count(*) filter (where is_now) over (partition by key) <= {limit} as is_rare_now,
    count(*) filter (where is_before) over (partition by key) <= {limit} as was_rare
from texts
"""

_FORMER_KEYS = {
    "abstract": "select distinct abstract_text as text, unnest(list_distinct(sentences)) as key from former",
    "title": f"select * from ({BLOCKS}) where key is not null".replace("{texts}", "former_titles"),
}

_TEXTS_BY_SENTENCES = """
create or replace temp table reached_texts as
select distinct text from touched_keys where (is_rare_now and is_now) or (was_rare and is_before)
"""

_PAIRS_BY_BLOCKS = """
create or replace temp table block_pairs as
with keys as (
    select * from touched_keys where (is_rare_now and is_now) or (was_rare and is_before)
)
select distinct a.text as first_text, b.text as second_text
from keys as a inner join keys as b on a.key = b.key and a.text < b.text
where
    (a.is_rare_now and a.is_now and b.is_now and (not a.was_rare or a.is_changed or b.is_changed))
    or (a.was_rare and a.is_before and b.is_before and (not a.is_rare_now or a.is_changed or b.is_changed))
"""

_NEXT_EVIDENCE = """
create or replace temp table reached as
with own as (
    select distinct value from evidence where row in (select row from frontier)
),
holders as materialized (
    select value, row, is_title from evidence where value in (select value from own)
)
select row from holders
qualify not is_title or count(*) over (partition by value) <= {MAX_SAME_TEXT}
"""

_NEXT_KEYS = """
create or replace temp table next_keys as
with own_texts as (
    select text from {kind}_texts
    where
        records <= {MAX_SAME_TEXT}
        and text in (select {kind}_text from all_records where rowid in (select row from frontier))
),
own_keys as (
    select distinct key from {kind}_keys where text in (select text from own_texts)
),
members as materialized (
    select key, text, text in (select text from own_texts) as is_own
    from {kind}_keys where key in (select key from own_keys)
)
select * from members qualify count(*) over (partition by key) <= {limit}
"""

_NEXT_TEXTS_BY_SENTENCES = "create or replace temp table reached_texts as select distinct text from next_keys"

_NEXT_PAIRS_BY_BLOCKS = """
create or replace temp table block_pairs as
select distinct a.text as first_text, b.text as second_text
from next_keys as a inner join next_keys as b on a.key = b.key and a.text != b.text
where a.is_own
"""

# in two statements, so that similarities are computed for pairs of a block only
_SIMILAR_TEXTS = """
create or replace temp table written_pairs as
with texts as (
    select text, words from title_texts union select text, words from former_titles
)
select block_pairs.*, x.words as first_words, y.words as second_words
from block_pairs
inner join texts as x on block_pairs.first_text = x.text
inner join texts as y on block_pairs.second_text = y.text;
create or replace temp table reached_texts as
with similar_pairs as materialized (
    select first_text, second_text
    from written_pairs
    where
        title_similarity(first_words, second_words) >= {MIN_CANDIDATE_SIMILARITY}
        or starts_with(second_words, first_words || ' ') or starts_with(first_words, second_words || ' ')
)
select first_text as text from similar_pairs union select second_text from similar_pairs;
drop table written_pairs;
drop table block_pairs
"""

_REACHED_BY_TEXTS = """
insert into reached
with new_records as (
    select {kind}_text as text, count(*) as records
    from all_records where rowid in (select row from changed) group by {kind}_text
),
rare as (
    select known.text
    from {kind}_texts as known left join new_records on known.text = new_records.text
    where
        known.text in (select text from reached_texts)
        -- that were before, and are still
        and known.records - coalesce(new_records.records, 0) <= {MAX_SAME_TEXT}
)
select rowid from all_records where {kind}_text in (select text from rare)
"""


# how texts of each kind are reached from changed ones, and from there on; keys in more texts connect nothing
_KINDS = (
    ("abstract", "{MAX_SENTENCE_ABSTRACTS}", _TEXTS_BY_SENTENCES, _NEXT_TEXTS_BY_SENTENCES),
    ("title", "{MAX_BLOCK}", f"{_PAIRS_BY_BLOCKS};{_SIMILAR_TEXTS}", f"{_NEXT_PAIRS_BY_BLOCKS};{_SIMILAR_TEXTS}"),
)


def find_affected(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether only some records have to be linked: those in the temporary table ``affected``, by ``row``.

    It reads ``input`` and the tables of `transforms.linking.texts`. The records that are no more, or are otherwise now,
    are in the table ``former``.
    """
    if not connection.execute("select 1 from input where is_last limit 1").fetchall():
        return False
    _run(connection, _LAST_RECORDS, records=SELECT_RECORDS.replace("{filter}", "is_last"))
    most = MAX_SHARE * _count(connection, "all_records")
    former = _count(connection, "former_ids")
    if former + _count(connection, "changed") > most:
        return False
    condition = "is_last and record_id in (select record_id from former_ids)" if former else "false"
    _run(connection, _FORMER, records=SELECT_RECORDS.replace("{filter}", condition))
    _reach_first(connection)
    _run(connection, "create temp table affected (row bigint)")
    while True:
        _run(connection, "create or replace temp table frontier as from reached except from affected")
        if not _count(connection, "frontier"):
            return True
        _run(connection, "insert into affected from frontier")
        if _count(connection, "affected") > most:
            return False
        _run(connection, _NEXT_EVIDENCE)
        for kind, limit, _, next_texts in _KINDS:
            _run(connection, _NEXT_KEYS, kind=kind, limit=limit)
            _run(connection, next_texts)
            _run(connection, _REACHED_BY_TEXTS, kind=kind)


def _reach_first(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table ``reached``: changed records, and those that have or had something in common with them."""
    _run(connection, _FORMER_TITLES)
    _run(connection, _EVIDENCE, name="", row="rowid", records="all_records")
    _run(connection, _EVIDENCE, name="former_", row="null", records="former")
    _run(connection, _REACHED_BY_EVIDENCE)
    for kind, limit, first_texts, _ in _KINDS:
        _run(connection, _TOUCHED_KEYS, former_keys=_FORMER_KEYS[kind], kind=kind, limit=limit)
        _run(connection, first_texts)
        _run(connection, _REACHED_BY_TEXTS, kind=kind)


def _run(connection: duckdb.DuckDBPyConnection, statement: str, **values: str) -> None:
    connection.execute(fill_limits(statement, **values))


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    ((rows,),) = connection.execute(f"select count(*) from {table}").fetchall()
    return int(rows)
