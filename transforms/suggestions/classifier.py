"""The classifier: complement naive Bayes on TF-IDF, written as a linear model that SQL can apply.

A term that a category does not have counts the same for it as for every other such category, and softmax ignores what
all have in common. So a term has a weight only for the categories in whose works it occurs.

The score of relevance has that of a linear support vector machine added: the two err on different works, so that what
comes first is more often in scope by both than by one (`make bench-review`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import csr_array, diags_array

from transforms.suggestions.training_sets import UNTRAINED

MANY_WORKS = 500
"""From so many works on, a term has to occur in two of them."""
PENALTY, RELEVANT_WEIGHT = 0.11, 9.8
"""Of the support vector machine: cost of an error, and how much more all works in scope count than all others.

As in ELAS u4, the default of ASReview LAB 3, which was tuned on the SYNERGY sets of systematic reviews.
"""
MARGIN_WEIGHT = 20.0
"""What its distance from the border is multiplied with; the score of naive Bayes is 10 to 60 times as spread."""
IDF_DIGITS, WEIGHT_DIGITS = 3, 4
"""Decimals of what is stored, so that a sum of products is exact in whole numbers, in every order and engine."""

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Classifier:
    """A fitted classifier.

    Args:
        frequencies: The terms and their frequencies in the training set.
        weights: What each term (a row) adds to the score of each category (a column).
        lengths: What the length of a text adds to the score of each category.
        offsets: What is added to the score of each category.
    """

    frequencies: Frequencies
    weights: Array
    lengths: Array
    offsets: Array

    def score(self, texts: csr_array) -> Array:
        """The score of each work (a row) in each category (a column), from its weighted terms."""
        return texts @ self.weights + np.outer(texts.sum(axis=1), self.lengths) + self.offsets


@dataclass(frozen=True)
class Margin:
    """What separates the works in scope from the others.

    Args:
        weights: What each term (a row) adds to the score of each category (a column).
        offsets: What is added to the score of each category.
    """

    weights: Array
    offsets: Array


@dataclass(frozen=True)
class Frequencies:
    """The terms of a training set, and how frequent they are in its categories.

    Args:
        columns: The columns of the counts that are its terms.
        idf: Inverse document frequency of each term.
        by_category: Sum of the weighted frequencies of each term (a row) in each category (a column).
        shares: Share of each category in the training set.
        margin: What separates the works in scope from the others, of a model of relevance.
    """

    columns: Array
    idf: Array
    by_category: Array
    shares: Array
    margin: Margin | None = None

    def weigh_terms(self, counts: csr_array) -> csr_array:
        """The terms of each work (a row): counts times `idf`, of length 1; other terms are left out."""
        weighted = csr_array(counts[:, self.columns] @ diags_array(self.idf))
        norms = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
        return csr_array(diags_array(1 / np.where(norms > 0, norms, 1)) @ weighted)

    def build_classifier(self, smoothing: float) -> Classifier:
        """The classifier with a smoothing, which is added to each frequency."""
        everywhere = self.by_category.sum(axis=1, keepdims=True)
        elsewhere = np.maximum(everywhere - self.by_category, 0)
        weights = np.log(everywhere + smoothing) - np.log(elsewhere + smoothing)
        lengths = np.log((elsewhere + smoothing).sum(axis=0))
        offsets = np.zeros(len(lengths))
        if self.margin is not None:
            weights, offsets = weights + self.margin.weights, self.margin.offsets
        return Classifier(self, np.round(weights, WEIGHT_DIGITS), lengths, offsets)


def count_frequencies(counts: csr_array, labels: Array, categories: int, relevant: int | None = None) -> Frequencies:
    """The frequencies in some works; the terms and their document frequencies are those of these works alone.

    Args:
        counts: How often each work (a row) has each term (a column).
        labels: The number of the category of each work; those that are not learnt are left out.
        categories: The number of categories; one of them may have no work here.
        relevant: The number of the category in scope, of a model of relevance.
    """
    from sklearn.naive_bayes import ComplementNB

    is_learnt = labels != UNTRAINED
    counts, labels = counts[is_learnt], labels[is_learnt]
    works = len(labels)
    works_with_term = np.bincount(counts.nonzero()[1], minlength=counts.shape[1])
    columns = np.flatnonzero(works_with_term >= (2 if works >= MANY_WORKS else 1))
    idf = np.round(np.log((1 + works) / (1 + works_with_term[columns])) + 1, IDF_DIGITS)
    shares = (np.bincount(labels, minlength=categories) + 1) / (works + categories)
    frequencies = Frequencies(columns, idf, np.zeros((len(columns), categories)), shares)
    if not len(columns):
        return frequencies
    texts = frequencies.weigh_terms(counts)
    bayes = ComplementNB().partial_fit(texts, labels, classes=np.arange(categories))
    margin = None if relevant is None else _fit_margin(texts, labels, relevant)
    return replace(frequencies, by_category=bayes.feature_count_.T, margin=margin)


def _fit_margin(texts: csr_array, labels: Array, relevant: int) -> Margin | None:
    """The margin; None where all works are on one side."""
    from sklearn.svm import LinearSVC

    is_relevant = labels == relevant
    relevant_works, others = int(is_relevant.sum()), int((~is_relevant).sum())
    if not relevant_works or not others:
        return None
    weights = np.where(is_relevant, RELEVANT_WEIGHT / relevant_works, 1 / others)
    machine = LinearSVC(C=PENALTY, random_state=0)
    machine.fit(texts, is_relevant, sample_weight=weights * len(labels) / weights.sum())
    distances = texts @ machine.coef_[0]
    # midway between the two sides, since shares are for the calibration to weigh
    offset = -(distances[is_relevant].mean() + distances[~is_relevant].mean()) / 2
    signs = np.where(np.arange(2) == relevant, 1.0, -1.0)
    # a term speaks for one side: only differences count, so no weight has to be negative
    weights = MARGIN_WEIGHT * np.maximum(np.outer(machine.coef_[0], signs), 0)
    return Margin(weights, MARGIN_WEIGHT / 2 * float(offset) * signs)
