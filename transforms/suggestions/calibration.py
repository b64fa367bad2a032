"""From scores to calibrated probabilities, and to sets that hold the right category as often as promised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from transforms.suggestions.classifier import Array
from transforms.suggestions.training_sets import UNTRAINED

COVERAGE = 0.9
"""Share of works whose set is to hold their category, of those whose category is learnt."""
LEAST_PROBABILITY = 1e-6
_BLOCK_CELLS = 500_000  # works times categories


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
    parts = [one if is_learnt.all() else one[is_learnt] for one in (scores, similarities, np.log(shares))]
    bounds = [(0.01, 200.0), (0.0, 200.0 if has_embeddings else 0.0), (0.0, 2.0)]
    # some works at a time: the probabilities of thousands of works in hundreds of categories would fill memory
    step = max(1, _BLOCK_CELLS // scores.shape[1])
    blocks = [slice(first, first + step) for first in range(0, len(right), step)]

    def compute_block(parameters: Array, block: slice) -> tuple[Array, list[Array]]:
        """The probability of the right category of each work, and the derivatives of its logarithm."""
        own, rows = [part[block] for part in parts], np.arange(len(right[block]))
        probabilities = _softmax(sum(weight * part for weight, part in zip(parameters, own, strict=True)))
        excess = [(probabilities * part).sum(axis=1) - part[rows, right[block]] for part in own]
        return probabilities[rows, right[block]], excess

    def compute_log_loss(parameters: Array) -> tuple[float, list[float]]:
        """Log-loss and its derivatives."""
        found, excess = zip(*(compute_block(parameters, block) for block in blocks), strict=True)
        log_loss = -np.log(np.maximum(np.concatenate(found), LEAST_PROBABILITY)).mean()
        return float(log_loss), [float(np.concatenate(one).mean()) for one in zip(*excess, strict=True)]

    # convex in all
    start = [5.0, 5.0 if has_embeddings else 0.0, 0.5]
    found = np.round(minimize(compute_log_loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x, 6)
    sharpness, embedding_weight, share_weight = found.tolist()
    threshold = find_threshold(1 - np.concatenate([compute_block(found, block)[0] for block in blocks]))
    return Calibration(sharpness, embedding_weight, share_weight, threshold, compute_log_loss(found)[0])


def find_threshold(nonconformity: Array) -> float:
    """The probability from which on a category is in the set, so that sets hold the right one as often as promised.

    Split conformal prediction: Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World (2005), 4.2; the
    finite-sample quantile as in Angelopoulos and Bates, arXiv 2107.07511.
    """
    works = len(nonconformity)
    place = int(np.ceil((works + 1) * COVERAGE))
    return 0.0 if place > works else float(1 - np.sort(nonconformity)[place - 1])
