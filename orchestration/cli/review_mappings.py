"""``aisle review mappings`` and ``map``: what a category of one taxonomy stands for in another."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestration.cli.console import fail, log, read_lake, show_line
from orchestration.cli.review_log import (
    Reviewer,
    connect_release,
    describe_decision,
    hold_decisions,
    report_faults,
    require_reviewer,
)

_From = Annotated[str, typer.Option("--from", help="The taxonomy of the category; a list's is named as the list.")]
_Into = Annotated[str, typer.Option("--into", help="The taxonomy into which it is mapped.")]


def show_mappings(
    source: _From = "",
    target: _Into = "",
    category: Annotated[str, typer.Option(help="Show the targets of this category.")] = "",
    number: Annotated[int, typer.Option("--number", "-n", min=1, max=10_000, help="How many to show.")] = 20,
    is_all: Annotated[bool, typer.Option("--all", help="Show what is decided too.")] = False,
) -> None:
    """Show what categories of one taxonomy could stand for in another, by the works that lists put into both.

    Examples: `aisle review mappings`, `aisle review mappings --from agendas --into iaps --category Interpretability`.
    """
    from transforms.review.mappings import WAITING, list_questions, list_targets
    from warehouse.decisions.store import list_decisions

    lake = read_lake()
    with report_faults(), connect_release(lake) as connection:
        questions = list_questions(connection, list_decisions(lake), source, target, category)
        shown = [one for one in questions if is_all or category or one.state in WAITING]
        for one in shown[:number]:
            used = f", counted in {one.used_categories}" if one.used_categories else ""
            people = f" by {one.decided_by}" if one.decided_by else ""
            show_line(f"{one.from_taxonomy}: {one.from_category} → {one.to_taxonomy}  [{one.state}{people}{used}]")
            show_line(f"  {one.sentence}" + (f" Proposed: {one.proposed}." if one.proposed else ""))
            for row in list_targets(connection, one) if category else ():
                counts = f"{row.shared_works:,} of {one.from_works:,}; {row.to_works:,} of its own"
                show_line(f"    {row.category}: {counts}" + (f" · {row.definition}" if row.definition else ""))
    waiting = sum(one.state in WAITING for one in questions)
    log(f"{waiting:,} mappings wait for a decision; none of them is used")


def map_category(
    category: Annotated[str, typer.Argument(help="The category that is mapped.")],
    source: _From,
    target: _Into,
    targets: Annotated[
        list[str] | None,
        typer.Option("--to", help="What it stands for; several with shares, such as Monitoring=0.75.", metavar="NAME"),
    ] = None,
    is_none: Annotated[bool, typer.Option("--none", help="It has no counterpart there.")] = False,
    is_proposed: Annotated[bool, typer.Option("--proposed", help="Accept what is proposed.")] = False,
    reason: Annotated[str, typer.Option("--why", help="Why.")] = "",
    reviewer: Reviewer = "",
    is_blind: Annotated[bool, typer.Option("--blind", help="Decide without regard to earlier decisions.")] = False,
) -> None:
    """Decide in which categories of another taxonomy the works of a category count too, or that it has none there.

    Examples: `aisle review map Interpretability --from agendas --into iaps --proposed --as Ada`,
    `aisle review map Evals --from agendas --into unsolved_problems --to Monitoring=0.75 --to Robustness=0.25`.
    """
    from transforms.review.mappings import build_mapping, find_question
    from warehouse.decisions.events import NO_COUNTERPART, InvalidDecision
    from warehouse.decisions.store import add_decisions, list_decisions

    if not (source and target):
        raise fail("--from and --into need the name of a taxonomy each; `aisle review mappings` lists them")
    if bool(targets) + is_none + is_proposed != 1:
        raise fail("give one of --to NAME, --none and --proposed")
    person = require_reviewer(reviewer)
    with hold_decisions() as lake, connect_release(lake) as connection:
        decisions = list_decisions(lake)
        try:
            question = find_question(connection, decisions, category, source, target)
            if is_proposed and question.proposed is None:
                raise InvalidDecision(f"nothing is proposed: {question.sentence}")
            weights = {NO_COUNTERPART: 1.0} if is_none else {str(question.proposed): 1.0}
            if targets:
                parsed = [_parse_target(one) for one in targets]
                weights = dict(parsed)
                if len(weights) < len(parsed):
                    raise InvalidDecision(f"a category is named twice: {', '.join(targets)}")
            decision = build_mapping(connection, decisions, question, weights, person, reason=reason, is_blind=is_blind)
        except InvalidDecision as error:
            raise fail(str(error)) from error
        add_decisions(lake, [decision])
        show_line(f"{decision.event_id}  {describe_decision(decision)}")
    log("it takes effect with the next `aisle run`")


def _parse_target(text: str) -> tuple[str, float]:
    name, separator, weight = text.rpartition("=")
    try:
        return (name.strip(), float(weight)) if separator else (text.strip(), 1.0)
    except ValueError:  # a name with an equals sign
        return text.strip(), 1.0
