"""What arrives without a list: it counts in the living corpora, the published mapping stays, and the changes have causes."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest

from tests.conftest import run_aisle
from tests.sources.test_openalex import build_authorship, build_page, build_work
from tests.support.builders import fetch_rows
from warehouse.lake import Lake
from warehouse.release import Release, read_current_release
from warehouse.release_diff import explain_changes, list_counting_tables

TABLE = "mart.works_by_lab_category_month"
DEEPMIND = "I4210090411"
COUNTS = """
    select corpus, lab, category, works
    from mart.works_by_lab_category_month
    where published_month = date '2025-05-01' and works > 0
    order by all
"""
MAPPING = "select * from mart.counted_works where corpus = 'iaps_mapping' order by all"


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory, released_lake: Lake) -> tuple[Release, Release]:
    """A release of the bundled mapping, and one after a work of OpenAlex has arrived and one of the mapping's has too."""
    root = tmp_path_factory.mktemp("living") / "lake"
    shutil.copytree(released_lake.root, root, symlinks=True)
    before = read_current_release(Lake(root))
    ((title,),) = fetch_rows(before, "select title from clean.publications where sheet_row = 23")
    works = [
        build_work(
            71,
            title="How agents keep the habits of earlier games",
            doi="https://doi.org/10.1234/habits",
            publication_date="2025-05-06",
            locations=[],
            authorships=[build_authorship("Ada Byron", "Google DeepMind, London", DEEPMIND)],
        ),
        build_work(
            72,
            title=title,
            doi=None,
            primary_location=None,
            locations=[],
            authorships=[],
            publication_date="2022-09-14",
        ),
    ]
    file = root.parent / "works.json"
    file.write_bytes(build_page(*works, next_cursor=None))
    assert run_aisle(root, "add", str(file)).returncode == 0
    assert run_aisle(root, "run").returncode == 0
    return before, read_current_release(Lake(root))


def test_a_work_without_a_list_counts_for_its_lab_and_month(releases: tuple[Release, Release]) -> None:
    before, after = releases
    assert fetch_rows(before, COUNTS) == []
    assert fetch_rows(after, COUNTS) == [
        ("all_works", "Google DeepMind", "(unlabelled)", 1),
        ("lab_publications", "Google DeepMind", "(unlabelled)", 1),
    ]


def test_the_mapping_stays_as_it_is(releases: tuple[Release, Release]) -> None:
    before, after = releases
    assert fetch_rows(before, MAPPING) == fetch_rows(after, MAPPING)
    query = "select count(*), count(distinct work_id) from mart.counted_works where corpus = 'iaps_mapping'"
    assert fetch_rows(after, query) == [(80, 78)]


def test_another_record_of_a_work_adds_no_work(releases: tuple[Release, Release]) -> None:
    _, after = releases
    query = """
        select works.sources, members.step, members.evidence
        from clean.works as works inner join clean.work_members as members using (work_id)
        where members.source = 'openalex_works' and works.sources = 2
    """
    assert fetch_rows(after, query) == [(2, "title", "the same title")]


def test_the_changes_between_the_releases_have_a_cause(releases: tuple[Release, Release]) -> None:
    before, after = releases
    changes = explain_changes(before, after, TABLE)
    rows = changes.select("corpus", "lab", "published_month", "cause", "amount", "publications").rows()
    cause = "new work" if dt.date(2025, 5, 6) > dt.datetime.now(tz=dt.UTC).date() else "found late"
    month, title = dt.date(2025, 5, 1), "How agents keep the habits of earlier games"
    assert sorted(rows) == [
        (corpus, "Google DeepMind", month, cause, 1, title) for corpus in ("all_works", "lab_publications")
    ]


def test_the_command_line_shows_the_cause(releases: tuple[Release, Release]) -> None:
    before, after = releases
    root: Path = after.path.parents[1]
    done = run_aisle(root, "diff", before.name, after.name, TABLE)
    assert "How agents keep the habits of earlier games" in done.stdout


@pytest.mark.parametrize("table", ["mart.work_counts_by_month", TABLE])
def test_causes_add_up_in_each_table_of_corpora(releases: tuple[Release, Release], table: str) -> None:
    before, after = releases
    assert table in list_counting_tables(after)
    assert explain_changes(after, after, table).is_empty()
    changes = explain_changes(before, after, table)
    assert set(changes["cause"]) == {"found late"}
    totals = [fetch_rows(side, f"select sum({changes['measure'][0]}) from {table}")[0][0] for side in (before, after)]
    assert changes["amount"].sum() == pytest.approx(totals[1] - totals[0])
