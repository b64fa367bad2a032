"""Facts kept by hand: labs and their aliases, categories, coverage of sources, published counts.

Each CSV beside this file is a table of the ``reference`` layer, declared in ``tables.toml``.
"""

from __future__ import annotations

import csv
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from warehouse.table import Table

FOLDER = Path(__file__).parent
PUBLISHED_COUNTS = FOLDER / "published_counts.toml"


@cache
def rows_of(things: str) -> list[dict[str, str]]:
    """The rows of a reference table as texts; needs no more than the standard library."""
    with (FOLDER / f"{things}.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@cache
def tables() -> tuple[Table, ...]:
    """The declarations of all reference tables.

    Raises:
        DeclarationError: A declaration cannot be right.
    """
    from warehouse.table import table_from_toml

    declared = tomllib.loads((FOLDER / "tables.toml").read_text(encoding="utf-8"))
    return tuple(table_from_toml(f"reference.{things}", entry) for things, entry in declared.items())


def frame_of(table: Table) -> pl.DataFrame:
    """A reference table with its declared types.

    Raises:
        DeclarationError: A value does not fit its declared type, or columns differ.
    """
    import polars as pl

    from warehouse.table import DeclarationError

    try:
        frame = pl.read_csv(FOLDER / f"{table.things}.csv", schema_overrides=table.schema, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise DeclarationError(f"{table.things}.csv: {error}") from error
    return table.conform(frame)
