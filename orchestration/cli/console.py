"""What all commands of the command line share: where they print, how they fail, which lake they are about."""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.markup import escape

from warehouse.lake import Lake, UnusableLake

out = Console(width=None if sys.stdout.isatty() else 160)
err = Console(stderr=True)


def say(text: str) -> None:
    """Tell a person how things go, on standard error."""
    err.print(escape(text), highlight=False, soft_wrap=True)


def fail(text: str) -> typer.Exit:
    """Tell a person what went wrong; to be raised."""
    err.print(f"[red]{escape(text)}[/red]", highlight=False, soft_wrap=True)
    return typer.Exit(1)


def lake_of_environment() -> Lake:
    """The lake that the environment names.

    Raises:
        typer.Exit: No lake can be kept there; the reason was told.
    """
    try:
        return Lake.of_environment()
    except UnusableLake as error:
        raise fail(str(error)) from error
