"""The raw table of decisions: the log of events as it is when a run begins."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from orchestration.ingest.raw_tables import load_shared_tables
from warehouse.decisions.events import Decision


def build_decision_rows(decisions: Iterable[Decision]) -> pl.DataFrame:
    """Decisions as rows of ``raw.decisions``; what does not apply to a kind is missing."""
    rows = ({name: value or None for name, value in decision.to_row().items()} for decision in decisions)
    return load_shared_tables()["decisions"].frame(rows)
