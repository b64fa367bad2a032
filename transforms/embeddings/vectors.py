"""Vectors as tables have them: whole numbers, so that sums of products are the same in any order and engine."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
SCALE = 10_000
"""What the numbers of a vector are multiplied with before they are rounded."""


def format_vector(vector: Array) -> str:
    """A vector as whole numbers separated by blanks, each `SCALE` times as large."""
    return " ".join(str(number) for number in np.rint(vector * SCALE).astype(int).tolist())


def parse_vector(text: str) -> Array:
    """The vector that `format_vector` wrote."""
    return np.array(text.split(" "), dtype=np.float64) / SCALE
