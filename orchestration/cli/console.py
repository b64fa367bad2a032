"""Helpers of all commands: the consoles, messages, and the lake."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from warehouse.lake import Lake, UnusableLake
from warehouse.memory import InvalidMemory, read_memory_budget
from warehouse.origin import Needs, need_state
from warehouse.terminal_text import escape_controls


class PlainConsole(Console):
    """A console that shows every text as it is: no markup in it, no emoji codes, control characters written out.

    Titles, names of labs and files, messages of feeds and results of queries come from outside, so nothing that is
    printed may be read as markup. Give a ``style`` instead.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """The text to print; called by Rich for each text and each cell of a table."""
        return super().render_str(escape_controls(text), **options)


out = PlainConsole(width=None if sys.stdout.isatty() else 160)
err = PlainConsole(stderr=True)


def log(text: str) -> None:
    """Print a line of progress to standard error; more lines of the text are indented, so that none passes for ours."""
    err.print(_indent_lines(text), soft_wrap=True)


def fail(text: str) -> typer.Exit:
    """Print an error to standard error; returns the exit with code 1, to be raised."""
    err.print(_indent_lines(text), style="red", soft_wrap=True)
    return typer.Exit(1)


def show_line(text: str) -> None:
    """Print a line to standard output, as `log` does."""
    out.print(_indent_lines(text), soft_wrap=True)


def _indent_lines(text: str) -> str:
    return text.replace("\n", "\n    ")


def open_lake() -> Lake:
    """The lake that the environment names.

    Raises:
        typer.Exit: No lake can be kept there; the reason is printed.
    """
    try:
        return Lake.from_environment()
    except UnusableLake as error:
        raise fail(str(error)) from error


def read_lake(needed: Needs = need_state) -> Lake:
    """The lake that the environment names, for a command that only reads it.

    Args:
        needed: Which files it needs, if the lake is on an object store.

    Raises:
        typer.Exit: No lake can be kept there, or its store cannot be read; the reason is printed.
    """
    try:
        return open_lake().open_for_reading(needed)
    except OSError as error:
        raise fail(str(error)) from error


@contextmanager
def hold_lake(needed: Needs = need_state) -> Generator[Lake]:
    """The lake that the environment names, for a command that writes it; on an object store, committed in the end.

    Args:
        needed: Which files it needs, if the lake is on an object store.

    Raises:
        typer.Exit: No lake can be kept there; the reason is printed.
        OSError: The store cannot be used, or another writer was faster.
    """
    lake = open_lake()
    with lake.hold(needed, log):
        yield lake


def require_settings() -> None:
    """Require that a run can use what the environment sets: the memory, and the embedding model if it names one.

    Raises:
        typer.Exit: It cannot; the reason is printed.
    """
    from transforms.embeddings.models import NoEmbeddings, find_model

    try:
        read_memory_budget()
        find_model()
    except (InvalidMemory, NoEmbeddings) as error:
        raise fail(str(error)) from error
