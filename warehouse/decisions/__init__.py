"""Decisions of people on works: events that are only ever added, kept outside of the releases."""
