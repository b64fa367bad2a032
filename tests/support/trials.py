"""Trials by force (kills, damaged inputs, hostile queries): a few of each in `make test`, all of them in `make prove`.

A test of this sort has the marker ``trials("what is tried", how_often)``; it counts as one trial without the number.
`make prove` prints what was tried, how often, and what failed. `trials_only` leaves a slow test to it, where a cheaper
one proves the same in `make test`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

IS_FULL = os.environ.get("AISLE_PROVE") == "yes"
trials_only = pytest.mark.skipif(not IS_FULL, reason="runs in `make prove`, a cheaper test in its place here")


def scale_trials(few: int, all_trials: int) -> int:
    """How many trials to make."""
    return all_trials if IS_FULL else few


def pick_trials(cases: Sequence[Any], few: int) -> Sequence[Any]:
    """All cases in `make prove`, else ``few`` of them, evenly spread."""
    return cases if IS_FULL or len(cases) <= few else [cases[len(cases) * n // few] for n in range(few)]


def mark_trials(items: Iterable[pytest.Item]) -> None:
    """Note in the report of each marked test what it tries."""
    for item in items:
        if marker := item.get_closest_marker("trials"):
            what, how_often = (*marker.args, 1)[:2]
            item.user_properties += [("what is tried", what), ("how often", how_often)]


def write_trials(reporter: pytest.TerminalReporter) -> None:
    """Write how often each sort of trial was made and how often it failed."""
    tried, failed = Counter[str](), Counter[str]()
    reports = [report for reports in reporter.stats.values() for report in reports if hasattr(report, "when")]
    for report in reports:
        properties = dict(getattr(report, "user_properties", ()))
        if "what is tried" in properties and (report.when == "call" or report.failed):
            tried[properties["what is tried"]] += properties["how often"]
            failed[properties["what is tried"]] += report.failed
    if IS_FULL and tried:
        reporter.section("trials")
        for what, number in sorted(tried.items()):
            reporter.line(f"{what}: {number:,} tried, {failed[what] or 'none'} failed")
