"""Counts of made-up works: the tables of corpora in a DuckDB in memory, made by their own queries."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import duckdb

from orchestration.defs.catalog import list_tables, load_transforms
from tests.support.builders import make_publication
from warehouse import reference
from warehouse.sql import SCALAR_MACROS, TABLE_MACROS

MARTS = (
    *("clean.listed_publications", "clean.list_categories", "clean.corpora", "mart.counted_list_entries"),
    *(
        "clean.category_crosswalk",
        "clean.corpus_taxonomies",
        "clean.coverage",
        "clean.publication_categories",
        "mart.counted_publications",
        "mart.publication_counts_by_month",
    ),
    *("clean.reviewed_scopes", "clean.reviewed_labels"),
    *("mart.counted_works", "mart.work_counts_by_month", "mart.corpus_sources", "mart.corpus_coverage"),
    "mart.works_by_lab_category_month",
)
FOLLOWED = reference.list_names("labs")
LIST_SEEN_AT = dt.datetime(2025, 8, 1, tzinfo=dt.UTC)
SEEN_AT = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
LISTED = (
    make_publication("sheet 1", lab="OpenAI", category="Robustness", published_on=dt.date(2023, 5, 1)),
    make_publication("sheet 2", lab="Anthropic", category="Honest AI", published_on=dt.date(2023, 6, 1)),
    make_publication("sheet 3", lab="OpenAI", category="Robustness", is_duplicate=True),
)
"""Three rows of a sheet, of which one is a marked duplicate."""


def make_work(
    work_id: str,
    published_on: dt.date | None = None,
    *,
    labs: Iterable[str] = (),
    authors: Iterable[tuple[str | None, str | None]] = (),
    labels: Iterable[tuple[str, str]] = (),
    sources: Iterable[str] = ("arxiv_papers",),
    rows: Iterable[str] = (),
    **facts: Any,
) -> dict[str, list[dict[str, Any]]]:
    """The rows of a work, by table.

    Args:
        work_id: Its identifier.
        published_on: Its day of publication; None without one.
        labs: Its labs, the primary one first.
        authors: Lab of each author, and the basis of that.
        labels: A list and a category for each label.
        sources: The sources that have it.
        rows: Those rows of the sheet that are its records.
        facts: Other columns of ``clean.works``.
    """
    year = published_on.replace(month=1, day=1) if published_on else None
    work = {"work_id": work_id, "title": work_id, "published_on": published_on, "published_year": year}
    names = list(labs)
    return {
        "clean.works": [
            {**work, "is_withdrawn": False, "is_excluded": False, "labs": "; ".join(names) or None, **facts}
        ],
        "clean.work_labs": [
            {
                "work_id": work_id,
                "lab": lab,
                "basis": "listed",
                "is_followed": lab in FOLLOWED,
                "is_primary": lab == names[0],
            }
            for lab in names
        ],
        "clean.work_authors": [
            {"work_id": work_id, "author_position": place, "author": f"Author {place}", "lab": lab, "lab_basis": basis}
            for place, (lab, basis) in enumerate(authors, 1)
        ],
        "clean.work_labels": [
            {"work_id": work_id, "list": name, "taxonomy": "iaps", "category": category, "category_position": place}
            for place, (name, category) in enumerate(labels, 1)
        ],
        "clean.work_members": [
            *({"work_id": work_id, "record_id": f"{work_id} {source}", "source": source} for source in sources),
            *({"work_id": work_id, "record_id": row, "source": "lab_sheet"} for row in rows),
        ],
    }


def make_entry(name: str, key: str, **facts: Any) -> dict[str, Any]:
    """A row of ``clean.list_entries``, with one category unless others are given."""
    row = {**make_publication(key), "list": name, "authors": None, "author_labs": None, **facts}
    return {**row, "categories": facts.get("categories", row["category"])}


def count_works(
    works: Iterable[Mapping[str, list[dict[str, Any]]]],
    listed: Iterable[Mapping[str, Any]] = LISTED,
    entries: Iterable[Mapping[str, Any]] = (),
    taxonomies: Mapping[str, str] = MappingProxyType({}),
) -> duckdb.DuckDBPyConnection:
    """A database with the marts of corpora and their macros.

    Args:
        works: Rows of works, as `make_work` has them.
        listed: Rows of the sheet of the mapping.
        entries: Rows of ``clean.list_entries``.
        taxonomies: The taxonomy of each list of the entries.
    """
    rows: dict[str, list[Any]] = {"clean.publications": list(listed), "clean.list_entries": list(entries)}
    rows["clean.lists"] = [
        {"list": name, "list_title": f"List {name}", "taxonomy": taxonomy, "newest_snapshot_at": LIST_SEEN_AT}
        for name, taxonomy in taxonomies.items()
    ]
    for work in works:
        for table, added in work.items():
            rows.setdefault(table, []).extend(added)
    rows["raw.snapshots"] = [
        {"source": source, "fetched_at": SEEN_AT}
        for source in {row["source"] for row in rows.get("clean.work_members", [])}
    ] + [{"source": "lab_sheet", "fetched_at": SEEN_AT}]
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    connection.execute(SCALAR_MACROS)
    for layer in ("raw", "clean", "mart", "reference"):
        connection.execute(f"create schema {layer}")
    inputs = {name for mart in MARTS for name in load_transforms()[mart].source_tables} - set(MARTS)
    for table in list_tables():
        if table.name in inputs or table.layer == "reference":
            made = [dict.fromkeys(table.schema) | dict(row) for row in rows.get(table.name, [])]
            known = table.layer == "reference" and table.name != "reference.dictionary"
            frame = (
                reference.read_table(table)
                if known and table in reference.list_reference_tables()
                else table.frame(made)
            )
            connection.register("made", frame)
            connection.execute(f"create table {table.name} as from made")
    for mart in MARTS:
        connection.execute(f"create table {mart} as {load_transforms()[mart].query}")
    connection.execute(TABLE_MACROS)
    return connection
