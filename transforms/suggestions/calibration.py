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
        share_weight: What the logarithm of a category's share in the training set is multiplied with.
        set_threshold: The probability from which on a category is in the set of a work.
        log_loss: Mean logarithm of the probability of the right category, negative.
    """

    sharpness: float
    share_weight: float
    set_threshold: float
    log_loss: float

    def compute_intercepts(self, shares: Array) -> Array:
        """What is added to the sharpened score of each category."""
        return self.share_weight * np.log(shares)

    def compute_probabilities(self, scores: Array, shares: Array) -> Array:
        """The probability of each category (a column) of each work (a row)."""
        return _softmax(self.sharpness * scores + self.compute_intercepts(shares))


def _softmax(scores: Array) -> Array:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def fit_calibration(scores: Array, shares: Array, labels: Array) -> Calibration:
    """The calibration with the least log-loss on scores of works that their classifiers have not seen.

    Args:
        scores: The scores of each work.
        shares: For each work, the shares of the categories in the training set of its classifier.
        labels: The number of each work's category, or `UNTRAINED`.
    """
    from scipy.optimize import minimize

    is_learnt = labels != UNTRAINED
    scores, log_shares, right = scores[is_learnt], np.log(shares[is_learnt]), labels[is_learnt]
    rows = np.arange(len(right))

    def compute_log_loss(parameters: Array) -> tuple[float, list[float]]:
        """Log-loss and its derivatives."""
        probabilities = _softmax(parameters[0] * scores + parameters[1] * log_shares)
        log_loss = -np.log(np.maximum(probabilities[rows, right], LEAST_PROBABILITY)).mean()
        excess = [(probabilities * part).sum(axis=1) - part[rows, right] for part in (scores, log_shares)]
        return float(log_loss), [float(one.mean()) for one in excess]

    # convex in both
    found = minimize(compute_log_loss, [5.0, 0.5], jac=True, method="L-BFGS-B", bounds=[(0.01, 200.0), (0.0, 2.0)])
    sharpness, share_weight = np.round(found.x, 6).tolist()
    right_ones = _softmax(sharpness * scores + share_weight * log_shares)[rows, right]
    return Calibration(sharpness, share_weight, find_threshold(1 - right_ones), compute_log_loss(found.x)[0])


def find_threshold(nonconformity: Array) -> float:
    """The probability from which on a category is in the set, so that sets hold the right one as often as promised.

    Split conformal prediction: Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World (2005), 4.2; the
    finite-sample quantile as in Angelopoulos and Bates, arXiv 2107.07511.
    """
    works = len(nonconformity)
    place = int(np.ceil((works + 1) * COVERAGE))
    return 0.0 if place > works else float(1 - np.sort(nonconformity)[place - 1])
