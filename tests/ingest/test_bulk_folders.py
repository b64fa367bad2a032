"""Folders of bulk files: manifests, and the same works in Parquet."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from benchmarks import openalex_works as made_up
from orchestration.ingest.bulk import find_bulk_source, read_bulk_part
from orchestration.ingest.manifest import InvalidManifest, find_problem, read_manifest
from tests.ingest.test_bulk import MEMORY_BYTES, OPENALEX, SNAPSHOT_ID, read, read_rows

COLUMNS = """{
    id: 'varchar', doi: 'varchar', title: 'varchar', publication_date: 'date', type: 'varchar', language: 'varchar',
    primary_location: 'struct(landing_page_url varchar, source struct(display_name varchar, issn_l varchar))',
    locations: 'struct(is_oa boolean, landing_page_url varchar)[]',
    primary_topic: 'struct(id varchar, display_name varchar)',
    authorships: 'struct(author struct(id varchar, display_name varchar), raw_author_name varchar,
        raw_affiliation_strings varchar[], institutions struct(id varchar, lineage varchar[])[])[]',
    cited_by_count: 'bigint', is_retracted: 'boolean', referenced_works: 'varchar[]', updated_date: 'timestamp',
    fwci: 'double', abstract_inverted_index: '$index'
}"""


def check_manifest(folder: Path) -> list[str]:
    problems = (find_problem(folder, part) for part in read_manifest(folder) or [])
    return [problem for problem in problems if problem is not None]


@pytest.mark.parametrize("index_type", ["json", "map(varchar, bigint[])"])
@pytest.mark.parametrize("is_gated", [False, True])
def test_works_in_parquet_are_the_same_as_in_json_lines(tmp_path: Path, index_type: str, *, is_gated: bool) -> None:
    lines = list(made_up.iterate_lines(6, 0, 400, made_up.Part("part"), dirty_share=0.0, scope_share=0.3))
    expected = read_rows(read(tmp_path, b"\n".join(lines), is_gated=is_gated).records_path)
    path = tmp_path / "part.parquet"
    duckdb.sql(f"""
        copy (
            select * {"replace (cast(abstract_inverted_index as varchar) as abstract_inverted_index)" * (index_type == "json")}
            from read_json('{tmp_path}/part', format = 'newline_delimited', columns = {COLUMNS.replace("$index", index_type)})
        ) to '{path}' (format parquet, row_group_size 100)
    """)
    assert find_bulk_source(path) is OPENALEX
    part = read_bulk_part(path, SNAPSHOT_ID, OPENALEX, tmp_path, memory_bytes=MEMORY_BYTES, is_gated=is_gated)
    found = read_rows(part.records_path)
    assert len(found) == len(expected) > 50
    assert part.records_read == 400
    assert found[0]["locator"] == f"row {found[0]['record_ordinal']}"
    for row, other in zip(found, expected, strict=True):
        assert {**row, "locator": None} == {**other, "locator": None}


def test_manifest_names_missing_and_short_parts(tmp_path: Path) -> None:
    parts = made_up.write_parts(tmp_path, 90, works_per_part=30)
    assert check_manifest(tmp_path) == []
    assert [part.path.name for part in read_manifest(tmp_path) or []] == [part.name for part in parts]
    (tmp_path / parts[0].name).unlink()
    (tmp_path / parts[1].name).write_bytes((tmp_path / parts[1].name).read_bytes()[:-10])
    missing, short = check_manifest(tmp_path)
    assert missing == "part_0000.gz is in the manifest and not in the folder"
    assert short.startswith("part_0001.gz has ")
    assert "copy it again" in short


def test_manifest_of_dated_folders(tmp_path: Path) -> None:
    folder = tmp_path / "updated_date=2026-06-01"
    folder.mkdir()
    (folder / "part_0000.gz").write_bytes(b"12345")
    url = "s3://openalex/data/jsonl/works/updated_date=2026-06-01/part_0000.gz"
    (tmp_path / "manifest.json").write_text(
        json.dumps({"entries": [{"url": url, "content_length": 5, "record_count": 3}]})
    )
    assert check_manifest(tmp_path) == []
    (part,) = read_manifest(tmp_path) or []
    assert (part.path, part.size_bytes, part.records) == (folder / "part_0000.gz", 5, 3)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"entries": 5}',
        '{"entries": [{"url": 5}]}',
        '{"entries": [{"url": "x", "meta": {"content_length": "many"}}]}',
        '{"entries": [{"url": "../.."}]}',
    ],
)
def test_damaged_manifest_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest").write_text(text)
    with pytest.raises(InvalidManifest, match="manifest is not a manifest"):
        check_manifest(tmp_path)


def test_folder_without_manifest_has_no_problems(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None
    assert check_manifest(tmp_path) == []
