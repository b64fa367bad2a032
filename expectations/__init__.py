"""Checks of the data: declared limits of single tables, and checks across tables."""
