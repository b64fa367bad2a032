"""Large raw tables stay in the lake: the release pins them, everything else copes, and they can be read by other tools."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from dashboards.widgets import evidence
from orchestration.cli.query import QueryError, RowOutput, print_query_result
from orchestration.cli.report import build_status_table, describe_status
from orchestration.defs.catalog import list_tables
from tests.conftest import run_aisle
from tests.support.app_tests import open_page, read_page_text
from tests.support.damage import flip_byte
from tests.support.trials import pick_trials
from warehouse import lake_tables
from warehouse.lake import PROJECT, Lake
from warehouse.release import Release, find_damage, list_releases, publish_release, read_current_release
from warehouse.release_diff import explain_changes

LARGE = "raw.lab_sheet_publications"


@pytest.fixture(scope="module")
def lake(released_lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The released lake with a second release, in which a table of more than 50 records is large."""
    lake = Lake(tmp_path_factory.mktemp("kind=large") / "data")
    shutil.copytree(released_lake.root, lake.root, symlinks=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lake_tables, "MAX_FILE_RECORDS", 50)
        _, is_new = publish_release(lake, list_tables(), {})
    assert is_new
    return lake


@pytest.fixture
def release(lake: Lake) -> Release:
    return read_current_release(lake)


def test_manifest_pins_the_table_and_its_files(lake: Lake, release: Release) -> None:
    entry = release.manifest["lake_tables"][LARGE]
    assert LARGE not in release.manifest["tables"]
    assert (entry["rows"], entry["records"], entry["path"]) == (80, 80, "tables/raw/lab_sheet_publications")
    assert [path.is_file() for path in release.lake_tables[LARGE].locate_files(lake.root)] == [True]
    assert find_damage(lake) is None
    first = list_releases(lake)[0]
    assert entry["content_sha256"] == first.manifest["tables"][LARGE]["content_sha256"]
    assert release.content_sha256 != first.content_sha256


def test_sightings_in_the_file_are_those_of_its_tables(release: Release) -> None:
    with release.connect() as connection:
        sources = connection.execute("select distinct source from raw.sightings").fetchall()
        assert sources == [("podcast_page",)]
        assert connection.execute("select count(*) from clean.publications").fetchall() == [(80,)]


def test_release_of_the_same_content_is_not_published_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake_tables, "MAX_FILE_RECORDS", 50)
    before = read_current_release(lake)
    assert publish_release(lake, list_tables(), {}) == (before, False)


@pytest.mark.parametrize("is_sandboxed", [False, True])
def test_query_on_it_is_answered_with_its_place(release: Release, is_sandboxed: bool) -> None:
    from orchestration.cli.console import out

    for query in (f"from {LARGE}", "select count(*) from raw.LAB_SHEET_publications where title is null"):
        with pytest.raises(QueryError) as caught:
            print_query_result(release, query, RowOutput("csv"), out, is_sandboxed=is_sandboxed)
        message = str(caught.value)
        assert f"{LARGE} is too large for the release file" in message
        assert "tables/raw/lab_sheet_publications" in message
        assert "docs/sql.md" in message
    with pytest.raises(QueryError, match="does not exist"):
        print_query_result(release, "from raw.nothing", RowOutput("csv"), out, is_sandboxed=is_sandboxed)


def test_status_and_comparison_cope(lake: Lake) -> None:
    table = build_status_table(lake)
    assert table is not None
    newest = dict(zip(table.columns[0].cells, table.columns[-1].cells, strict=True))
    assert newest["lab_sheet"] == "2024-07-24"
    assert any(f"{LARGE} is too large for the file: 80 rows" in line for line in describe_status(lake))
    old, new = list_releases(lake)
    assert explain_changes(old, new, "mart.publications_by_lab_year").is_empty()


@pytest.mark.parametrize("page", ["overview", "dictionary", "changes", "coverage"])
def test_pages_cope(lake: Lake, monkeypatch: pytest.MonkeyPatch, page: str) -> None:
    app = open_page(lake, monkeypatch, page)
    assert not app.exception
    assert "lacks" not in read_page_text(app)


def test_page_of_an_item_names_where_its_evidence_is(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    with read_current_release(lake).connect() as connection:
        query = "select publication_id from clean.publications limit 1"
        ((publication_id,),) = connection.execute(query).fetchall()
    work = open_page(lake, monkeypatch, "work", id=publication_id)
    assert "1 place in 1 snapshot" in read_page_text(work)  # of a mart, which is in the file
    shown: list[str] = []
    monkeypatch.setattr(evidence, "show_evidence", lambda *facts: shown.append(facts[-1]))
    evidence.show_places(read_current_release(lake), publication_id)
    assert f"`{LARGE}` is too large for the release file" in shown[0]


def test_example_of_the_documentation_reads_it(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (PROJECT / "docs" / "sql.md").read_text(encoding="utf-8")
    code = re.findall(r"## Large raw tables.*?```python\n(.*?)```", text, re.DOTALL)[0]
    monkeypatch.chdir(lake.root.parent)
    found: dict[str, list[tuple[object, ...]]] = {}
    exec(code.replace("raw.openalex_works", LARGE), found)  # noqa: S102 - the code is the documentation
    assert len(found["newest"]) == 80


@pytest.mark.trials("damaged files of large tables")
@pytest.mark.parametrize("change", pick_trials(["other bytes", "short", "missing"], 1))
def test_run_makes_pinned_files_whole_again(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(lake_tables, "MAX_FILE_RECORDS", 50)
    copy = Lake(tmp_path / "data")
    shutil.copytree(lake.root, copy.root, symlinks=True)
    (path,) = read_current_release(copy).lake_tables[LARGE].locate_files(copy.root)
    if change == "missing":
        path.unlink()
    elif change == "other bytes":
        flip_byte(path)
    else:
        path.write_bytes(path.read_bytes()[:-1])
    assert LARGE in str(find_damage(copy))
    monkeypatch.setenv("AISLE_LAKE", str(copy.root))
    finished = run_aisle(copy.root, "run")
    assert finished.returncode == 0, finished.stderr
    assert find_damage(copy) is None
    assert "nothing new since release" in run_aisle(copy.root, "run").stderr
