"""Options of ``aisle add`` for tables: the headers of columns, their confirmation, and the encoding."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import typer

from orchestration.cli.console import fail, log


def build_table_hints(mappings: list[str] | None, encoding: str | None) -> dict[str, str]:
    """The hints for ``--map COLUMN=HEADER`` and ``--encoding``; ends the command if one cannot be used."""
    from orchestration.sources.shared.encoding import find_codec
    from orchestration.sources.sheet.headers import COLUMN_NAMES

    hints: dict[str, str] = {}
    columns: dict[str, str] = {}
    for mapping in mappings or []:
        name, mark, header = (part.strip() for part in mapping.partition("="))
        if not mark or name not in COLUMN_NAMES:
            raise fail(f"--map {mapping}: expected COLUMN=HEADER with a column among {', '.join(sorted(COLUMN_NAMES))}")
        columns[name] = header
    if columns:
        hints["columns"] = json.dumps(columns, ensure_ascii=False, sort_keys=True)
    if encoding:
        codec = find_codec(encoding)
        if codec is None:
            raise fail(f"--encoding {encoding}: not the name of an encoding, such as windows-1252 or shift_jis")
        hints["charset"] = codec
    return hints


@dataclass(frozen=True)
class ColumnConfirmation:
    """Confirms the columns that a table probably has: on a terminal by a question, elsewhere only with ``--yes``.

    Args:
        name: Name of the file.
        is_confirmed: Whether ``--yes`` is given.
    """

    name: str
    is_confirmed: bool

    def __call__(self, columns: Mapping[str, str]) -> bool:
        """Show the columns; whether they are right."""
        from orchestration.sources.sheet.headers import COLUMN_NAMES

        missing = [name for name in ("lab", "title", "date", "url", "category") if name not in columns]
        log(f"{Path(self.name).name}: a table, probably with these columns:")
        for name in sorted(COLUMN_NAMES & columns.keys()):
            log(f"  {name:<12} from “{columns[name]}”")
        if missing:
            log(f"  no column for {', '.join(missing)}: these values will be missing")
        if self.is_confirmed:
            return True
        return sys.stdin.isatty() and typer.confirm("Take it so?", default=False, err=True)
