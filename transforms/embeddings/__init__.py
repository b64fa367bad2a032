"""Sentence embeddings: a text as a vector of numbers, close to those of texts about the same."""
