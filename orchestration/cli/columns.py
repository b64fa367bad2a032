"""Options of ``aisle add`` for tables: the headers of columns, their confirmation, and the encoding."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from orchestration.cli.console import err, fail, log

if TYPE_CHECKING:
    from orchestration.sources.shared.column_proposal import ColumnProposal


@dataclass(frozen=True)
class TableOptions:
    """The options of ``aisle add`` on how tables are read; see their help texts."""

    mappings: list[str] | None = None
    has_no_category: bool = False
    lab_value: str | None = None
    list_name: str | None = None
    tabs: list[str] | None = None
    separator: str | None = None
    encoding: str | None = None


def build_table_hints(options: TableOptions) -> dict[str, str]:
    """The hints for the parser; ends the command if an option cannot be used."""
    from orchestration.sources.shared.encoding import find_codec
    from orchestration.sources.sheet.headers import read_column_names

    hints: dict[str, str] = {}
    columns: dict[str, str] = {}
    for mapping in options.mappings or []:
        name, mark, header = (part.strip() for part in mapping.partition("="))
        if not mark or name not in read_column_names():
            raise fail(
                f"--map {mapping}: expected COLUMN=HEADER with a column among {', '.join(sorted(read_column_names()))}"
            )
        columns[name] = header
    if options.has_no_category:
        columns["category"] = ""
    if options.lab_value:
        columns.setdefault("lab", "")
    if columns:
        hints["columns"] = json.dumps(columns, ensure_ascii=False, sort_keys=True)
    if options.encoding:
        codec = find_codec(options.encoding)
        if codec is None:
            raise fail(f"--encoding {options.encoding}: not the name of an encoding, such as windows-1252 or shift_jis")
        hints["charset"] = codec
    if options.list_name is not None and not options.list_name.strip():
        raise fail("--list: an empty name; without the option, a list has the name of its file")
    if options.tabs:
        hints["tabs"] = json.dumps(options.tabs, ensure_ascii=False)
    named = {"list": options.list_name, "lab": options.lab_value, "separator": options.separator}
    return hints | {name: value for name, value in named.items() if value and value.strip()}


@dataclass(frozen=True)
class ColumnConfirmation:
    """Confirms the columns that a table probably has: on a terminal by a question, elsewhere with ``--yes``.

    Without either, only columns whose names are known and whose values fit are taken.

    Args:
        name: Name of the file.
        is_confirmed: Whether ``--yes`` is given.
    """

    name: str
    is_confirmed: bool

    def __call__(self, proposal: ColumnProposal) -> bool:
        """Show the columns with their first values; whether they are right."""
        from rich.table import Table

        columns = proposal.columns
        missing = [name for name in ("lab", "title", "date", "url", "category") if name not in columns]
        log(f"{Path(self.name).name}: a table, probably with these columns:")
        table = Table("column", "header", "known by", "first values", box=None, pad_edge=True)
        for name in sorted(columns):
            table.add_row(name, columns[name], proposal.basis[name], "\n".join(proposal.samples[name]))
        err.print(table)
        if missing:
            log(f"  no column for {', '.join(missing)}: these values will be missing")
        if self.is_confirmed:
            return True
        if not sys.stdin.isatty():
            return proposal.is_confident
        return typer.confirm("Take it so?", default=False, err=True)
