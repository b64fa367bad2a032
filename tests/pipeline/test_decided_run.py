"""A decision of a person through a whole `aisle run`: it counts, the release has it, and the changes name it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.conftest import run_aisle
from tests.support.builders import fetch_rows
from warehouse.lake import Lake
from warehouse.release import read_current_release

TABLE = "mart.works_by_lab_category_month"
COUNTS = f"""
    select corpus, cast(sum(works) as bigint) from {TABLE}
    where lab != 'all' and corpus != 'iaps_mapping' group by corpus order by corpus
"""


def test_decisions_are_applied_by_a_run_and_the_bridge_names_them(released_lake: Lake, tmp_path: Path) -> None:
    root = tmp_path / "lake"
    shutil.copytree(released_lake.root, root, symlinks=True)
    before = read_current_release(Lake(root))
    first, second, third, fourth = (
        title for (title,) in fetch_rows(before, "select title from clean.works order by title limit 4")
    )
    for options in (
        (first, "--excluded", "yes", "--why", "no paper"),
        (second, "--field", "published_on=2023-01-17"),
        (third, "--same-as", fourth),
    ):
        assert run_aisle(root, "review", "decide", *options, "--as", "Ada").returncode == 0
    assert run_aisle(root, "run").returncode == 0
    after = read_current_release(Lake(root))
    assert fetch_rows(after, "select kind, outcome from clean.decisions order by kind") == [
        ("excluded", "holds"),
        ("field", "holds"),
        ("same work", "holds"),
    ]
    assert fetch_rows(before, COUNTS) == [("all_works", 78), ("lab_publications", 78)]
    assert fetch_rows(after, COUNTS) == [("all_works", 76), ("lab_publications", 76)]
    mapping = "from mart.publications_by_lab_year order by all"
    assert fetch_rows(before, mapping) == fetch_rows(after, mapping)
    shown = run_aisle(root, "diff", "v1", "v2", TABLE, "--format", "json")
    causes = {row["cause"]: row["publications"] for row in json.loads(shown.stdout)}
    assert causes["exclusion decided"] == first
    assert causes["date decided"] == second
    assert "Ada decided that they are one work" in causes["merge or split decided"]
    assert set(causes) == {"exclusion decided", "date decided", "merge or split decided"}
