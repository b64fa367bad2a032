"""Training sets: the labelled works of a model, as counts of terms and numbers of categories."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from transforms.embeddings.vectors import parse_vector

LEAST_CLASS_WORKS = 3
"""A category with fewer labelled works is not learnt; the card names it."""
LEAST_WORKS = 20
"""Without this many different texts of works in categories that can be learnt, there is no model."""
IN_SCOPE = "in scope"
"""The category of a model of relevance that is looked for."""
UNTRAINED = -1
"""The number of a label whose category is not learnt."""


@dataclass(frozen=True)
class Labelled:
    """A labelled work: identifier and category, and the words of title and abstract with their embedding, if any."""

    item_id: str
    category: str
    words: Sequence[str]
    embedding: str | None = None


@dataclass(frozen=True)
class TrainingSet:
    """The labelled works of a model.

    Args:
        taxonomy: The taxonomy.
        model: What is suggested: ``category``, or ``relevance`` for whether a work is in scope.
        items: The labelled works, by identifier.
    """

    taxonomy: str
    model: str
    items: tuple[Labelled, ...]

    @cached_property
    def categories(self) -> list[str]:
        """The categories with enough labelled works to be learnt, sorted."""
        counts = Counter(item.category for item in self.items)
        return sorted(category for category, works in counts.items() if works >= LEAST_CLASS_WORKS)

    @property
    def relevant(self) -> int | None:
        """The number of the category in scope, of a model of relevance."""
        is_of_relevance = self.model == "relevance" and len(self.categories) == 2
        return self.categories.index(IN_SCOPE) if is_of_relevance else None

    @cached_property
    def labels(self) -> np.ndarray[Any, Any]:
        """The number of each work's category, or `UNTRAINED`."""
        numbers = {category: number for number, category in enumerate(self.categories)}
        return np.array([numbers.get(item.category, UNTRAINED) for item in self.items])

    @cached_property
    def groups(self) -> np.ndarray[Any, Any]:
        """The number of each work's text: works with the same text are on the same side of every split."""
        numbers: dict[tuple[str, ...], int] = {}
        return np.array([numbers.setdefault(tuple(item.words), len(numbers)) for item in self.items])

    @cached_property
    def labels_sha256(self) -> str:
        """Hash of which work has which label."""
        text = json.dumps([[item.item_id, item.category] for item in self.items])
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def is_trainable(self) -> bool:
        """Whether it has enough works with different texts, of two categories at least."""
        texts = np.unique(self.groups[self.labels != UNTRAINED])
        return len(self.categories) > 1 and len(texts) >= LEAST_WORKS

    @cached_property
    def _counted(self) -> tuple[csr_array, list[str]]:
        from sklearn.feature_extraction.text import CountVectorizer

        vectorizer = CountVectorizer(analyzer=list_terms)
        try:
            counts = vectorizer.fit_transform([item.words for item in self.items])
        except ValueError:  # no text has a word
            return csr_array((len(self.items), 0), dtype=np.int64), []
        return csr_array(counts), list(vectorizer.get_feature_names_out())

    @property
    def counts(self) -> csr_array:
        """How often each work (a row) has each term (a column)."""
        return self._counted[0]

    @cached_property
    def embeddings(self) -> np.ndarray[Any, Any]:
        """The embedding of each work (a row), zeros for one without; no columns if no work has any."""
        vectors = [None if item.embedding is None else parse_vector(item.embedding) for item in self.items]
        size = max((len(vector) for vector in vectors if vector is not None), default=0)
        return np.array([np.zeros(size) if vector is None else vector for vector in vectors])

    @property
    def terms(self) -> list[str]:
        """The terms, sorted."""
        return self._counted[1]


def list_terms(words: Sequence[str]) -> list[str]:
    """The terms of a text: its words, and its pairs of neighbours, without stop words and single letters."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    is_term = [len(word) > 1 and word not in ENGLISH_STOP_WORDS for word in words]
    pairs = pairwise(zip(words, is_term, strict=True))
    return [
        *(word for word, is_one in zip(words, is_term, strict=True) if is_one),
        *(f"{first} {second}" for (first, is_first), (second, is_second) in pairs if is_first and is_second),
    ]


def build_training_sets(rows: Iterable[tuple[Any, ...]]) -> list[TrainingSet]:
    """The training sets that are large enough for a model, by taxonomy and model.

    Args:
        rows: Taxonomy, model, identifier, category, words and embedding, if any, of each labelled work, in any order.
    """
    ordered = sorted(rows, key=lambda row: row[:4])
    sets = (
        TrainingSet(taxonomy, model, tuple(Labelled(*row[2:]) for row in group))
        for (taxonomy, model), group in groupby(ordered, key=lambda row: row[:2])
    )
    return [one for one in sets if one.is_trainable]
