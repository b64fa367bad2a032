"""Prototypes: the mean embedding of the labelled works of a category, to which that of another work is compared.

As in Snell, Swersky and Zemel, Prototypical Networks, arXiv 1703.05175, with embeddings that are not trained further.
"""

from __future__ import annotations

import numpy as np

from transforms.embeddings.vectors import SCALE
from transforms.suggestions.classifier import Array


def build_prototypes(embeddings: Array, labels: Array, categories: int) -> Array:
    """The prototype of each category (a row), of length 1; zeros where no work of it has an embedding.

    The numbers are rounded as they are stored, so that the model is what SQL applies.
    """
    sums = np.array([embeddings[labels == number].sum(axis=0) for number in range(categories)])
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.rint(sums / np.where(lengths > 0, lengths, 1) * SCALE) / SCALE


def compute_similarities(embeddings: Array, labels: Array, training: Array, other: Array, categories: int) -> Array:
    """How similar some works (rows) are to the prototype of each category (a column) in a training side."""
    return embeddings[other] @ build_prototypes(embeddings[training], labels[training], categories).T
