"""Damaged and hostile bulk files: a line costs at most one reject, and no line is lost or counted twice."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tracemalloc
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.ingest.bulk import UnreadableBulkFile, read_bulk_part
from orchestration.ingest.line_batches import CHUNK_BYTES, MAX_LINE_BYTES, LineReader
from tests.ingest.test_bulk import MEMORY_BYTES, OPENALEX, SNAPSHOT_ID, WORK, assert_same_as_parser, read, read_rows


def build_line(number: int, **changes: Any) -> bytes:
    return json.dumps({**WORK, "id": f"https://openalex.org/W{number}", **changes}).encode()


def read_lines(path: Path) -> list[tuple[int, int, bytes]]:
    rows = [row for batch in LineReader(path).iterate_batches() for row in batch.to_pylist()]
    return [(row["line_number"], row["record_ordinal"], row["line"].encode()) for row in rows]


DEPTH = 10_000
HOSTILE_LINES = {
    "cut short": build_line(1)[:-40],
    "not UTF-8": build_line(1).replace(b"A title", b"A \xff title"),
    "not UTF-8 within a name": build_line(1).replace(b"A Venue", b"A \xc3 Venue"),
    "a zero byte": build_line(1).replace(b"A title", b"A \0 title"),
    "zero bytes only": b"\0" * 5000,
    "no object": b"[1, 2]",
    "a number": b"17",
    "a text": b'"abc"',
    "null": b"null",
    "an empty object": b"{}",
    "two objects": build_line(1) + build_line(2),
    "deep lists": b'{"id": ' + b"[" * DEPTH + b"]" * DEPTH + b"}",
    "deep objects": b'{"a":' * DEPTH + b"1" + b"}" * DEPTH,
    "a number of many digits": build_line(1, cited_by_count=0).replace(
        b'"cited_by_count": 0', b'"cited_by_count": ' + b"9" * 5000
    ),
    "a list of a page": b'{"meta": {"count": 0, "next_cursor": null}, "results": []}',
    "lone surrogates": build_line(1, title="\ud800"),
    "not a number": build_line(1).replace(b'"cited_by_count": 4', b'"cited_by_count": NaN'),
    "tabs and blanks before": b" \t " + build_line(1),
    "a mark in the middle": b"\xef\xbb\xbf" + build_line(1),
    "a text in SQL": build_line(1, title="'; drop table lines; --"),
}


@pytest.mark.parametrize("kind", HOSTILE_LINES)
def test_hostile_line_costs_at_most_itself(tmp_path: Path, kind: str) -> None:
    lines = [build_line(11), HOSTILE_LINES[kind], build_line(12), build_line(11)]
    part = assert_same_as_parser(tmp_path, OPENALEX, b"\n".join(lines))
    rows = read_rows(part.records_path)
    assert [row["openalex_id"] for row in rows if row["record_ordinal"] != 2] == ["W11", "W12", "W11"]
    assert [row["occurrence"] for row in rows if row["openalex_id"] == "W11"] == [1, 2]
    assert part.records_rejected <= 1


def test_line_ends_marks_and_blank_lines_do_not_change_what_is_read(tmp_path: Path) -> None:
    lines = [build_line(number) for number in range(1, 5)]
    data = b"\xef\xbb\xbf" + lines[0] + b"\r\n\r\n  \t\n" + lines[1] + b"\n\n" + lines[2] + b"\r\n" + lines[3]
    rows = read_rows(read(tmp_path, data).records_path)
    assert [row["openalex_id"] for row in rows] == ["W1", "W2", "W3", "W4"]
    assert [row["record_ordinal"] for row in rows] == [1, 2, 3, 4]
    assert [row["locator"] for row in rows] == ["line 1", "line 4", "line 6", "line 7"]


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
@pytest.mark.parametrize("kept_share", [0.2, 0.5, 0.99])
def test_file_that_is_cut_short_is_read_up_to_there(tmp_path: Path, codec: str, kept_share: float) -> None:
    lines = [build_line(number, title=f"Title {number * 7919 % 10007}") for number in range(3000)]
    packed = pa.compress(b"\n".join(lines), codec, asbytes=True)
    part = read(tmp_path, packed[: int(len(packed) * kept_share)])
    rejects = sorted(read_rows(part.rejects_path), key=lambda row: row["record_ordinal"])
    assert "cut short" in rejects[-1]["reason"]
    assert part.records_rejected <= 2  # the line that was cut, and the file
    ids = [row["openalex_id"] for row in read_rows(part.records_path)]
    assert ids == [f"W{number}" for number in range(len(ids))]
    assert kept_share < 0.4 or len(ids) > 3000 * (kept_share - 0.2)


def test_damaged_bytes_within_a_packed_file_cost_the_rest_and_are_named(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(b"\n".join(build_line(n, title=os.urandom(50).hex()) for n in range(3000))))
    packed[len(packed) // 2 : len(packed) // 2 + 50] = bytes(50)
    part = read(tmp_path, bytes(packed))
    assert any("damaged" in row["reason"] for row in read_rows(part.rejects_path))
    assert part.records_read == part.records_kept_rows + part.records_rejected


def test_several_members_of_a_packed_file_are_read(tmp_path: Path) -> None:
    data = gzip.compress(build_line(1) + b"\n") + gzip.compress(build_line(2) + b"\n")
    assert [row["openalex_id"] for row in read_rows(read(tmp_path, data).records_path)] == ["W1", "W2"]


def test_line_that_is_too_long_is_one_reject_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "part"
    with path.open("wb") as file:
        file.write(build_line(1) + b'\n{"id": "')
        for _ in range(300):
            file.write(b"x" * 2**20)
        file.write(b'"}\n' + build_line(2) + b"\n")
    tracemalloc.start()
    lines = read_lines(path)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [line[:2] for line in lines] == [(1, 1), (3, 3)]
    assert peak_bytes < 4 * (MAX_LINE_BYTES + CHUNK_BYTES)
    part = read_bulk_part(path, SNAPSHOT_ID, OPENALEX, tmp_path, memory_bytes=MEMORY_BYTES, is_gated=False)
    (reject,) = read_rows(part.rejects_path)
    assert (reject["locator"], reject["record_ordinal"], part.records_kept_rows) == ("line 2", 2, 2)
    assert f"at most {MAX_LINE_BYTES:,}" in reject["reason"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.lists(st.sampled_from([b"\n", b"\r\n", b" ", b"{}", b"\xc3\xa9", b"\xff", b"x" * 40, b"\0"]), max_size=60)
)
def test_lines_are_those_of_the_bytes_wherever_chunks_end(
    tmp_path: Path, data: list[bytes], monkeypatch_chunks: None
) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"".join(data))
    expected = [(number, line) for number, line in enumerate(path.read_bytes().split(b"\n"), 1) if line.strip()]
    reader = LineReader(path)
    found = [
        (row["line_number"], row["line"].encode().rstrip(b"\n"), row["record_ordinal"])
        for batch in reader.iterate_batches()
        for row in batch.to_pylist()
    ]
    unread = [(line.line_number, line.sample.rstrip(b"\n"), line.record_ordinal) for line in reader.unread]
    both = sorted([*found, *unread])
    assert [(number, line) for number, line, _ in both] == expected
    assert [ordinal for *_, ordinal in both] == list(range(1, len(expected) + 1))
    assert reader.records == len(expected)


@pytest.fixture
def monkeypatch_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestration.ingest.line_batches.CHUNK_BYTES", 7)


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 59), max_size=4, unique=True), is_gated=st.booleans())
def test_any_split_into_parts_gives_the_same_rows(tmp_path: Path, cuts: list[int], *, is_gated: bool) -> None:
    lines = [build_line(number % 50, title="AI safety" if number % 3 else "Else") for number in range(58)]
    lines.insert(20, b"{")
    lines.insert(41, build_line(99, cited_by_count="many"))

    def read_versions(part_lines: list[bytes]) -> list[tuple[Any, ...]]:
        part = read(tmp_path, b"\n".join(part_lines), is_gated=is_gated)
        rows = [(row["version_id"], row["citations"], row["reading_note"]) for row in read_rows(part.records_path)]
        return [*rows, *((row["reason"],) for row in read_rows(part.rejects_path))]

    bounds = [0, *sorted(cuts), len(lines)]
    split = [row for start, end in pairwise(bounds) for row in read_versions(lines[start:end])]
    assert sorted(split, key=str) == sorted(read_versions(lines), key=str)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """A file of five times the size, each in a process of its own, may take a quarter more."""
    peaks = []
    for works in (6_000, 30_000):
        path = tmp_path / f"part {works}"
        line = build_line(0, title="A title of a work" + " and more" * 300) + b"\n"
        with gzip.open(path, "wb", compresslevel=1) as file:
            file.writelines(line.replace(b"/W0", b"/W%d" % number) for number in range(works))
        script = f"""
import resource, pathlib
from orchestration.ingest.bulk import read_bulk_part
from orchestration.sources.registry import get_source
read_bulk_part(pathlib.Path({str(path)!r}), "0" * 16, get_source("openalex_works"), pathlib.Path({str(tmp_path)!r}),
    memory_bytes=300 * 2**20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
        result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        peaks.append(int(result.stdout))
    assert peaks[1] < 1.25 * peaks[0]


def test_parquet_without_its_end_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(UnreadableBulkFile, match="part"):
        read(tmp_path, b"PAR1" + bytes(100))
