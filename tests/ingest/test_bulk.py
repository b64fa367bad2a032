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
    for row, expected in zip(found, rows, strict=True):
        assert row == expected
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
