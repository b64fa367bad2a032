"""The works of the seeds and of all samples: what stands in several places is one work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tests.conftest import SHARED, run_aisle
from warehouse.lake import Lake
from warehouse.release import read_current_release

FOLDERS = (
    "seeds",
    "samples/arxiv",
    "samples/crossref",
    "samples/openalex",
    "samples/lab_pages_html",
    "samples/feeds_lab_blogs",
)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    if not SHARED.exists():
        pytest.skip("the samples are not part of the project")
    lake = tmp_path_factory.mktemp("works")
    files = [str(path) for folder in FOLDERS for path in sorted((SHARED / folder).rglob("*")) if path.is_file()]
    run_aisle(lake, "add", *files)  # some of the samples are refused, rightly
    assert run_aisle(lake, "run").returncode == 0
    with read_current_release(Lake(Path(lake))).connect() as connection:
        yield connection


def test_every_title_that_recurs_exactly_is_one_work(release: duckdb.DuckDBPyConnection) -> None:
    query = """
        select title_key, count(*) as records, count(distinct work_id) as works
        from clean.work_records inner join clean.work_members using (record_id)
        where title_key is not null
        group by title_key
    """
    recurring = [row for row in release.execute(query).fetchall() if row[1] > 1]
    assert len(recurring) >= 32
    assert [row for row in recurring if row[2] > 1] == []


def test_the_mapping_has_two_duplicates_and_no_other(release: duckdb.DuckDBPyConnection) -> None:
    query = """
        select list(publications.sheet_row order by publications.sheet_row)
        from clean.publications as publications
        inner join clean.work_members as members on publications.publication_id = members.record_id
        group by members.work_id
        having count(*) > 1
        order by 1
    """
    assert [rows for (rows,) in release.execute(query).fetchall()] == [[454, 476], [468, 477]]


def test_sheet_page_and_feed_are_places_of_one_work(release: duckdb.DuckDBPyConnection) -> None:
    query = """
        select works.sources, string_agg(members.source, ', ' order by members.source)
        from clean.works as works inner join clean.work_members as members using (work_id)
        where works.title like 'Towards Monosemanticity%'
        group by works.work_id, works.sources
    """
    assert release.execute(query).fetchall() == [(3, "feed_items, lab_pages, lab_sheet")]


def test_works_partition_the_records_and_every_one_has_a_title_and_a_date_rule(
    release: duckdb.DuckDBPyConnection,
) -> None:
    query = """
        select
            (select count(*) from clean.work_records),
            (select count(*) from clean.work_members),
            (select sum(members) from clean.works),
            (select count(*) from clean.works where published_on is not null and date_rule is null),
            (select count(*) from (select work_id from clean.work_labs where is_primary group by all having count(*) > 1))
    """
    records, members, counted, without_rule, two_primary = release.execute(query).fetchall()[0]
    assert records == members == counted
    assert without_rule == two_primary == 0


def test_an_identifier_written_at_another_paper_links_nothing(release: duckdb.DuckDBPyConnection) -> None:
    query = "select evidence from clean.work_candidates where step = 'key'"
    assert [evidence for (evidence,) in release.execute(query).fetchall()] == [
        "the same DOI 10.1103/physrevd.93.016005, but neither title nor author in common"
    ]
