"""The encoder computes BERT, and the model of this machine is found or what is missing is named."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from tests.support.embeddings import HEADS, HIDDEN, LAYERS, POSITIONS, write_model
from transforms.embeddings import models
from transforms.embeddings.encoder import Encoder
from transforms.embeddings.models import NoEmbeddings, describe_model, find_model, read_model_version
from transforms.embeddings.vectors import format_vector, parse_vector

TEXT = "The fox hunts at dusk"
WORDS = [*TEXT.lower().split(), "den", "while", "owls", "by", "night", "silent"]


def compute_bert(folder: Path, text: str) -> list[float]:
    """The embedding of a text, number by number from the formulas."""
    weights = {name: value.astype(float) for name, value in load_file(folder / "model.safetensors").items()}
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    *tokens, end = tokenizer.encode(text).ids
    tokens = [*tokens[: POSITIONS - 1], end]
    size = HIDDEN // HEADS

    def project(row: list[float], name: str) -> list[float]:
        matrix, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return [sum(w * x for w, x in zip(line, row, strict=True)) + b for line, b in zip(matrix, bias, strict=True)]

    def normalize(row: list[float], name: str) -> list[float]:
        mean = sum(row) / len(row)
        deviation = math.sqrt(sum((x - mean) ** 2 for x in row) / len(row) + 1e-12)
        scale, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return [(x - mean) / deviation * s + b for x, s, b in zip(row, scale, bias, strict=True)]

    def add(*rows: list[float]) -> list[float]:
        return [sum(values) for values in zip(*rows, strict=True)]

    parts = [weights[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")]
    states = [
        normalize(add(list(parts[0][token]), list(parts[1][place]), list(parts[2][0])), "embeddings.LayerNorm")
        for place, token in enumerate(tokens)
    ]
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        queries, keys, values = (
            [project(row, f"{name}.attention.self.{part}") for row in states] for part in ("query", "key", "value")
        )
        attended: list[list[float]] = []
        for query in queries:
            row: list[float] = []
            for head in (slice(start, start + size) for start in range(0, HIDDEN, size)):
                powers = [
                    math.exp(sum(q * k for q, k in zip(query[head], key[head], strict=True)) / math.sqrt(size))
                    for key in keys
                ]
                row += [
                    sum(power * value[place] for power, value in zip(powers, values, strict=True)) / sum(powers)
                    for place in range(head.start, head.stop)
                ]
            attended.append(project(row, f"{name}.attention.output.dense"))
        states = [
            normalize(add(state, row), f"{name}.attention.output.LayerNorm")
            for state, row in zip(states, attended, strict=True)
        ]
        inner = [
            [x / 2 * (1 + math.erf(x / math.sqrt(2))) for x in project(row, f"{name}.intermediate.dense")]
            for row in states
        ]
        states = [
            normalize(add(state, project(row, f"{name}.output.dense")), f"{name}.output.LayerNorm")
            for state, row in zip(states, inner, strict=True)
        ]
    mean = [sum(column) / len(states) for column in zip(*states, strict=True)]
    length = math.sqrt(sum(x * x for x in mean))
    return [x / length for x in mean]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("embeddings"), WORDS)


@pytest.mark.parametrize("text", [TEXT, "", "unknown 狐", " ".join(WORDS * 3)])
def test_an_embedding_follows_from_the_formulas(folder: Path, text: str) -> None:
    assert Encoder(folder).encode(text).tolist() == pytest.approx(compute_bert(folder, text), abs=2e-5)


def test_a_vector_is_stored_as_whole_numbers(folder: Path) -> None:
    vector = Encoder(folder).encode(TEXT)
    assert np.abs(parse_vector(format_vector(vector)) - vector).max() <= 0.5001 / 10_000
    assert format_vector(np.array([0.25, -1.0, 0.00004])) == "2500 -10000 0"


def test_the_model_is_that_of_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AISLE_EMBEDDINGS", str(folder))
    assert find_model() == folder
    version = read_model_version()
    assert version != "none"
    assert str(folder) in describe_model()
    monkeypatch.setenv("AISLE_EMBEDDINGS", "no")
    assert find_model() is None
    assert read_model_version() == "none"
    assert "AISLE_EMBEDDINGS=no" in describe_model()


def test_another_model_has_another_version(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AISLE_EMBEDDINGS", str(folder))
    version = read_model_version()
    monkeypatch.setenv("AISLE_EMBEDDINGS", str(write_model(tmp_path, WORDS, seed=1)))
    assert read_model_version() != version


def test_what_is_missing_is_named(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AISLE_EMBEDDINGS", str(tmp_path))
    with pytest.raises(NoEmbeddings, match=r"has no config\.json, tokenizer\.json, model\.safetensors"):
        find_model()
    monkeypatch.setattr(models, "LIBRARIES", ("no_such_library",))
    monkeypatch.setenv("AISLE_EMBEDDINGS", str(folder))
    with pytest.raises(NoEmbeddings, match=r"no_such_library not installed: install aisle\[embeddings\]"):
        find_model()
    monkeypatch.delenv("AISLE_EMBEDDINGS")
    monkeypatch.setattr(models, "PACKAGE", "no_such_package")
    assert find_model() is None
    assert "for want of aisle[embeddings] and no_such_package or AISLE_EMBEDDINGS" in describe_model()


def test_texts_about_the_same_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AISLE_EMBEDDINGS")
    model = models.find_model()
    if model is None:
        pytest.skip("no embedding model is installed")
    cat, kitten, stocks = (Encoder(model).encode(text) for text in ("a cat sleeps", "a kitten naps", "stocks fell"))
    assert cat @ kitten > 0.5 > cat @ stocks
