"""Small lakes of made-up works and texts, with only the tables of mentions made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from orchestration.defs.catalog import load_transforms
from transforms.engine import make_table
from warehouse import reference
from warehouse.lake import Lake
from warehouse.sql import connect_tables

TABLES = (
    *("clean.texts", "clean.text_links", "clean.phrase_mentions", "clean.quote_mentions", "clean.abstract_mentions"),
    *("clean.mentions", "clean.feed_scopes"),
)
MARTS = (
    *("mart.most_discussed_works", "mart.most_taught_works", "mart.days_from_paper_to_discussion"),
    *("mart.topics_by_month", "mart.author_topics"),
)


def make_mentions(
    lake: Lake, works: Iterable[Mapping[str, Any]], tables: Iterable[str] = TABLES, **rows: Iterable[Mapping[str, Any]]
) -> None:
    """Make the tables of mentions in a lake.

    Args:
        lake: The lake.
        works: Works, each with ``work_id`` and perhaps other columns of ``clean.works``, its ``identifiers``,
            ``record_ids`` and ``names`` of authors.
        tables: The tables to make, in order.
        rows: Rows of the tables of texts and of reference tables, by table name with two underscores for the dot.
    """
    given: dict[str, list[Mapping[str, Any]]] = {
        name.replace("__", ".", 1): list(value) for name, value in rows.items()
    }
    for work in works:
        own = {"work_id": work["work_id"]}
        records = work.get("record_ids", [f"record of {work['work_id']}"])
        texts = {"title": work.get("title"), "abstract": work.get("abstract")}
        given.setdefault("clean.works", []).append({"members": len(records), **work})
        given.setdefault("clean.work_members", []).extend({**own, "record_id": record} for record in records)
        given.setdefault("clean.work_records", []).extend({**texts, "record_id": record} for record in records)
        identifiers = ({**own, "identifier": identifier} for identifier in work.get("identifiers", ()))
        given.setdefault("clean.work_identifiers", []).extend(identifiers)
        names = (
            {**own, "author_position": place, "author": name} for place, name in enumerate(work.get("names", ()), 1)
        )
        given.setdefault("clean.work_authors", []).extend(names)
    for table in reference.list_reference_tables():
        lake.write(table, table.frame(given[table.name]) if table.name in given else reference.read_table(table))
    transforms = load_transforms()
    for name in dict.fromkeys(source for table in tables for source in transforms[table].source_tables):
        if name not in tables and not name.startswith("reference."):
            table = transforms[name].table
            empty = dict.fromkeys(table.schema)
            complete = ({**empty, **{k: v for k, v in row.items() if k in empty}} for row in given.get(name, ()))
            lake.write(table, table.frame(complete))
    for name in tables:
        make_table(transforms[name], lake)


def query_lake(lake: Lake, query: str, *tables: str) -> pl.DataFrame:
    """The rows of a query on tables of a lake."""
    with connect_tables(lake, tables, query) as connection:
        return connection.sql(query).pl()
