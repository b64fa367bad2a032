"""Made-up labelled works, and the tables of models made from them in a connection without a lake."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from typing import Any

import duckdb

from orchestration.defs.catalog import load_transforms
from transforms.linking.members import name_work
from transforms.reader import load_function
from warehouse.sql import select_scalar_macros
from warehouse.table import SQL_TYPES

WORDS = {
    "Foxes": ["fox", "den", "red", "tail", "hunt", "dusk", "cub", "vixen", "brush", "earth"],
    "Owls": ["owl", "night", "wing", "silent", "feather", "hoot", "perch", "talon", "barn", "moon"],
    "Trout": ["trout", "river", "scale", "stream", "gill", "fin", "current", "spawn", "brook", "fly"],
}
COMMON = [
    "the",
    "study",
    "of",
    "animals",
    "in",
    "their",
    "habitat",
    "shows",
    "how",
    "we",
    "observe",
    "many",
    "new",
    "results",
    "over",
    "several",
    "years",
]
TRAINED = ("clean.models", "clean.model_terms", "clean.cross_validations")


def make_text(category: str, number: int, words: int = 12, noise: float = 0.3) -> str:
    """A made-up text: some words of a category, some of others, and common ones; the same for the same number."""
    choice = random.Random(f"{category} {number}")
    own = [word for other, its in WORDS.items() if other != category for word in its]
    pick = [choice.choice(own if choice.random() < noise else WORDS[category]) for _ in range(words)]
    text = [word for one in pick for word in (one, choice.choice(COMMON))]
    return " ".join(text)


def make_labels(works: Mapping[str, int], taxonomy: str = "animals", model: str = "category") -> list[dict[str, Any]]:
    """Rows of ``clean.training_labels``: as many works of each category."""
    return [
        {
            "taxonomy": taxonomy,
            "model": model,
            "item_id": f"{category.lower()} {number:03}",
            "category": category,
            "basis": "listed",
            "title": f"On {category.lower()} {number}" if category not in WORDS else f"Report {number}",
            "abstract": make_text(category if category in WORDS else "Owls", number),
        }
        for category, count in works.items()
        for number in range(count)
    ]


@contextmanager
def open_tables(**rows: Iterable[Mapping[str, Any]]):
    """A connection with tables of the layer ``clean``, with the declared columns and these rows; without embeddings."""
    with duckdb.connect() as connection:
        connection.execute("create schema clean; create schema mart; create schema last_release")
        for name, values in ({"text_embeddings": []} | rows).items():
            create_table(connection, f"clean.{name}", values)
        yield connection


def create_table(
    connection: duckdb.DuckDBPyConnection, name: str, rows: Iterable[Mapping[str, Any]], of: str | None = None
) -> None:
    """Create a table with the declared columns (those of another table, if it is named) and these rows."""
    columns = load_transforms()[of or name].table.columns
    connection.execute(f"create table {name} ({', '.join(f'{c.name} {SQL_TYPES[c.type]}' for c in columns)})")
    for row in rows:
        values = [row.get(column.name) for column in columns]
        connection.execute(f"insert into {name} values ({', '.join('?' * len(columns))})", values)


def make_tables(connection: duckdb.DuckDBPyConnection, *names: str) -> None:
    """Make tables by their transforms from those that the connection has."""
    for name in names:
        transform = load_transforms()[name]
        connection.execute(select_scalar_macros(transform.query))
        query = transform.query
        if transform.function is not None:
            connection.execute("drop table if exists trained")
            query = load_function(transform.function)(connection, query)
        connection.execute(f"create or replace table {name} as {query}")


def fetch(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    """All rows of a query."""
    return connection.execute(query).fetchall()


def make_models() -> dict[str, list[dict[str, Any]]]:
    """Rows of a model of two categories, as if it had been trained, and of what it predicts for works of the study."""
    labels = [
        ("study 1", "Robustness", "listed"),
        ("study 2", "Robustness", "decided"),
        ("study 3", "Unlearning", "listed"),
        ("study 4", "Unlearning", "decided"),
        ("study 5", "Honest AI", "listed"),
    ]
    unseen = {"study 1": 0.9, "study 2": 0.6, "study 3": 0.35, "study 4": 0.55, "study 5": 0.85}  # for Robustness
    model = {"taxonomy": "iaps", "model": "category"}
    constants = {"smoothing": 0.1, "temperature": 0.5, "set_threshold": 0.4, "length_weight": 1.0, "intercept": 0.0}
    versions = {
        "model_version": "0123456789abcdef",
        "labels_sha256": "0" * 64,
        "category_works": 10,
        "training_works": 20,
    }
    tables = {
        "clean.training_labels": [
            {**model, "item_id": item, "category": category, "basis": basis, "title": item}
            for item, category, basis in labels
        ],
        "clean.models": [
            {**model, **versions, **constants, "category": category} for category in ("Robustness", "Unlearning")
        ],
        "clean.cross_validations": [
            {
                **model,
                "repetition": 1,
                "item_id": item,
                "category": category,
                "fold": 1 + number % 2,
                "probability": round(probability, 6),
                "is_in_set": probability >= 0.4,
                "set_categories": sum(value >= 0.4 for value in (first, 1 - first)),
            }
            for number, (item, first) in enumerate(unseen.items())
            for category, probability in (("Robustness", first), ("Unlearning", 1 - first))
        ],
        # of works that have a label in these lists: what reads suggestions does not look at labels
        "clean.suggestions": [
            {
                "work_id": name_work(f"work 2024-0{month} 0"),
                "taxonomy": "iaps",
                "model": kind,
                "category": category,
                "category_position": place,
                "probability": probability,
                "is_in_set": place == 1,
                "model_version": "0123456789abcdef",
            }
            for month, kind, categories in (
                (1, "category", {"Unlearning": 0.9, "Robustness": 0.1}),
                (1, "relevance", {"in scope": 0.5, "not in scope": 0.5}),
                (2, "category", {"Safety evaluations": 0.6, "Unlearning": 0.4}),
            )
            for place, (category, probability) in enumerate(categories.items(), 1)
        ],
    }
    return {
        name.replace(".", "__"): [dict.fromkeys(load_transforms()[name].table.schema) | row for row in rows]
        for name, rows in tables.items()
    }
