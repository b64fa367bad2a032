"""Builds small lakes from given rows, for tests that need to know every publication."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from orchestration.defs.catalog import list_tables, load_transforms
from orchestration.ingest.raw_tables import list_raw_tables
from transforms import engine, lineage
from warehouse import reference
from warehouse.lake import Lake
from warehouse.release import Release, publish_release
from warehouse.sql import list_macro_tables
from warehouse.table import Table

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
PAPER = {"lab": "OpenAI", "category": "Robustness", "published_on": dt.date(2023, 5, 1), "is_duplicate": False}

CORPORA = ("mart.counted_works", "mart.work_counts_by_month", "mart.corpus_sources", "mart.corpus_coverage")
"""What the table macros read, besides the counts of publications."""


def make_publication(key: object, **facts: Any) -> dict[str, Any]:
    """A row of ``clean.publications`` with defaults for the missing facts."""
    empty: dict[str, Any] = dict.fromkeys(load_transforms()["clean.publications"].table.schema)
    sighting = {"snapshots": 1, "first_seen_at": NOW, "last_seen_at": NOW}
    return {**empty, "publication_id": str(key), "title": f"Title {key}", **sighting, **PAPER, **facts}


def build_release(
    lake: Lake,
    publications: Iterable[Mapping[str, Any]] | None,
    authorships: Iterable[tuple[object, int, str | None]] = (),
    only: Sequence[str] | None = None,
    **other_rows: Iterable[Mapping[str, Any]],
) -> Release:
    """Publish a release with exactly these publications; all other SQL tables are made by their transforms.

    Args:
        lake: The lake that the release is published in.
        publications: Rows of ``clean.publications``; if missing, a transform makes them from raw rows, and the authors too.
        authorships: Publication, position and lab of each author.
        only: Names of the tables to make, with all that they are made from; all if missing. With those of
            `CORPORA` among them, given publications are not linked to works.
        other_rows: Rows of other tables, by table name with two underscores for the dot.
    """
    authors = [
        {"publication_id": str(key), "author_position": position, "author": None, "lab": lab}
        for key, position, lab in authorships
    ]
    rows: dict[str, Iterable[Mapping[str, Any]]] = {}
    if publications is not None:
        rows = {"clean.publications": publications, "clean.authorships": authors}
    rows |= {name.replace("__", ".", 1): value for name, value in other_rows.items()}
    if publications is not None and only is not None:
        rows = _list_unlinked(only, rows) | rows
    needed = {table.name for table in list_tables()} if only is None else _find_needed(only, rows)
    written: list[Table] = []
    for table in reference.list_reference_tables():
        if table.name in needed:
            lake.write(table, table.frame(rows[table.name]) if table.name in rows else reference.read_table(table))
            written.append(table)
    for table in (lineage.TABLE, *list_raw_tables()):
        if table.name in needed:
            lake.write(table, table.frame(rows.get(table.name, ())))
            written.append(table)
    for name, transform in load_transforms().items():
        if name in rows:
            lake.write(transform.table, transform.table.frame(rows[name]))
        elif name in needed:
            engine.make_table(transform, lake)
        else:
            continue
        written.append(transform.table)
    assert only is not None or {table.name for table in written} == {table.name for table in list_tables()}
    code = engine.list_incremental_code(load_transforms().values())
    return publish_release(lake, written, {engine.INCREMENTAL_CODE: code})[0]


def _list_unlinked(only: Sequence[str], given: Collection[str]) -> dict[str, Iterable[Mapping[str, Any]]]:
    """Empty tables in place of what would have to be linked, which costs more than all else; none if it is asked for."""
    if set(CORPORA) <= set(only):
        names = [name for name in load_transforms() if re.match(r"clean\.(work|record|decisions|reviewed)", name)]
        return dict.fromkeys(names, ())
    if "clean.work_members" in _find_needed(only, {*given, "clean.category_crosswalk"}):
        return {}
    return {"clean.decisions": (), "clean.work_labels": ()}  # without people's decisions on categories


def _find_needed(only: Iterable[str], given: Collection[str]) -> set[str]:
    """The tables, those that they are made from unless their rows are given, and those of the macros if their marts are among them."""
    transforms, needed = load_transforms(), {"raw.snapshots"}
    waiting = [*only, *given]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += transforms[name].source_tables if name in transforms and name not in given else ()
        if not waiting and {macro for macro in list_macro_tables() if macro.startswith("mart.")} <= needed:
            waiting += list_macro_tables() - needed
    return needed


def fetch_rows(release: Release, query: str) -> list[tuple]:
    """The rows that a query returns on a release."""
    with release.connect() as connection:
        return connection.execute(query).fetchall()
