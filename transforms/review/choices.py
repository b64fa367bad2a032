"""From what a person has chosen to events: checked, with what their author saw."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from transforms.review.questions import (
    ShownWork,
    find_seen,
    find_work,
    hash_part,
    join_ids,
    list_categories,
    list_labs,
    list_taxonomies,
)
from transforms.review.replay import UNDONE, Event, replay_events
from warehouse.decisions.events import NO, SEPARATOR, YES, Decision, InvalidDecision, build_decision

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Choice:
    """What a person has chosen; empty for what was not given."""

    decided_by: str
    categories: tuple[str, ...] = ()
    scope: str = ""
    same_as: str = ""
    not_same_as: str = ""
    field: str = ""
    lab: str = ""
    excluded: str = ""
    note: str = ""
    taxonomy: str = ""
    reason: str = ""
    is_blind: bool = False
    is_new: bool = False


def build_choices(
    connection: duckdb.DuckDBPyConnection, decisions: Iterable[Decision], work: str, choice: Choice
) -> list[Decision]:
    """The events of what a person has chosen, one for each question.

    Args:
        connection: A release.
        decisions: All decisions that there are.
        work: What means the work, see `find_work`.
        choice: What was chosen.

    Raises:
        InvalidDecision: Nothing was chosen, or it cannot be decided so.
        UnknownWork: No work is meant.
    """
    shown, decisions = find_work(connection, work), list(decisions)
    facts = {
        "decided_by": choice.decided_by,
        "decided_at": dt.datetime.now(dt.UTC),
        "record_id": shown.record_id,
        "title": shown.title,
        "reason": choice.reason,
    }
    drafts = [build_decision(facts | values) for values in _list_values(connection, shown, choice)]
    if not drafts:
        raise InvalidDecision("nothing is decided: give --category, --scope, --lab or another option; see --help")
    if choice.is_blind:
        return drafts
    return [_add_seen(draft, connection, decisions) for draft in drafts]


def _add_seen(draft: Decision, connection: duckdb.DuckDBPyConnection, decisions: list[Decision]) -> Decision:
    """A draft with the decisions that it replaces.

    Raises:
        InvalidDecision: It is decided that the work is not in scope of the taxonomy.
    """
    seen = find_seen(draft, connection, decisions)
    if draft.kind == "category":
        scopes = find_seen(replace(draft, kind="scope", value=YES), connection, decisions)
        if any(one.value == NO for one in scopes):
            raise InvalidDecision(
                f"it was decided that the work is not in scope of {draft.taxonomy} ({join_ids(scopes)}): decide"
                " --scope yes first, or undo that"
            )
    return replace(draft, seen_event_ids=join_ids(seen))


def _list_values(connection: duckdb.DuckDBPyConnection, shown: ShownWork, choice: Choice) -> Iterator[dict[str, Any]]:
    """The fields of each event that follow from the choice."""
    ground = SEPARATOR.join(shown.ground)
    if choice.categories or choice.scope:
        taxonomy = choose_taxonomy(connection, choice.taxonomy)
        if choice.categories:
            definitions = _check_categories(connection, taxonomy, choice)
            yield {
                "kind": "category",
                "taxonomy": taxonomy,
                "value": SEPARATOR.join(choice.categories),
                "ground": SEPARATOR.join([*shown.ground, *definitions]),
            }
        if choice.scope:
            yield {"kind": "scope", "taxonomy": taxonomy, "value": choice.scope, "ground": ground}
    for other, value in ((choice.same_as, YES), (choice.not_same_as, NO)):
        if other:
            yield _compare_works(shown, find_work(connection, other), value)
    if choice.field:
        name, _, value = choice.field.partition("=")
        yield {"kind": "field", "field": name.strip(), "value": value, "ground": ground}
    lab = choice.lab and _find_lab(connection, choice)
    for kind, value in (("lab", lab), ("excluded", choice.excluded), ("note", choice.note)):
        if value:
            yield {"kind": kind, "value": value, "ground": ground}


def _find_lab(connection: duckdb.DuckDBPyConnection, choice: Choice) -> str:
    """The name of a lab by which works are counted."""
    known = {name.casefold(): lab for name, lab in list_labs(connection).items()}
    if (lab := known.get(choice.lab.casefold())) is not None:
        return lab
    if choice.is_new:
        return choice.lab
    near = difflib.get_close_matches(choice.lab.casefold(), known, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(dict.fromkeys(known[name] for name in near))}? " if near else ""
    raise InvalidDecision(f"there is no lab {choice.lab!r}: {hint}--new allows another one")


def _compare_works(shown: ShownWork, other: ShownWork, value: str) -> dict[str, Any]:
    if value == NO and shown.record_id == other.record_id:
        raise InvalidDecision(
            f"both mean one record of the work {shown.work_id}: name two of its records, by their identifiers or links"
        )
    titles = [part for work in (shown, other) for part in work.ground if part.startswith("title:")]
    return {
        "kind": "same work",
        "second_record_id": other.record_id,
        "value": value,
        "title": f"{shown.title} / {other.title}",
        "ground": SEPARATOR.join(dict.fromkeys(titles)),
    }


def choose_taxonomy(connection: duckdb.DuckDBPyConnection, given: str) -> str:
    """A taxonomy of the lake, the default one if none is given.

    Raises:
        InvalidDecision: There is no such one.
    """
    taxonomies = list_taxonomies(connection)
    if given and given not in taxonomies:
        raise InvalidDecision(f"there is no taxonomy {given!r}; there are {', '.join(taxonomies)}")
    return given or taxonomies[0]


def _check_categories(connection: duckdb.DuckDBPyConnection, taxonomy: str, choice: Choice) -> list[str]:
    """The hashes of the definitions of the chosen categories that have one."""
    known = list_categories(connection, taxonomy)
    for category in choice.categories:
        if SEPARATOR.strip() in category:
            raise InvalidDecision(f"{category!r} has a semicolon: give each category by its own --category")
        if category not in known and not choice.is_new:
            near = difflib.get_close_matches(category, known, n=3, cutoff=0.3) or list(known)
            raise InvalidDecision(
                f"{taxonomy} has no category {category!r}: did you mean {', '.join(near)}? --new allows another one"
            )
    return [hash_part("definition", f"{one}: {known[one]}") for one in choice.categories if known.get(one)]


def choose_again(decision: Decision, decided_by: str) -> Choice:
    """The choice that a decision stands for, made by another person, such as one who settles a disagreement."""
    value, kind = decision.value, decision.kind
    is_same = value == YES
    return Choice(
        decided_by=decided_by,
        categories=tuple(value.split(SEPARATOR)) if kind == "category" else (),
        scope=value if kind == "scope" else "",
        same_as=decision.second_record_id if kind == "same work" and is_same else "",
        not_same_as=decision.second_record_id if kind == "same work" and not is_same else "",
        field=f"{decision.field}={value}" if kind == "field" else "",
        lab=value if kind == "lab" else "",
        excluded=value if kind == "excluded" else "",
        note=value if kind == "note" else "",
        taxonomy=decision.taxonomy,
        is_new=True,
    )


def build_undo(decisions: Iterable[Decision], event_id: str, decided_by: str, reason: str) -> Decision:
    """The event that undoes another one, named by its identifier or the beginning of it.

    Raises:
        LookupError: There is none, or more than one, or it is undone already.
    """
    decisions = list(decisions)
    meant = [decision for decision in decisions if event_id and decision.event_id.startswith(event_id)]
    if len(meant) != 1:
        raise LookupError(f"{len(meant)} decisions have the identifier {event_id!r}: see `aisle review export`")
    events = (Event(one.event_id, ("",), "", one.undone_event_id or None, decides=False) for one in decisions)
    if replay_events(events)[meant[0].event_id] == UNDONE:
        raise LookupError(f"{meant[0].event_id} is undone already; undo that undo to have it again")
    return build_decision(
        {
            "kind": "undo",
            "decided_by": decided_by,
            "decided_at": dt.datetime.now(dt.UTC),
            "record_id": meant[0].record_id,
            "from_taxonomy": meant[0].from_taxonomy,
            "from_category": meant[0].from_category,
            "title": meant[0].title,
            "undone_event_id": meant[0].event_id,
            "reason": reason,
        }
    )
