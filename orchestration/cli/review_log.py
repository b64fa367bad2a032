"""What the commands of ``aisle review`` share: who decides, the log of decisions, and the release they are about."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.console import fail, hold_lake
from warehouse.lake import Lake

if TYPE_CHECKING:
    import duckdb

    from warehouse.decisions.events import Decision

REVIEWER = "AISLE_REVIEWER"
Reviewer = Annotated[
    str, typer.Option("--as", help=f"Who decides; by default {REVIEWER} of the environment.", metavar="NAME")
]


def require_reviewer(given: str) -> str:
    """The name of who decides.

    Raises:
        typer.Exit: There is none.
    """
    name = given or os.environ.get(REVIEWER, "")
    if not name.strip():
        raise fail(f"a decision needs a name: add --as NAME, or set {REVIEWER}")
    return name


def describe_decision(decision: Decision) -> str:
    """A decision in a line: what it is about, and what was decided."""
    from transforms.review.mappings import describe_value

    subject = " ".join(part for part in (decision.kind, decision.taxonomy, decision.field) if part)
    return f"{subject}: {describe_value(decision) or decision.undone_event_id} · {decision.title}"


@contextmanager
def report_faults() -> Generator[None]:
    """End the command with a message if the log cannot be used."""
    from warehouse.decisions.store import DecisionsUnavailable

    try:
        yield
    except DecisionsUnavailable as error:
        raise fail(str(error)) from error


@contextmanager
def hold_decisions() -> Generator[Lake]:
    """The lake, held for a change of its log."""
    with report_faults(), hold_lake() as lake:
        yield lake


@contextmanager
def connect_release(lake: Lake) -> Generator[duckdb.DuckDBPyConnection]:
    """A connection to the newest release.

    Raises:
        typer.Exit: There is none, or it was made by another version.
    """
    import duckdb

    from warehouse.release import NoRelease, read_current_release

    try:
        release = read_current_release(lake)
        with release.connect() as connection:
            yield connection
    except NoRelease as error:
        raise fail(str(error)) from error
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        raise fail(f"the newest release was made by another version of aisle: run `aisle run` ({error})") from error
