"""A lake with rows for every table, and the comparison of a table that two engines have made."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb

from orchestration.ingest.decisions import build_decision_rows
from tests.support.builders import build_release
from tests.support.decisions import make_decision, make_mapping
from tests.support.suggestions import make_text as make_animal_text
from tests.support.two_lists import (
    LIST_SEEN_AT,
    SHARED_URL,
    make_list_snapshot,
    make_record,
    make_row,
    make_rows,
    make_sighting,
    make_text,
)
from warehouse.delta import scan_parquet
from warehouse.lake import Lake
from warehouse.table import Table

ABSTRACT = (
    "We train small models to explain what large ones do, and measure how often the explanation holds when it is put to"
    " the test by people. The explanation holds in most cases; where it does not, the model is seldom sure of itself."
)
# how far a number of one engine may be from that of another, relative to its size from 1 on: sums and products are
# made in another order, which shows in the last digits; measured are differences up to 2e-16
REAL_TOLERANCE = 1e-12

_OF_A_RECORD = {"taxonomy": ""}
DECISIONS = [
    make_decision("Robustness; Honest AI", record_id="arxiv 6", taxonomy="iaps", reason="it names both"),
    make_decision("no", kind="scope", record_id="arxiv 5", taxonomy="iaps"),
    make_decision("yes", kind="excluded", record_id="arxiv 4", reason="no paper", **_OF_A_RECORD),
    make_decision("Anthropic", kind="lab", record_id="arxiv 1", **_OF_A_RECORD),
    make_decision("Anthropic", kind="lab", record_id="arxiv 1", decided_by="Bo", **_OF_A_RECORD),
    make_decision("2024-02-29", kind="field", field="published_on", record_id="arxiv 6", **_OF_A_RECORD),
    make_decision("Counting again", kind="field", field="title", record_id="arxiv 6", **_OF_A_RECORD),
    make_decision("yes", kind="same work", record_id="arxiv 6", second_record_id="arxiv 5", **_OF_A_RECORD),
    make_decision("no", kind="same work", record_id="arxiv 2", second_record_id="openalex 2", **_OF_A_RECORD),
    make_mapping(
        "Robustness=0.75; Honest AI=0.25", from_taxonomy="own_list", from_category="red teams", taxonomy="iaps"
    ),
]


def build_full_lake(root: Path) -> Lake:
    """A lake with two lists, papers of which several records are one work, a list that trains models, and decisions."""
    lake, rows = Lake(root), make_rows()
    labelled = {name: [*rows.get(name, []), *added] for name, added in _make_labelled_list().items()}
    decisions = build_decision_rows(DECISIONS).to_dicts()
    build_release(lake, None, **{**rows, **labelled, **_make_papers()}, raw__decisions=decisions)
    return lake


def _make_labelled_list() -> dict[str, list[dict[str, Any]]]:
    """A list of 28 labelled works, two without a category, and 22 rows that it judges not in scope."""
    animals, of_list = "9" * 16, {"list": "animals", "list_title": "Animals", "lab": None}
    works = [(kind, n) for kind in ("Foxes", "Owls") for n in range(15)]
    records = [
        make_record(
            f"{kind} {n}",
            animals,
            place,
            LIST_SEEN_AT,
            **of_list,
            title=f"Report {n} on the habitat of {kind.lower()}",
            abstract=make_animal_text(kind, n),
            category=kind if n else "(no category)",
            categories=kind if n else None,
        )
        for place, (kind, n) in enumerate(works, 1)
    ]
    judged = [
        make_row(
            "raw.judged_rows",
            snapshot_id=animals,
            record_ordinal=100 + n,
            source="lab_sheet",
            list="animals",
            title=f"Report {n} on fishing",
            abstract=make_animal_text("Trout", n),
            judgement="No",
        )
        for n in range(22)
    ]
    return {
        "raw__snapshots": [make_list_snapshot(animals, "animals.csv", LIST_SEEN_AT)],
        "raw__parses": [make_row("raw.parses", snapshot_id=animals, source="lab_sheet", records_read=30)],
        "raw__lab_sheet_publications": records,
        "raw__sightings": [make_sighting(record) for record in records],
        "raw__judged_rows": judged,
    }


def _make_papers() -> dict[str, list[dict[str, Any]]]:
    titles = [
        "Small models explain large ones",
        "Small models explain large ones.",
        "Small Models Explain the Large Ones",
        "Ein Maß für Ehrlichkeit: Große Sprachmodelle",
        "ΣΟΦΟΣ İstanbul: on the small letters of titles",
        "Counting what nobody has counted before, part 1",
        "Counting what nobody has counted before, part 2",
    ]
    papers, works, crossref = [], [], []
    for number, title in enumerate(titles, 1):
        facts = {
            "title": title,
            "authors": "Ada Müller; Bo O’Neil et al." if number % 2 else "Müller, A.; Çelik, B.",
            "abstract": ABSTRACT if number < 4 else f"{ABSTRACT} {title}. It is the {number}th of its kind.",
            "published_on": dt.date(2024, number, 3),
        }
        arxiv_id = f"2401.0000{number}"
        papers.append(
            make_text(
                "raw.arxiv_papers",
                f"arxiv {number}",
                arxiv_id=arxiv_id,
                version_number=number,
                is_deleted=number == 7,
                submitted_on=facts["published_on"],
                **{name: facts[name] for name in ("title", "authors", "abstract")},
            )
        )
        works.append(
            make_text(
                "raw.openalex_works",
                f"openalex {number}",
                openalex_id=f"W{number}",
                arxiv_id=arxiv_id if number == 4 else None,
                doi=f"10.1000/{number}",
                work_type="article",
                url=f"https://doi.org/10.1000/{number}",
                affiliations=json.dumps([{"author": "Ada Müller", "affiliation": "OpenAI, San Francisco"}]),
                citations=number,
                is_retracted=False,
                updated_at=None if number % 2 else LIST_SEEN_AT,
                **facts,
            )
        )
        crossref.append(
            make_text(
                "raw.crossref_works",
                f"crossref {number}",
                doi=f"10.1000/{number}",
                work_type="journal-article",
                date_precision="day",
                url=f"https://doi.org/10.1000/{number}",
                **facts,
            )
        )
    post = make_text(
        "raw.forum_posts",
        "post 2",
        site="eaf",
        forum_id="p2",
        title="What “Small models explain large ones” leaves open",
        author="Ada Müller",
        posted_at=dt.datetime(2024, 6, 1, tzinfo=dt.UTC),
        is_withdrawn=False,
        text=f"{ABSTRACT}\nCompare “counting what nobody has counted” and {SHARED_URL}, https://arxiv.org/abs/2401.00004.",
        links="https://www.example.org/posts/small-models-explain-large-ones?utm_source=a&b=c",
    )
    return {
        "raw__arxiv_papers": papers,
        "raw__openalex_works": works,
        "raw__crossref_works": crossref,
        "raw__forum_posts": [*make_rows()["raw__forum_posts"], post],
    }


def find_differences(table: Table, first: Iterable[Path], second: Iterable[Path]) -> list[str]:
    """How the rows of a table in some Parquet files differ from those in others; nothing if they do not."""
    reals = [column.name for column in table.columns if column.type == "real"]
    others = ", ".join(column.name for column in table.columns if column.type != "real")
    found = []
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for name, files in (("first", list(first)), ("second", list(second))):
            columns = ", ".join(f"null as {column.name}" for column in table.columns)
            query = f"from {scan_parquet(files)}" if files else f"select {columns} limit 0"
            connection.execute(f"create table {name}_rows as {query}")
        query = "select column_name, data_type from duckdb_columns() where table_name = ?"
        described = [dict(connection.execute(query, [f"{name}_rows"]).fetchall()) for name in ("first", "second")]
        if described[0] != described[1] and connection.execute("select count(*) from second_rows").fetchall() != [(0,)]:
            found.append(f"types {described}")
        for one, other in (("first", "second"), ("second", "first")):
            query = f"select {others} from {one}_rows except all select {others} from {other}_rows"
            rows = connection.execute(query).fetchall()
            if rows:
                found.append(f"{len(rows)} rows only in the {one}, such as {rows[0]}")
        key = " and ".join(f"first_rows.{name} is not distinct from second_rows.{name}" for name in table.key)
        for real in reals:
            a, b = f"first_rows.{real}", f"second_rows.{real}"
            query = f"""
                select {a}, {b}, abs({a} - {b}) / greatest(1, abs({a})) as distance
                from first_rows inner join second_rows on {key}
                where {a} is distinct from {b} and not coalesce(distance <= {REAL_TOLERANCE}, false)
                order by distance desc
            """
            rows = connection.execute(query).fetchall()
            if rows:
                found.append(f"{real} differs in {len(rows)} rows by up to {rows[0]}, allowed is {REAL_TOLERANCE}")
    return found
