"""Embeddings of texts, where there is an embedding model, and what suggestions make of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pytest

from tests.conftest import copy_lake
from tests.support.embeddings import write_model
from tests.support.suggestions import (
    COMMON,
    TRAINED,
    WORDS,
    create_table,
    fetch,
    make_labels,
    make_tables,
    make_text,
    open_tables,
)
from transforms.embeddings.encoder import Encoder
from transforms.embeddings.vectors import format_vector, parse_vector
from transforms.functions import read_function_code, register_functions
from transforms.suggestions.classifier import count_frequencies
from transforms.suggestions.prototypes import build_prototypes
from transforms.suggestions.training_sets import build_training_sets
from transforms.suggestions.validation import choose_settings
from warehouse.lake import PROJECT, Lake
from warehouse.release import read_current_release

KNOWN = {"Foxes": 20, "Owls": 14}
QUERY = "text_embedding(title)"
CARDS = ("mart.model_card_classes", "mart.model_cards")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = [*COMMON, *(word for one in WORDS.values() for word in one)]
    return write_model(tmp_path_factory.mktemp("embeddings"), words)


@pytest.fixture
def tables(model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[duckdb.DuckDBPyConnection]:
    monkeypatch.setenv("AISLE_EMBEDDINGS", str(model))
    labels = make_labels(KNOWN)
    works = [{"work_id": one["item_id"], **one} for one in labels]
    works += [{"work_id": f"new {n}", "title": f"Report {n}", "abstract": make_text("Owls", n)} for n in range(3)]
    works += [{"work_id": "untitled", "abstract": "fox"}]
    reviewed = [{"work_id": one["item_id"], "taxonomy": "animals", "category": one["category"]} for one in labels]
    with (
        open_tables(
            training_labels=labels, works=works, reviewed_labels=reviewed, reviewed_scopes=[], work_labs=[]
        ) as opened,
        register_functions(opened, QUERY),
    ):
        for name in ("works", "suggestions", "text_embeddings"):
            create_table(opened, f"last_release.{name}", [], of=f"clean.{name}")
        make_tables(opened, "clean.text_embeddings", *TRAINED, "clean.suggestions")
        yield opened


def test_the_card_states_whether_embeddings_are_compared(tables: duckdb.DuckDBPyConnection) -> None:
    make_tables(tables, *CARDS)
    assert fetch(tables, "select has_embeddings from mart.model_cards") == [(True,)]


def test_titles_and_abstracts_have_an_embedding(tables: duckdb.DuckDBPyConnection, model: Path) -> None:
    embeddings = dict(fetch(tables, "select item_id, embedding from clean.text_embeddings"))
    assert len(embeddings) == sum(KNOWN.values()) + 3
    (text,) = fetch(tables, "select title || '. ' || abstract from clean.works where work_id = 'new 1'")[0]
    assert embeddings["new 1"] == format_vector(Encoder(model).encode(text))


def test_the_embedding_of_the_same_text_is_kept(tables: duckdb.DuckDBPyConnection) -> None:
    before = fetch(tables, "from clean.text_embeddings order by all")
    tables.execute("insert into last_release.text_embeddings from clean.text_embeddings")
    tables.execute("update last_release.text_embeddings set embedding = '1 2'")
    tables.execute("update last_release.text_embeddings set text_sha256 = 'another' where item_id = 'new 1'")
    make_tables(tables, "clean.text_embeddings")
    kept = fetch(tables, "from clean.text_embeddings order by all")
    assert [row for row in kept if row[0] == "new 1"] == [row for row in before if row[0] == "new 1"]
    assert {row[2] for row in kept if row[0] != "new 1"} == {"1 2"}


def test_sql_suggests_what_the_model_does(tables: duckdb.DuckDBPyConnection) -> None:
    query = """
        select taxonomy, model, item_id, category, words_of(concat_ws(' ', title, abstract)), embedding
        from clean.training_labels left join clean.text_embeddings using (item_id)
    """
    (known,) = build_training_sets(fetch(tables, query))
    settings = choose_settings(known.counts, known.labels, known.groups, 2, None, known.embeddings)
    assert settings.calibration.embedding_weight > 0
    ((weight,),) = fetch(tables, "select distinct embedding_weight from clean.models")
    assert weight == pytest.approx(settings.calibration.embedding_weight)
    frequencies = count_frequencies(known.counts, known.labels, 2)
    classifier = frequencies.build_classifier(settings.smoothing)
    terms = {term: number for number, term in enumerate(known.terms)}
    from scipy.sparse import csr_array

    from transforms.suggestions.training_sets import list_terms

    for work in ("new 0", "new 1", "new 2"):
        ((words, embedding),) = tables.execute(
            "select words_of(concat_ws(' ', title, abstract)), embedding"
            " from clean.works inner join clean.text_embeddings on work_id = item_id where work_id = ?",
            [work],
        ).fetchall()
        counts = np.zeros((1, len(terms)))
        for term in list_terms(words):
            if term in terms:
                counts[0, terms[term]] += 1
        scores = classifier.score(frequencies.weigh_terms(csr_array(counts)))
        prototypes = build_prototypes(known.embeddings, known.labels, 2)
        similarities = (parse_vector(embedding) @ prototypes.T)[None, :]
        expected = settings.calibration.compute_probabilities(scores, similarities, frequencies.shares)[0]
        made = dict(fetch(tables, f"select category, probability from clean.suggestions where work_id = '{work}'"))
        assert [made[name] for name in known.categories] == pytest.approx(expected.tolist(), abs=3e-6)


def test_a_work_without_an_embedding_is_judged_by_its_words(tables: duckdb.DuckDBPyConnection) -> None:
    with_embedding = fetch(tables, "from clean.suggestions where work_id = 'new 1' order by all")
    tables.execute("delete from clean.text_embeddings where item_id = 'new 1'")
    make_tables(tables, "clean.suggestions")
    without = fetch(tables, "from clean.suggestions where work_id = 'new 1' order by all")
    assert len(without) == len(with_embedding) == 2
    assert without != with_embedding


def test_a_new_embedding_makes_a_new_suggestion(tables: duckdb.DuckDBPyConnection) -> None:
    before = fetch(tables, "from clean.suggestions order by all")
    for name in ("works", "suggestions", "text_embeddings"):
        tables.execute(f"insert into last_release.{name} from clean.{name}")
    tables.execute("update last_release.suggestions set probability = 0.5")
    tables.execute("delete from last_release.text_embeddings where item_id = 'new 1'")
    make_tables(tables, "clean.suggestions")
    made = fetch(tables, "from clean.suggestions order by all")
    assert [row for row in made if row[0] == "new 1"] == [row for row in before if row[0] == "new 1"]
    assert {row[5] for row in made if row[0] != "new 1"} == {0.5}


def test_without_a_model_there_are_no_embeddings(
    tables: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = read_function_code(QUERY)
    monkeypatch.setenv("AISLE_EMBEDDINGS", "no")
    assert read_function_code(QUERY) != code  # so that the table is made again
    make_tables(tables, "clean.text_embeddings", *TRAINED, "clean.suggestions")
    assert fetch(tables, "from clean.text_embeddings") == []
    assert fetch(tables, "select distinct embedding_weight, prototype from clean.models") == [(None, None)]
    make_tables(tables, *CARDS)
    assert fetch(tables, "select has_embeddings from mart.model_cards") == [(False,)]
    assert fetch(tables, "select count(distinct work_id) from clean.suggestions") == [(4,)]


def test_prototypes_are_means_of_length_one() -> None:
    vectors = np.eye(2)[[0, 1] * 20]
    assert build_prototypes(vectors, np.array([0, 1] * 20), 3).tolist() == [[1, 0], [0, 1], [0, 0]]


def test_a_run_with_another_model_makes_suggestions_anew(released_lake: Lake, model: Path, tmp_path: Path) -> None:
    lake = copy_lake(released_lake, tmp_path / "lake")
    for setting, texts, release in ((str(model), 78, 2), (str(model), 78, 2), ("no", 0, 3)):
        variables = {**os.environ, "AISLE_LAKE": str(lake.root), "AISLE_EMBEDDINGS": setting, "DAGSTER_HOME": ""}
        code = "from orchestration.cli.app import main; main()"
        # in a process of its own, since one process has one model
        done = subprocess.run(
            [sys.executable, "-c", code, "run"], cwd=PROJECT, env=variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        current = read_current_release(lake)
        assert current.number == release
        with current.connect() as connection:
            query = "select count(*) from clean.text_embeddings"
            assert connection.execute(query).fetchall() == [(texts,)]
            query = "select count(distinct embedding_weight) from clean.models"
            assert connection.execute(query).fetchall() == [(int(texts > 0),)]
