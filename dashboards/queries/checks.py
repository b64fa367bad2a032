"""Check results of releases, from their manifests, and of the last run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import streamlit as st

from dashboards.queries.release import get_lake
from warehouse.release import Release

CHECKS_BY_RELEASE_QUERY = """
    with results as (
        select release, published_at, unnest(checks) as result
        from read_json($manifests, columns = {
            release: 'bigint', published_at: 'timestamptz',
            checks: 'struct("table" varchar, "check" varchar, passed boolean, is_critical boolean)[]'
        })
    )

    select
        'v' || release as release,
        published_at,
        case
            when result.passed then 'passed'
            when result.is_critical then 'failed, critical'
            else 'failed, warning'
        end as outcome,
        count(*) as checks
    from results
    group by results.release, published_at, outcome
    order by results.release, outcome
"""


@dataclass(frozen=True)
class CheckOutcome:
    """The result of a check on a table, as stored with a release or a run."""

    table: str
    check: str
    passed: bool
    is_critical: bool
    message: str


def list_check_results(release: Release) -> list[CheckOutcome]:
    """All check results of a release: failed critical checks first, then failed ones, then passed ones."""
    outcomes = [_parse_outcome(record) for record in release.manifest.get("checks", ())]
    return sorted(outcomes, key=lambda outcome: (outcome.passed, not outcome.is_critical, outcome.table, outcome.check))


def list_failed_checks(release: Release) -> list[CheckOutcome]:
    """The failed checks of a release, critical ones first."""
    return [outcome for outcome in list_check_results(release) if not outcome.passed]


def read_last_run_failures() -> tuple[str, list[CheckOutcome]] | None:
    """When the last run ended, and its failed checks; None if there was no run or its file cannot be read."""
    try:
        account = json.loads((get_lake().root / "last_run.json").read_text(encoding="utf-8"))
        failures = [_parse_outcome(record) for record in account["checks"] if not record["passed"]]
        return str(account["ended_at"]), failures
    except (OSError, ValueError, KeyError, TypeError):  # never run, or written by another version
        return None


def _parse_outcome(record: Mapping[str, Any]) -> CheckOutcome:
    message = record.get("message", record.get("says", ""))  # earlier versions wrote "says"
    return CheckOutcome(record["table"], record["check"], record["passed"], record["is_critical"], message)


def count_checks_by_release(releases: Sequence[Release]) -> pl.DataFrame:
    """Number of checks by release and outcome: ``release``, ``published_at``, ``outcome`` and ``checks``."""
    return _count_checks(tuple((str(release.path), str(release.manifest["published_at"])) for release in releases))


@st.cache_data(max_entries=8, show_spinner=False)
def _count_checks(keys: tuple[tuple[str, str], ...]) -> pl.DataFrame:
    manifests = [str(Path(path).with_suffix(".json")) for path, _ in keys]
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.sql(CHECKS_BY_RELEASE_QUERY, params={"manifests": manifests}).pl()
