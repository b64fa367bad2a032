"""Decisions on scope as files of a screening tool: CSV and RIS as ASReview LAB reads and writes them.

It has one question, whether a record is relevant: ``included`` or ``asreview_label`` is 1 or 0 in CSV, and a note is
``ASReview_relevant`` or ``ASReview_irrelevant`` in RIS. Records carry the identifier and the ground that this lake has
for them, so that what comes back is about the text that was shown.
"""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import duckdb

from transforms.review.questions import UnknownWork, find_work, join_ids, judge_decisions
from transforms.review.replay import SUPERSEDED, UNDONE
from warehouse.decisions.csv_files import arm_formula, disarm_formula
from warehouse.decisions.events import NO, SEPARATOR, YES, Decision, InvalidDecision, build_decision
from warehouse.names import clean_line

_RIS, _BEGINNING = re.compile(r"^TY {2}-", re.MULTILINE), 2_000
_LABELS = ("asreview_label", "included")
_COLUMNS = ("title", "authors", "abstract", "year", "doi", "url", "included", "aisle_record_id", "aisle_ground")
_NOTES = {YES: "ASReview_relevant", NO: "ASReview_irrelevant", "": "ASReview_not_seen"}
_WORKS = """
with living as (
    select distinct work_id from mart.counted_works where corpus = $corpus and work_id is not null
),
scopes as (
    select work_id, if(is_in_scope, 'yes', 'no') as label from clean.reviewed_scopes where taxonomy = $taxonomy
),
shown_records as (
    select
        works.work_id,
        arg_min(
            struct_pack(record_id := records.record_id, title_key := records.title_key),
            (records.title is distinct from works.title, records.record_id)
        ) as shown,
        arg_min(coalesce(records.abstract_sha256, sha256(records.abstract)), records.record_id)
            filter (where records.abstract = works.abstract) as abstract_sha256
    from clean.works as works
    inner join clean.work_members as members on works.work_id = members.work_id
    inner join clean.work_records as records on members.record_id = records.record_id
    where works.work_id in (select work_id from living)
    group by works.work_id
)
select
    works.title,
    works.authors,
    works.abstract,
    year(works.published_on) as year,
    works.doi,
    works.url,
    coalesce(scopes.label, '') as label,
    shown_records.shown.record_id as record_id,
    concat_ws(
        '; ',
        'title:' || left(sha256(shown_records.shown.title_key), 16),
        'abstract:' || left(shown_records.abstract_sha256, 16)
    ) as ground
from clean.works as works
inner join shown_records on works.work_id = shown_records.work_id
left join scopes on works.work_id = scopes.work_id
where works.title is not null
order by works.published_on desc nulls last, works.work_id
"""


@dataclass(frozen=True)
class ScreenedRecord:
    """A record of such a file that was decided on.

    Args:
        place: Where it is in the file, for messages.
        title: Its title.
        names: What may name its work, the surest first.
        label: Whether it is relevant: yes or no.
        record_id: The record of this lake that it was exported from, if it was.
        ground: What was shown of it, as hashes.
        note: Why it was decided so.
    """

    place: str
    title: str
    names: tuple[str, ...]
    label: str
    record_id: str = ""
    ground: str = ""
    note: str = ""


def list_works(connection: duckdb.DuckDBPyConnection, taxonomy: str, corpus: str) -> list[dict[str, Any]]:
    """The works of a corpus with whether they are in scope of a taxonomy, as far as that is decided or listed."""
    found = connection.execute(_WORKS, {"taxonomy": taxonomy, "corpus": corpus})
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def write_screening_csv(works: Iterable[Mapping[str, Any]]) -> str:
    """Works as CSV that ASReview reads, with their labels.

    An apostrophe stands before a text that a spreadsheet would run as a formula.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for work in works:
        texts = [disarm_formula(str(work[name] or "")) for name in _COLUMNS[:6]]
        writer.writerow([*texts, {YES: "1", NO: "0"}.get(work["label"], ""), work["record_id"], work["ground"]])
    return buffer.getvalue()


def write_screening_ris(works: Iterable[Mapping[str, Any]]) -> str:
    """Works as RIS that ASReview reads, with their labels as notes."""
    import rispy

    return rispy.dumps(
        [
            {
                "type_of_reference": "RPRT",
                "title": clean_line(work["title"]),
                "authors": (work["authors"] or "").split(SEPARATOR) if work["authors"] else [],
                "abstract": clean_line(work["abstract"] or ""),
                "year": str(work["year"] or ""),
                "doi": work["doi"] or "",
                "urls": [work["url"]] if work["url"] else [],
                "notes": [
                    _NOTES[work["label"]],
                    f"aisle_record_id: {work['record_id']}",
                    f"aisle_ground: {work['ground']}",
                ],
            }
            for work in works
        ]
    )


def read_screening_file(text: str, name: str) -> list[ScreenedRecord] | None:
    """The records of a file that were decided on; None if the file is no such one.

    Raises:
        InvalidDecision: It cannot be read; the message names it, the record and the reason.
    """
    if _RIS.search(text[:_BEGINNING]):
        return list(_read_ris(text, name))
    first_line = text.removeprefix("\ufeff").partition("\n")[0]
    headers = {header.strip() for header in next(csv.reader([first_line]), [])}
    return list(_read_csv(text, name)) if headers & set(_LABELS) and "kind" not in headers else None


def _read_csv(text: str, name: str) -> Iterator[ScreenedRecord]:
    try:
        rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True))
    except csv.Error as error:
        raise InvalidDecision(f"{name}: it is no CSV ({error})") from error
    for number, row in enumerate(rows, 2):
        given = {key.strip(): arm_formula(value).strip() for key, value in row.items() if key and value}
        written = next((given[label] for label in _LABELS if given.get(label)), "")
        if not written:
            continue
        label = {"1": YES, "1.0": YES, "0": NO, "0.0": NO}.get(written)
        if label is None:
            raise InvalidDecision(f"{name}: row {number}: the label is {written!r}: expected 1 or 0, or none")
        yield _build_record(f"row {number}", label, given, given.get("asreview_note", ""))


def _read_ris(text: str, name: str) -> Iterator[ScreenedRecord]:
    import rispy

    try:
        entries = rispy.loads(text.lstrip("\ufeff"))
    except Exception as error:  # the library raises various exceptions for lines without a tag
        raise InvalidDecision(f"{name}: it is no RIS ({error})") from error
    for number, entry in enumerate(entries, 1):
        notes = [note.removeprefix("<p>").removesuffix("</p>") for note in entry.get("notes", [])]
        label = next((value for value, mark in _NOTES.items() if value and any(mark in note for note in notes)), None)
        if label is not None:
            own = dict(note.partition(": ")[::2] for note in notes if note.startswith("aisle_"))
            title = entry.get("title") or entry.get("primary_title") or ""
            links = {"doi": entry.get("doi", ""), "url": next(iter(entry.get("urls", [])), "")}
            yield _build_record(f"entry {number}", label, {"title": title, **links, **own}, "")


def _build_record(place: str, label: str, given: Mapping[str, str], note: str) -> ScreenedRecord:
    names = tuple(given[name] for name in ("doi", "url", "title") if given.get(name))
    return ScreenedRecord(
        place,
        given.get("title", ""),
        names,
        label,
        given.get("aisle_record_id", ""),
        given.get("aisle_ground", ""),
        note,
    )


def build_scopes(
    connection: duckdb.DuckDBPyConnection,
    decisions: Iterable[Decision],
    records: Iterable[ScreenedRecord],
    defaults: Mapping[str, Any],
) -> tuple[list[Decision], list[str]]:
    """The decisions on scope that records of such a file stand for, and why others are none.

    What the same person has decided so already is left out, so that a file that is imported twice changes nothing; what
    they decided otherwise is replaced, what others decided is not.

    Args:
        connection: A release.
        decisions: All decisions that there are.
        records: The records.
        defaults: ``decided_by``, ``decided_at`` and ``taxonomy``.
    """
    decisions, drafts, problems = list(decisions), list[Decision](), list[str]()
    for record in records:
        try:
            drafts.append(_build_scope(connection, record, defaults))
        except LookupError as error:
            problems.append(f"{record.place}: {record.title or 'without a title'}: {error}")
    events, outcomes = judge_decisions(connection, [*decisions, *drafts])
    own = defaultdict[tuple[str, tuple[str, ...]], list[Decision]](list)
    for one in decisions:
        if outcomes[one.event_id] not in {SUPERSEDED, UNDONE}:
            own[one.decided_by, events[one.event_id].question].append(one)
    new = []
    for one in drafts:
        standing = own[one.decided_by, events[one.event_id].question]
        if all(earlier.value != one.value for earlier in standing):  # else it is there already
            new.append(replace(one, seen_event_ids=join_ids(standing)))
    return new, problems


def _build_scope(
    connection: duckdb.DuckDBPyConnection, record: ScreenedRecord, defaults: Mapping[str, Any]
) -> Decision:
    facts = {"kind": "scope", "value": record.label, "title": record.title, "reason": record.note, **defaults}
    known = "select 1 from clean.work_members where record_id = ?"
    if record.record_id and connection.execute(known, [record.record_id]).fetchall():
        return build_decision({**facts, "record_id": record.record_id, "ground": record.ground})
    for name in record.names:
        try:
            shown = find_work(connection, name)
        except UnknownWork:
            continue
        return build_decision({**facts, "record_id": shown.record_id, "ground": SEPARATOR.join(shown.ground)})
    raise UnknownWork("the release has no such work, or several")
