"""Tests of the checks of the data."""
