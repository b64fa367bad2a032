"""What people decided on labs, dates, titles, exclusions and identity is in the tables, and the changes have causes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from orchestration.ingest.decisions import build_decision_rows
from tests.support.builders import build_release
from tests.support.decisions import make_decision
from tests.support.two_lists import LIST_SEEN_AT, SECOND_LIST, make_list_snapshot, make_record, make_sighting
from transforms.review.questions import hash_part
from warehouse.decisions.events import Decision
from warehouse.lake import Lake
from warehouse.names import build_title_key
from warehouse.release import Release
from warehouse.release_diff import explain_changes

TABLE = "mart.works_by_lab_category_month"
NEEDED = (TABLE, "mart.corpus_coverage", "clean.work_candidates", "clean.work_history", "clean.work_conflicts")
TITLES = {
    "wolves": "A study of old wolves",
    "foxes": "A study of young foxes",
    "sheep": "Sheep that count one another",
    "hide": "Agents that hide what they have learned",
    "conceal": "Models which conceal their capabilities",
    "cats": "Cats that land on four feet always",
    "dogs": "Dogs that return with every stick",
    "bears": "Bears that sleep in the winter months",
    "hares": "Hares that sleep with open eyes often",
}


def ground(key: str) -> str:
    return hash_part("title", build_title_key(TITLES[key]))


def decide(kind: str, key: str, value: str, **values: Any) -> Decision:
    return make_decision(value, kind=kind, record_id=key, **{"taxonomy": "", "ground": ground(key), **values})


DECISIONS = [
    decide("excluded", "wolves", "yes", reason="a post about a study"),
    decide("lab", "foxes", "Anthropic"),
    decide("field", "sheep", "2023-07-10", field="published_on"),
    decide("field", "sheep", "Sheep that count each other", field="title", decided_by="Bo"),
    decide("field", "sheep", "https://example.org/sheep", field="url"),
    decide("same work", "hide", "yes", second_record_id="conceal", ground=f"{ground('hide')}; {ground('conceal')}"),
    decide("same work", "dogs", "no", second_record_id="cats", reason="two papers"),
    decide("category", "bears", "Honest AI", taxonomy="iaps"),
    decide("excluded", "hares", "yes", ground="title:0000000000000000"),
]


def make_lake_rows() -> dict[str, list[dict[str, Any]]]:
    records = [
        make_record(
            key,
            SECOND_LIST,
            number,
            LIST_SEEN_AT,
            title=title,
            published_on=dt.date(2023, 3, 1),
            url="https://arxiv.org/abs/2301.00001" if key in {"cats", "dogs"} else None,
        )
        for number, (key, title) in enumerate(TITLES.items(), 1)
    ]
    return {
        "raw__snapshots": [make_list_snapshot(SECOND_LIST, "animals.csv", LIST_SEEN_AT)],
        "raw__lab_sheet_publications": records,
        "raw__sightings": [make_sighting(record) for record in records],
    }


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Release, Release]:
    """A release without decisions, and one with them."""
    lake = Lake(tmp_path_factory.mktemp("applied"))
    before = build_release(lake, None, only=NEEDED, **make_lake_rows())
    decisions = build_decision_rows(DECISIONS).to_dicts()
    return before, build_release(lake, None, only=NEEDED, raw__decisions=decisions, **make_lake_rows())


@pytest.fixture
def decided(releases: tuple[Release, Release]) -> Iterator[duckdb.DuckDBPyConnection]:
    with releases[1].connect() as connection:
        yield connection


def test_an_excluded_work_leaves_the_living_corpora_and_stays_with_the_reason(
    decided: duckdb.DuckDBPyConnection,
) -> None:
    works = "select title, is_excluded, exclusion from clean.works where title in (?, ?) order by title"
    assert decided.execute(works, [TITLES["wolves"], TITLES["hares"]]).fetchall() == [
        (TITLES["wolves"], True, "Ada: a post about a study"),
        (TITLES["hares"], False, None),  # its ground changed
    ]
    counted = (
        "select corpus from mart.counted_works where work_id = (select work_id from clean.works where is_excluded)"
    )
    assert decided.execute(counted).fetchall() == [("iaps_mapping",)]
    coverage = "select corpus, excluded_works from mart.corpus_coverage order by corpus"
    assert decided.execute(coverage).fetchall() == [("all_works", 1), ("iaps_mapping", 0), ("lab_publications", 1)]


def test_a_work_counts_for_the_decided_lab(decided: duckdb.DuckDBPyConnection) -> None:
    labs = """
        select lab, basis, is_primary, work_labs.decided_by
        from clean.work_labs inner join clean.work_members using (work_id)
        where record_id = 'foxes' order by lab
    """
    assert decided.execute(labs).fetchall() == [
        ("Anthropic", "decided", True, "Ada"),
        ("OpenAI", "listed", False, None),
    ]
    counted = """
        select lab from mart.counted_works inner join clean.work_members using (work_id)
        where record_id = 'foxes' and corpus = 'lab_publications' and whole_weight = 1
    """
    assert decided.execute(counted).fetchall() == [("Anthropic",)]


def test_corrected_fields_are_shown_with_who_corrected_them(decided: duckdb.DuckDBPyConnection) -> None:
    work = """
        select title, published_on, date_kind, date_rule, url, corrections
        from clean.works inner join clean.work_members using (work_id) where record_id = 'sheep'
    """
    assert decided.execute(work).fetchall() == [
        (
            "Sheep that count each other",
            dt.date(2023, 7, 10),
            "decided",
            "corrected by Ada",
            "https://example.org/sheep",
            "published_on by Ada; title by Bo; url by Ada",
        )
    ]
    dates = "select date_kind, source, is_shown from clean.work_dates where record_id = 'sheep' order by is_shown"
    assert decided.execute(dates).fetchall() == [("listed", "lab_sheet", False), ("decided", "decision", True)]


def test_a_decided_pair_joins_or_separates_with_history(decided: duckdb.DuckDBPyConnection) -> None:
    works = """
        select list(record_id order by record_id) from clean.work_members
        where record_id in ('hide', 'conceal', 'cats', 'dogs') group by work_id order by 1
    """
    assert decided.execute(works).fetchall() == [(["cats"],), (["conceal", "hide"],), (["dogs"],)]
    links = "select step, evidence, decided_by from clean.work_members where record_id = 'hide'"
    assert decided.execute(links).fetchall() == [("decided", "Ada decided that they are one work", "Ada")]
    history = "select cause, evidence from clean.work_history order by cause"
    assert decided.execute(history).fetchall() == [
        ("merged", "Ada decided that they are one work"),
        ("split", None),
    ]
    assert decided.execute("select * from clean.work_candidates").fetchall() == []


def test_outcomes_are_those_that_were_applied(decided: duckdb.DuckDBPyConnection) -> None:
    outcomes = "select outcome, count(*) from clean.decisions group by all order by all"
    assert decided.execute(outcomes).fetchall() == [("ground changed", 1), ("holds", 8)]


def test_every_change_has_its_cause_and_they_add_up(releases: tuple[Release, Release]) -> None:
    changes = explain_changes(*releases, TABLE, {"corpus": "all_works"})
    cells = ["lab", "category", "published_month", "measure"]
    for _, group in changes.group_by(cells):
        assert group["amount"].sum() == group["new_value"][0] - group["old_value"][0]
    causes = dict(changes.select("cause", "publications").iter_rows())
    joined = f"{TITLES['hide']} (Ada decided that they are one work)"
    assert causes == {
        "exclusion decided": TITLES["wolves"],
        "lab decided": TITLES["foxes"],
        "date decided": "Sheep that count each other",
        "label decided": TITLES["bears"],
        "merge or split decided": f"{joined}; {TITLES['dogs']}",
    }
