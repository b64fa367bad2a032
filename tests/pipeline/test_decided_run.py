"""A decision of a person through a whole `aisle run`: it counts, the release has it, and the changes name it."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

from tests.conftest import run_aisle
from tests.support.builders import fetch_rows
from warehouse.decisions.store import list_decisions
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


def test_a_list_counts_in_another_taxonomy_once_people_have_mapped_its_categories(
    released_lake: Lake, tmp_path: Path
) -> None:
    root = tmp_path / "lake"
    shutil.copytree(released_lake.root, root, symlinks=True)
    query = (
        "select title, url from clean.publications where category = 'Mechanistic interpretability' and not is_duplicate"
    )
    shared = fetch_rows(read_current_release(Lake(root)), f"{query} order by title limit 6")
    rows = [(title, url, "Looking inside; Tools") for title, url in shared]
    rows.append(("A work of this list alone", "https://example.org/alone", "Looking inside"))
    with (tmp_path / "beasts.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("Title", "URL", "Category", "Lab", "Date"))
        table.writerows((*row, "OpenAI", "2023-05-01") for row in rows)
    for command in (("add", str(tmp_path / "beasts.csv")), ("run",)):
        done = run_aisle(root, *command)
        assert done.returncode == 0, done.stderr
    counts = """
        select taxonomy, counting_rule, category, sum(publications) from mart.work_counts_by_month
        where corpus = 'beasts' and counting_rule in ('works', 'works_each_category') group by all order by all
    """
    own = [
        ("beasts", "works", "Looking inside", 7),
        ("beasts", "works_each_category", "Looking inside", 7),
        ("beasts", "works_each_category", "Tools", 6),
    ]
    assert fetch_rows(read_current_release(Lake(root)), counts) == own
    shown = run_aisle(root, "review", "mappings", "--from", "beasts", "--into", "iaps")
    assert "6 works have categories of both, 6 of them “Mechanistic interpretability” (100 %" in shown.stdout
    into = ("--from", "beasts", "--into", "iaps", "--as", "Ada")
    assert run_aisle(root, "review", "map", "looking inside", *into, "--proposed").returncode == 0
    assert run_aisle(root, "run").returncode == 0
    after = read_current_release(Lake(root))
    assert fetch_rows(after, counts) == [
        *own,
        ("iaps", "works", "Mechanistic interpretability", 7),
        ("iaps", "works_each_category", "(not decided)", 6),
        ("iaps", "works_each_category", "Mechanistic interpretability", 7),
    ]
    cells = "select sum(publications) from publication_cells(in_corpus := 'beasts', in_taxonomy := 'iaps')"
    assert fetch_rows(after, cells) == [(7,)]
    diff = run_aisle(root, "diff", "v2", "v3", "mart.work_counts_by_month", "--format", "json")
    assert {(row["corpus"], row["cause"]) for row in json.loads(diff.stdout)} == {("beasts", "mapping decided")}
    (event,) = list_decisions(Lake(root))
    assert run_aisle(root, "review", "undo", event.event_id[:8], "--as", "Bo").returncode == 0
    assert run_aisle(root, "run").returncode == 0
    assert fetch_rows(read_current_release(Lake(root)), counts) == own
