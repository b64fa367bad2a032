"""A decision of a person, as an event that never changes: who, when, what, why, and the state it was made against.

It is about a record, not about a work: the identifier of a record stays, whatever is merged, split or made again. A
mapping is about a category of a taxonomy, and what it stands for in another one. The event's
own identifier is the hash of its content, so that the same event imported twice is one event, and an edited one is
noticed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from warehouse.names import clean_line

KINDS = ("category", "scope", "same work", "field", "lab", "excluded", "note", "mapping", "undo")
FIELDS = ("title", "published_on", "url")
YES, NO = "yes", "no"
_YES_OR_NO = {"scope", "same work", "excluded"}
_NEEDED = {
    "category": ("taxonomy",),
    "scope": ("taxonomy",),
    "same work": ("second_record_id",),
    "field": ("field",),
    "mapping": ("from_taxonomy", "from_category", "taxonomy"),
}
_ADDED = ("from_taxonomy", "from_category")  # fields of later versions: without them an event keeps its identifier
NO_COUNTERPART = "(no counterpart)"
_WEIGHT = re.compile(r"(?P<category>.+)=(?P<weight>[01](?:\.[0-9]+)?)")
_ID_LENGTH = 32
SEPARATOR = "; "


class InvalidDecision(ValueError):
    """A decision lacks what its kind needs, or was edited; the message states what."""


@dataclass(frozen=True)
class Decision:
    """One event.

    Args:
        kind: One of `KINDS`.
        decided_by: Who decided.
        decided_at: When, in UTC.
        value: What was decided: the categories, separated by semicolons; yes or no; the value of the field; the lab;
            the note; of a mapping, categories with their weights as of `join_weights`. Empty for an undo.
        record_id: The record that it is about; for an undo, that of the event that it undoes. Empty for a mapping.
        second_record_id: The other record, of ``same work``.
        taxonomy: The taxonomy, of ``category`` and ``scope``; the one that a mapping leads into.
        field: The corrected field, one of `FIELDS`.
        undone_event_id: The event that it undoes.
        reason: Why.
        title: Title that was shown, for people who read the log.
        ground: Hashes of what was shown, see `warehouse.decisions.ground`; empty if nothing was.
        seen_event_ids: Earlier decisions on the same question that were shown, separated by semicolons: this one
            replaces them. One that was made without seeing another disagrees with it.
        from_taxonomy: The taxonomy of the category that is mapped.
        from_category: The category that is mapped; for an undo, that of the event that it undoes.
    """

    kind: str
    decided_by: str
    decided_at: dt.datetime
    value: str
    record_id: str
    second_record_id: str = ""
    taxonomy: str = ""
    field: str = ""
    undone_event_id: str = ""
    reason: str = ""
    title: str = ""
    ground: str = ""
    seen_event_ids: str = ""
    from_taxonomy: str = ""
    from_category: str = ""

    @property
    def event_id(self) -> str:
        """Hash of all of it."""
        content = asdict(self) | {"decided_at": format_moment(self.decided_at)}
        content = {name: value for name, value in content.items() if value or name not in _ADDED}
        text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:_ID_LENGTH]

    @property
    def seen(self) -> tuple[str, ...]:
        """The identifiers in ``seen_event_ids``."""
        return tuple(one for one in self.seen_event_ids.split(SEPARATOR) if one)

    def to_row(self) -> dict[str, Any]:
        """Its identifier and fields."""
        return {"event_id": self.event_id} | asdict(self)


COLUMNS = ("event_id", *(one.name for one in fields(Decision)))


def build_decision(values: Mapping[str, Any]) -> Decision:
    """A checked decision from its fields: texts on one line, the moment in UTC.

    Args:
        values: The fields by name; other names are ignored, missing ones are empty.

    Raises:
        InvalidDecision: It lacks something; or ``event_id`` is given and is not that of the content.
    """
    texts = {
        one.name: clean_line(str(values.get(one.name) or "")) for one in fields(Decision) if one.name != "decided_at"
    }
    decision = Decision(**texts, decided_at=_parse_moment(values.get("decided_at")))
    _check(decision)
    given = str(values.get("event_id") or "")
    if given and given != decision.event_id:
        raise InvalidDecision(
            f"event {given} was edited: its content has the identifier {decision.event_id}; events never change, so"
            " remove the identifier to add it as another decision"
        )
    return decision


def _check(decision: Decision) -> None:
    kind = decision.kind
    if kind not in KINDS:
        raise InvalidDecision(f"{kind!r} is no kind of decision: expected one of {', '.join(KINDS)}")
    needed = ["decided_by", "undone_event_id" if kind == "undo" else "value", *_NEEDED.get(kind, ())]
    needed += [] if kind == "mapping" or decision.from_category else ["record_id"]
    if missing := [name for name in needed if not getattr(decision, name)]:
        raise InvalidDecision(f"a decision of the kind {kind!r} needs {', '.join(missing)}")
    if kind in _YES_OR_NO and decision.value not in {YES, NO}:
        raise InvalidDecision(f"{decision.value!r} decides nothing on {kind!r}: expected {YES} or {NO}")
    if decision.record_id and decision.record_id == decision.second_record_id:
        raise InvalidDecision("a record is the same work as itself")
    if kind == "field":
        _check_field(decision)
    if kind == "mapping":
        if decision.from_taxonomy == decision.taxonomy:
            raise InvalidDecision("a category is mapped into another taxonomy, not into its own")
        split_weights(decision.value)


def _check_field(decision: Decision) -> None:
    if decision.field not in FIELDS:
        raise InvalidDecision(f"{decision.field!r} is no field to correct: expected one of {', '.join(FIELDS)}")
    if decision.field == "published_on":
        try:
            dt.date.fromisoformat(decision.value)
        except ValueError as error:
            raise InvalidDecision(f"{decision.value!r} is no day such as 2024-03-17") from error
    if decision.field == "url" and not decision.value.startswith(("https://", "http://")):
        raise InvalidDecision(f"{decision.value!r} is no web address")


def join_weights(weights: Mapping[str, float]) -> str:
    """The value of a mapping: categories with the shares of works that count there, such as Monitoring=0.75."""
    return SEPARATOR.join(f"{category}={weight:.6g}" for category, weight in weights.items())


def split_weights(value: str) -> dict[str, float]:
    """The categories of a mapping with their weights.

    Raises:
        InvalidDecision: It is no such value, or the weights do not add up to 1.
    """
    parts = [_WEIGHT.fullmatch(part) for part in value.split(SEPARATOR)]
    weights = {part["category"]: float(part["weight"]) for part in parts if part}
    if all(parts) and len(weights) < len(parts):
        raise InvalidDecision(f"{value!r} names a category twice")
    if not all(parts) or not math.isclose(sum(weights.values()), 1, abs_tol=1e-5) or 0 in weights.values():
        raise InvalidDecision(
            f"{value!r} is no mapping: expected categories with weights that add up to 1, such as"
            " Monitoring=0.75; Robustness=0.25"
        )
    return weights


def order_weights(value: str) -> str:
    """The same mapping with its categories in the order of their names, so that equal mappings have equal values."""
    return join_weights(dict(sorted(split_weights(value).items())))


def _parse_moment(value: object) -> dt.datetime:
    try:
        moment = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(str(value or ""))
    except ValueError as error:
        raise InvalidDecision(
            f"decided_at is {value!r}: expected a moment such as 2026-03-17T09:30:00+00:00"
        ) from error
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def format_moment(moment: dt.datetime) -> str:
    """A moment in UTC as text, always with microseconds, so that texts sort as the moments do."""
    return moment.astimezone(dt.UTC).isoformat(timespec="microseconds")
