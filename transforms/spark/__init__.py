"""Runs transforms on Spark: the same SQL files, translated."""
