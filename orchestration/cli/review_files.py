"""Files of a screening tool in ``aisle review export`` and ``import``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orchestration.cli.console import fail, log
from transforms.review import reports, screening
from transforms.review.choices import choose_taxonomy
from warehouse.decisions.events import Decision, InvalidDecision

if TYPE_CHECKING:
    import duckdb

_MAX_SHOWN = 20


def write_screening_file(
    connection: duckdb.DuckDBPyConnection, taxonomy: str, corpus: str, *, is_ris: bool
) -> tuple[str, int]:
    """The works of a corpus as a file that ASReview LAB reads, and how many they are.

    Raises:
        typer.Exit: There is no such taxonomy, or the corpus has no works; the reason is printed.
    """
    works = screening.list_works(connection, _choose_taxonomy(connection, taxonomy), corpus)
    if not works:
        names = [name for (name,) in connection.execute("select corpus from clean.corpora order by corpus").fetchall()]
        raise fail(f"the corpus {corpus!r} has no works; the corpora are {', '.join(names)}")
    write = screening.write_screening_ris if is_ris else screening.write_screening_csv
    return write(works), len(works)


def take_screened(
    connection: duckdb.DuckDBPyConnection,
    decisions: Iterable[Decision],
    records: Sequence[screening.ScreenedRecord],
    defaults: Mapping[str, Any],
    taxonomy: str,
) -> list[Decision]:
    """The decisions of a file of ASReview LAB; records whose work the release has not are printed.

    Raises:
        typer.Exit: There is no such taxonomy; the reason is printed.
    """
    facts = {**defaults, "taxonomy": _choose_taxonomy(connection, taxonomy)}
    new, problems = screening.build_scopes(connection, decisions, records, facts)
    for problem in problems[:_MAX_SHOWN]:
        log(problem)
    if problems:
        log(f"{len(problems):,} of {len(records):,} records were not imported")
    return new


def take_report(connection: duckdb.DuckDBPyConnection, text: str, name: str, defaults: Mapping[str, Any]) -> Decision:
    """The note that a reader's report stands for.

    Raises:
        typer.Exit: It names no work of the release, or nothing that is wrong; the reason is printed.
    """
    try:
        return reports.read_report(connection, text, name, defaults)
    except (InvalidDecision, LookupError) as error:
        raise fail(str(error)) from error


def _choose_taxonomy(connection: duckdb.DuckDBPyConnection, taxonomy: str) -> str:
    try:
        return choose_taxonomy(connection, taxonomy)
    except InvalidDecision as error:
        raise fail(str(error)) from error
