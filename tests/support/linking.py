"""Links made-up records, without a lake."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa

from transforms.functions import register_functions
from transforms.linking.links import find_links
from transforms.linking.members import assign_works
from transforms.reader import FOLDER
from warehouse import names
from warehouse.sql import configure_connection

_CODE = "".join(file.read_text(encoding="utf-8") for file in sorted((FOLDER / "linking").glob("*.py")))
_RECORDS = pa.schema(
    {
        "record_id": pa.string(),
        "source": pa.string(),
        "title": pa.string(),
        "title_key": pa.string(),
        "title_words": pa.int64(),
        "identifiers": pa.list_(pa.string()),
        "surnames": pa.string(),
        "lab": pa.string(),
        "published_year": pa.int64(),
        "abstract": pa.string(),
        "abstract_sha256": pa.string(),
        "first_seen_at": pa.timestamp("us", "UTC"),
    }.items()
)


def make_record(record_id: str, title: str, *identifiers: str, **values: Any) -> dict[str, Any]:
    """A record as linking reads it.

    Args:
        record_id: Its id.
        title: Its title.
        identifiers: Its canonical keys.
        values: Other columns; ``day`` is the day on which it was first seen, from 0.
    """
    seen = dt.datetime(2025, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=values.pop("day", 0))
    return {
        "record_id": record_id,
        "source": "lab_sheet",
        "title": title,
        "title_key": names.build_title_key(title) or None,
        "title_words": len(title.split()),
        "identifiers": list(identifiers),
        "first_seen_at": seen,
        **values,
    }


@contextmanager
def _open(records: Iterable[dict[str, Any]]) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        configure_connection(connection)
        connection.register("records", pa.Table.from_pylist(list(records), schema=_RECORDS))
        with register_functions(connection, _CODE):
            yield connection


def link_records(records: Iterable[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """The pairs that linking finds, by their records."""
    with _open(records) as connection:
        rows = connection.sql(find_links(connection, "from records")).to_arrow_table().to_pylist()
    return {(row["first_record_id"], row["second_record_id"]): row for row in rows}


def list_accepted(records: Iterable[dict[str, Any]]) -> set[tuple[str, str]]:
    """The accepted pairs that linking finds."""
    return {pair for pair, row in link_records(records).items() if row["is_accepted"]}


def join_records(records: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The rows of ``clean.work_members`` of some records, by record."""
    with _open(records) as connection:
        connection.execute(f"create table found as {find_links(connection, 'from records')}")
        connection.execute("drop view input")
        query = """
            select records.*, second_record_id, step, similarity, evidence
            from records left join found on record_id = first_record_id and is_accepted
        """
        rows = connection.sql(assign_works(connection, query)).to_arrow_table().to_pylist()
    return {row["record_id"]: row for row in rows}


def group_records(records: Iterable[dict[str, Any]]) -> set[frozenset[str]]:
    """The works, each as the set of its records."""
    works: dict[str, set[str]] = {}
    for record_id, row in join_records(records).items():
        works.setdefault(row["work_id"], set()).add(record_id)
    return {frozenset(work) for work in works.values()}
