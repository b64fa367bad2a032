"""Beside a work stand the labelled works whose words are most like its own."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from tests.support.suggestions import create_table, fetch, make_labels, make_tables, make_text, open_tables
from transforms.review.nearest import list_nearest
from transforms.suggestions.training_sets import list_terms


@pytest.fixture(scope="module")
def release() -> Iterator[duckdb.DuckDBPyConnection]:
    labels = make_labels({"Foxes": 14, "Owls": 14})
    works = [{"work_id": one["item_id"], **one} for one in labels]
    works += [{"work_id": "new", "title": "Report 3", "abstract": make_text("Owls", 3)}]
    works += [{"work_id": "unknown", "title": "Zzz"}]
    with open_tables(training_labels=labels, works=works, reviewed_labels=[], reviewed_scopes=[]) as opened:
        for name in ("works", "suggestions", "text_embeddings"):
            create_table(opened, f"last_release.{name}", [], of=f"clean.{name}")
        make_tables(opened, "clean.models", "clean.model_terms", "clean.suggestions")
        yield opened


def test_the_same_text_is_the_nearest(release: duckdb.DuckDBPyConnection) -> None:
    first, second, third = list_nearest(release, "new", "animals")
    assert (first.title, first.category, first.similarity) == ("Report 3", "Owls", 1.0)
    assert 1 > second.similarity >= third.similarity > 0


def test_similarity_is_the_cosine_of_weighted_words(release: duckdb.DuckDBPyConnection) -> None:
    query = "select {}, words_of(concat_ws(' ', title, abstract)) from clean.{}"
    labelled = dict(fetch(release, query.format("item_id", "training_labels")))
    (words,) = [words for work, words in fetch(release, query.format("work_id", "works")) if work == "owls 005"]
    rarity = dict(
        fetch(
            release, "select distinct term, inverse_document_frequency from clean.model_terms where term not like '% %'"
        )
    )
    counter = CountVectorizer(analyzer=list_terms, vocabulary=sorted(rarity))
    weights = np.array([rarity[term] for term in sorted(rarity)])
    others = {work: text for work, text in labelled.items() if work != "owls 005"}
    vectors = counter.transform([words, *others.values()]).toarray() * weights
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = sorted((vectors[1:] @ vectors[0]).tolist(), reverse=True)[:3]
    found = list_nearest(release, "owls 005", "animals")
    assert [one.similarity for one in found] == pytest.approx(expected, abs=1e-6)


def test_a_work_of_unknown_words_is_like_none(release: duckdb.DuckDBPyConnection) -> None:
    assert list_nearest(release, "unknown", "animals") == []
    assert list_nearest(release, "new", "plants") == []
    with duckdb.connect() as without_suggestions:
        assert list_nearest(without_suggestions, "new", "animals") == []
