"""Changes of what is expected by suggestions have causes, work by work, which add up to each change."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest

from tests.support.builders import build_release, fetch_rows
from tests.support.suggestions import make_models
from tests.support.two_lists import make_rows
from transforms.linking.members import name_work
from warehouse.lake import Lake
from warehouse.release import Release
from warehouse.release_diff import explain_changes, list_counting_tables

TABLE = "mart.suggested_counts_by_month"
NEEDED = (TABLE, "clean.work_members", "clean.works")
FIRST, SECOND = (name_work(f"work 2024-0{month} 0") for month in (1, 2))


def build_suggested_release(lake: Lake, suggestions: list[dict[str, Any]]) -> Release:
    return build_release(lake, None, only=NEEDED, **make_rows(), **make_models() | {"clean__suggestions": suggestions})


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Release, Release]:
    """A release with suggestions for one work, and one where a model suggests something else, also for another work."""
    lake, all_rows = Lake(tmp_path_factory.mktemp("suggested")), make_models()["clean__suggestions"]
    before = build_suggested_release(lake, [row for row in all_rows if row["work_id"] == FIRST])
    changed = {"Unlearning": 0.7, "Robustness": 0.3}
    return before, build_suggested_release(
        lake,
        [
            {**row, "probability": changed[row["category"]]}
            if row["work_id"] == FIRST and row["model"] == "category"
            else row
            for row in all_rows
        ],
    )


def test_suggested_and_changed_labels_are_causes(releases: tuple[Release, Release]) -> None:
    changes = explain_changes(*releases, TABLE, {"counting_rule": "works", "taxonomy": "iaps", "corpus": "all_works"})
    rows = changes.select("category", "published_month", "cause", "amount").rows()
    january, february = dt.date(2024, 1, 1), dt.date(2024, 2, 1)
    expected = [
        ("Robustness", january, "suggestion changed", 0.1),  # half of 0.3 less 0.1, as it is in scope by half
        ("Safety evaluations", february, "label suggested", 0.6),
        ("Unlearning", january, "suggestion changed", -0.1),
        ("Unlearning", february, "label suggested", 0.4),
    ]
    assert [row[:3] for row in rows] == [row[:3] for row in expected]
    assert [row[3] for row in rows] == pytest.approx([row[3] for row in expected])


def test_causes_add_up_for_every_rule_and_taxonomy(releases: tuple[Release, Release]) -> None:
    before, after = releases
    key, measures = list_counting_tables(after)[TABLE]
    assert measures == ("expected_publications",)
    assert explain_changes(after, after, TABLE).is_empty()
    changes = explain_changes(before, after, TABLE)
    assert set(changes["cause"]) == {"suggestion changed", "label suggested"}
    cells = changes.group_by(key).agg(pl.col("amount").sum(), pl.col("new_value").first(), pl.col("old_value").first())
    assert cells["amount"].to_list() == pytest.approx((cells["new_value"] - cells["old_value"]).to_list(), abs=2e-6)
    sums = [fetch_rows(side, f"select sum(expected_publications) from {TABLE}")[0][0] for side in releases]
    assert changes["amount"].sum() == pytest.approx(sums[1] - sums[0], abs=1e-4)
    assert {row["counting_rule"] for row in changes.to_dicts()} > {"works"}


def test_a_work_with_a_reviewed_label_leaves_what_is_expected(tmp_path: Any) -> None:
    lake, rows, models = Lake(tmp_path), make_rows(), make_models()
    before = build_release(lake, None, only=NEEDED, **rows, **models)
    labelled = [
        {**row, "category": "Honest AI"} if row["record_id"] == "work 2024-02 0" else row
        for row in rows["raw__lab_sheet_publications"]
    ]
    models["clean__suggestions"] = [row for row in models["clean__suggestions"] if row["work_id"] == FIRST]
    after = build_release(lake, None, only=NEEDED, **rows | {"raw__lab_sheet_publications": labelled}, **models)
    changes = explain_changes(before, after, TABLE, {"counting_rule": "works", "taxonomy": "iaps"})
    assert set(changes["cause"]) == {"relabelled"}
    assert set(changes["new_value"]) == {0.0}
