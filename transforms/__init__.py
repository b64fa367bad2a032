"""Transforms: SQL files with their declarations, and the code that reads and runs them."""
