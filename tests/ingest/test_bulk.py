"""Bulk files: the statement gives what the parser gives, record by record, and every line is accounted for."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from benchmarks import openalex_works as made_up
from orchestration.ingest.bulk import BulkPart, find_bulk_source, read_bulk_part, read_odd_line
from orchestration.ingest.bulk_parts import OccurrenceCounter, list_part_columns
from orchestration.ingest.identity import compute_ids
from orchestration.sources.registry import get_source
from orchestration.sources.source import Record, Source
from tests.support.fetch_plans import SAMPLES, needs_samples

OPENALEX = get_source("openalex_works")
SNAPSHOT_ID = "0123456789abcdef"
MEMORY_BYTES = 512 * 2**20


def read(folder: Path, data: bytes, source: Source = OPENALEX, *, is_gated: bool = False) -> BulkPart:
    path = folder / "part"
    path.write_bytes(data)
    return read_bulk_part(path, SNAPSHOT_ID, source, folder, memory_bytes=MEMORY_BYTES, is_gated=is_gated)


def read_rows(path: Path) -> list[dict[str, Any]]:
    return pq.read_table(path).to_pylist()


def expect_rows(source: Source, data: bytes) -> tuple[list[dict[str, Any]], list[tuple[int, str]]]:
    """The rows that the parser gives for the lines, and place and reason of its rejects."""
    rows, rejects, occurrences, ordinal = [], [], Counter(), 0
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        ordinal += 1
        item = read_odd_line(source, line, f"line {number}")
        if not isinstance(item, Record):
            rejects.append((ordinal, item.reason))
            continue
        record_id, version_id = compute_ids(source, item)
        occurrences[record_id] += 1
        rows.append(
            {
                "record_id": record_id,
                "version_id": version_id,
                "reading_note": None,
                **item.values,
                "snapshot_id": SNAPSHOT_ID,
                "record_ordinal": ordinal,
                "occurrence": occurrences[record_id],
                "locator": item.locator,
            }
        )
    return rows, rejects


def assert_same_as_parser(folder: Path, source: Source, data: bytes, pack: Any = bytes) -> BulkPart:
    part = read(folder, pack(data), source)
    rows, rejects = expect_rows(source, data)
    found = read_rows(part.records_path)
    differences = [
        (expected["locator"], name, row[name], value)
        for row, expected in zip(found, rows, strict=True)
        for name, value in expected.items()
        if row[name] != value
    ]
    assert differences == []
    assert sorted((row["record_ordinal"], row["reason"]) for row in read_rows(part.rejects_path)) == rejects
    assert part.records_read == part.records_kept_rows + part.records_rejected == len(rows) + len(rejects)
    return part


def test_made_up_works_are_read_as_the_parser_reads_them(tmp_path: Path) -> None:
    part = made_up.Part("part")
    lines = list(made_up.iterate_lines(3, 0, 1200, part, dirty_share=0.2))
    assert set(part.dirty) == {*made_up.UNUSABLE_KINDS, *made_up.ODD_KINDS}
    read_part = assert_same_as_parser(tmp_path, OPENALEX, b"\n".join(lines), gzip.compress)
    assert read_part.records_kept_rows == len(part.usable)
    assert list(pq.read_schema(read_part.records_path).names) == list(list_part_columns(OPENALEX))
    rows = read_rows(read_part.records_path)
    assert [row["openalex_id"] for row in rows] == part.usable
    assert max(row["occurrence"] for row in rows) > 1


@needs_samples
def test_captured_works_are_read_as_the_parser_reads_them(tmp_path: Path) -> None:
    works = [
        work
        for page in sorted((SAMPLES / "openalex" / "cursor_pages").glob("*_page_1.json"))
        for work in json.loads(page.read_bytes())["results"]
    ]
    lines = [json.dumps(work, ensure_ascii=number % 2 == 0) for number, work in enumerate(works)]
    part = assert_same_as_parser(tmp_path, OPENALEX, "\n".join(lines).encode())
    assert part.records_kept_rows == len(works) > 100


def test_gate_keeps_the_works_of_the_field_and_counts_the_others_by_reason(tmp_path: Path) -> None:
    part = made_up.Part("part")
    lines = list(made_up.iterate_lines(4, 0, 1500, part, scope_share=0.2, dirty_share=0.0))
    whole = {row["version_id"] for row in read_rows(read(tmp_path, b"\n".join(lines)).records_path)}
    gated = read(tmp_path, b"\n".join(lines), is_gated=True)
    assert [row["openalex_id"] for row in read_rows(gated.records_path)] == part.in_scope
    assert gated.records_out_of_scope == sum(gated.out_of_scope_reasons.values()) == 1500 - len(part.in_scope)
    assert len(gated.out_of_scope_reasons) == 2
    assert {row["version_id"] for row in read_rows(gated.records_path)} < whole


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_bulk_files_are_recognised_by_their_first_record(tmp_path: Path, pack: Any) -> None:
    lines = made_up.iterate_lines(5, 0, 3, made_up.Part("part"), dirty_share=0.0)
    path = tmp_path / "some name"
    path.write_bytes(pack(b"\n".join(lines)))
    assert find_bulk_source(path) is OPENALEX
    path.write_bytes(pack(b'{"meta": {"count": 1}, "results": []}'))
    assert find_bulk_source(path) is None


def test_occurrences_are_counted_across_batches() -> None:
    counter = OccurrenceCounter()
    ids = [f"{number % 700:016x}" for number in range(2000)]
    counts = [count for start in range(0, 2000, 90) for count in counter.count(ids[start : start + 90])]
    assert counts == [1 + number // 700 for number in range(2000)]


PAPER = {
    "id": "2401.00001",
    "submitter": "Ann",
    "authors": "A. Ann and B. Ben",
    "title": "A title that is\n  broken into lines",
    "comments": "12 pages",
    "journal-ref": "J. 1 (2024)",
    "doi": "10.1234/ABC, 10.1/d",
    "report-no": "R-1",
    "categories": "cs.LG cs.AI",
    "license": "http://arxiv.org/licenses/nonexclusive-distrib/1.0/",
    "abstract": "  We study reward hacking,\nand more.\n",
    "versions": [
        {"version": "v1", "created": "Mon, 1 Jan 2024 19:18:42 GMT"},
        {"version": "v2", "created": "Tue, 02 Jan 2024 00:00:00 GMT"},
    ],
    "update_date": "2024-02-03",
    "authors_parsed": [["Ann", "A.", ""], ["Ben", "B.", "Jr.", "An Institute"]],
}
TEXT = {
    "id": "a1b2",
    "source": "blogs",
    "source_type": "blog",
    "title": "On a text",
    "url": "https://arxiv.org/abs/2401.00001v2",
    "text": 'A text.\n\nWith lines: \u201cé\u201d\t\u000c and "quotes" \\u00AB',
    "date_published": "2023-04-05T06:07:08.900Z",
    "authors": ["Ann", "Ben", "Ann"],
    "summaries": ["One.", "Two  more."],
    "karma": 3,
}
WORK = {
    "id": "https://openalex.org/W5",
    "doi": "https://doi.org/10.1234/ABC.",
    "title": "A title",
    "publication_date": "2024-05-06",
    "type": "article",
    "language": "en",
    "primary_location": {"landing_page_url": "https://a.example/b", "source": {"display_name": "A Venue"}},
    "locations": [{"landing_page_url": "http://arxiv.org/abs/2401.00001v2"}, {"landing_page_url": None}],
    "authorships": [
        {
            "author": {"id": "https://openalex.org/A1", "display_name": "Ann"},
            "raw_author_name": "A. Ann",
            "raw_affiliation_strings": [" Some  Place", '“Another”, "Town"'],
            "institutions": [
                {"id": "https://openalex.org/I1", "lineage": ["https://openalex.org/I2", "https://openalex.org/I1"]}
            ],
        },
        {
            "author": {"id": None, "display_name": None},
            "raw_author_name": "Ben",
            "raw_affiliation_strings": [],
            "institutions": [],
        },
    ],
    "cited_by_count": 4,
    "is_retracted": False,
    "primary_topic": {"id": "https://openalex.org/T1", "display_name": "A Topic"},
    "abstract_inverted_index": {"a": [1, 3], "This": [0], "is": [2], "test": [4]},
    "referenced_works": ["https://openalex.org/W9", "https://openalex.org/W9", "https://openalex.org/W8"],
    "updated_date": "2025-09-18T12:11:05.971817",
}
# in place of a value, wherever it is in a record
ODD_VALUES = [
    *(None, 5, -1, 2.5, 10**30, float("inf"), True, False, [], {}, ["x"], [None], [5], {"a": 1}, {"a": [0]}, [["x"]]),
    *(
        "",
        " ",
        "x",
        " a  b ",
        "5",
        "-2.5e3",
        "true",
        "[x]",
        "{}",
        "a\nb",
        "e\u0301",
        "\u00a0x",
        "x\u200by",
        "\u212b",
        "\ue000x",
    ),
    *(
        "<i>x</i>",
        "a < b",
        "x &amp; y",
        "a&b;",
        "\u0000",
        "\ud800",
        "\U0001f600",
        "2024-02-30",
        "2024-02-03",
        "0001-01-01",
    ),
    *(
        "20240506",
        "2024-05-06T07:08:09+02:00",
        "2024-05-06 07:08:09.123",
        "2024-05-06T25:00:00",
        "https://arxiv.org/abs/2401.00002",
    ),
    *(
        "ftp://x/y",
        "https://x/é",
        "https://doi.org/10.48550/arXiv.2401.00003",
        "doi:10.1/x",
        "https://openalex.org/a/A3",
    ),
]


def iterate_variants(value: Any) -> Any:
    """The value with one part of it replaced or left out, in all ways."""
    yield from ODD_VALUES
    if isinstance(value, dict):
        for key, entry in value.items():
            yield {name: other for name, other in value.items() if name != key}
            yield from ({**value, key: variant} for variant in iterate_variants(entry))
    if isinstance(value, list):
        for place, entry in enumerate(value):
            yield from ([*value[:place], variant, *value[place + 1 :]] for variant in iterate_variants(entry))


@pytest.mark.parametrize(
    ("source_name", "record"), [("openalex_works", WORK), ("arxiv_papers", PAPER), ("alignment_dataset", TEXT)]
)
def test_every_odd_value_gives_what_the_parser_gives(tmp_path: Path, source_name: str, record: dict[str, Any]) -> None:
    lines = [json.dumps(variant) for variant in [record, *iterate_variants(record)]]
    part = assert_same_as_parser(tmp_path, get_source(source_name), "\n".join(lines).encode())
    assert part.records_read == len(lines) > 500
