"""Changes between releases: causes add up to each change, and every change has the right cause."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.defs.catalog import load_transforms
from tests.conftest import run_aisle
from tests.support.builders import PAPER, build_release, make_publication
from tests.support.trials import scale_trials
from warehouse.lake import Lake
from warehouse.release import Release, publish_release
from warehouse.release_diff import CAUSES, explain_changes, list_counting_tables

MARTS = [
    "mart.publications_by_lab_category_month",
    "mart.publications_by_lab_year",
    "mart.publications_by_category_year",
    "mart.publication_counts_by_month",
]
BASE = ["mart.counted_publications"]
DAY = st.dates(dt.date(2022, 1, 1), dt.date(2024, 12, 31)) | st.none()
PUBLICATIONS = st.dictionaries(
    st.integers(0, 9),
    st.fixed_dictionaries(
        {
            "lab": st.sampled_from(["Anthropic", "OpenAI"]),
            "category": st.sampled_from(["Robustness", "Honest AI"]),
            "published_on": DAY,
            "is_duplicate": st.booleans(),
        }
    ),
    min_size=1,
)


def build_counting_release(lake: Lake, publications: dict[int, dict[str, Any]]) -> Release:
    """A release of these publications and the counting tables."""
    return build_release(
        lake, [make_publication(key, **facts) for key, facts in publications.items()], only=[*BASE, *MARTS]
    )


def read_cells(release: Release, table: str, measure: str) -> dict[tuple, int]:
    (key, _) = list_counting_tables(release)[table]
    with release.connect() as connection:
        dated = "where published_month is not null" if "published_month" in key else ""
        rows = connection.execute(f"select {', '.join(key)}, {measure} from {table} {dated}").fetchall()
    return {tuple(row[:-1]): row[-1] for row in rows}


def find_causes(
    old: dict[int, dict[str, Any]], new: dict[int, dict[str, Any]], table: str = MARTS[1]
) -> set[tuple[str, str, int]]:
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        changes = explain_changes(build_counting_release(lake, old), build_counting_release(lake, new), table)
        return set(changes.select("measure", "cause", "amount").rows())


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"published_on": dt.date(2022, 5, 1)}, {("works", "date corrected", 1), ("works", "date corrected", -1)}),
        ({"lab": "Anthropic"}, {("works", "relabelled", 1), ("works", "relabelled", -1)}),
        ({"is_duplicate": True}, {("works", "merged or split", -1)}),
        ({"published_on": None}, {("works", "date corrected", -1)}),
        ({"category": "Honest AI"}, set()),
        (
            {"lab": "Anthropic", "published_on": dt.date(2022, 5, 1)},
            {("works", "relabelled", 1), ("works", "relabelled", -1)},
        ),
    ],
)
def test_changed_publication_has_the_right_cause(change: dict[str, Any], expected: set[tuple[str, str, int]]) -> None:
    changes = find_causes({1: PAPER, 2: PAPER}, {1: {**PAPER, **change}, 2: PAPER})
    assert {row for row in changes if row[0] == "works"} == expected


def test_new_late_and_withdrawn_publications_have_different_causes() -> None:
    late, new = {**PAPER, "published_on": dt.date(2024, 7, 1)}, {**PAPER, "published_on": dt.date(2026, 2, 1)}
    changes = find_causes({1: PAPER, 2: PAPER}, {1: PAPER, 3: late, 4: new})
    assert {(cause, amount) for measure, cause, amount in changes if measure == "works"} == {
        ("found late", 1),
        ("new work", 1),
        ("source withdrawn", -1),
    }


def test_change_without_changed_publications_is_a_rule_change(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    old = build_counting_release(lake, {1: PAPER})
    table = load_transforms()[MARTS[1]].table
    doubled = lake.read(table).with_columns(pl.col("works") * 2)
    lake.write(table, doubled)
    tables = [load_transforms()[name].table for name in ("clean.publications", "clean.coverage", *MARTS)]
    new, _ = publish_release(lake, tables, {})
    changes = explain_changes(old, new, MARTS[1])
    assert changes.select("measure", "old_value", "new_value", "cause", "amount").rows() == [
        ("works", 1, 2, "rule changed", 1)
    ]


@pytest.mark.trials("generated sets of publications", scale_trials(2, 30))
@settings(max_examples=scale_trials(2, 30), deadline=None)
@given(PUBLICATIONS, PUBLICATIONS)
def test_causes_add_up_to_each_change(old: dict[int, dict[str, Any]], new: dict[int, dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        before, after = build_counting_release(lake, old), build_counting_release(lake, new)
        for table in MARTS:
            changes = explain_changes(before, after, table)
            key, measures = list_counting_tables(after)[table]
            assert set(changes["cause"]) <= set(CAUSES) - {"rule changed"}
            for measure in measures:
                old_cells, new_cells = read_cells(before, table, measure), read_cells(after, table, measure)
                changed = {cell: new_cells.get(cell, 0) - old_cells.get(cell, 0) for cell in old_cells | new_cells}
                sums = changes.filter(pl.col("measure") == measure).group_by(key).agg(pl.col("amount").sum())
                explained = {row[:-1]: row[-1] for row in sums.rows() if abs(row[-1]) > 1e-9}
                assert explained == pytest.approx({cell: n for cell, n in changed.items() if abs(n) > 1e-9})


def test_diff_from_the_command_line(released_lake: Lake) -> None:
    assert "no number changed" in run_aisle(released_lake.root, "diff", "v1", "v1").stdout
    for arguments, message in (
        (("v1", "v9"), "no release v9; there are v1"),
        (
            ("v1", "v1", "mart.concentration"),
            "counts no publications in both releases; these do: mart.category_share_by_year",
        ),
    ):
        done = run_aisle(released_lake.root, "diff", *arguments)
        assert done.returncode == 1
        assert message in done.stderr
    assert "42" in run_aisle(released_lake.root, "sql", "--as-of", "2999-01-01", "select 42").stdout
    assert (
        "no release of 2020-01-01 or before; the first is of"
        in run_aisle(released_lake.root, "sql", "--as-of", "2020-01-01", "select 1").stderr
    )
