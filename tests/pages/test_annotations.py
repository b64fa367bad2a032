"""What is marked in the periods of a chart: what happened outside, and which of its numbers were corrected."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import duckdb
import polars as pl
import pytest

from dashboards.figures import annotations as meanwhile
from dashboards.queries import counts
from dashboards.queries import release as read
from dashboards.queries.counts import COUNTS, Selection
from orchestration.defs.tables import all_tables, transforms
from tests.support.app_tests import opened, said
from tests.support.builders import PAPER, made, publication
from warehouse.lake import Lake
from warehouse.release import Release, publish

MAY, JUNE = dt.date(2023, 5, 1), dt.date(2023, 6, 1)
FIRST = {1: PAPER, 2: {**PAPER, "published_on": JUNE}, 3: PAPER}
LATER = {1: {**PAPER, "published_on": JUNE}, 2: {**FIRST[2], "category": "Honest AI"}, 3: PAPER, 4: PAPER}


@pytest.fixture
def lake(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake with two releases: one date and one category were corrected, and one work was found late."""
    lake = Lake(tmp_path / "lake")
    monkeypatch.setenv("AISLE_LAKE", str(lake.root))
    for publications in (FIRST, LATER):
        made(lake, [publication(key, **facts) for key, facts in publications.items()])
    return lake


def of_ours(release: Release, **asked: Any) -> list[tuple[str, str, str]]:
    selection = Selection(**{"grain": "month", **asked})
    frame = counts.publications_over_time(release, selection)
    told = meanwhile.annotations(release, selection, frame).filter(pl.col("kind").is_in(meanwhile.OURS))
    return told.select("period", "kind", "annotation").rows()


def test_what_happened_falls_into_the_periods_drawn(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AISLE_LAKE", str(released_lake.root))
    release, name = read.newest(), "OpenAI releases GPT-4"
    for grain, period in (("quarter", "2023 Q1"), ("rolling_12_months", "2023-03")):
        selection = Selection(grain=grain)
        told = meanwhile.annotations(release, selection, counts.publications_over_time(release, selection))
        assert told.filter(pl.col("annotation") == name)["period"].to_list() == [period]
    without = replace(release, manifest={**release.manifest, "tables": {}})
    assert meanwhile.annotations(without, selection, counts.publications_over_time(release, selection)).is_empty()


def test_numbers_that_were_taken_back_are_told_by_cause_and_growth_is_not(lake: Lake) -> None:
    release = read.newest()
    assert of_ours(release) == [
        ("2023-05", "correction", "release v2 counts 1 fewer (date corrected) in 2023-05 of OpenAI than v1"),
        # of Robustness one came and one went, so that its number is the one of before
        ("2023-06", "correction", "release v2 counts 1 more (relabelled) in 2023-06 of OpenAI than v1"),
    ]
    # all windows that hold May 2023 or June
    windows = of_ours(release, grain="rolling_12_months")
    assert [period for period, _, _ in windows] == [f"2023-{month:02}" for month in range(5, 13)] + [
        f"2024-{month:02}" for month in range(1, 6)
    ]
    assert of_ours(release, grain="year", dimensions=("lab",)) == []
    assert of_ours(release, labs=("Anthropic",)) == []
    assert of_ours(release, categories=("Honest AI",), grain="year") == [
        ("2023", "correction", "release v2 counts 1 more (relabelled) in 2023 of OpenAI than v1")
    ]
    # who reads the first release is not told of what came after it
    assert of_ours(read.all_releases()[0]) == []


def test_a_rule_that_changed_is_of_another_kind(lake: Lake) -> None:
    table = transforms()[COUNTS].table
    lake.write(table, lake.read(table).with_columns(pl.col("publications") * 2))
    release, _ = publish(lake, all_tables(), {})
    assert (
        "2023-05",
        "rule change",
        "release v3 counts 2 more (rule changed) in 2023-05 of OpenAI than v2",
    ) in of_ours(release)


def test_a_release_that_counts_otherwise_tells_nothing(lake: Lake) -> None:
    release = read.newest()
    first = lake.releases / "aisle.v1.duckdb"
    with duckdb.connect(first) as connection:
        connection.execute("drop table mart.publication_counts_by_month; delete from reference.dictionary")
    assert of_ours(release) == []


def test_the_page_marks_them_and_leads_to_the_causes(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(lake, monkeypatch, meanwhile="true", per="month")
    assert not app.exception
    assert "**Corrected since it was first told** (diamonds): " in said(app)
    links = "".join(str(element.proto.body) for element in app.get("html"))
    assert f'href="changes?old=v1&amp;new=v2&amp;counts={COUNTS}"' in links
    app = opened(lake, monkeypatch, meanwhile="true", per="month", labs="Anthropic")
    assert "Corrected since" not in said(app)
