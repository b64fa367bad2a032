"""Events and corrections that are marked in the periods of a chart."""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from dashboards.queries import counts
from dashboards.queries.annotations import CORRECTION_KINDS, find_annotations
from dashboards.queries.counts import COUNTS_TABLE
from dashboards.queries.release import get_newest_release, list_readable_releases
from dashboards.queries.selection import Selection
from orchestration.defs.catalog import list_tables, load_transforms
from tests.support.app_tests import open_page, read_page_text
from tests.support.builders import PAPER, build_release, make_publication
from warehouse.lake import Lake
from warehouse.release import Release, publish_release

MAY, JUNE = dt.date(2023, 5, 1), dt.date(2023, 6, 1)
FIRST = {1: PAPER, 2: {**PAPER, "published_on": JUNE}, 3: PAPER}
LATER = {1: {**PAPER, "published_on": JUNE}, 2: {**FIRST[2], "category": "Honest AI"}, 3: PAPER, 4: PAPER}


@pytest.fixture(scope="module")
def corrected_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with two releases: the second corrects a date and a category, and adds a publication found late."""
    lake = Lake(tmp_path_factory.mktemp("corrected") / "lake")
    for publications in (FIRST, LATER):
        build_release(lake, [make_publication(key, **facts) for key, facts in publications.items()])
    return lake


@pytest.fixture
def lake(corrected_lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A copy of that lake, which a test may change."""
    lake = Lake(shutil.copytree(corrected_lake.root, tmp_path / "lake", symlinks=True))
    monkeypatch.setenv("AISLE_LAKE", str(lake.root))
    return lake


def list_corrections(release: Release, **choices: Any) -> list[tuple[str, str, str]]:
    selection = Selection(**{"grain": "month", **choices})
    frame = counts.query_counts(release, selection)
    annotations = find_annotations(release, selection, frame)
    return annotations.filter(pl.col("kind").is_in(CORRECTION_KINDS)).select("period", "kind", "annotation").rows()


def test_events_fall_into_the_periods_drawn(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AISLE_LAKE", str(released_lake.root))
    release, name = get_newest_release(), "OpenAI releases GPT-4"
    for grain, period in (("quarter", "2023 Q1"), ("rolling_12_months", "2023-03")):
        selection = Selection(grain=grain)
        annotations = find_annotations(release, selection, counts.query_counts(release, selection))
        assert annotations.filter(pl.col("annotation") == name)["period"].to_list() == [period]
    without = replace(release, manifest={**release.manifest, "tables": {}})
    assert find_annotations(without, selection, counts.query_counts(release, selection)).is_empty()


def test_corrections_have_their_causes_and_growth_is_none(lake: Lake) -> None:
    release = get_newest_release()
    assert list_corrections(release) == [
        ("2023-05", "correction", "release v2 counts 1 fewer (date corrected) in 2023-05 of OpenAI than v1"),
        # Robustness gained one and lost one, so its count is unchanged
        ("2023-06", "correction", "release v2 counts 1 more (relabelled) in 2023-06 of OpenAI than v1"),
    ]
    # all windows that contain May or June 2023
    windows = list_corrections(release, grain="rolling_12_months")
    assert [period for period, _, _ in windows] == [f"2023-{month:02}" for month in range(5, 13)] + [
        f"2024-{month:02}" for month in range(1, 6)
    ]
    assert list_corrections(release, grain="year", dimensions=("lab",)) == []
    assert list_corrections(release, labs=("Anthropic",)) == []
    assert list_corrections(release, categories=("Honest AI",), grain="year") == [
        ("2023", "correction", "release v2 counts 1 more (relabelled) in 2023 of OpenAI than v1")
    ]
    # the first release has no corrections of later ones
    assert list_corrections(list_readable_releases()[0]) == []


def test_changed_counting_rule_is_a_kind_of_its_own(lake: Lake) -> None:
    table = load_transforms()[COUNTS_TABLE].table
    lake.write(table, lake.read(table).with_columns(pl.col("publications") * 2))
    release, _ = publish_release(lake, list_tables(), {})
    assert (
        "2023-05",
        "rule change",
        "release v3 counts 2 more (rule changed) in 2023-05 of OpenAI than v2",
    ) in list_corrections(release)


def test_release_without_the_counts_has_no_corrections(lake: Lake) -> None:
    release = get_newest_release()
    first = lake.releases / "aisle.v1.duckdb"
    with duckdb.connect(first) as connection:
        connection.execute("drop table mart.publication_counts_by_month; delete from reference.dictionary")
    assert list_corrections(release) == []


def test_page_marks_corrections_and_links_to_their_causes(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(lake, monkeypatch, events="true", per="month")
    assert not app.exception
    assert "**Corrected in a later release** (diamonds): " in read_page_text(app)
    links = "".join(str(element.proto.body) for element in app.get("html"))
    assert f'href="changes?old=v1&amp;new=v2&amp;counts={COUNTS_TABLE}"' in links
    app = open_page(lake, monkeypatch, events="true", per="month", labs="Anthropic")
    assert "Corrected in" not in read_page_text(app)
