"""Lakes made from a few publications, for tests that need to know every one of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchestration.defs.tables import all_tables, transforms
from orchestration.ingest.raw import raw_tables
from transforms import engine, lineage
from warehouse import reference
from warehouse.lake import Lake
from warehouse.release import Release, publish
from warehouse.table import Table

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
PAPER = {"lab": "OpenAI", "category": "Robustness", "published_on": dt.date(2023, 5, 1), "is_duplicate": False}


def publication(key: object, **facts: Any) -> dict[str, Any]:
    """A row of ``clean.publications``."""
    empty: dict[str, Any] = dict.fromkeys(transforms()["clean.publications"].table.schema)
    seen = {"snapshots": 1, "first_seen_at": NOW, "last_seen_at": NOW}
    return {**empty, "publication_id": str(key), "title": f"Title {key}", **seen, **PAPER, **facts}


def made(
    lake: Lake,
    publications: Iterable[Mapping[str, Any]],
    authorships: Iterable[tuple[object, int, str | None]] = (),
    only: Sequence[str] | None = None,
    **given: Iterable[Mapping[str, Any]],
) -> Release:
    """A release in which these are all publications; every table below them is made by its own SQL.

    Args:
        lake: Where.
        publications: Rows of ``clean.publications``.
        authorships: Publication, place and lab of each author.
        only: Names of the marts that are needed; all if missing.
        given: Rows of other tables, by their name with two underscores for the dot.
    """
    authors = [
        {"publication_id": str(key), "author_position": place, "author": None, "lab": lab}
        for key, place, lab in authorships
    ]
    rows = {"clean.publications": publications, "clean.authorships": authors}
    rows |= {name.replace("__", ".", 1): value for name, value in given.items()}
    for table in reference.tables():
        lake.write(table, table.frame(rows[table.name]) if table.name in rows else reference.frame_of(table))
    for table in raw_tables():
        lake.write(table, table.frame(rows.get(table.name, ())))
    lake.write(lineage.TABLE, lineage.TABLE.frame(rows.get(lineage.TABLE.name, ())))
    written: list[Table] = [*reference.tables(), lineage.TABLE, *raw_tables()]
    for name, transform in transforms().items():
        if name in rows:
            lake.write(transform.table, transform.table.frame(rows[name]))
        elif only is None or name in only or not name.startswith("mart."):
            lake.write(transform.table, engine.run(transform, lake))
        else:
            continue
        written.append(transform.table)
    assert only is not None or {table.name for table in written} == {table.name for table in all_tables()}
    return publish(lake, written, {})[0]
