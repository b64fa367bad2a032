"""The whole pipeline on real input: tables made from the bundled data and from the original inputs."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from orchestration.defs.catalog import list_tables
from tests.conftest import run_aisle
from tests.support.two_lists import build_two_list_release
from warehouse.lake import Lake
from warehouse.release import Release, read_current_release
from warehouse.release_file import open_release_file

GOLDEN = Path(__file__).parents[1] / "golden"
BUNDLED = sorted(GOLDEN.glob("*.csv"))  # on the bundled data
TWO_LISTS = sorted((GOLDEN / "two_lists").glob("*.csv"))  # on the made-up records of `build_two_list_release`
EMPTY_ON_BUNDLED_DATA = {
    "mart.alike_publications",
    "mart.author_topics",
    "mart.counted_list_entries",
    "mart.days_from_paper_to_discussion",
    "mart.lab_nowcasts",
    "mart.list_overlaps",
    "mart.most_discussed_works",
    "mart.most_taught_works",
    "mart.publication_nowcasts",
    "mart.published_count_differences",
    "mart.removed_publications",
    "mart.segments_by_author",
    "mart.suggested_counts_by_month",
    "mart.suggestion_confidence_by_month",
    "mart.topics_by_month",
}


def query_lake(lake: Lake, query: str) -> list[tuple]:
    with read_current_release(lake).connect() as connection:
        return connection.execute(query).fetchall()


def read_truth(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture(scope="module")
def two_list_release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return build_two_list_release(Lake(tmp_path_factory.mktemp("two-lists")))


def assert_equals_golden_file(release: Release, path: Path) -> None:
    table = next(table for table in list_tables() if table.name == path.stem)
    with release.connect() as connection:
        frame = connection.sql(f"from {path.stem} order by {', '.join(table.key)}").pl()
    golden = pl.read_csv(path, schema=table.schema)
    assert golden.height > 0, "a golden file without rows proves nothing: compare the table on richer input"
    assert_frame_equal(frame, golden, rel_tol=1e-12)


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.stem)
def test_table_equals_its_golden_file(released_lake: Lake, path: Path) -> None:
    assert_equals_golden_file(read_current_release(released_lake), path)


@pytest.mark.parametrize("path", TWO_LISTS, ids=lambda path: path.stem)
def test_table_of_two_lists_equals_its_golden_file(two_list_release: Release, path: Path) -> None:
    assert_equals_golden_file(two_list_release, path)


def test_golden_file_without_rows_fails(two_list_release: Release, tmp_path: Path) -> None:
    path = tmp_path / "mart.list_overlaps.csv"
    header = (GOLDEN / "two_lists" / path.name).read_text(encoding="utf-8").splitlines()[0]
    path.write_text(f"{header}\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="a golden file without rows proves nothing"):
        assert_equals_golden_file(two_list_release, path)


def test_every_mart_has_a_golden_file() -> None:
    marts = {table.name for table in list_tables() if table.layer == "mart"}
    assert marts <= {path.stem for path in [*BUNDLED, *TWO_LISTS]}


def test_bundled_data_have_no_rows_that_need_a_second_list(released_lake: Lake) -> None:
    for name in EMPTY_ON_BUNDLED_DATA:
        assert query_lake(released_lake, f"select count(*) from {name}") == [(0,)], name


@pytest.mark.parametrize("lake_name", ["released_lake", "seeded_lake"])
def test_sums_are_80_rows_and_78_works(request: pytest.FixtureRequest, lake_name: str) -> None:
    lake = request.getfixturevalue(lake_name)
    for mart in ("by_lab_category_month", "by_lab_year", "by_category_year"):
        assert query_lake(lake, f"select sum(publication_rows), sum(works) from mart.publications_{mart}") == [(80, 78)]


@pytest.mark.parametrize("lake_name", ["released_lake", "seeded_lake"])
def test_publications_equal_truth(request: pytest.FixtureRequest, truth: Path, lake_name: str) -> None:
    lake = request.getfixturevalue(lake_name)
    expected = [
        (int(r["row_number"]), r["lab"], r["title"], r["date"], r["url"], r["category"], r["is_duplicate"] == "1")
        for r in read_truth(truth / "truth_lab_publications.csv")
    ]
    columns = "sheet_row, lab, title, published_on::varchar, url, category, is_duplicate"
    assert query_lake(lake, f"select {columns} from clean.publications order by sheet_row") == expected


def test_abstracts_come_from_the_page_only(released_lake: Lake, seeded_lake: Lake, truth: Path) -> None:
    assert query_lake(released_lake, "select count(abstract) from clean.publications") == [(0,)]
    expected = [
        (int(r["row_number"]), r["abstract_sha256_of_whitespace_normalised_text"] or None)
        for r in read_truth(truth / "truth_lab_publications.csv")
    ]
    got = query_lake(seeded_lake, "select sheet_row, sha256(abstract) from clean.publications order by sheet_row")
    assert got == expected


def test_page_adds_evidence_without_changing_counts(released_lake: Lake, seeded_lake: Lake) -> None:
    for table in ("publications_by_lab_category_month", "publications_by_lab_year", "episodes_by_linked_site"):
        query = f"from mart.{table} order by all"
        assert query_lake(released_lake, query) == query_lake(seeded_lake, query)
    assert query_lake(seeded_lake, "select distinct snapshots from clean.publications") == [(2,)]


def test_counts_equal_truth(released_lake: Lake, truth: Path) -> None:
    for file, measure in (("", "works"), ("_with_duplicates", "publication_rows")):
        for dimension, mart in (("lab", "by_lab_year"), ("category", "by_category_year")):
            got = query_lake(
                released_lake,
                f"select {dimension}, year(published_year)::varchar, {measure} from mart.publications_{mart}",
            )
            counted = {(name, year): n for name, year, n in got if n}
            table = read_truth(truth / f"truth_counts_{dimension}_year{file}.csv")
            expected = {
                (r[dimension], y): int(r[y])
                for r in table
                for y in ("2022", "2023", "2024")
                if r[dimension] != "All" and int(r[y])
            }
            assert counted == expected
    cube = {
        (r["lab"], r["category"], r["year"]): int(r["n"])
        for r in read_truth(truth / "truth_cube_lab_category_year.csv")
    }
    got = query_lake(
        released_lake,
        "select lab, category, year(published_month)::varchar, sum(works)::int from mart.publications_by_lab_category_month"
        " group by all having sum(works) > 0",
    )
    assert {key: n for *key_, n in got if (key := tuple(key_))} == cube


def test_shares_equal_truth(released_lake: Lake, truth: Path) -> None:
    for dimension, mart in (("lab", "by_lab_year"), ("category", "by_category_year")):
        got = {
            (name, year): tuple(round(value, 4) for value in values)
            for name, year, *values in query_lake(
                released_lake,
                f"select {dimension}, year(published_year)::varchar, works_share, share_low, share_high from mart.publications_{mart}",
            )
        }
        for r in read_truth(truth / f"truth_share_{dimension}_year.csv"):
            if r["year"] != "all":
                expected = tuple(float(r[name]) for name in ("share", "wilson_lo", "wilson_hi"))
                assert got[r["dim"], r["year"]] == pytest.approx(expected, abs=1.01e-4)


def test_monthly_counts_equal_truth(released_lake: Lake, truth: Path) -> None:
    query = """
        select strftime(published_month, '%Y-%m'), sum(works)::int, sum(rolling_12_month_works)::int
        from mart.publications_by_lab_category_month group by 1 order by 1
    """
    expected = [
        (r["month"], int(r["n"]), int(float(r["roll12"])) if r["roll12"] else None)
        for r in read_truth(truth / "truth_monthly.csv")
    ]
    assert query_lake(released_lake, query) == expected


def test_wilson_interval_equals_statsmodels(released_lake: Lake) -> None:
    from statsmodels.stats.proportion import proportion_confint

    for k, n in [(0, 1), (1, 1), (0, 24), (9, 24), (30, 78), (78, 78), (5, 1_000_000)]:
        low, high = query_lake(released_lake, f"select wilson_low({k}, {n}), wilson_high({k}, {n})")[0]
        expected = proportion_confint(k, n, method="wilson")
        assert (low, high) == pytest.approx((max(expected[0], 0), min(expected[1], 1)), abs=1e-12)
    assert query_lake(released_lake, "select wilson_low(0, 0), wilson_high(0, 0), share_of(0, 0)") == [
        (None, None, None)
    ]


def test_2024_is_a_part_year_with_complete_months(released_lake: Lake) -> None:
    part_years = query_lake(
        released_lake,
        "select distinct year(published_year), is_part_period from mart.publications_by_lab_year order by 1",
    )
    assert part_years == [(2022, False), (2023, False), (2024, True)]
    assert query_lake(
        released_lake, "select count(*) from mart.publications_by_lab_category_month where is_part_period"
    ) == [(0,)]


def test_nascent_category_has_zeros(released_lake: Lake) -> None:
    query = "select publication_rows, works_share from mart.publications_by_category_year where category = 'Multi-agent safety'"
    assert query_lake(released_lake, query) == [(0, 0.0)] * 3


@pytest.mark.parametrize("lake_name", ["released_lake", "seeded_lake"])
def test_episodes_equal_truth(request: pytest.FixtureRequest, truth: Path, lake_name: str) -> None:
    lake = request.getfixturevalue(lake_name)
    columns = ("source_url", "authors", "narrator", "publisher")
    expected = [
        (int(r["ordinal"]), *(r[c] or None for c in columns), r["is_repeat"] == "1")
        for r in read_truth(truth / "truth_podcast_episodes.csv")
    ]
    got = query_lake(
        lake, "select entry, linked_url, authors, narrator, publisher, is_repeat from clean.episodes order by entry"
    )
    assert got == expected
    assert query_lake(lake, "select sum(episode_rows), sum(episodes) from mart.episodes_by_linked_site") == [(20, 19)]


def test_segments_have_owner_and_confidence_but_no_date(seeded_lake: Lake) -> None:
    per_owner = dict(query_lake(seeded_lake, "select page_owner, count(*) from clean.segments group by 1"))
    assert 53 <= per_owner["TurnTrout"] <= 57
    assert 47 <= per_owner["Callum McDougall"] <= 51
    assert query_lake(seeded_lake, "select count(*) from clean.segments where confidence is null or kind is null") == [
        (0,)
    ]
    repeated = query_lake(seeded_lake, "select text, count(*) from clean.segments where is_text_repeated group by 1")
    assert len(repeated) >= 3
    assert {count for _, count in repeated} == {2}
    dates = "select column_name from reference.dictionary where table_name = 'clean.segments' and column_type in ('date', 'timestamp')"
    assert {name for (name,) in query_lake(seeded_lake, dates)} == {
        "first_seen_at",
        "last_seen_at",
    }  # when a segment was seen, not when it was written


def test_record_counts_add_up(seeded_lake: Lake) -> None:
    got = query_lake(
        seeded_lake,
        "select source, sum(records_read), sum(records_kept), sum(records_repeated), sum(records_rejected) from raw.parses group by 1",
    )
    counts = {source: tuple(map(int, numbers)) for source, *numbers in got}
    assert counts["lab_sheet"] == (160, 80, 80, 0)
    assert counts["podcast_page"] == (40, 19, 21, 0)
    assert all(read == kept + repeated + rejected for read, kept, repeated, rejected in counts.values())


def test_second_run_reports_that_nothing_is_new(released_lake: Lake) -> None:
    before = sorted(path.name for path in released_lake.releases.iterdir())
    done = run_aisle(released_lake.root, "run")
    assert done.returncode == 0
    assert "nothing new since release v1" in done.stderr
    assert sorted(path.name for path in released_lake.releases.iterdir()) == before


def test_nothing_new_is_found_without_the_libraries_of_a_run(released_lake: Lake) -> None:
    heavy = ("dagster", "pydantic", "sqlalchemy", "sqlglot", "scipy", "pandas", "great_expectations")
    script = (
        "import sys; from orchestration.cli.app import app; app(['run'], standalone_mode=False);"
        f" print([name for name in {heavy} if name in sys.modules])"
    )
    environment = {**os.environ, "AISLE_LAKE": str(released_lake.root)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert "nothing new since release v1" in done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_manifest_has_versions_rows_hashes_and_checks(released_lake: Lake) -> None:
    manifest = read_current_release(released_lake).manifest
    assert {table.name for table in list_tables()} < set(manifest["tables"])
    assert manifest["tables"]["clean.publications"]["rows"] == 80
    assert {check["check"] for check in manifest["checks"]} >= {
        "limits",
        "warnings",
        "accounts_add_up",
        "published_counts",
    }
    assert all(check["passed"] for check in manifest["checks"])


def test_release_opens_by_its_link_and_has_comments(released_lake: Lake) -> None:
    with open_release_file(released_lake.root / "aisle.duckdb") as connection:
        comments = dict(
            connection.execute(
                "select column_name, comment from duckdb_columns() where table_name = 'publications'"
            ).fetchall()
        )
    assert comments["published_on"].startswith("Day of publication")
    assert query_lake(released_lake, "select count(*) from reference.dictionary where column_meaning = ''") == [(0,)]


def test_runs_are_on_the_dagster_instance(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    import dagster as dg

    monkeypatch.setenv("DAGSTER_HOME", str(released_lake.dagster_home))
    with dg.DagsterInstance.get() as instance:
        runs = instance.get_runs()
        assert runs[-1].job_name == "run_all"
        assert runs[-1].status is dg.DagsterRunStatus.SUCCESS
        event = instance.get_latest_materialization_event(dg.AssetKey(["clean", "publications"]))
        assert event is not None
        assert event.asset_materialization is not None
        assert event.asset_materialization.metadata["dagster/row_count"].value == 80


def test_status_shows_source_and_release(released_lake: Lake) -> None:
    shown = run_aisle(released_lake.root, "status").stdout
    assert "lab_sheet" in shown
    assert "2024-07-24" in shown
    assert "release v1" in shown
    assert json.loads((released_lake.root / "last_run.json").read_text())["release"] == 1
