"""Helpers of all commands: the consoles, messages, and the lake."""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.markup import escape

from warehouse.lake import Lake, UnusableLake

out = Console(width=None if sys.stdout.isatty() else 160)
err = Console(stderr=True)


def log(text: str) -> None:
    """Print a line of progress to standard error."""
    err.print(escape(text), highlight=False, soft_wrap=True)


def fail(text: str) -> typer.Exit:
    """Print an error to standard error; returns the exit with code 1, to be raised."""
    err.print(f"[red]{escape(text)}[/red]", highlight=False, soft_wrap=True)
    return typer.Exit(1)


def open_lake() -> Lake:
    """The lake that the environment names.

    Raises:
        typer.Exit: No lake can be kept there; the reason is printed.
    """
    try:
        return Lake.from_environment()
    except UnusableLake as error:
        raise fail(str(error)) from error
