"""What became of works: old identifiers lead to the works that have their records now."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from tests.support.builders import NOW, build_release, fetch_rows, make_publication
from transforms.linking.members import name_work
from warehouse.lake import Lake
from warehouse.release import read_current_release

FIRST = make_publication("a", title="Agents that keep their habits", url="https://arxiv.org/abs/2301.00001")
SECOND = make_publication("b", title="Games with other rules and rewards", url="https://doi.org/10.1000/games")
BRIDGE = make_publication(
    "c",
    title="Games of agents with other habits",
    url="https://arxiv.org/abs/2301.00001v2",
    other_links="https://doi.org/10.1000/games",
    first_seen_at=NOW + dt.timedelta(days=1),
)
HISTORY = "select old_work_id, work_id, cause, evidence from clean.work_history order by all"


def publish(lake: Lake, *publications: dict[str, Any]) -> tuple[set[str], list[tuple]]:
    """The identifiers of the works of a new release, and its history."""
    release = build_release(lake, publications, only=["clean.works", "clean.work_history"])
    works = {work for (work,) in fetch_rows(release, "select work_id from clean.works")}
    return works, fetch_rows(release, HISTORY)


def test_merged_works_lead_to_the_one_that_they_became(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    two, history = publish(lake, FIRST, SECOND)
    assert two == {name_work("a"), name_work("b")}
    assert history == []
    (merged,), history = publish(lake, FIRST, SECOND, BRIDGE)
    assert {row[:3] for row in history} == {(old, merged, "merged") for old in two}
    assert publish(lake, FIRST, SECOND, BRIDGE, make_publication("d"))[1] == history  # it stays in later releases
    # the row that connected them is gone: each is found again, and the merged one leads to both
    again, history = publish(lake, FIRST, SECOND)
    assert again == two
    assert {row[:3] for row in history} == {(merged, work, "split") for work in two}


def test_a_damaged_release_is_passed_over(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    publish(lake, FIRST, SECOND)
    _, history = publish(lake, FIRST, SECOND, BRIDGE)
    newest = read_current_release(lake).path
    newest.chmod(0o644)
    newest.write_bytes(b"damaged" + newest.read_bytes()[7:])
    assert publish(lake, FIRST, SECOND, BRIDGE, make_publication("d"))[1] == history


def test_a_work_that_gains_records_has_no_history(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    publish(lake, FIRST)
    works, history = publish(lake, FIRST, BRIDGE)
    assert works == {name_work("a")}
    assert history == []
