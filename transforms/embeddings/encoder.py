"""The encoder: a BERT model in NumPy, whose last layer is averaged over the tokens of a text.

It computes what sentence-transformers computes for all-MiniLM-L6-v2, without PyTorch, at about ten abstracts a second
on one core. Layers: Devlin et al., BERT, arXiv 1810.04805; mean pooling: Reimers and Gurevych, Sentence-BERT, arXiv
1908.10084.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import erf

Array = np.ndarray[Any, Any]
MOST_TOKENS = 256
"""Later tokens of a text are left out, as in the training of the model."""


class Encoder:
    """An embedding model in memory."""

    def __init__(self, folder: Path) -> None:
        """Load the weights (for MiniLM 90 MB).

        Args:
            folder: Has ``config.json``, ``tokenizer.json`` and ``model.safetensors``.
        """
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self._heads, self._layers = config["num_attention_heads"], config["num_hidden_layers"]
        self._epsilon = np.float32(config["layer_norm_eps"])
        self._weights: dict[str, Array] = load_file(folder / "model.safetensors")
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(min(MOST_TOKENS, config["max_position_embeddings"]))

    def encode(self, text: str) -> Array:
        """The embedding of a text: a vector of length 1."""
        states = self._embed_tokens(self._tokenizer.encode(text).ids)
        for layer in range(self._layers):
            states = self._apply_layer(states, f"encoder.layer.{layer}")
        mean = states.mean(axis=0)
        return mean / max(float(np.linalg.norm(mean)), 1e-12)

    def _embed_tokens(self, tokens: list[int]) -> Array:
        weights = self._weights
        states = weights["embeddings.word_embeddings.weight"][tokens]
        states = states + weights["embeddings.position_embeddings.weight"][: len(tokens)]
        states = states + weights["embeddings.token_type_embeddings.weight"][0]
        return self._normalize(states, "embeddings.LayerNorm")

    def _apply_layer(self, states: Array, name: str) -> Array:
        attended = self._project(self._attend(states, f"{name}.attention.self"), f"{name}.attention.output.dense")
        states = self._normalize(states + attended, f"{name}.attention.output.LayerNorm")
        inner = self._project(states, f"{name}.intermediate.dense")
        inner = inner * (1 + erf(inner / np.sqrt(np.float32(2)))) / 2
        return self._normalize(states + self._project(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def _attend(self, states: Array, name: str) -> Array:
        tokens = len(states)
        queries, keys, values = (
            self._project(states, f"{name}.{part}").reshape(tokens, self._heads, -1).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = queries @ keys.transpose(0, 2, 1) / np.sqrt(np.float32(queries.shape[-1]))
        powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return (powers / powers.sum(axis=-1, keepdims=True) @ values).transpose(1, 0, 2).reshape(tokens, -1)

    def _project(self, states: Array, name: str) -> Array:
        return states @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _normalize(self, states: Array, name: str) -> Array:
        centred = states - states.mean(axis=-1, keepdims=True)
        deviations = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + self._epsilon)
        return centred / deviations * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]


@cache
def load_encoder(folder: Path) -> Encoder:
    """The encoder of a folder, loaded once in a process."""
    return Encoder(folder)
