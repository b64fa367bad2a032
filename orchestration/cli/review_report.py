"""What ``aisle review`` prints: works and pairs to decide on, what became of decisions, and how far people agree."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.table import Table as RichTable

from transforms.review.agreement import compare_people, list_disagreements
from transforms.review.mappings import describe_value
from transforms.review.nearest import NearestWork, list_nearest
from transforms.review.questions import ShownWork, list_categories, read_work
from transforms.review.queue import (
    QueuedPair,
    QueuedWork,
    list_next_pairs,
    list_next_works,
)
from transforms.review.stopping import describe_stopping, list_screened
from transforms.review.suggested import Suggestion, list_suggestions
from warehouse.decisions.events import Decision

if TYPE_CHECKING:
    import duckdb

_OUTCOMES = """
select kind, decided_by, outcome, count(*) from clean.decisions group by all order by kind, decided_by, outcome
"""
_MAX_LETTERS = 2_000  # of an abstract
_MAX_DISAGREEMENTS = 20


def build_decision_table(connection: duckdb.DuckDBPyConnection) -> RichTable:
    """Decisions of a release by kind, person and outcome."""
    table = _begin_table("kind", "decided by", "outcome", numbers=("decisions",))
    for *names, count in connection.execute(_OUTCOMES).fetchall():
        table.add_row(*names, f"{count:,}")
    return table


def build_agreement_table(connection: duckdb.DuckDBPyConnection, decisions: Iterable[Decision]) -> RichTable | None:
    """How far each two people agree on what both decided independently, in all and by class; none if no two did."""
    table = _begin_table(
        "taxonomy", "decided on", "first person", "second person", "class", numbers=("both", "agree", "kappa")
    )
    for one in compare_people(connection, decisions):
        kappa = "—" if one.kappa is None else f"{one.kappa:.2f}"
        names = (one.taxonomy, one.kind, one.first, one.second, one.label or "all")
        table.add_row(*names, f"{one.both:,}", f"{one.agreed:,}", kappa)
    return table if table.row_count else None


def list_disagreement_lines(connection: duckdb.DuckDBPyConnection, decisions: Iterable[Decision]) -> list[str]:
    """What people have to settle, a line each."""
    found = list_disagreements(connection, decisions)
    lines = []
    for one in found[:_MAX_DISAGREEMENTS]:
        values = " · ".join(f"{decision.decided_by}: {describe_value(decision)}" for decision in one.decisions)
        record = one.decisions[0].record_id
        subject = " ".join(part for part in (one.decisions[0].kind, one.decisions[0].taxonomy) if part)
        lines.append(f"{one.title}{record and f' ({record})'}, {subject}: {values}")
    more = len(found) - _MAX_DISAGREEMENTS
    return [*lines, f"and {more:,} more"] if more > 0 else lines


def list_stopping_lines(connection: duckdb.DuckDBPyConnection, decisions: Iterable[Decision]) -> list[str]:
    """For each taxonomy that was decided in: whether another hour would find much, a line each."""
    decisions, lines = list(decisions), []
    for taxonomy in sorted({one.taxonomy for one in decisions if one.taxonomy}):
        _, waiting = list_next_works(connection, decisions, taxonomy, is_by_relevance=True)
        sentence = describe_stopping(list(list_screened(connection, decisions, taxonomy).values()), waiting)
        lines += [f"{taxonomy}: {sentence}"] if sentence else []
    return lines


def count_waiting(connection: duckdb.DuckDBPyConnection, decisions: Iterable[Decision]) -> int:
    """How many decisions the release does not have yet."""
    released = {event_id for (event_id,) in connection.execute("select event_id from raw.decisions").fetchall()}
    return sum(decision.event_id not in released for decision in decisions)


def list_work_lines(
    connection: duckdb.DuckDBPyConnection,
    decisions: Iterable[Decision],
    person: str,
    is_blind: bool,
    number: int,
    skip: int,
    taxonomy: str,
    *,
    is_short: bool,
    is_by_relevance: bool,
) -> tuple[list[str], int]:
    """The works to decide on next, with the categories that there are, in lines; and how many wait."""
    works, waiting = list_next_works(
        connection,
        decisions,
        taxonomy,
        person,
        is_blind=is_blind,
        is_by_relevance=is_by_relevance,
        limit=number,
        offset=skip,
    )
    if is_short:
        return [
            "  ".join(
                (one.work_id, one.lab or "(no followed lab)", str(one.published_on or "no date"), one.title or "")
            )
            for one in works
        ], waiting
    lines = []
    for one in works:
        suggestions = list_suggestions(connection, one.work_id, taxonomy)
        nearest = list_nearest(connection, one.work_id, taxonomy)
        lines += [*describe_work(one, read_work(connection, one.work_id), suggestions, nearest)]
        lines += [f"  aisle review decide {one.work_id} --taxonomy {taxonomy} --category …{_flag(is_blind)}", ""]
    if works:
        lines.append(f"categories of {taxonomy}:")
        for category, definition in list_categories(connection, taxonomy).items():
            lines.append(f"  {category}{f': {definition}' if definition else ''}")
    return lines, waiting


def list_pair_lines(
    connection: duckdb.DuckDBPyConnection,
    decisions: Iterable[Decision],
    person: str,
    is_blind: bool,
    number: int,
    skip: int,
    *,
    is_short: bool,
) -> tuple[list[str], int]:
    """The pairs of works to decide on next in lines; and how many wait."""
    pairs, waiting = list_next_pairs(connection, decisions, person, is_blind=is_blind, limit=number, offset=skip)
    lines = []
    for pair in pairs:
        first = read_work(connection, pair.first_work_id, pair.first_record_id)
        second = read_work(connection, pair.second_work_id, pair.second_record_id)
        lines += [f"{first.title} / {second.title}"] if is_short else describe_pair(pair, first, second)
        lines += [
            f"  aisle review decide {pair.first_record_id} {option} {pair.second_record_id}{_flag(is_blind)}"
            for option in ("--same-as", "--not-same-as")
        ]
    return lines, waiting


def _flag(is_blind: bool) -> str:
    return " --blind" if is_blind else ""


def describe_work(
    queued: QueuedWork, shown: ShownWork, suggestions: Iterable[Suggestion], nearest: Iterable[NearestWork] = ()
) -> list[str]:
    """A work as a person decides on it, in lines: its text, what is suggested, and the labelled works most like it."""
    facts = [queued.lab or "(no followed lab)", str(queued.published_on or "no date"), shown.source_names]
    lines = [shown.title or "(no title)", " · ".join(facts)]
    lines += [text for text in (shown.authors, shown.url) if text]
    if shown.abstract:
        cut = " …" if len(shown.abstract) > _MAX_LETTERS else ""
        lines += ["", shown.abstract[:_MAX_LETTERS] + cut]
    named = [
        f"suggested: {one.category} {one.probability:.0%}" + (f" by {', '.join(one.terms)}" if one.terms else "")
        for one in suggestions
        if one.is_in_set
    ]
    named += [f"most like: {one.title} ({one.category}, {one.similarity:.0%} alike)" for one in nearest]
    lines += ["", *named] if named else []
    uncertainty = "" if queued.uncertainty is None else f", uncertainty {queued.uncertainty:.2f}"
    return [*lines, f"effect on the charts {queued.effect:.2f}{uncertainty}"]


def describe_pair(pair: QueuedPair, first: ShownWork, second: ShownWork) -> list[str]:
    """Two works that may be one, in lines."""
    lines = [f"{pair.evidence} (step {pair.step}, {pair.similarity:.0%})"]
    for name, work in (("first", first), ("second", second)):
        facts = [work.labs or "(no lab)", work.published_on or "no date", work.source_names, work.url or ""]
        lines += ["", f"{name}: {work.title or '(no title)'}", " · ".join(fact for fact in facts if fact)]
        lines += [work.authors] if work.authors else []
        lines += [work.abstract[:500]] if work.abstract else []
    return lines


def _begin_table(*names: str, numbers: tuple[str, ...]) -> RichTable:
    table = RichTable(show_edge=False)
    for name in names:
        table.add_column(name)
    for name in numbers:
        table.add_column(name, justify="right")
    return table
