"""An embedding model of a few numbers, in the files of a real one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

HIDDEN, HEADS, LAYERS, INNER, POSITIONS = 8, 2, 2, 16, 12
SPECIAL = ["[UNK]", "[CLS]", "[SEP]"]


def write_model(folder: Path, words: Iterable[str], seed: int = 0) -> Path:
    """Write a model with made-up weights that knows some words; the folder."""
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.normalizers import Lowercase
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *sorted(set(words))])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token=SPECIAL[0]))
    tokenizer.normalizer, tokenizer.pre_tokenizer = Lowercase(), Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "num_attention_heads": HEADS,
        "num_hidden_layers": LAYERS,
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": POSITIONS,
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    choice = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(vocabulary), HIDDEN),
        "embeddings.position_embeddings.weight": (POSITIONS, HIDDEN),
        "embeddings.token_type_embeddings.weight": (2, HIDDEN),
        **_shape_layer("embeddings.LayerNorm", HIDDEN),
    }
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        for part in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            shapes |= _shape_layer(f"{name}.{part}", HIDDEN, HIDDEN)
        shapes |= _shape_layer(f"{name}.intermediate.dense", INNER, HIDDEN)
        shapes |= _shape_layer(f"{name}.output.dense", HIDDEN, INNER)
        for part in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes |= _shape_layer(f"{name}.{part}", HIDDEN)
    weights = {name: choice.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    save_file(weights, folder / "model.safetensors")
    return folder


def _shape_layer(name: str, size: int, *inputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (size, *inputs), f"{name}.bias": (size,)}
