"""Which tables are made on the driver, since the server has no counterpart for their queries, and up to which size."""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from transforms.reader import Transform
from warehouse.lake import Lake

_FILE = Path(__file__).with_name("driver_tables.toml")


class TooManyRows(RuntimeError):
    """A table that only the driver can make has more rows to read than is declared for it; the message names it."""


@dataclass(frozen=True)
class DriverTable:
    """A table that some servers cannot make.

    Args:
        name: Its name.
        lacks: The ability that they lack.
        reason: What its query needs it for.
        most_rows: Rows of all its inputs together, up to which the driver makes it.
    """

    name: str
    lacks: str
    reason: str
    most_rows: int

    def __str__(self) -> str:
        return (
            f"{self.name} is made on the driver, up to {self.most_rows:,} rows of its inputs: the server has no"
            f" {self.lacks}, and {self.reason}"
        )


@cache
def read_driver_tables() -> tuple[DriverTable, ...]:
    """All tables that some server cannot make."""
    tables = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return tuple(DriverTable(name, **settings) for name, settings in tables.items())


def select_driver_tables(lacking: Collection[str]) -> dict[str, DriverTable]:
    """The tables that a server cannot make which lacks some abilities, by name."""
    return {table.name: table for table in read_driver_tables() if table.lacks in lacking}


def require_few_rows(table: DriverTable, transform: Transform, lake: Lake) -> None:
    """Require that the inputs of a table have few enough rows for the driver.

    Raises:
        TooManyRows: They have more.
    """
    rows = sum(file.rows for name in transform.source_tables for file in lake.require_table(name)[1])
    if rows > table.most_rows:
        raise TooManyRows(
            f"{table.name} can only be made on the driver, since the server has no {table.lacks}; its inputs have"
            f" {rows:,} rows, and {table.most_rows:,} are the most for that"
        )
