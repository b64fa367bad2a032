"""Cross-validation: the settings of a model, and how good it is on works that it has not seen.

It is nested: settings, temperature and the threshold of sets are chosen within the training side of each fold, and the
terms are those of that side. Works with the same text are on the same side.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from transforms.suggestions.calibration import Calibration, fit_calibration
from transforms.suggestions.classifier import Array, count_frequencies
from transforms.suggestions.prototypes import compute_similarities
from transforms.suggestions.training_sets import UNTRAINED, TrainingSet

SMOOTHINGS = (0.03, 0.1, 0.3, 1.0)
OUTER_FOLDS, INNER_FOLDS = 5, 3
FEW_WORKS = 300
"""Below so many works, the outer folds are drawn several times."""
REPETITIONS = 3


@dataclass(frozen=True)
class Settings:
    """The settings of a model: smoothing of frequencies, and the calibration of scores."""

    smoothing: float
    calibration: Calibration


@dataclass(frozen=True)
class Prediction:
    """What the model of one fold predicts for a work that it has not seen.

    Args:
        repetition: Number of the repetition, from 1.
        fold: Number of the fold, from 1.
        work: Number of the work in its training set.
        probabilities: The probability of each category.
        is_in_set: Whether each category is in the set of the work.
    """

    repetition: int
    fold: int
    work: int
    probabilities: Array
    is_in_set: Array


def split_folds(labels: Array, groups: Array, folds: int, seed: int) -> Iterator[tuple[Array, Array]]:
    """The training side and the other side of each fold, with the categories spread evenly and no group on both."""
    from sklearn.model_selection import StratifiedGroupKFold

    largest = int(np.bincount(labels[labels != UNTRAINED]).max())
    splitter = StratifiedGroupKFold(max(2, min(folds, largest)), shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # on categories with fewer works than there are folds
        yield from splitter.split(np.zeros(len(labels)), labels, groups)


def choose_settings(
    counts: csr_array,
    labels: Array,
    groups: Array,
    categories: int,
    relevant: int | None = None,
    embeddings: Array | None = None,
) -> Settings:
    """The settings with the least log-loss in a cross-validation over these works."""
    embeddings = np.zeros((len(labels), 0)) if embeddings is None else embeddings
    # zeros without embeddings, which take no memory
    similarities = np.broadcast_to(0.0, (len(labels), categories))
    folds = list(split_folds(labels, groups, INNER_FOLDS, seed=0))
    sides = [
        (frequencies, frequencies.weigh_terms(counts[other]), other)
        for training, other in folds
        for frequencies in [count_frequencies(counts[training], labels[training], categories, relevant)]
    ]
    if embeddings.shape[1]:
        similarities = similarities.copy()
    for training, other in folds if embeddings.shape[1] else ():
        similarities[other] = compute_similarities(embeddings, labels, training, other, categories)
    candidates = []
    for smoothing in SMOOTHINGS:
        scores, shares = np.zeros((len(labels), categories)), np.ones((len(labels), categories))
        for frequencies, texts, other in sides:
            scores[other], shares[other] = frequencies.build_classifier(smoothing).score(texts), frequencies.shares
        candidates.append(Settings(smoothing, fit_calibration(scores, similarities, shares, labels)))
    return min(candidates, key=lambda settings: settings.calibration.log_loss)


def cross_validate(training_set: TrainingSet) -> Iterator[Prediction]:
    """Predictions for each work of a training set, by models that have not seen it, in each repetition."""
    counts, labels, groups = training_set.counts, training_set.labels, training_set.groups
    categories, relevant, embeddings = len(training_set.categories), training_set.relevant, training_set.embeddings
    for repetition in range(1, 1 + (REPETITIONS if len(labels) < FEW_WORKS else 1)):
        folds = split_folds(labels, groups, OUTER_FOLDS, seed=repetition)
        for fold, (training, other) in enumerate(folds, 1):
            known, known_labels = counts[training], labels[training]
            settings = choose_settings(
                known, known_labels, groups[training], categories, relevant, embeddings[training]
            )
            frequencies = count_frequencies(known, known_labels, categories, relevant)
            scores = frequencies.build_classifier(settings.smoothing).score(frequencies.weigh_terms(counts[other]))
            similarities = compute_similarities(embeddings, labels, training, other, categories)
            probabilities = settings.calibration.compute_probabilities(scores, similarities, frequencies.shares)
            for work, row in zip(other.tolist(), probabilities, strict=True):
                yield Prediction(repetition, fold, work, row, row >= settings.calibration.set_threshold)
