"""The SQL that suggests computes what the model computes, for works without a reviewed label, and keeps what is unchanged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn import metrics

from tests.support.suggestions import TRAINED, create_table, fetch, make_labels, make_tables, make_text, open_tables
from transforms.suggestions.classifier import count_frequencies
from transforms.suggestions.training_sets import build_training_sets, list_terms
from transforms.suggestions.validation import choose_settings

WORKS = {"Foxes": 20, "Owls": 12, "Trout": 9, "Newts": 2}
NEW = [
    {"work_id": f"new {n}", "title": f"Report {n}", "abstract": make_text(kind, 100 + n)}
    for n, kind in enumerate(["Foxes", "Owls", "Trout"])
]
MADE = (*TRAINED, "clean.suggestions", "mart.model_card_classes", "mart.model_cards")


@pytest.fixture(scope="module")
def tables() -> Iterator[duckdb.DuckDBPyConnection]:
    labels = make_labels(WORKS)
    works = [{"work_id": one["item_id"], **one} for one in labels]
    works += [*NEW, {"work_id": "unknown words", "title": "Zzz"}, {"work_id": "out of scope", "title": "Red fox"}]
    reviewed = [
        {"work_id": one["item_id"], "taxonomy": "animals", "category": one["category"], "category_position": 1}
        for one in labels
    ]
    scopes = [{"work_id": one["work_id"], "taxonomy": "animals", "is_in_scope": True} for one in reviewed]
    scopes += [{"work_id": "out of scope", "taxonomy": "animals", "is_in_scope": False}]
    with open_tables(training_labels=labels, works=works, reviewed_labels=reviewed, reviewed_scopes=scopes) as opened:
        for name in ("works", "suggestions", "text_embeddings"):
            create_table(opened, f"last_release.{name}", [], of=f"clean.{name}")
        make_tables(opened, *MADE)
        yield opened


def fetch_card(tables: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    result = tables.execute("from mart.model_cards")
    return dict(zip([column[0] for column in result.description], result.fetchall()[0], strict=True))


def test_suggestions_are_for_works_without_a_label_that_have_known_terms(tables: duckdb.DuckDBPyConnection) -> None:
    suggested = dict(fetch(tables, "select work_id, category from clean.suggestions where category_position = 1"))
    assert suggested == {"new 0": "Foxes", "new 1": "Owls", "new 2": "Trout"}


def test_probabilities_are_those_of_the_model(tables: duckdb.DuckDBPyConnection) -> None:
    query = "select taxonomy, model, item_id, category, words_of(concat_ws(' ', title, abstract)) from clean.training_labels"
    (known,) = build_training_sets(fetch(tables, query))
    query = "select 'animals', 'category', work_id, 'Owls', words_of(concat_ws(' ', title, abstract)) from clean.works where work_id like 'new _'"
    settings = choose_settings(known.counts, known.labels, known.groups, 3)
    frequencies = count_frequencies(known.counts, known.labels, 3)
    for _, _, work, _, words in fetch(tables, query):
        terms, counts = Counter(list_terms(words)), np.zeros((1, len(known.terms)))
        counts[0] = [terms[term] for term in known.terms]
        texts = frequencies.weigh_terms(csr_array(counts))
        scores = frequencies.build_classifier(settings.smoothing).score(texts)
        calibration, without = settings.calibration, np.zeros_like(scores)
        expected = calibration.compute_probabilities(scores, without, frequencies.shares)[0]
        made = dict(fetch(tables, f"select category, probability from clean.suggestions where work_id = '{work}'"))
        for category, probability in zip(known.categories, expected, strict=True):
            assert made.get(category, 0) == pytest.approx(probability, abs=0.0011 if category not in made else 2e-6)


def test_a_set_has_the_categories_from_the_threshold_on(tables: duckdb.DuckDBPyConnection) -> None:
    query = """
        select count(*) filter (where is_in_set != (probability >= set_threshold)), count(*) filter (where is_in_set)
        from clean.suggestions inner join clean.models using (taxonomy, model, category)
    """
    ((wrong, in_sets),) = fetch(tables, query)
    assert wrong == 0
    assert in_sets >= 3


def test_what_a_model_has_suggested_for_the_same_text_is_kept(tables: duckdb.DuckDBPyConnection) -> None:
    before = fetch(tables, "from clean.suggestions order by all")
    try:
        tables.execute("insert into last_release.works from clean.works")
        tables.execute("insert into last_release.suggestions from clean.suggestions")
        tables.execute("update last_release.works set abstract = 'another one' where work_id = 'new 1'")
        tables.execute("update last_release.suggestions set probability = 0.5 where work_id != 'new 1'")
        tables.execute("update last_release.suggestions set probability = 0.7 where work_id = 'new 1'")
        make_tables(tables, "clean.suggestions")
        kept = fetch(tables, "from clean.suggestions order by all")
        assert [row for row in kept if row[0] == "new 1"] == [row for row in before if row[0] == "new 1"]
        assert {row[5] for row in kept if row[0] != "new 1"} == {0.5}
        tables.execute("update last_release.suggestions set model_version = 'another'")
        make_tables(tables, "clean.suggestions")
        assert fetch(tables, "from clean.suggestions order by all") == before
    finally:
        tables.execute("delete from last_release.works; delete from last_release.suggestions")
        make_tables(tables, "clean.suggestions")


def test_card_has_the_measures_of_the_library(tables: duckdb.DuckDBPyConnection) -> None:
    card = fetch_card(tables)
    query = """
        select labels.category, arg_max(unseen.category, unseen.probability),
            max(unseen.probability) filter (where unseen.category = labels.category),
            map_from_entries(list((unseen.category, unseen.probability)))
        from clean.cross_validations as unseen inner join clean.training_labels as labels using (item_id)
        group by unseen.repetition, item_id, labels.category
    """
    rows = fetch(tables, query)
    right, suggested = [row[0] for row in rows], [row[1] for row in rows]
    assert len(rows) == 3 * 43
    assert card["accuracy"] == pytest.approx(metrics.accuracy_score(right, suggested), abs=1e-6)
    assert card["kappa"] == pytest.approx(metrics.cohen_kappa_score(right, suggested), abs=1e-6)
    f1 = metrics.f1_score(right, suggested, average="macro", labels=sorted(WORKS), zero_division=0)
    assert card["macro_f1"] == pytest.approx(f1, abs=1e-6)
    assert card["log_loss"] == pytest.approx(
        -np.mean([np.log(max(row[2], 1e-6)) for row in rows if row[2] is not None]), abs=1e-6
    )
    classes = dict(fetch(tables, "select category, (precision, recall) from mart.model_card_classes"))
    expected = metrics.precision_recall_fscore_support(right, suggested, labels=["Foxes", "Owls"])
    assert [classes[name][0] for name in ("Foxes", "Owls")] == pytest.approx(expected[0].tolist())
    assert [classes[name][1] for name in ("Foxes", "Owls")] == pytest.approx(expected[1].tolist())


def test_card_names_what_is_not_learnt(tables: duckdb.DuckDBPyConnection) -> None:
    card = fetch_card(tables)
    assert card["untrained_categories"] == "Newts (2)"
    assert (card["works"], card["training_works"], card["trained_categories"]) == (43, 41, 3)
    assert fetch(tables, "select recall, f1, is_trained from mart.model_card_classes where category = 'Newts'") == [
        (0, 0, False)
    ]


def test_labels_too_few_for_a_model_have_a_card_without_one() -> None:
    with open_tables(training_labels=make_labels({"Foxes": 5, "Owls": 5})) as tables:
        make_tables(tables, *TRAINED, "mart.model_card_classes", "mart.model_cards")
        card = fetch_card(tables)
        assert (card["works"], card["model_version"], card["accuracy"]) == (10, None, None)
        assert fetch(tables, "select count(*) from clean.model_terms") == [(0,)]
