"""Tests of decisions and suggestions."""
