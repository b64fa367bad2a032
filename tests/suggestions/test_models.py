"""A model follows from its labelled works alone, sees nothing of the works that it is judged by, and is what sklearn fits."""

from __future__ import annotations

import random
from typing import Any

import duckdb
import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.naive_bayes import ComplementNB
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_info, threadpool_limits

from tests.support.suggestions import make_labels
from transforms.suggestions import calibration as calibration_module
from transforms.suggestions import training as training_module
from transforms.suggestions.calibration import COVERAGE, find_threshold, fit_calibration
from transforms.suggestions.classifier import MARGIN_WEIGHT, PENALTY, RELEVANT_WEIGHT, count_frequencies
from transforms.suggestions.training_sets import UNTRAINED, TrainingSet, build_training_sets, list_terms
from transforms.suggestions.validation import cross_validate, split_folds

WORKS = {"Foxes": 20, "Owls": 12, "Trout": 9, "Newts": 2}


def make_rows(**works: int) -> list[tuple[str, str, str, str, list[str]]]:
    labels = make_labels(works or WORKS)
    return [
        (one["taxonomy"], one["model"], one["item_id"], one["category"], f"{one['title']} {one['abstract']}".split())
        for one in labels
    ]


@pytest.fixture(scope="module")
def animals() -> TrainingSet:
    (training_set,) = build_training_sets(make_rows())
    return training_set


def describe(training_set: TrainingSet) -> list[Any]:
    return [
        (one.repetition, training_set.items[one.work].item_id, one.probabilities.tolist(), one.is_in_set.tolist())
        for one in cross_validate(training_set)
    ]


def test_the_order_of_the_rows_changes_nothing(animals: TrainingSet) -> None:
    rows = make_rows()
    random.Random(1).shuffle(rows)
    (shuffled,) = build_training_sets(rows)
    assert shuffled.labels_sha256 == animals.labels_sha256
    assert describe(shuffled) == describe(animals)


def test_a_category_with_too_few_works_is_not_learnt(animals: TrainingSet) -> None:
    assert animals.categories == ["Foxes", "Owls", "Trout"]
    assert (animals.labels == UNTRAINED).sum() == 2
    assert all(len(one.probabilities) == 3 for one in cross_validate(animals))


def test_training_uses_one_thread_and_gives_the_others_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def count_threads() -> list[int]:
        return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]

    used: list[list[int]] = []
    monkeypatch.setattr(training_module, "build_training_sets", lambda _: used.append(count_threads()) or [])
    with duckdb.connect() as connection, threadpool_limits(limits=2, user_api="blas"):
        training_module.predict_unseen(connection, "select 1")
        assert set(used[0]) == {1}
        assert set(count_threads()) == {2}


@pytest.mark.parametrize("rows", [1, 7, 50_000])
def test_predictions_are_written_in_batches(animals: TrainingSet, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(training_module, "_BATCH_ROWS", rows)
    monkeypatch.setattr(training_module, "build_training_sets", lambda _: [animals])
    with duckdb.connect() as connection:
        written = connection.execute(training_module.predict_unseen(connection, "select 1")).fetchall()
    expected: list[tuple[Any, ...]] = []
    for one in cross_validate(animals):
        label, probabilities = int(animals.labels[one.work]), np.round(one.probabilities, 6).tolist()
        most = sorted(range(3), key=lambda number: (-probabilities[number], number))
        facts = animals.taxonomy, animals.model, one.repetition, animals.items[one.work].item_id
        expected += [
            (*facts, category, one.fold, probabilities[number], one.is_in_set[number], one.is_in_set.sum())
            for number, category in enumerate(animals.categories)
            if number in {label, *most[:2]}
        ]
    assert sorted(written) == sorted(expected)
    assert len(written) < 3 * 3 * len(animals.items)  # fewer than works times categories


@pytest.mark.parametrize("cells", [1, 100, 10**9])
def test_calibration_is_the_same_some_works_at_a_time(monkeypatch: pytest.MonkeyPatch, cells: int) -> None:
    draw = np.random.default_rng(1)
    scores, similarities = draw.normal(size=(2, 90, 4))
    shares, labels = draw.dirichlet([1, 2, 3, 4], 90), draw.integers(UNTRAINED, 4, 90)
    whole = [fit_calibration(scores, given, shares, labels) for given in (similarities, 0 * similarities)]
    monkeypatch.setattr(calibration_module, "_BLOCK_CELLS", cells)
    assert [fit_calibration(scores, given, shares, labels) for given in (similarities, 0 * similarities)] == whole


@pytest.mark.parametrize("works", [{"Foxes": 12, "Owls": 7}, {"Foxes": 40}, {"Foxes": 40, "Owls": 2}])
def test_too_few_works_or_categories_make_no_model(works: dict[str, int]) -> None:
    assert build_training_sets(make_rows(**works)) == []


def test_works_with_one_text_count_once() -> None:
    assert build_training_sets((*row[:4], ["fox", "den"]) for row in make_rows()) == []


def test_terms_are_words_and_neighbours_without_stop_words() -> None:
    assert list_terms(["the", "red", "fox", "of", "x", "dusk"]) == ["red", "fox", "dusk", "red fox"]


def test_classifier_scores_as_that_of_the_library(animals: TrainingSet) -> None:
    known = animals.labels != UNTRAINED
    counts, labels = animals.counts[known], animals.labels[known]
    frequencies = count_frequencies(counts, labels, 3)
    ours = frequencies.build_classifier(0.3).score(frequencies.weigh_terms(counts))
    texts = TfidfTransformer().fit_transform(counts)
    theirs = ComplementNB(alpha=0.3).fit(texts, labels).predict_joint_log_proba(texts)
    # what is added to all categories alike does not count
    difference = (ours - ours.mean(axis=1, keepdims=True)) - (theirs - theirs.mean(axis=1, keepdims=True))
    assert np.abs(difference).max() < 0.005  # terms are rounded to 3 and 4 decimals


def test_the_score_of_relevance_has_the_margin_of_the_library_added() -> None:
    rows = [("animals", "relevance", *row[2:]) for row in make_rows(Foxes=20, Owls=12)]
    names = {"Foxes": "in scope", "Owls": "not in scope"}
    (known,) = build_training_sets((*row[:3], names[row[3]], row[4]) for row in rows)
    assert known.relevant == 0
    alone = count_frequencies(known.counts, known.labels, 2)
    both = count_frequencies(known.counts, known.labels, 2, known.relevant)
    texts = alone.weigh_terms(known.counts)
    added = both.build_classifier(0.3).score(texts) - alone.build_classifier(0.3).score(texts)
    weights = np.where(known.labels == 0, RELEVANT_WEIGHT / 20, 1 / 12)
    machine = LinearSVC(C=PENALTY, random_state=0)
    machine.fit(texts, known.labels == 0, sample_weight=weights * len(weights) / weights.sum())
    distances = texts @ machine.coef_[0]
    border = (distances[known.labels == 0].mean() + distances[known.labels == 1].mean()) / 2
    assert np.abs(added[:, 0] - added[:, 1] - MARGIN_WEIGHT * (distances - border)).max() < 0.005
    assert (both.build_classifier(0.3).weights >= 0).all()


def test_terms_and_their_frequencies_are_those_of_the_training_side(animals: TrainingSet) -> None:
    training, other = next(split_folds(animals.labels, animals.groups, 5, seed=1))
    frequencies = count_frequencies(animals.counts[training], animals.labels[training], 3)
    seen = set(animals.counts[training].nonzero()[1].tolist())
    assert set(frequencies.columns.tolist()) <= seen
    assert set(animals.counts[other].nonzero()[1].tolist()) - seen  # the other side has terms of its own


def test_works_with_the_same_text_are_on_one_side() -> None:
    rows = make_rows()
    copies = [(*row[:2], f"copy of {row[2]}", *row[3:]) for row in rows]
    (doubled,) = build_training_sets([*rows, *copies])
    for training, other in split_folds(doubled.labels, doubled.groups, 5, seed=1):
        assert not set(doubled.groups[training].tolist()) & set(doubled.groups[other].tolist())


def test_sets_hold_the_right_category_as_often_as_promised() -> None:
    choice = np.random.default_rng(1)
    covered = []
    for _ in range(2000):  # the threshold of 49 works, and a 50th
        nonconformity = choice.random(50) ** 2
        covered.append(1 - nonconformity[-1] >= find_threshold(nonconformity[:-1]))
    assert COVERAGE - 0.02 < np.mean(covered) < COVERAGE + 0.03  # 3 standard errors are 0.02
    assert find_threshold(np.array([0.1, 0.2])) == 0  # of two works nothing can be promised


def test_calibration_finds_the_temperature_that_scores_were_drawn_with() -> None:
    choice = np.random.default_rng(2)
    scores, shares = choice.normal(size=(20_000, 3)), np.full((20_000, 3), 1 / 3)
    powers = np.exp(4 * scores)
    labels = (choice.random((20_000, 1)) > (powers / powers.sum(axis=1, keepdims=True)).cumsum(axis=1)).sum(axis=1)
    calibration = fit_calibration(scores, np.zeros_like(scores), shares, labels)
    assert calibration.sharpness == pytest.approx(4, rel=0.05)
    assert calibration.embedding_weight == 0
