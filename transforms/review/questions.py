"""What a person decides on: works of a release, what is shown of them, and the decisions on them that hold now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import duckdb

from transforms.review.replay import SUPERSEDED, UNDONE, Event, build_event, hash_part, replay_events
from warehouse.decisions.events import SEPARATOR, Decision
from warehouse.names import build_title_key

_FIND = """
with wanted as (select $text as text, $title_key as title_key),
found as (
    select work_id, 1 as place from clean.works, wanted where work_id = wanted.text
    union all
    select work_id, 1 as place from clean.work_members, wanted where record_id = wanted.text
    union all
    select work_id, 2 as place from clean.work_history, wanted where old_work_id = wanted.text
    union all
    select identifiers.work_id, 3 as place
    from clean.work_identifiers as identifiers, wanted
    where identifiers.identifier in (wanted.text, $link_key, 'arxiv:' || wanted.text, 'doi:' || lower(wanted.text))
    union all
    select members.work_id, 4 as place
    from clean.work_records as records
    inner join clean.work_members as members on records.record_id = members.record_id, wanted
    where records.title_key = wanted.title_key
)
select distinct work_id from found where place = (select min(place) from found) order by work_id
"""
# of a work, the record that a text means rather than the whole work
_FIND_RECORD = """
with meant as (
    select record_id, 1 as place from clean.work_members where record_id = $text
    union all
    select record_id, 2 as place from clean.record_identifiers
    where identifier in ($text, $link_key, 'arxiv:' || $text, 'doi:' || lower($text))
)
select distinct meant.record_id
from meant inner join clean.work_members as members on meant.record_id = members.record_id
where members.work_id = $work_id
qualify dense_rank() over (order by place) = 1
limit 2
"""
# the named record stands for the work, else that whose title is shown: it takes the decision along if the work is split
_WORK = """
select
    works.work_id, works.title, works.abstract, works.authors, works.published_on, works.url, works.labs,
    works.source_names, records.record_id, records.title_key, abstracts.abstract_sha256
from clean.works as works
inner join clean.work_members as members on works.work_id = members.work_id
inner join clean.work_records as records on members.record_id = records.record_id
left join (
    select
        members.work_id,
        records.abstract,
        coalesce(records.abstract_sha256, sha256(records.abstract)) as abstract_sha256
    from clean.work_records as records
    inner join clean.work_members as members on records.record_id = members.record_id
    where members.work_id = $work_id
) as abstracts on works.work_id = abstracts.work_id and works.abstract = abstracts.abstract
where works.work_id = $work_id
order by records.record_id is distinct from $record_id, records.title is distinct from works.title, records.record_id
limit 1
"""


class UnknownWork(LookupError):
    """No work, or more than one, is meant; the message states what was looked for and found."""


@dataclass(frozen=True)
class ShownWork:
    """A work as a person sees it who decides on it."""

    work_id: str
    title: str | None
    abstract: str | None
    authors: str | None
    published_on: str | None
    url: str | None
    labs: str | None
    source_names: str
    record_id: str
    ground: tuple[str, ...]


def find_work(connection: duckdb.DuckDBPyConnection, text: str) -> ShownWork:
    """The work that a text means: its identifier, one of a record or of an earlier work, a link, a DOI, or its title.

    If the text names a single record of it, that record stands for the work.

    Raises:
        UnknownWork: There is none, or there are several.
    """
    ((link_key,),) = connection.execute("select link_key($text)", {"text": text}).fetchall()
    values = {"text": text.strip(), "link_key": link_key, "title_key": build_title_key(text)}
    found = [work_id for (work_id,) in connection.execute(_FIND, values).fetchall()]
    if not found:
        raise UnknownWork(
            f"no work is meant by {text!r}: expected its identifier, that of a record, its link, DOI, arXiv id or title"
        )
    if len(found) > 1:
        raise UnknownWork(f"{text!r} means {len(found)} works: name one of {', '.join(found[:10])}")
    named = {name: values[name] for name in ("text", "link_key")}
    records = connection.execute(_FIND_RECORD, {**named, "work_id": found[0]}).fetchall()
    return read_work(connection, found[0], records[0][0] if len(records) == 1 else None)


def read_work(connection: duckdb.DuckDBPyConnection, work_id: str, record_id: str | None = None) -> ShownWork:
    """A work of a release, with the hashes of its title and abstract.

    Args:
        connection: The release.
        work_id: The work.
        record_id: The record of it that is to stand for it.

    Raises:
        UnknownWork: There is none.
    """
    row = connection.execute(_WORK, {"work_id": work_id, "record_id": record_id}).fetchall()
    if not row:
        raise UnknownWork(f"the release has no work {work_id}")
    *shown, record_id, title_key, abstract_sha256 = row[0]
    shown[4] = None if shown[4] is None else str(shown[4])
    parts = [hash_part("title", title_key)] if title_key else []
    parts += [f"abstract:{abstract_sha256[:16]}"] if abstract_sha256 else []
    return ShownWork(*shown, record_id, tuple(parts))


def list_categories(connection: duckdb.DuckDBPyConnection, taxonomy: str) -> dict[str, str | None]:
    """The categories of a taxonomy with their definitions; those of a list are the ones that it gives, without any.

    Declared ones come first, by the alphabet; then those that only labels have, the most frequent one first.
    """
    declared = connection.execute(
        "select category, definition from reference.categories where taxonomy = $taxonomy order by category",
        {"taxonomy": taxonomy},
    ).fetchall()
    given = connection.execute(
        "select category from clean.work_labels where taxonomy = $taxonomy group by category"
        " order by count(*) desc, category",
        {"taxonomy": taxonomy},
    ).fetchall()
    return dict(declared) | {category: None for (category,) in given if category not in dict(declared)}


def list_taxonomies(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The taxonomies of the lake, the default one first."""
    return [
        taxonomy
        for (taxonomy,) in connection.execute("""
            select corpora.taxonomy from clean.corpora as corpora
            left join reference.taxonomies as declared on corpora.taxonomy = declared.taxonomy
            group by corpora.taxonomy
            order by not coalesce(bool_or(declared.is_default), false), corpora.taxonomy
        """).fetchall()
    ]


def list_labs(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The labs of a release by each of their names: followed ones with their aliases, and those of works."""
    return dict(
        connection.execute("""
            select distinct lab, lab from clean.work_labs
            union
            select alias, lab from reference.lab_aliases
            union
            select lab, lab from reference.labs
            order by all
        """).fetchall()
    )


def judge_decisions(
    connection: duckdb.DuckDBPyConnection, decisions: Iterable[Decision]
) -> tuple[dict[str, Event], dict[str, str]]:
    """What each decision is about in a release, and what became of it, also of those that no run has read yet.

    What was shown is judged by the releases, as of ``clean.decisions``; here it counts as unchanged.
    """
    decisions = list(decisions)
    records = sorted({d.record_id for d in decisions} | {d.second_record_id for d in decisions if d.second_record_id})
    works = dict(
        connection.execute(
            "select record_id, work_id from clean.work_members"
            " where record_id in (select unnest(cast($records as varchar[])))",
            {"records": records},
        ).fetchall()
    )
    events = {
        decision.event_id: build_event(
            decision.to_row(), works.get(decision.record_id), works.get(decision.second_record_id), decision.ground
        )
        for decision in decisions
    }
    return events, replay_events(events.values())


def find_seen(draft: Decision, connection: duckdb.DuckDBPyConnection, decisions: Iterable[Decision]) -> list[Decision]:
    """The decisions on the question of a draft that no other has replaced: what its author sees, unless blind."""
    decisions = list(decisions)
    events, outcomes = judge_decisions(connection, [*decisions, draft])
    question = events[draft.event_id].question
    return [
        decision
        for decision in decisions
        if events[decision.event_id].question == question
        and outcomes[decision.event_id] not in {SUPERSEDED, UNDONE}
        and events[decision.event_id].decides
    ]


def join_ids(decisions: Iterable[Decision]) -> str:
    """Their identifiers as one text."""
    return SEPARATOR.join(sorted(decision.event_id for decision in decisions))
