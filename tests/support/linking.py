"""Links made-up records, without a lake."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator
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
_DECIDED = pa.schema({"first": pa.string(), "second": pa.string(), "is_same_work": pa.bool_()}.items())
_LINKS = pa.schema(
    {
        "first_record_id": pa.string(),
        "second_record_id": pa.string(),
        "step": pa.string(),
        "similarity": pa.float64(),
        "evidence": pa.string(),
        "is_accepted": pa.bool_(),
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


def link_records(
    records: Iterable[dict[str, Any]], last: Collection[dict[str, Any]] = (), links: Collection[dict[str, Any]] = ()
) -> dict[tuple[str, str], dict[str, Any]]:
    """The pairs that linking finds, by their records.

    Args:
        records: The records.
        last: Those of the last release, if it is to go on from there.
        links: The links of the last release.
    """
    with _open(records) as connection:
        connection.register("former_records", pa.Table.from_pylist(list(last), schema=_RECORDS))
        connection.register("last_links", pa.Table.from_pylist(list(links), schema=_LINKS))
        connection.execute("create schema last_release; create view last_release.record_links as from last_links")
        query = "select *, false as is_last from records union all select *, true from former_records"
        rows = connection.sql(find_links(connection, query)).to_arrow_table().to_pylist()
    return {(row["first_record_id"], row["second_record_id"]): row for row in rows}


def list_accepted(records: Iterable[dict[str, Any]]) -> set[tuple[str, str]]:
    """The accepted pairs that linking finds."""
    return {pair for pair, row in link_records(records).items() if row["is_accepted"]}


def join_records(
    records: Iterable[dict[str, Any]], decided: Iterable[tuple[str, str, bool]] = ()
) -> dict[str, dict[str, Any]]:
    """The rows of ``clean.work_members`` of some records, by record.

    Args:
        records: The records.
        decided: Pairs of records, the smaller one first, of which Ada decided whether they are one work.
    """
    with _open(records) as connection:
        connection.execute(f"create table found as {find_links(connection, 'select *, false as is_last from records')}")
        connection.execute("drop view input")
        pairs = [dict(zip(("first", "second", "is_same_work"), pair, strict=True)) for pair in decided]
        connection.register("decided", pa.Table.from_pylist(pairs, schema=_DECIDED))
        query = """
            select records.*, second_record_id, step, similarity, evidence, decided_by, is_same_work
            from records
            left join (
                select first_record_id, second_record_id, step, similarity, evidence, 'rule' as decided_by,
                    true as is_same_work
                from found
                anti join decided on first = first_record_id and second = second_record_id
                where is_accepted
                union all
                select first, second, 'decided', 1.0, 'decided', 'Ada', is_same_work from decided
            ) on record_id = first_record_id
        """
        rows = connection.sql(assign_works(connection, query)).to_arrow_table().to_pylist()
    return {row["record_id"]: row for row in rows}


def group_records(
    records: Iterable[dict[str, Any]], decided: Iterable[tuple[str, str, bool]] = ()
) -> set[frozenset[str]]:
    """The works, each as the set of its records; see `join_records`."""
    works: dict[str, set[str]] = {}
    for record_id, row in join_records(records, decided).items():
        works.setdefault(row["work_id"], set()).add(record_id)
    return {frozenset(work) for work in works.values()}
