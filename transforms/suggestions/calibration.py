"""From scores to calibrated probabilities, and to sets that hold the right category as often as promised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from transforms.suggestions.classifier import Array
from transforms.suggestions.training_sets import UNTRAINED

COVERAGE = 0.9
"""Share of works whose set is to hold their category, of those whose category is learnt."""
LEAST_PROBABILITY = 1e-6


@dataclass(frozen=True)
class Calibration:
    """How the scores of a model become probabilities.

    Args:
        sharpness: What scores are multiplied with; 1 divided by the temperature.
        embedding_weight: What the similarity of embeddings is multiplied with.
        share_weight: What the logarithm of a category's share in the training set is multiplied with.
        set_threshold: The probability from which on a category is in the set of a work.
        log_loss: Mean logarithm of the probability of the right category, negative.
    """

    sharpness: float
    embedding_weight: float
    share_weight: float
    set_threshold: float
    log_loss: float

    def compute_intercepts(self, shares: Array) -> Array:
        """What is added to the sharpened score of each category."""
        return self.share_weight * np.log(shares)

    def compute_probabilities(self, scores: Array, similarities: Array, shares: Array) -> Array:
        """The probability of each category (a column) of each work (a row)."""
        by_text = self.sharpness * scores + self.embedding_weight * similarities
        return _softmax(by_text + self.compute_intercepts(shares))


def _softmax(scores: Array) -> Array:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def fit_calibration(scores: Array, similarities: Array, shares: Array, labels: Array) -> Calibration:
    """The calibration with the least log-loss on scores of works that their classifiers have not seen.

    Args:
        scores: The scores of each work.
        similarities: The similarities of its embedding to those of the categories; zeros without embeddings.
        shares: For each work, the shares of the categories in the training set of its classifier.
        labels: The number of each work's category, or `UNTRAINED`.
    """
    from scipy.optimize import minimize

    is_learnt = labels != UNTRAINED
    has_embeddings, right = bool(similarities.any()), labels[is_learnt]
    # without embeddings, their weight is fixed at zero
    parts = [scores[is_learnt], similarities[is_learnt], np.log(shares[is_learnt])]
    bounds = [(0.01, 200.0), (0.0, 200.0 if has_embeddings else 0.0), (0.0, 2.0)]
    rows = np.arange(len(right))

    def compute_probabilities(parameters: Array) -> Array:
        return _softmax(sum(weight * part for weight, part in zip(parameters, parts, strict=True)))

    def compute_log_loss(parameters: Array) -> tuple[float, list[float]]:
        """Log-loss and its derivatives."""
        probabilities = compute_probabilities(parameters)
        log_loss = -np.log(np.maximum(probabilities[rows, right], LEAST_PROBABILITY)).mean()
        excess = [(probabilities * part).sum(axis=1) - part[rows, right] for part in parts]
        return float(log_loss), [float(one.mean()) for one in excess]

    # convex in all
    start = [5.0, 5.0 if has_embeddings else 0.0, 0.5]
    found = np.round(minimize(compute_log_loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x, 6)
    sharpness, embedding_weight, share_weight = found.tolist()
    threshold = find_threshold(1 - compute_probabilities(found)[rows, right])
    return Calibration(sharpness, embedding_weight, share_weight, threshold, compute_log_loss(found)[0])


def find_threshold(nonconformity: Array) -> float:
    """The probability from which on a category is in the set, so that sets hold the right one as often as promised.

    Split conformal prediction: Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World (2005), 4.2; the
    finite-sample quantile as in Angelopoulos and Bates, arXiv 2107.07511.
    """
    works = len(nonconformity)
    place = int(np.ceil((works + 1) * COVERAGE))
    return 0.0 if place > works else float(1 - np.sort(nonconformity)[place - 1])
