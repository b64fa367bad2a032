"""The tables of models: their constants, their terms, and what they predict for works that they have not seen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import wraps
from itertools import islice
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from transforms.embeddings.vectors import format_vector
from transforms.suggestions.classifier import Classifier, count_frequencies
from transforms.suggestions.prototypes import build_prototypes
from transforms.suggestions.training_sets import TrainingSet, build_training_sets
from transforms.suggestions.validation import choose_settings, cross_validate

_ARROW_TYPES = {"varchar": pa.string(), "double": pa.float64(), "bigint": pa.int64(), "boolean": pa.bool_()}
_BATCH_ROWS = 50_000
_MODEL = {"taxonomy": "varchar", "model": "varchar", "category": "varchar"}

_MakeQuery = Callable[[duckdb.DuckDBPyConnection, str], str]


def _use_one_thread(make_query: _MakeQuery) -> _MakeQuery:
    """Let linear algebra use one thread: its vectors are short, and waiting threads cost five times as much."""

    @wraps(make_query)
    def make_with_one_thread(connection: duckdb.DuckDBPyConnection, query: str) -> str:
        import scipy.optimize  # noqa: F401 - libraries are limited only once they are loaded
        import sklearn.naive_bayes  # noqa: F401
        from threadpoolctl import threadpool_limits

        with threadpool_limits(limits=1, user_api="blas"):
            return make_query(connection, query)

    return make_with_one_thread


@_use_one_thread
def fit_models(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """A query with the columns of ``clean.models``.

    Args:
        connection: A connection; temporary tables are made in it.
        query: The labelled works: taxonomy, model, identifier, category, words, embedding.
    """
    columns = {
        **_MODEL,
        "model_version": "varchar",
        "labels_sha256": "varchar",
        "category_works": "bigint",
        "training_works": "bigint",
        "smoothing": "double",
        "temperature": "double",
        "set_threshold": "double",
        "length_weight": "double",
        "intercept": "double",
        "embedding_weight": "double",
        "prototype": "varchar",
    }
    sets = build_training_sets(connection.execute(query).fetchall())
    return _build_query(connection, columns, _tabulate(columns, (row for one in sets for row in _fit_model(one))))


def _fit_model(training_set: TrainingSet) -> Iterable[tuple[Any, ...]]:
    counts, labels, categories = training_set.counts, training_set.labels, training_set.categories
    settings = choose_settings(
        counts, labels, training_set.groups, len(categories), training_set.relevant, training_set.embeddings
    )
    frequencies = count_frequencies(counts, labels, len(categories), training_set.relevant)
    classifier = frequencies.build_classifier(settings.smoothing)
    calibration = settings.calibration
    lengths = np.round(classifier.lengths, 9).tolist()
    offsets = calibration.sharpness * classifier.offsets
    intercepts = np.round(calibration.compute_intercepts(frequencies.shares) + offsets, 9).tolist()
    works = np.bincount(labels[labels >= 0], minlength=len(categories)).tolist()
    constants = (settings.smoothing, round(1 / calibration.sharpness, 9), round(calibration.set_threshold, 9))
    embedding_weight = round(calibration.embedding_weight, 9) or None
    prototypes: list[str | None] = [None] * len(categories)
    if embedding_weight is not None:
        vectors = build_prototypes(training_set.embeddings, labels, len(categories))
        prototypes = [format_vector(vector) for vector in vectors]
    parts = [categories, constants, lengths, intercepts, embedding_weight, prototypes]
    version = hash_model([*parts, *_list_terms(training_set, classifier)])
    of_categories = zip(categories, works, lengths, intercepts, prototypes, strict=True)
    for category, own_works, length, intercept, prototype in of_categories:
        yield (
            training_set.taxonomy,
            training_set.model,
            category,
            version,
            training_set.labels_sha256,
            own_works,
            sum(works),
            *constants,
            length,
            intercept,
            embedding_weight,
            prototype,
        )


def hash_model(parts: Iterable[object]) -> str:
    """First 16 hex digits of the hash of all that decides what a model suggests."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{part!r}\n".encode())
    return digest.hexdigest()[:16]


@_use_one_thread
def list_model_terms(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """A query with the columns of ``clean.model_terms``.

    Args:
        connection: A connection; temporary tables are made in it.
        query: The labelled works as for `fit_models`, each with the smoothing of its model.
    """
    columns = {"taxonomy": "varchar", "model": "varchar", "term": "varchar", "category": "varchar"}
    columns |= {"inverse_document_frequency": "double", "term_weight": "double"}
    rows = connection.execute(query).fetchall()
    smoothings = {(row[0], row[1]): row[5] for row in rows}
    terms = (
        (one.taxonomy, one.model, *term)
        for one in build_training_sets(row[:5] for row in rows)
        for term in _list_terms(one, _fit_classifier(one, smoothings))
    )
    return _build_query(connection, columns, _tabulate(columns, terms))


def _fit_classifier(training_set: TrainingSet, smoothings: Mapping[tuple[str, str], float]) -> Classifier:
    categories, relevant = len(training_set.categories), training_set.relevant
    frequencies = count_frequencies(training_set.counts, training_set.labels, categories, relevant)
    return frequencies.build_classifier(smoothings[training_set.taxonomy, training_set.model])


def _list_terms(training_set: TrainingSet, classifier: Classifier) -> Iterable[tuple[str, str, float, float]]:
    """Term, category, inverse document frequency and weight, where the weight is not zero."""
    terms, categories = training_set.terms, training_set.categories
    columns, idf = classifier.frequencies.columns.tolist(), classifier.frequencies.idf.tolist()
    for place, number in zip(*(axis.tolist() for axis in classifier.weights.nonzero()), strict=True):
        yield terms[columns[place]], categories[number], idf[place], float(classifier.weights[place, number])


@_use_one_thread
def predict_unseen(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """A query with the columns of ``clean.cross_validations``.

    Args:
        connection: A connection; temporary tables are made in it.
        query: The labelled works, as for `fit_models`.
    """
    columns = {"taxonomy": "varchar", "model": "varchar", "repetition": "bigint", "item_id": "varchar"}
    columns |= {"category": "varchar", "fold": "bigint", "probability": "double", "is_in_set": "boolean"}
    columns |= {"set_categories": "bigint"}
    sets = build_training_sets(connection.execute(query).fetchall())
    rows = (row for one in sets for row in _tabulate_predictions(one))
    return _build_query(connection, columns, _tabulate(columns, rows))


def _tabulate_predictions(training_set: TrainingSet) -> Iterator[Sequence[Any]]:
    """Rows of a cross-validation: of each work the first two categories and that of its label, if the model learns it.

    Further categories would make as many rows as there are works times categories.
    """
    categories = training_set.categories
    for one in cross_validate(training_set):
        probabilities = np.round(one.probabilities, 6)
        label = training_set.labels[one.work]
        first_two = np.argsort(-probabilities, kind="stable")[:2].tolist()
        for number in dict.fromkeys([*first_two, *([int(label)] if label >= 0 else [])]):
            yield (
                training_set.taxonomy,
                training_set.model,
                one.repetition,
                training_set.items[one.work].item_id,
                categories[number],
                one.fold,
                float(probabilities[number]),
                bool(one.is_in_set[number]),
                int(one.is_in_set.sum()),
            )


def _tabulate(columns: Mapping[str, str], rows: Iterable[Sequence[Any]]) -> Iterator[pa.Table]:
    """Rows as tables of some rows each, since all values as Python objects would fill memory."""
    remaining = iter(rows)
    while batch := list(islice(remaining, _BATCH_ROWS)):
        values = zip(columns.items(), zip(*batch, strict=True), strict=True)
        yield pa.table({name: pa.array(column, _ARROW_TYPES[kind]) for (name, kind), column in values})


def _build_query(connection: duckdb.DuckDBPyConnection, columns: Mapping[str, str], tables: Iterable[pa.Table]) -> str:
    """A query for the rows of some tables, which are put into a temporary table."""
    declared = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    connection.execute(f"create temp table trained ({declared})")
    for table in tables:
        connection.register("trained_rows", table)
        connection.execute(f"insert into trained select {', '.join(columns)} from trained_rows")
        connection.unregister("trained_rows")
    return "select * from trained"
