"""Files of a screening tool come and go without a loss, and the rule for stopping errs as seldom as it states."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path

import pytest

from tests.conftest import run_aisle
from tests.support.review import TITLES, build_review_lake
from transforms.review.screening import read_screening_file
from transforms.review.stopping import compute_missed_probability, describe_stopping
from warehouse.decisions.events import InvalidDecision
from warehouse.decisions.store import list_decisions
from warehouse.lake import Lake

OPTIONS = ("--taxonomy", "animals")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return build_review_lake(tmp_path / "lake")


def test_a_csv_file_is_screened_elsewhere_and_comes_back(lake: Lake, tmp_path: Path) -> None:
    file = tmp_path / "works.csv"
    done = run_aisle(lake.root, "review", "export", "-f", "asreview-csv", "-o", str(file), *OPTIONS)
    assert (done.returncode, "4 works" in done.stderr) == (0, True), done.stderr
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    assert {row["title"]: row["included"] for row in rows} == dict.fromkeys(TITLES.values(), "") | {
        TITLES["wolves"]: "1"
    }
    # as ASReview exports it: its own columns beside those that it was given
    labels = {TITLES["foxes"]: "0", TITLES["sheep"]: "1"}
    for row in rows:
        row |= {"asreview_label": labels.get(row["title"], ""), "asreview_note": "seen", "included": ""}
    rows.append({**rows[0], "title": "Of no lake", "asreview_label": "1", "aisle_record_id": "gone"})
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    file.write_text(buffer.getvalue())
    for added in ("2 of 2", "0 of 0"):  # the second time everything is there
        done = run_aisle(lake.root, "review", "import", str(file), "--as", "Cy", *OPTIONS)
        assert added in done.stderr
        assert "row 6: Of no lake: the release has no such work" in done.stderr
    found = {(one.record_id, one.kind, one.value, one.taxonomy, one.reason) for one in list_decisions(lake)}
    assert found == {("foxes", "scope", "no", "animals", "seen"), ("sheep", "scope", "yes", "animals", "seen")}
    file.write_text("title,asreview_label\n" + f"{TITLES['foxes']},1\n")  # on second thoughts
    assert "1 of 1" in run_aisle(lake.root, "review", "import", str(file), "--as", "Cy", *OPTIONS).stderr
    on_foxes = {one.value: one for one in list_decisions(lake) if one.record_id == "foxes"}
    assert on_foxes["yes"].seen == (on_foxes["no"].event_id,)
    for option, is_waiting in (("--blind", True), ("--by-relevance", False)):  # for a category, not for its scope
        listed = run_aisle(lake.root, "review", "next", "--list", "-n", "9", option, "--as", "Cy", *OPTIONS)
        assert (TITLES["foxes"] in listed.stdout) == is_waiting
    stats = run_aisle(lake.root, "review", "stats").stdout
    assert "animals: 2 of 2 decided works are in scope" in stats


def test_an_ris_file_is_screened_elsewhere_and_comes_back(lake: Lake, tmp_path: Path) -> None:
    file = tmp_path / "works.ris"
    run_aisle(lake.root, "review", "export", "-f", "asreview-ris", "-o", str(file), *OPTIONS)
    text = file.read_text()
    assert text.count("ASReview_not_seen") == 3
    begin, end = text.split("ASReview_not_seen", 1)
    file.write_text(f"{begin}ASReview_irrelevant{end}")
    records = read_screening_file(file.read_text(), "works.ris")
    assert records is not None
    assert sorted(one.label for one in records) == ["no", "yes"]
    assert "2 of 2" in run_aisle(lake.root, "review", "import", str(file), "--as", "Cy", *OPTIONS).stderr
    assert {one.record_id for one in list_decisions(lake)} == {"copy", "wolves"}
    # and without what this lake has written, by its title
    (foreign,) = read_screening_file("TY  - JOUR\nTI  - A\nN1  - <p>ASReview_relevant</p>\nER  - \n", "x.ris") or []
    assert (foreign.names, foreign.label, foreign.record_id) == (("A",), "yes", "")


def test_a_file_that_cannot_be_read_is_named(lake: Lake) -> None:
    assert read_screening_file("kind,record_id\n", "log.csv") is None
    assert read_screening_file("title,abstract\n", "works.csv") is None
    with pytest.raises(InvalidDecision, match=r"works\.csv: row 2: the label is 'maybe'"):
        read_screening_file("title,included\nA,maybe\n", "works.csv")
    done = run_aisle(lake.root, "review", "export", "-f", "asreview-csv", "--corpus", "cows", *OPTIONS)
    assert (done.returncode, "'cows' has no works" in done.stderr) == (1, True)


def test_the_probability_is_that_of_drawing_as_few() -> None:
    # all five relevant ones first, then five others, of twenty: 95 % needs one more among the fifteen that are left
    labels = [True] * 5 + [False] * 5
    # ten of the fifteen were left after the last relevant one: C(14, 5) / C(15, 5)
    assert compute_missed_probability(labels, 20) == pytest.approx(10 / 15)
    assert compute_missed_probability([True, False], 2) == 0.0  # nothing is left
    assert compute_missed_probability([False] * 9, 20) is None
    assert "not ruled out" in describe_stopping(labels, 10)
    assert "Another hour" in describe_stopping([True] * 5 + [False] * 200, 5)


def test_it_stops_too_early_no_more_often_than_it_states() -> None:
    # in a random order, which is the worst that the rule allows
    numbers, wrong, trials = random.Random(7), 0, 200
    for _ in range(trials):
        order = [True] * 20 + [False] * 180
        numbers.shuffle(order)
        for seen in range(5, 200, 5):
            probability = compute_missed_probability(order[:seen], 200)
            if probability is not None and probability < 0.05:
                wrong += sum(order[:seen]) < 0.95 * 20
                break
    assert wrong <= 0.15 * trials  # it is looked at many times, so that the error is above that of one look
