"""The commands ``aisle review``: what people decide on works, as events that are only ever added."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.console import fail, log, out, read_lake, show_line
from orchestration.cli.review_log import (
    REVIEWER,
    Reviewer,
    connect_release,
    describe_decision,
    hold_decisions,
    report_faults,
    require_reviewer,
)
from orchestration.cli.review_mappings import map_category, show_mappings
from warehouse.terminal_text import escape_controls

app = typer.Typer(
    name="review",
    help="Decide on works: categories, scope, same work or not, corrected fields, labs, exclusions; map categories.",
    no_args_is_help=True,
)


class ExportFormat(StrEnum):
    """What `aisle review export` writes."""

    csv = "csv"
    asreview_csv = "asreview-csv"
    asreview_ris = "asreview-ris"


@app.command()
def decide(
    work: Annotated[str, typer.Argument(help="The work: its identifier, a link, DOI, arXiv id, or its title.")],
    category: Annotated[
        list[str] | None, typer.Option("--category", "-c", help="Its category; several with the main one first.")
    ] = None,
    scope: Annotated[str, typer.Option(help="Whether it is in scope of the taxonomy: yes or no.")] = "",
    same_as: Annotated[str, typer.Option(help="Another work that is the same one.", metavar="WORK")] = "",
    not_same_as: Annotated[str, typer.Option(help="Another work that is not the same one.", metavar="WORK")] = "",
    field: Annotated[str, typer.Option(help="A corrected field, such as published_on=2024-03-17.")] = "",
    lab: Annotated[str, typer.Option(help="The lab that it counts for.")] = "",
    excluded: Annotated[str, typer.Option(help="Whether it is excluded from all counts: yes or no.")] = "",
    note: Annotated[str, typer.Option(help="A note.")] = "",
    taxonomy: Annotated[str, typer.Option(help="The taxonomy; by default the default one.")] = "",
    reason: Annotated[str, typer.Option("--why", help="Why.")] = "",
    reviewer: Reviewer = "",
    is_blind: Annotated[
        bool, typer.Option("--blind", help="Decide without regard to earlier decisions, to compare two people.")
    ] = False,
    is_new: Annotated[
        bool, typer.Option("--new", help="Allow a category that the taxonomy does not have yet.")
    ] = False,
) -> None:
    """Decide on a work. It takes effect with the next `aisle run`; `aisle review undo` takes it back.

    Examples: `aisle review decide 2209.10652 --category "Mechanistic interpretability" --as Ada`,
    `aisle review decide 2209.10652 --scope no --why "about hardware" --as Ada`.
    """
    from transforms.review.choices import Choice, build_choices
    from warehouse.decisions.events import InvalidDecision
    from warehouse.decisions.store import add_decisions, list_decisions

    choice = Choice(
        categories=tuple(category or ()),
        scope=scope,
        same_as=same_as,
        not_same_as=not_same_as,
        field=field,
        lab=lab,
        excluded=excluded,
        note=note,
        taxonomy=taxonomy,
        reason=reason,
        decided_by=require_reviewer(reviewer),
        is_blind=is_blind,
        is_new=is_new,
    )
    with hold_decisions() as lake, connect_release(lake) as connection:
        try:
            decisions = build_choices(connection, list_decisions(lake), work, choice)
        except (InvalidDecision, LookupError) as error:
            raise fail(str(error)) from error
        add_decisions(lake, decisions)
        for decision in decisions:
            show_line(f"{decision.event_id}  {describe_decision(decision)}")
    log("it takes effect with the next `aisle run`")


@app.command(name="next")
def next_(
    number: Annotated[int, typer.Option("--number", "-n", min=1, max=1000, help="How many to show.")] = 1,
    skip: Annotated[int, typer.Option(min=0, help="How many to skip.")] = 0,
    taxonomy: Annotated[str, typer.Option(help="The taxonomy; by default the default one.")] = "",
    is_pairs: Annotated[bool, typer.Option("--candidates", help="Show pairs of works that may be one.")] = False,
    is_list: Annotated[bool, typer.Option("--list", help="Show a line each, without texts and definitions.")] = False,
    reviewer: Reviewer = "",
    is_blind: Annotated[
        bool,
        typer.Option(
            "--blind", help="Begin with what others decided and you did not, without showing their decisions."
        ),
    ] = False,
    is_by_relevance: Annotated[
        bool, typer.Option("--by-relevance", help="Begin with what is most probably in scope, for screening.")
    ] = False,
) -> None:
    """Show what to decide next: first what is most uncertain and counts most in the published charts.

    Examples: `aisle review next`, `aisle review next --candidates`, `aisle review next --list -n 50`.
    """
    from orchestration.cli.review_report import list_pair_lines, list_work_lines
    from transforms.review.choices import choose_taxonomy
    from warehouse.decisions.events import InvalidDecision
    from warehouse.decisions.store import list_decisions

    person = require_reviewer(reviewer) if is_blind else reviewer or os.environ.get(REVIEWER, "")
    lake = read_lake()
    with report_faults(), connect_release(lake) as connection:
        listing = (connection, list_decisions(lake), person, is_blind, number, skip)
        if is_pairs:
            lines, waiting = list_pair_lines(*listing, is_short=is_list)
            subject = "pairs of works wait for a decision"
        else:
            try:
                taxonomy = choose_taxonomy(connection, taxonomy)
            except InvalidDecision as error:
                raise fail(str(error)) from error
            lines, waiting = list_work_lines(*listing, taxonomy, is_short=is_list, is_by_relevance=is_by_relevance)
            subject = f"works wait for a decision in {taxonomy}"
    for line in lines:
        show_line(line)
    log(f"{waiting:,} {subject}")


@app.command()
def undo(
    event: Annotated[str, typer.Argument(help="Identifier of the decision, as `aisle review decide` printed it.")],
    reason: Annotated[str, typer.Option("--why", help="Why.")] = "",
    reviewer: Reviewer = "",
) -> None:
    """Undo a decision: what it had replaced holds again. An undo is an event too, and can be undone."""
    from transforms.review.choices import build_undo
    from warehouse.decisions.store import add_decisions, list_decisions

    with hold_decisions() as lake:
        try:
            decision = build_undo(list_decisions(lake), event, require_reviewer(reviewer), reason)
        except LookupError as error:
            raise fail(str(error)) from error
        add_decisions(lake, [decision])
        show_line(f"{decision.event_id}  {describe_decision(decision)}")
    log("it takes effect with the next `aisle run`")


@app.command()
def export(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file.")] = None,
    form: Annotated[
        ExportFormat, typer.Option("--format", "-f", help="The log, or works to be screened in ASReview LAB.")
    ] = ExportFormat.csv,
    taxonomy: Annotated[
        str, typer.Option(help="The taxonomy whose scope is screened; by default the default one.")
    ] = "",
    corpus: Annotated[str, typer.Option(help="The corpus whose works are screened.")] = "lab_publications",
) -> None:
    """Write all decisions as CSV: they can be imported into any lake, twice too.

    With `--format asreview-csv` or `asreview-ris`, write the works of a corpus instead, with whether they are in scope
    as far as that is known; what ASReview LAB exports of them, `aisle review import` reads.
    """
    from orchestration.cli.review_files import write_screening_file
    from warehouse.decisions.csv_files import write_csv
    from warehouse.decisions.store import list_decisions

    lake = read_lake()
    if form is ExportFormat.csv:
        with report_faults():
            decisions = list_decisions(lake)
        text, subject = write_csv(decisions), f"{len(decisions):,} decisions"
    else:
        with connect_release(lake) as connection:
            text, works = write_screening_file(connection, taxonomy, corpus, is_ris=form is ExportFormat.asreview_ris)
        subject = f"{works:,} works"
    if output is None:
        sys.stdout.write(escape_controls(text) if sys.stdout.isatty() else text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise fail(f"{output} cannot be written: {error.strerror}") from error
    log(f"{subject} in {output}")


@app.command(name="import")
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            help="A CSV file that `aisle review export` wrote, a CSV or RIS file of ASReview LAB, or a report."
        ),
    ],
    taxonomy: Annotated[str, typer.Option(help="The taxonomy whose scope was screened in ASReview LAB.")] = "",
    reviewer: Reviewer = "",
) -> None:
    """Add the decisions of a file. Those that are there already stay as they are, so nothing is lost or doubled."""
    from orchestration.cli.review_files import take_report, take_screened
    from transforms.review.reports import is_report
    from transforms.review.screening import read_screening_file
    from warehouse.decisions.csv_files import read_csv
    from warehouse.decisions.events import InvalidDecision
    from warehouse.decisions.store import add_decisions, list_decisions
    from warehouse.table import utc_now

    try:
        text = file.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise fail(f"{file} cannot be read: {error}") from error
    defaults = {"decided_by": reviewer or os.environ.get(REVIEWER, ""), "decided_at": utc_now()}
    try:
        screened = None if is_report(text) else read_screening_file(text, file.name)
        decisions = [] if screened is not None or is_report(text) else read_csv(text, defaults, file.name)
    except InvalidDecision as error:
        raise fail(str(error)) from error
    with hold_decisions() as lake:
        if screened is not None:
            defaults["decided_by"] = require_reviewer(reviewer)
            with connect_release(lake) as connection:
                decisions = take_screened(connection, list_decisions(lake), screened, defaults, taxonomy)
        if is_report(text):
            with connect_release(lake) as connection:
                decisions = [take_report(connection, text, file.name, defaults)]
        added = add_decisions(lake, decisions)
    log(f"{added:,} of {len(decisions):,} decisions are new; they take effect with the next `aisle run`")


@app.command()
def stats() -> None:
    """Show how many decisions there are, what became of them, how far two people agree, and what waits for a run."""
    from orchestration.cli.review_report import (
        build_agreement_table,
        build_decision_table,
        count_waiting,
        list_disagreement_lines,
        list_stopping_lines,
    )
    from warehouse.decisions.store import describe_database, list_decisions

    lake = read_lake()
    with report_faults():
        decisions = list_decisions(lake)
        show_line(f"{len(decisions):,} decisions in {describe_database(lake)}")
    if not decisions:
        return
    with connect_release(lake) as connection:
        out.print(build_decision_table(connection))
        if (agreement := build_agreement_table(connection, decisions)) is not None:
            out.print(agreement)
        for line in [
            *(f"to settle: {line}" for line in list_disagreement_lines(connection, decisions)),
            *list_stopping_lines(connection, decisions),
        ]:
            show_line(line)
        if waiting := count_waiting(connection, decisions):
            show_line(f"{waiting:,} of them take effect with the next `aisle run`")


app.command(name="mappings")(show_mappings)
app.command(name="map")(map_category)
