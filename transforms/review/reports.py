"""Errors that readers report on a work: a text that a page prefills, and the note that it becomes."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterable, Mapping
from typing import Any

import duckdb

from transforms.review.questions import find_work, judge_decisions
from transforms.review.replay import UNDONE
from warehouse.decisions.events import SEPARATOR, Decision, InvalidDecision, build_decision
from warehouse.names import clean_line

_BEGIN, _QUESTION = "aisle report", "What is wrong:"
_FIELD = re.compile(r"^[> ]*(work|title|release): *(.*)$", re.MULTILINE)
_MAX_LETTERS = 2_000
NOBODY = "a reader"


def write_report(work_id: str, title: str | None, release: str) -> str:
    """The text that a reader completes: which work is meant in which release, and a question."""
    lines = [_BEGIN, f"work: {work_id}", f"title: {clean_line(title or '')}", f"release: {release}", "", _QUESTION, ""]
    return "\n".join(lines)


def is_report(text: str) -> bool:
    """Whether a file is such a text, or a mail that has one."""
    return _BEGIN in text and "work: " in text


def read_report(connection: duckdb.DuckDBPyConnection, text: str, name: str, defaults: Mapping[str, Any]) -> Decision:
    """The note on a work that a report stands for.

    Args:
        connection: A release.
        text: The report, or a mail with it, whose sender is the one who noted it.
        name: Name of the file, for messages.
        defaults: ``decided_by`` if the file names nobody, and ``decided_at``.

    Raises:
        InvalidDecision: It names no work, or nothing that is wrong.
        UnknownWork: The release has no such work.
    """
    sender = ""
    if re.match(r"[\w-]+: ", text):
        mail = email.message_from_bytes(text.encode(), policy=email.policy.default)
        body, sender = mail.get_body(("plain",)), str(mail["from"] or "")
        text = body.get_content() if body is not None else text
    fields = dict(_FIELD.findall(text))
    wrong = clean_line(re.sub(r"^[> ]+", "", text.partition(_QUESTION)[2], flags=re.MULTILINE))
    if not fields.get("work") or not wrong:
        raise InvalidDecision(f"{name}: a report needs a line “work: …” and a text after “{_QUESTION}”")
    shown = find_work(connection, fields["work"].strip())
    given = {
        **defaults,
        "kind": "note",
        "value": wrong[:_MAX_LETTERS],
        "record_id": shown.record_id,
        "title": shown.title or "",
        "ground": SEPARATOR.join(shown.ground),
    }
    return build_decision(given | {"decided_by": clean_line(sender) or given.get("decided_by") or NOBODY})


def find_noted_works(connection: duckdb.DuckDBPyConnection, decisions: Iterable[Decision]) -> set[str]:
    """The works with a note since which nobody has decided anything on them."""
    decisions = list(decisions)
    events, outcomes = judge_decisions(connection, decisions)
    noted, decided = dict[str, Any](), dict[str, Any]()
    for one in decisions:  # the oldest first
        if outcomes[one.event_id] != UNDONE and one.kind != "undo":
            (noted if one.kind == "note" else decided)[events[one.event_id].question[1]] = one.decided_at
    return {work for work, at in noted.items() if work not in decided or decided[work] < at}
