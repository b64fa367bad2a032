"""Helpers that several kinds of source use."""
